package render

import (
	"maps"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// local is a stack as Docker Compose runs it on one machine: its services with
// its overrides and variables, and every stateful system in one copy of its own,
// wherever the stack itself has it.
type local struct {
	c           *config.Config
	environment catalog.Environment
	// variables are the values of the catalogue's variables.
	variables map[string]string
}

func newLocal(stack *config.Config) local {
	c := *stack
	d := &c.Dependencies
	for _, system := range []*config.Dependency{&d.Postgres.Dependency, &d.Redis.Dependency, &d.ClickHouse.Dependency, &d.Kafka.Dependency, &d.Elasticsearch} {
		system.Mode, system.Host, system.TLS, system.CIDRs = config.InCluster, "", false, nil
	}
	d.Kafka.Brokers = 1
	c.Storage.Mode, c.Storage.Endpoint, c.Storage.TLS, c.Storage.CIDRs = config.InCluster, "", false, nil
	c.Secrets = nil
	c.SecretSources = config.SecretSources{Default: string(config.SourceGenerated)}
	c.Variables = maps.Clone(c.Variables)
	delete(c.Variables, publicKeyVariable)

	environment := c.CatalogEnvironment()
	environment.Compose = true
	for system, endpoint := range environment.Endpoints {
		endpoint.Host = catalog.FindStore(system).Name
		environment.Endpoints[system] = endpoint
	}
	return local{c: &c, environment: environment, variables: c.VariableValuesIn(environment)}
}
