package config

// Quota configures the quota of the namespace.
type Quota struct {
	Enabled         bool `config:"enabled" doc:"Declare a ResourceQuota, computed from the workloads of the stack, and a LimitRange."`
	HeadroomPercent int  `config:"headroomPercent" doc:"Room above the plan, in percent; 0 to 200. The plan counts every service at its peak, with the pods of an update."`
}

// Priority orders what the scheduler evicts first when nodes are short.
type Priority struct {
	Services int `config:"services" doc:"Value of the PriorityClass of services; 0 to 1000000."`
	Stores   int `config:"stores" doc:"Value of the PriorityClass of stores, above that of services; up to 1000000."`
}

func (c *Config) checkQuota(found *mistakes) {
	between(found, at("nova:quota.headroomPercent"), c.Quota.HeadroomPercent, 0, 200)
	between(found, at("nova:priority.services"), c.Priority.Services, 0, 1000000)
	between(found, at("nova:priority.stores"), c.Priority.Stores, max(c.Priority.Services, 0), 1000000)
}
