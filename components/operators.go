package components

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// The login of an installed Grafana.
const (
	grafanaSecret = "grafana-admin"
	grafanaUser   = "admin"
)

// releaseType is a Helm release of the Kubernetes provider. The SDK's own type
// lies in a package that compiles every API group of Kubernetes.
const releaseType = "kubernetes:helm.sh/v3:Release"

// newOperators declares kube-prometheus-stack and what it needs, where the mode
// is install. It returns what objects of the operators wait for.
func newOperators(ctx *pulumi.Context, c *stack.Stack, parent pulumi.Resource) ([]pulumi.Resource, error) {
	if c.Monitoring.Mode != config.MonitoringInstall {
		return nil, nil
	}
	name := c.Network.Prometheus.Namespace
	namespace, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(name), Labels: labels(c, name)},
	}, append(keepsData(c), pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	in := namespace.Metadata.Name().Elem()
	login, err := newGrafanaLogin(ctx, c, in, parent)
	if err != nil {
		return nil, err
	}
	policy, err := newMonitoringPolicy(ctx, c, in, parent)
	if err != nil {
		return nil, err
	}
	release, err := newRelease(ctx, c, in, pulumi.Parent(parent), pulumi.DependsOn([]pulumi.Resource{login, policy}))
	if err != nil {
		return nil, err
	}
	return []pulumi.Resource{release}, nil
}

// newGrafanaLogin generates the administrator's password, in place of the
// chart's well-known one.
func newGrafanaLogin(ctx *pulumi.Context, c *stack.Stack, namespace pulumi.StringInput, parent pulumi.Resource) (*corev1.Secret, error) {
	password, err := newPassword(ctx, grafanaSecret, nil, append(keepsData(c), pulumi.Parent(parent)))
	if err != nil {
		return nil, err
	}
	return corev1.NewSecret(ctx, grafanaSecret, &corev1.SecretArgs{
		Metadata: metadata(c, grafanaSecret, namespace),
		Type:     pulumi.String("Opaque"),
		Data:     base64Values(pulumi.StringMap{"admin-user": pulumi.String(grafanaUser), "admin-password": password.Result}),
	}, pulumi.Parent(parent))
}

// newMonitoringPolicy lets only its own namespace reach Prometheus and
// Alertmanager, and the analyses of Argo Rollouts Prometheus: neither asks who
// it is, and whoever reaches Alertmanager can silence it.
func newMonitoringPolicy(ctx *pulumi.Context, c *stack.Stack, namespace pulumi.StringInput, parent pulumi.Resource) (pulumi.Resource, error) {
	const name = "prometheus-and-alertmanager"
	from := []networkingv1.NetworkPolicyPeer{{PodSelector: &upstreamv1.LabelSelector{}}}
	if c.Monitoring.Rollouts {
		from = append(from, networkingv1.NetworkPolicyPeer{NamespaceSelector: &upstreamv1.LabelSelector{
			MatchLabels: map[string]string{"kubernetes.io/metadata.name": rolloutsNamespace},
		}})
	}
	return newObject(ctx, name, &networkingv1.NetworkPolicy{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: upstreamv1.LabelSelector{MatchExpressions: []upstreamv1.LabelSelectorRequirement{{
				Key: labelName, Operator: upstreamv1.LabelSelectorOpIn, Values: []string{"prometheus", "alertmanager"},
			}}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: from}},
		},
	}, metadata(c, name, namespace), pulumi.Parent(parent))
}

// rolloutsNamespace is where Argo Rollouts runs.
const rolloutsNamespace = "argo-rollouts"

// release is a Helm release, of which nothing is read back.
type release struct{ pulumi.CustomResourceState }

func newRelease(ctx *pulumi.Context, c *stack.Stack, namespace pulumi.StringInput, opts ...pulumi.ResourceOption) (*release, error) {
	chart := c.Monitoring.Chart
	made := &release{}
	err := ctx.RegisterResource(releaseType, config.ChartName, kubernetes.UntypedArgs{
		"name":           pulumi.String(config.ChartName),
		"namespace":      namespace,
		"chart":          pulumi.String(config.ChartName),
		"version":        pulumi.String(chart.Version),
		"repositoryOpts": pulumi.Map{"repo": pulumi.String(chart.Repository)},
		// A release that does not come up is taken back.
		"atomic": pulumi.Bool(true),
		"values": chartValues(c),
		// What the SDK's own type says of itself.
		"compat": pulumi.String("true"),
	}, made, opts...)
	return made, err
}

// chartValues make the operators find every object of the cluster, and leave out
// what the stack's own rules say already.
func chartValues(c *stack.Stack) pulumi.Map {
	chart := c.Monitoring.Chart
	prometheus := pulumi.Map{
		"retention":                               pulumi.String(chart.Retention),
		"externalLabels":                          pulumi.StringMap{"environment": pulumi.String(c.Stack)},
		"ruleSelectorNilUsesHelmValues":           pulumi.Bool(false),
		"podMonitorSelectorNilUsesHelmValues":     pulumi.Bool(false),
		"serviceMonitorSelectorNilUsesHelmValues": pulumi.Bool(false),
	}
	if chart.Storage != "" {
		prometheus["storageSpec"] = pulumi.Map{"volumeClaimTemplate": pulumi.Map{"spec": pulumi.Map{
			"accessModes": pulumi.StringArray{pulumi.String("ReadWriteOnce")},
			"resources":   pulumi.Map{"requests": pulumi.StringMap{"storage": pulumi.String(chart.Storage)}},
		}}}
	}
	return pulumi.Map{
		"prometheus": pulumi.Map{"prometheusSpec": prometheus},
		"defaultRules": pulumi.Map{"rules": pulumi.Map{
			"general": pulumi.Bool(false), "kubernetesApps": pulumi.Bool(false),
		}},
		"grafana": pulumi.Map{
			"admin":   pulumi.StringMap{"existingSecret": pulumi.String(grafanaSecret)},
			"sidecar": pulumi.Map{"dashboards": pulumi.Map{"enabled": pulumi.Bool(true), "searchNamespace": pulumi.String("ALL")}},
		},
		// The rule KubeStateMetricsErrors reads its own metrics.
		"kube-state-metrics": pulumi.Map{"selfMonitor": pulumi.Map{"enabled": pulumi.Bool(true)}},
	}
}
