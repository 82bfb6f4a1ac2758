package components

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	networkingv1 "k8s.io/api/networking/v1"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/internal/config"
)

// The login of an installed Grafana.
const (
	grafanaSecret = "grafana-admin"
	grafanaUser   = "admin"
)

// releaseType is a Helm release of the Kubernetes provider. The SDK's own type
// lies in a package that compiles every API group of Kubernetes.
const releaseType = "kubernetes:helm.sh/v3:Release"

// OperatorsArgs are the inputs of kube-prometheus-stack.
type OperatorsArgs struct {
	// Namespace is the namespace that it is installed into.
	Namespace   string
	Environment string
	// Stack is the name of the stack, a label of all that leaves Prometheus.
	Stack string
	// Chart is the pinned release.
	Chart config.Chart
	// Rollouts lets the analyses of Argo Rollouts reach Prometheus.
	Rollouts bool
	// Protect keeps the namespace and the generated password.
	Protect bool
}

// newOperators declares kube-prometheus-stack and what it needs. It returns what
// objects of the operators wait for.
func newOperators(ctx *pulumi.Context, args *OperatorsArgs, parent pulumi.Resource) ([]pulumi.Resource, error) {
	namespace, err := corev1.NewNamespace(ctx, args.Namespace, &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(args.Namespace), Labels: labels(args.Environment, args.Namespace), Annotations: providerHints()},
	}, append(keepsData(args.Protect), pulumi.Parent(parent))...)
	if err != nil {
		return nil, err
	}
	scope := Scope{Namespace: namespace.Metadata.Name().Elem(), Environment: args.Environment}
	login, err := newGrafanaLogin(ctx, scope, args.Protect, parent)
	if err != nil {
		return nil, err
	}
	policy, err := newMonitoringPolicy(ctx, scope, args.Rollouts, parent)
	if err != nil {
		return nil, err
	}
	release, err := newRelease(ctx, args, scope.Namespace, pulumi.Parent(parent), pulumi.DependsOn([]pulumi.Resource{login, policy}))
	if err != nil {
		return nil, err
	}
	return []pulumi.Resource{release}, nil
}

// newGrafanaLogin generates the administrator's password, in place of the
// chart's well-known one.
func newGrafanaLogin(ctx *pulumi.Context, scope Scope, protect bool, parent pulumi.Resource) (*corev1.Secret, error) {
	password, err := newPassword(ctx, grafanaSecret, nil, append(keepsData(protect), pulumi.Parent(parent)))
	if err != nil {
		return nil, err
	}
	return corev1.NewSecret(ctx, grafanaSecret, &corev1.SecretArgs{
		Metadata: scope.metadata(grafanaSecret),
		Type:     pulumi.String("Opaque"),
		Data:     base64Values(pulumi.StringMap{"admin-user": pulumi.String(grafanaUser), "admin-password": password.Result}),
	}, pulumi.Parent(parent))
}

// newMonitoringPolicy lets only its own namespace reach Prometheus and
// Alertmanager, and the analyses of Argo Rollouts Prometheus: neither asks who
// it is, and whoever reaches Alertmanager can silence it.
func newMonitoringPolicy(ctx *pulumi.Context, scope Scope, rollouts bool, parent pulumi.Resource) (pulumi.Resource, error) {
	const name = "prometheus-and-alertmanager"
	from := []networkingv1.NetworkPolicyPeer{{PodSelector: &upstreamv1.LabelSelector{}}}
	if rollouts {
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
	}, scope.metadata(name), pulumi.Parent(parent))
}

// rolloutsNamespace is where Argo Rollouts runs.
const rolloutsNamespace = "argo-rollouts"

// release is a Helm release, of which nothing is read back.
type release struct{ pulumi.CustomResourceState }

func newRelease(ctx *pulumi.Context, args *OperatorsArgs, namespace pulumi.StringInput, opts ...pulumi.ResourceOption) (*release, error) {
	made := &release{}
	err := ctx.RegisterResource(releaseType, config.ChartName, kubernetes.UntypedArgs{
		"name":           pulumi.String(config.ChartName),
		"namespace":      namespace,
		"chart":          pulumi.String(config.ChartName),
		"version":        pulumi.String(args.Chart.Version),
		"repositoryOpts": pulumi.Map{"repo": pulumi.String(args.Chart.Repository)},
		// A release that does not come up is taken back.
		"atomic": pulumi.Bool(true),
		"values": chartValues(args),
		// What the SDK's own type says of itself.
		"compat": pulumi.String("true"),
	}, made, opts...)
	return made, err
}

// chartValues make the operators find every object of the cluster, and leave out
// what the stack's own rules say already.
func chartValues(args *OperatorsArgs) pulumi.Map {
	chart := args.Chart
	prometheus := pulumi.Map{
		"retention":                               pulumi.String(chart.Retention),
		"externalLabels":                          pulumi.StringMap{"environment": pulumi.String(args.Stack)},
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
