package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate checks that services are consistent: names, the 2 × n ports,
// callees, variables, secrets, stores, buckets and the call order. It returns
// all mistakes joined, or nil.
func Validate(services []Service) error {
	var errs []error
	report := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	names := make(map[string]bool, len(services))
	for _, s := range services {
		switch {
		case s.Name == "":
			report("service without a name (HTTP port %d)", s.HTTPPort)
		case names[s.Name]:
			report("service %s: declared twice", s.Name)
		}
		names[s.Name] = true
	}
	errs = append(errs, portCollisions(services)...)
	for _, s := range services {
		errs = append(errs, s.validate(names)...)
	}
	if _, err := Waves(services); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s Service) validate(names map[string]bool) []error {
	var errs []error
	report := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("service %s: "+format, append([]any{s.Name}, args...)...))
	}
	if s.HTTPPort < 1 || s.HTTPPort > 65535-GRPCPortOffset {
		report("HTTP port %d is outside 1 to %d", s.HTTPPort, 65535-GRPCPortOffset)
	}
	for _, path := range []string{s.Health.Startup, s.Health.Live, s.Health.Ready} {
		if !strings.HasPrefix(path, "/") && path != OpenPort {
			report("health path %q does not start with / and is not %s", path, OpenPort)
		}
	}
	for _, check := range s.Smoke {
		if !strings.HasPrefix(check.Path, "/") || check.Status < 100 || check.Status > 599 {
			report("smoke check GET %q with status %d: a path begins with /, and a status is 100 to 599", check.Path, check.Status)
		}
	}
	if s.MetricsPath != "" && !strings.HasPrefix(s.MetricsPath, "/") {
		report("metrics path %q does not start with /", s.MetricsPath)
	}
	for _, callee := range s.Calls {
		switch {
		case callee == s.Name:
			report("calls itself")
		case !names[callee]:
			report("calls unknown service %q; known are %s", callee, strings.Join(sortedKeys(names), ", "))
		}
	}
	for _, key := range s.Variables {
		if _, ok := FindVariable(key); !ok {
			report("variable %q is not in the catalogue", key)
		}
	}
	for name, key := range s.Aliases {
		if _, ok := FindVariable(key); !ok {
			report("alias %s: variable %q is not in the catalogue", name, key)
		}
	}
	for _, key := range s.Secrets {
		if _, ok := FindSecret(key); !ok {
			report("secret %q is not in the catalogue", key)
		}
	}
	for _, need := range s.Needs {
		if !slices.Contains(StoreKinds(), need) {
			report("needs unknown store %q", need)
		}
	}
	for _, use := range s.Buckets {
		if !slices.Contains(Buckets(), use.Bucket) {
			report("uses unknown bucket %q", use.Bucket)
		}
	}
	if !slices.Contains(Classes(), s.Class) {
		report("unknown resource class %q", s.Class)
	}
	return errs
}

// portCollisions reports every port number that two servers would share
// anywhere among the HTTP and gRPC ports.
func portCollisions(services []Service) []error {
	owner := make(map[int]string, 2*len(services))
	var errs []error
	claim := func(port int, who string) {
		if other, taken := owner[port]; taken {
			errs = append(errs, fmt.Errorf("port %d: claimed by both %s and %s", port, other, who))
			return
		}
		owner[port] = who
	}
	for _, s := range services {
		claim(s.HTTPPort, s.Name+" HTTP")
		claim(s.GRPCPort(), s.Name+" gRPC")
	}
	return errs
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
