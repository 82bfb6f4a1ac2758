package releasing

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
)

// ThroughAPIServer returns where a Service of the cluster answers for a process
// outside of it, and the transport that gets there: the API server hands requests
// on, by the rights of the client configuration to get services/proxy. service is
// the address within the cluster, such as http://prometheus-operated.monitoring.svc:9090.
// Any other address is returned as it is, with a nil transport.
func ThroughAPIServer(access *rest.Config, service string) (address string, transport http.RoundTripper, err error) {
	u, err := url.Parse(service)
	if err != nil || u.Host == "" {
		return "", nil, fmt.Errorf("%q is no address such as http://prometheus.example.com:9090", service)
	}
	parts := strings.Split(strings.TrimSuffix(u.Hostname(), ".cluster.local"), ".")
	if len(parts) != 3 || parts[2] != "svc" {
		return service, nil, nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	if transport, err = rest.TransportFor(access); err != nil {
		return "", nil, err
	}
	server, _, err := rest.DefaultServerUrlFor(access)
	if err != nil {
		return "", nil, err
	}
	return server.JoinPath("api/v1/namespaces", parts[1], "services", u.Scheme+":"+parts[0]+":"+port, "proxy", u.Path).String(), transport, nil
}
