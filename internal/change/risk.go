package change

import (
	"fmt"
	"slices"
	"strings"
)

// Risk is the class of risk of a change; the empty one is below all.
type Risk string

// The classes of risk.
const (
	// Low changes affect nothing that runs: labels, monitoring, new objects.
	Low Risk = "low"
	// Medium changes replace pods one after another, or change what they read.
	Medium Risk = "medium"
	// High changes open something, take something away or may stop a service.
	High Risk = "high"
	// Critical changes may lose data, or everything at once.
	Critical Risk = "critical"
)

// Risks lists the classes, the highest first.
func Risks() []Risk { return []Risk{Critical, High, Medium, Low} }

// AtLeast reports whether a class is another one or a higher one.
func (r Risk) AtLeast(other Risk) bool { return r.level() >= other.level() }

func (r Risk) level() int { return 1 + slices.Index([]Risk{Low, Medium, High, Critical}, r) }

var (
	// holdData are the kinds with data of their own, or, as generators, with values
	// that others depend on.
	holdData = []string{
		"StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "Cluster", "Database", "Bucket", "BucketV2", "Repository",
		"RandomPassword", "RandomBytes", "RandomString", "PrivateKey", "CustomResourceDefinition",
	}
	workloads = []string{"Deployment", "StatefulSet", "DaemonSet", "Rollout", "PodTemplate"}
	exposing  = []string{"Ingress", "HTTPRoute", "GRPCRoute", "Gateway", "Distribution", "BucketPublicAccessBlock"}
	// granting are the kinds that grant rights, besides all of AWS's IAM.
	granting     = []string{"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "BucketPolicy", "RepositoryPolicy"}
	networking   = []string{"NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"}
	observing    = []string{"PrometheusRule", "ServiceMonitor", "PodMonitor", "Probe", "AlertmanagerConfig", "ScrapeConfig"}
	replaceable  = []string{"Job", "ConfigMap", "AnalysisTemplate", "BucketLifecycleConfigurationV2"}
	configuring  = []string{"ConfigMap", "ResourceQuota", "LimitRange", "ExternalSecret"}
	addressTypes = []string{"LoadBalancer", "NodePort"}
)

// judgement collects classes with their reasons.
type judgement struct {
	risk    Risk
	reasons []string
}

func (j *judgement) add(risk Risk, reason string) {
	if !slices.Contains(j.reasons, reason) {
		if risk.AtLeast(j.risk) && risk != j.risk {
			j.reasons = slices.Insert(j.reasons, 0, reason)
		} else {
			j.reasons = append(j.reasons, reason)
		}
	}
	if risk.AtLeast(j.risk) {
		j.risk = risk
	}
}

// classify is the class of risk of a change and its reasons, the most important
// first.
func classify(c Change, step Step, around surroundings) (Risk, []string) {
	j := &judgement{risk: Low}
	kind := c.Kind()
	switch {
	case strings.HasPrefix(c.Type, "pulumi:providers:"), c.Type == "pulumi:pulumi:Stack":
		return Low, []string{"provider"}
	case strings.HasPrefix(c.Type, "nova:"):
		return Low, nil // A component: what it holds is judged by itself.
	case strings.Contains(c.Op, "delete"), strings.Contains(c.Op, "replace"):
		j.goes(c, kind, step)
	case strings.Contains(c.Op, "create"), c.Op == "import":
		j.comes(c, kind, step)
	default:
		for _, d := range c.Differences {
			j.differs(c, kind, d)
		}
		j.scales(c, kind, step, around)
	}
	return j.risk, j.reasons
}

func iam(c Change, kind string) bool {
	return slices.Contains(granting, kind) || strings.HasPrefix(c.Type, "aws:iam/")
}

// goes judges what is deleted or replaced.
func (j *judgement) goes(c Change, kind string, step Step) {
	forgotten := c.Op == "delete" && step.Retained
	switch {
	case kind == "Namespace":
		j.add(Critical, "takes everything in the namespace along")
	case forgotten:
		j.add(High, "leaves the stack; what exists stays")
	case slices.Contains(holdData, kind):
		j.add(Critical, "holds data")
	case slices.Contains(workloads, kind):
		j.add(High, "stops what runs")
	case slices.Contains(exposing, kind):
		j.add(High, "public access")
	case iam(c, kind):
		j.add(High, "permissions")
	case slices.Contains(networking, kind):
		j.add(High, "network policy")
	case kind == "Job" && c.Op == "replace":
		j.add(Medium, "runs again")
	case slices.Contains(replaceable, kind), slices.Contains(observing, kind):
		j.add(Medium, "goes")
	default:
		j.add(High, "goes")
	}
	if step.Protected {
		j.add(Critical, "protected")
	}
	for _, d := range c.Differences {
		if selects(d.Path) {
			j.add(Critical, "selector")
		}
	}
}

// comes judges what is created.
func (j *judgement) comes(c Change, kind string, step Step) {
	spec, _ := step.New["spec"].(map[string]any)
	address, _ := spec["type"].(string)
	switch {
	case slices.Contains(exposing, kind), kind == "Service" && slices.Contains(addressTypes, address):
		j.add(High, "public access")
	case iam(c, kind):
		j.add(High, "permissions")
	case slices.Contains(networking, kind):
		j.add(Medium, "network policy")
	}
}

func selects(path string) bool {
	return path == "spec.selector" || strings.HasPrefix(path, "spec.selector.") || strings.HasPrefix(path, "spec.selector[")
}

// differs judges one difference of what is updated.
func (j *judgement) differs(c Change, kind string, d Difference) {
	_, field, inTemplate := strings.Cut(d.Path, "spec.template.")
	switch {
	case strings.HasPrefix(d.Path, "metadata."):
		if kind == "Namespace" && strings.Contains(d.Path, "pod-security.kubernetes.io") {
			j.add(High, "Pod Security level")
			return
		}
		j.add(Low, "labels")
	case strings.HasPrefix(d.Path, "tags"):
		j.add(Low, "tags")
	case slices.Contains(exposing, kind):
		j.add(High, "public access")
	case iam(c, kind):
		j.add(High, "permissions")
	case slices.Contains(networking, kind):
		j.add(High, "network policy")
	case slices.Contains(observing, kind):
		j.add(Low, "monitoring")
	case selects(d.Path) && (kind == "Service" || slices.Contains(workloads, kind)):
		j.add(Critical, "selector")
	case c.Type == secretType && strings.Contains(d.Path, "ata"):
		j.secret(d)
	case kind == "Service":
		if d.Path == "spec.type" && slices.Contains(addressTypes, d.New) {
			j.add(High, "public access")
			return
		}
		j.add(Medium, "service")
	case d.Path == "spec.replicas":
		// scales judges it.
	case inTemplate && slices.Contains(append([]string{"CronJob", "Job"}, workloads...), kind):
		j.template(field)
	case strings.HasPrefix(kind, "BucketLifecycle"):
		j.add(High, "expiry of objects")
	case kind == "PodDisruptionBudget":
		j.add(Medium, "disruption budget")
	case kind == "HorizontalPodAutoscaler":
		j.add(Medium, "autoscaling")
	case slices.Contains(configuring, kind):
		j.add(Medium, "configuration")
	default:
		j.add(Medium, "settings")
	}
}

// secret judges a difference in the data of a Secret.
func (j *judgement) secret(d Difference) {
	keys := segments(d.Path)
	key := keys[len(keys)-1]
	switch d.Kind {
	case Removed:
		j.add(High, "secret key removed: "+key)
	case Added:
		j.add(Medium, "secret key added: "+key)
	default:
		j.add(High, "secret changed: "+key)
	}
}

// templateReasons are the reasons for differences in a template of pods: the
// first whose text the path has.
var templateReasons = []struct {
	text, reason string
	risk         Risk
}{
	{"nova.dev/config-hash", "configuration", Medium},
	{"metadata.", "labels of pods", Medium},
	{"ecurityContext", "security context", High},
	{"serviceAccountName", "service account", High},
	{"Probe", "probes", Medium},
	{".resources", "resources", Medium},
	{".image", "image", Medium},
	{".env", "environment", Medium},
	{".volume", "volumes", Medium},
}

func (j *judgement) template(field string) {
	for _, each := range templateReasons {
		if strings.Contains(field, each.text) {
			j.add(each.risk, each.reason)
			return
		}
	}
	j.add(Medium, "template of pods")
}

// scales judges another number of replicas.
func (j *judgement) scales(c Change, kind string, step Step, around surroundings) {
	if !slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.Path == "spec.replicas" }) {
		return
	}
	// Without replicas an autoscaler or a Rollout owns them.
	before, known := replicasOf(step.Old)
	after, still := replicasOf(step.New)
	if !known || !still {
		j.add(Medium, "who scales it")
		return
	}
	reason := fmt.Sprintf("replicas %d -> %d", before, after)
	switch budget := around.budget(step.New); {
	case kind == "Deployment" && around.scaledBy[objectName(step.New)] != 0:
		j.add(Medium, reason)
	case after == 0 && before > 0:
		j.add(High, reason+": nothing runs")
	case after < before && after <= budget:
		j.add(High, fmt.Sprintf("%s: the disruption budget wants %d", reason, budget))
	default:
		j.add(Medium, reason)
	}
}
