// What `nova local up` installs: custom resource definitions and the Stages of
// kwok. Their YAML files are read from these modules; no package is compiled.
module nova.dev/infra/tools/crds

go 1.26.1

require (
	github.com/argoproj/argo-rollouts v1.10.1
	github.com/cert-manager/cert-manager v1.19.1
	github.com/external-secrets/external-secrets v1.3.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.4.0
	sigs.k8s.io/kwok v0.7.0
)
