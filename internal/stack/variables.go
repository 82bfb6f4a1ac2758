package stack

import (
	"strings"

	"nova.dev/infra/catalog"
)

// CatalogEnvironment is what the catalogue derives variables from.
func (s *Stack) CatalogEnvironment() catalog.Environment {
	endpoints := map[catalog.StoreKind]catalog.Endpoint{}
	for _, store := range s.Stores {
		endpoints[store.Kind] = store.Endpoint
	}
	return catalog.Environment{
		Name:         s.Environment,
		Namespace:    s.Namespace,
		HeadlessGRPC: s.GRPC.Discovery == "headless",
		Endpoints:    endpoints,
		Region:       s.Storage.Region,
		Buckets:      s.BucketNames(),
		Services:     s.CatalogServices(),
		Compose:      s.Compose,
	}
}

// VariableValues are the keys and values of ConfigMap nova-backend-config,
// without those that are known at deployment only (JWT_PUBLIC_KEY_PEM). A variable
// that has no value in the stack is empty there, and no container receives it.
func (s *Stack) VariableValues() map[string]string {
	environment := s.CatalogEnvironment()
	values := map[string]string{}
	for _, v := range catalog.Variables() {
		values[v.Key] = v.Value(environment)
		if own, ok := s.Variables[v.Key]; ok {
			values[v.Key] = own
		}
	}
	return values
}

// BrowserOrigins are the origins whose pages may reach object storage by URLs
// that a service signed: those that the API allows.
func (s *Stack) BrowserOrigins() []string {
	var origins []string
	for origin := range strings.SplitSeq(s.VariableValues()[originsVariable], ",") {
		if origin = strings.TrimSpace(origin); origin != "" {
			origins = append(origins, origin)
		}
	}
	return origins
}

// CDNHost is the public host of the CDN.
func (s *Stack) CDNHost() string { return s.VariableValues()[cdnHostVariable] }

// The variables with the host of the CDN, and with the same as a URL.
const cdnHostVariable, cdnURLVariable = "CDN_DOMAIN", "CLOUDFRONT_URL"

const originsVariable = "CORS_ALLOWED_ORIGINS"
