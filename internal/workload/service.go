package workload

import (
	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// imageUser is the uid and gid that the images of services are built for.
const imageUser = 1000

// service is one of Nova's services. Its own values come first in precedence,
// then references to the keys that its record lists. A variable without a value
// in the stack is left out: to the code an empty text is a value, such as an
// endpoint of object storage that no URL can be signed for. A service that must
// receive an empty text has it among its own values.
func service(s *stack.Stack, from stack.Service) Workload {
	w := Workload{
		Name: from.KubernetesName(), Kind: Service, Service: from.Name,
		Image: from.Image, PullPolicy: s.Images.PullPolicy, User: imageUser,
		Scratch: []string{scratch},
		Ports: []Port{
			{Name: HTTPPort, Number: from.HTTPPort, Protocol: "http"},
			{Name: GRPCPort, Number: from.GRPCPort(), Protocol: "kubernetes.io/h2c"},
		},
		Checks: &Checks{
			Startup: Probe{healthCheck(from, from.Health.Startup), s.Probes.Startup},
			Ready:   Probe{healthCheck(from, from.Health.Ready), s.Probes.Readiness},
			Live:    Probe{healthCheck(from, from.Health.Live), s.Probes.Liveness},
		},
		PreStopSeconds: s.Shutdown.PreStopSeconds, GraceSeconds: s.Shutdown.GracePeriodSeconds(),
		Resources: from.Resources, Replicas: from.Replicas, PeakPods: from.PeakPods,
		Autoscaling: from.Autoscaling, Rollout: from.Rollout, Disruption: from.Disruption, Spread: s.Spread,
		Env: map[string]Value{},
	}
	for _, key := range from.Secrets {
		secret, _ := catalog.FindSecret(key)
		w.Env[key] = Value{Secret: key, Optional: secret.Optional}
	}
	values := s.VariableValues()
	for _, key := range from.Variables {
		switch {
		case values[key] != "", key == config.PublicKeyVariable:
			w.Env[key] = Value{Config: key}
		case s.Compose:
			w.Env[key] = Value{Config: key, Optional: true}
		}
	}
	for name, key := range from.Aliases {
		w.Env[name] = Value{Config: key}
	}
	buckets := s.BucketNames()
	own := from.PortVariables()
	for _, use := range from.Buckets {
		own[use.Variable] = buckets[use.Bucket]
	}
	for _, values := range []map[string]string{own, from.Env} {
		for name, text := range values {
			w.Env[name] = Value{Text: text}
		}
	}
	w.join(s)
	w.connectService(s, from)
	return w
}

// healthCheck asks a service at a path, or whether its port is open.
func healthCheck(from stack.Service, path string) Check {
	if path == catalog.OpenPort {
		return Check{Port: from.HTTPPort, PortName: HTTPPort}
	}
	return Check{Path: path, PortName: HTTPPort}
}

// setupResources are those of a Job that sets a store up or migrates it. Kafka's
// tools are Java programs and need the memory.
var setupResources = config.Resources{
	Requests: config.Quantities{CPU: "50m", Memory: "128Mi", EphemeralStorage: "16Mi"},
	Limits:   config.Quantities{CPU: "500m", Memory: "512Mi", EphemeralStorage: "256Mi"},
}
