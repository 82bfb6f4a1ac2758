// Custom resource definitions that `nova local up` installs: their YAML files
// are read from these modules. No package of them is compiled.
module nova.dev/infra/tools/crds

go 1.26.1

require (
	github.com/external-secrets/external-secrets v1.3.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.4.0
)
