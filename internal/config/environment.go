package config

import "nova.dev/infra/catalog"

// CatalogEnvironment is what the catalogue derives variables from.
func (c *Config) CatalogEnvironment() catalog.Environment {
	return catalog.Environment{
		Name:         c.Environment,
		Namespace:    c.Namespace,
		HeadlessGRPC: c.GRPC.Discovery == "headless",
		Endpoints:    c.endpoints(),
		Region:       c.Storage.Region,
		Buckets:      c.buckets(),
		Services:     c.CatalogServices(),
	}
}

// VariableValues are the keys and values of ConfigMap nova-backend-config,
// without those that only the deployment knows (JWT_PUBLIC_KEY_PEM).
func (c *Config) VariableValues() map[string]string {
	return c.VariableValuesIn(c.CatalogEnvironment())
}

// VariableValuesIn is VariableValues where the stack's services and systems
// answer elsewhere.
func (c *Config) VariableValuesIn(environment catalog.Environment) map[string]string {
	values := map[string]string{}
	for _, v := range catalog.Variables() {
		values[v.Key] = v.Value(environment)
		if own, ok := c.Variables[v.Key]; ok {
			values[v.Key] = own
		}
	}
	return values
}

// endpoints says where each stateful system answers. Buckets in an AWS account
// have no endpoint of their own.
func (c *Config) endpoints() map[catalog.Dependency]catalog.Endpoint {
	all := map[catalog.Dependency]catalog.Endpoint{}
	for _, system := range catalog.Dependencies() {
		all[system] = c.endpoint(system)
	}
	return all
}
