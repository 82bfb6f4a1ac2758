package config

import (
	"fmt"
	"strconv"
	"strings"

	"nova.dev/infra/catalog"
)

// CatalogEnvironment is what the catalogue derives variables from.
func (c *Config) CatalogEnvironment() catalog.Environment {
	return catalog.Environment{
		Name:         c.Environment,
		Namespace:    c.Namespace,
		HeadlessGRPC: c.GRPC.Discovery == "headless",
		Endpoints: map[catalog.Dependency]catalog.Endpoint{
			catalog.Postgres:      c.endpoint(catalog.Postgres, c.Dependencies.Postgres.Host, c.Dependencies.Postgres.Port, c.Dependencies.Postgres.TLS),
			catalog.Redis:         c.dependencyEndpoint(catalog.Redis, c.Dependencies.Redis),
			catalog.ClickHouse:    c.dependencyEndpoint(catalog.ClickHouse, c.Dependencies.ClickHouse),
			catalog.Kafka:         c.dependencyEndpoint(catalog.Kafka, c.Dependencies.Kafka),
			catalog.Elasticsearch: c.dependencyEndpoint(catalog.Elasticsearch, c.Dependencies.Elasticsearch),
			catalog.ObjectStorage: storageEndpoint(c.Storage.Endpoint),
		},
		Region:   c.Storage.Region,
		Buckets:  c.buckets(),
		Services: c.CatalogServices(),
	}
}

// VariableValues are the keys and values of ConfigMap nova-backend-config,
// without those that only the deployment knows (JWT_PUBLIC_KEY_PEM).
func (c *Config) VariableValues() map[string]string {
	environment := c.CatalogEnvironment()
	values := map[string]string{}
	for _, v := range catalog.Variables() {
		values[v.Key] = v.Value(environment)
		if own, ok := c.Variables[v.Key]; ok {
			values[v.Key] = own
		}
	}
	return values
}

func (c *Config) dependencyEndpoint(name catalog.Dependency, d Dependency) catalog.Endpoint {
	return c.endpoint(name, d.Host, d.Port, d.TLS)
}

func (c *Config) endpoint(name catalog.Dependency, host string, port int, tls bool) catalog.Endpoint {
	if host == "" {
		host = fmt.Sprintf("%s.%s.svc.cluster.local", name, c.Namespace)
	}
	return catalog.Endpoint{Host: host, Port: port, TLS: tls}
}

// storageEndpoint splits "host:port"; validation has seen to its form.
func storageEndpoint(address string) catalog.Endpoint {
	host, port, _ := strings.Cut(address, ":")
	number, _ := strconv.Atoi(port)
	return catalog.Endpoint{Host: host, Port: number}
}

func (c *Config) buckets() map[catalog.Bucket]string {
	names := map[catalog.Bucket]string{}
	for _, bucket := range catalog.Buckets() {
		names[bucket] = fmt.Sprintf("nova-%s-%s", bucket, c.Stack)
		if own := c.Storage.Buckets[string(bucket)]; own != "" {
			names[bucket] = own
		}
	}
	return names
}
