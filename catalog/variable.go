package catalog

import (
	"net"
	"strings"
	"sync"
)

// Variable is one environment variable of the system that is not a secret. Its
// value in a stack is a key of ConfigMap nova-backend-config.
type Variable struct {
	Key   string
	Group Group
	// Default is the value where a stack sets nothing. It is ignored where
	// Derive is set.
	Default string
	// Derive computes the default from the facts about the stack.
	Derive func(Environment) string
	// Doc explains the variable in one sentence.
	Doc string
	// Unread means that no service reads the variable at the documented commit.
	// It is kept because it is documented.
	Unread bool
	// Locked variables follow from other facts; a stack cannot set them.
	Locked bool
}

// Value returns the variable's value in a stack that does not override it.
func (v Variable) Value(e Environment) string {
	if v.Derive != nil {
		return v.Derive(e)
	}
	return v.Default
}

// Group is a heading under which variables and secrets are documented.
type Group string

// The groups, in the order of the documentation.
const (
	GroupEnvironment   Group = "Environment"
	GroupPostgres      Group = "PostgreSQL"
	GroupRedis         Group = "Redis"
	GroupClickHouse    Group = "ClickHouse"
	GroupKafka         Group = "Kafka"
	GroupElasticsearch Group = "Elasticsearch"
	GroupTokens        Group = "Tokens"
	GroupStorage       Group = "Object storage"
	GroupMail          Group = "Mail"
	GroupOAuth         Group = "OAuth"
	GroupPush          Group = "Push notifications"
	GroupPorts         Group = "Service ports"
	GroupHosts         Group = "Service hosts"
	GroupGRPC          Group = "gRPC"
	GroupLimits        Group = "Limits"
	GroupWeb           Group = "Web"
	GroupObservability Group = "Observability"
	GroupFeatures      Group = "Feature flags"
	GroupDevelopment   Group = "Development"
)

// Environment is the facts about a stack from which variables are derived.
type Environment struct {
	// Name is the value of APP_ENV: development, staging or production.
	Name string
	// Namespace is the Kubernetes namespace of the services.
	Namespace string
	// HeadlessGRPC makes gRPC addresses those of the headless Services, for
	// clients that balance by themselves.
	HeadlessGRPC bool
	// Endpoints are the addresses of the stores.
	Endpoints map[StoreKind]Endpoint
	// Region is the region of object storage.
	Region string
	// Buckets maps each bucket to its name in the stack.
	Buckets map[Bucket]string
	// Services are the enabled services with the stack's overrides.
	Services []Service
	// Compose is set when the services run under Docker Compose, where their
	// host names are their short ones.
	Compose bool
}

// Endpoint is the address of a store.
type Endpoint struct {
	// Host is a DNS name or address; for object storage empty means AWS.
	Host string
	// Port is a TCP port, 1 to 65535.
	Port int
	// TLS is set when clients must use TLS.
	TLS bool
	// Database and User are those of the services, if the store has any.
	Database, User string
}

// Address is "host:port", or several joined by commas where Host itself is a
// comma-separated list, as Kafka clients expect.
func (e Endpoint) Address() string {
	hosts := strings.Split(e.Host, ",")
	for i, host := range hosts {
		hosts[i] = net.JoinHostPort(strings.TrimSpace(host), itoa(e.Port))
	}
	return strings.Join(hosts, ",")
}

// HTTP is the endpoint as an http or https URL without a path.
func (e Endpoint) HTTP() string {
	if e.Host == "" {
		return ""
	}
	if e.TLS {
		return "https://" + e.Address()
	}
	return "http://" + e.Address()
}

// host is the DNS name of a service for its clients.
func (e Environment) host(s Service) string {
	if e.Compose {
		return s.KubernetesName()
	}
	return s.Host(e.Namespace)
}

// Service returns the enabled service of a name.
func (e Environment) Service(name string) (Service, bool) {
	for _, s := range e.Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

// FindVariable returns the variable of a key.
func FindVariable(key string) (Variable, bool) {
	v, ok := variablesByKey()[key]
	return v, ok
}

var variablesByKey = sync.OnceValue(func() map[string]Variable {
	all := map[string]Variable{}
	for _, v := range Variables() {
		all[v.Key] = v
	}
	return all
})
