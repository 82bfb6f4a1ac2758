package config

import (
	"cmp"
	"fmt"
	"slices"
)

// IngressController is how a controller takes the limits of an Ingress.
type IngressController struct {
	// Name is the value of nova:ingress.controller, Class the class that has it by
	// default.
	Name, Class string
	// PerIngress is set when every Ingress of a host has annotations of its own, so
	// that there is one Ingress for each limit.
	PerIngress bool
	// Annotations are those of an Ingress for the largest body in MiB and the
	// longest request in seconds; 0 means that connections stay open.
	Annotations func(bodyMebibytes, timeoutSeconds int) map[string]string
	// About says what the controller does with limits, and where that is
	// documented.
	About string
}

// openSeconds is how long a connection that stays open may be silent: load
// balancers count the time without a byte.
const openSeconds = 3600

// IngressControllers returns the controllers, in the order of the documentation.
func IngressControllers() []IngressController {
	return []IngressController{
		{
			Name: "nginx", Class: "nginx", PerIngress: true,
			Annotations: func(body, timeout int) map[string]string {
				seconds := fmt.Sprint(cmp.Or(timeout, openSeconds))
				return map[string]string{
					"nginx.ingress.kubernetes.io/proxy-body-size":    fmt.Sprintf("%dm", body),
					"nginx.ingress.kubernetes.io/proxy-read-timeout": seconds,
					"nginx.ingress.kubernetes.io/proxy-send-timeout": seconds,
				}
			},
			About: "ingress-nginx, \"Annotations\". Its maintenance ended in March 2026: move to a Gateway. Timeouts count between two reads or writes",
		},
		{
			Name: "alb", Class: "alb",
			Annotations: func(_, timeout int) map[string]string {
				return map[string]string{
					"alb.ingress.kubernetes.io/target-type":              "ip",
					"alb.ingress.kubernetes.io/load-balancer-attributes": fmt.Sprintf("idle_timeout.timeout_seconds=%d", cmp.Or(timeout, openSeconds)),
					// It asks for /, which no service has. Whether a pod takes requests is
					// what its readiness probe says; the load balancer only sees that
					// somebody answers.
					"alb.ingress.kubernetes.io/success-codes": "200-499",
				}
			},
			About: "AWS Load Balancer Controller, \"Ingress annotations\". One idle timeout for the whole load balancer, the longest; no limit of bodies. Services have no node ports, so targets are addresses of pods",
		},
		{
			Name: "openshift", Class: "openshift-default", PerIngress: true,
			Annotations: func(_, timeout int) map[string]string {
				annotations := map[string]string{"haproxy.router.openshift.io/timeout": fmt.Sprintf("%ds", cmp.Or(timeout, openSeconds))}
				if timeout == 0 {
					annotations["haproxy.router.openshift.io/timeout-tunnel"] = fmt.Sprintf("%ds", openSeconds)
				}
				return annotations
			},
			About: "OpenShift, \"Route-specific annotations\", which routes take over from their Ingress. No limit of bodies",
		},
		{
			Name:        "other",
			Annotations: func(int, int) map[string]string { return nil },
			About:       "any other class, such as `gce`, whose timeouts are in a BackendConfig: no annotation; set nova:ingress.annotations",
		},
	}
}

// IngressController is the controller that takes the limits of the Ingress.
func (i Ingress) IngressController() IngressController {
	all := IngressControllers()
	for _, controller := range all {
		if controller.Name == i.Controller || i.Controller == "" && controller.Class != "" && controller.Class == i.ClassName {
			return controller
		}
	}
	return all[len(all)-1]
}

func controllerNames() []string {
	var names []string
	for _, controller := range IngressControllers() {
		names = append(names, controller.Name)
	}
	slices.Sort(names)
	return names
}
