package components

import (
	"fmt"
	"math"
	"strings"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	upstreamv1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
	"nova.dev/infra/monitoring/analysis"
	"nova.dev/infra/release/stage"
)

// podsOf is what runs the pods of a service.
type podsOf struct {
	apiVersion, kind string
	name             pulumi.StringOutput
}

// newPods declares what runs the pods of a service, by its strategy.
//
// The two strategies share no object that runs pods. A service that moves from one
// to the other gets the new one first, which is awaited; the engine deletes the old
// one at the end of the update, so that at every moment one of them serves.
func newPods(ctx *pulumi.Context, args *NovaServiceArgs, account *corev1.ServiceAccount, parent pulumi.Resource) (podsOf, error) {
	if args.Workload.Rollout.Strategy != config.StrategyCanary {
		deployment, err := newDeployment(ctx, args, account, parent)
		if err != nil {
			return podsOf{}, err
		}
		return podsOf{"apps/v1", "Deployment", deployment.Metadata.Name().Elem()}, nil
	}
	rollout, err := newRollout(ctx, args, account, parent)
	if err != nil {
		return podsOf{}, err
	}
	return podsOf{v1alpha1.SchemeGroupVersion.String(), rolloutKind, rollout.Metadata.Name().Elem()}, nil
}

const rolloutKind = "Rollout"

// rolloutRevision is the label by which a Rollout tells the pods of a version.
const rolloutRevision = v1alpha1.DefaultRolloutUniqueLabelKey

// The provider waits for the condition when it creates a Rollout: its first version
// has no stages. Updates are handed over: the template, which changes, is not the
// Rollout's.
const (
	waitFor        = "pulumi.com/waitFor"
	timeoutSeconds = "pulumi.com/timeoutSeconds"
	healthy        = "condition=Healthy"
	// timeoutMargin is beyond the time in which the controller gives up.
	timeoutMargin = 60
)

// newRollout declares the pods of a service that is updated as a canary: their
// template, the analyses that judge them, and the Rollout. The template is an object
// of its own, so that it is built as those of all other pods are.
func newRollout(ctx *pulumi.Context, args *NovaServiceArgs, account *corev1.ServiceAccount, parent pulumi.Resource) (*apiextensions.CustomResource, error) {
	w := args.Workload
	for _, template := range analyses(args) {
		if _, err := newObject(ctx, template.Name, template, args.metadataOf(w, template.Name), pulumi.Parent(parent)); err != nil {
			return nil, err
		}
	}
	pod := args.Pods.spec(w, account, nil)
	pod.TopologySpreadConstraints = spread(w)
	template, err := corev1.NewPodTemplate(ctx, w.Name, &corev1.PodTemplateArgs{
		Metadata: args.metadataOf(w, w.Name),
		Template: args.Pods.template(args.Scope, w, pod),
	}, pulumi.Parent(parent), pulumi.DependsOn(args.Before))
	if err != nil {
		return nil, err
	}
	if err := tellShares(ctx, w, parent); err != nil {
		return nil, err
	}
	object, err := rollout(w)
	if err != nil {
		return nil, err
	}
	metadata := annotate(args.metadataOf(w, w.Name), pulumi.StringMap{
		waitFor:        pulumi.String(healthy),
		timeoutSeconds: pulumi.String(fmt.Sprint(w.Rollout.ProgressDeadlineSeconds + timeoutMargin)),
	})
	opts := []pulumi.ResourceOption{pulumi.Parent(parent), pulumi.DependsOn([]pulumi.Resource{template})}
	if w.Autoscaling.Enabled {
		opts = append(opts, pulumi.IgnoreChanges([]string{"spec.replicas"}))
	}
	return newObject(ctx, w.Name, object, metadata, opts...)
}

// analyses are the AnalysisTemplates of a canary.
func analyses(args *NovaServiceArgs) []*v1alpha1.AnalysisTemplate {
	templates := []*v1alpha1.AnalysisTemplate{analysis.Background(args.Analysis)}
	if args.Workload.Rollout.Promotion == config.PromotionAutomatic {
		templates = append(templates, analysis.Stage(args.Analysis))
	}
	return templates
}

// rollout is the Rollout of a service. The replica count has the same owners as
// that of a Deployment.
func rollout(w workload.Workload) (*v1alpha1.Rollout, error) {
	surge, err := w.Rollout.Surge()
	if err != nil {
		return nil, err
	}
	replicas := w.Replicas
	if w.Autoscaling.Enabled {
		replicas = w.Autoscaling.MinReplicas
	}
	steps, start := steps(w)
	object := &v1alpha1.Rollout{
		TypeMeta: upstreamv1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: rolloutKind},
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To(int32(replicas)),
			// A PodTemplate has no selector.
			Selector:                &upstreamv1.LabelSelector{MatchLabels: map[string]string{labelName: w.Name}},
			WorkloadRef:             &v1alpha1.ObjectRef{APIVersion: "v1", Kind: "PodTemplate", Name: w.Name},
			MinReadySeconds:         int32(w.Rollout.MinReadySeconds),
			RevisionHistoryLimit:    ptr.To(int32(w.Rollout.RevisionHistory)),
			ProgressDeadlineSeconds: ptr.To(int32(w.Rollout.ProgressDeadlineSeconds)),
			// Pods that never become ready end the update; the default is to go on
			// for ever.
			ProgressDeadlineAbort: true,
			Strategy: v1alpha1.RolloutStrategy{Canary: &v1alpha1.CanaryStrategy{
				MaxSurge:       &surge,
				MaxUnavailable: ptr.To(intstr.FromInt32(0)),
				Steps:          steps,
				Analysis: &v1alpha1.RolloutAnalysisBackground{
					RolloutAnalysis: judgedBy(analysis.BackgroundName(w.Name)),
					StartingStep:    ptr.To(start),
				},
			}},
		},
	}
	// The template is in the object that workloadRef names.
	object.Spec.SetResolvedTemplate(object.Spec.Template)
	return object, nil
}

// steps are the stages, and the index of the first step at which the new version has
// requests.
//
// Promoted as a unit, there is a barrier in front of every stage and behind the last:
// nothing moves before it is promoted. Behind the last, the previous version is still
// the stable one, so that going back needs no stages. Promoted automatically, a stage
// lasts its time, and then its analysis must succeed.
func steps(w workload.Workload) (steps []v1alpha1.CanaryStep, start int32) {
	if w.Rollout.Promotion == config.PromotionUnit {
		steps = append(steps, v1alpha1.CanaryStep{Pause: &v1alpha1.RolloutPause{}})
	}
	start = int32(len(steps)) + 1
	for _, s := range stage.All() {
		steps = append(steps, v1alpha1.CanaryStep{SetWeight: ptr.To(int32(s.Weight))})
		if w.Rollout.Promotion == config.PromotionUnit {
			steps = append(steps, v1alpha1.CanaryStep{Pause: &v1alpha1.RolloutPause{}})
			continue
		}
		judged := judgedBy(analysis.StageName(w.Name))
		steps = append(steps,
			v1alpha1.CanaryStep{Pause: &v1alpha1.RolloutPause{Duration: ptr.To(intstr.FromString(strings.TrimSuffix(s.Pause.String(), "0s")))}},
			v1alpha1.CanaryStep{Analysis: &judged})
	}
	return steps, start
}

// judgedBy is an analysis of the new version by a template.
func judgedBy(template string) v1alpha1.RolloutAnalysis {
	return v1alpha1.RolloutAnalysis{
		Templates: []v1alpha1.AnalysisTemplateRef{{TemplateName: template}},
		Args: []v1alpha1.AnalysisRunArgument{{
			Name: analysis.HashArgument, ValueFrom: &v1alpha1.ArgumentValueFrom{PodTemplateHashValue: ptr.To(v1alpha1.Latest)},
		}},
	}
}

// tellShares says what share of traffic each stage really moves, and warns when it
// is too far from the weight of the stage.
func tellShares(ctx *pulumi.Context, w workload.Workload, parent pulumi.Resource) error {
	replicas := w.Replicas
	if w.Autoscaling.Enabled {
		replicas = w.Autoscaling.MinReplicas
	}
	text, deviating := shares(w.Name, replicas, w.Rollout.Tolerance)
	say := ctx.Log.Info
	if deviating {
		say = ctx.Log.Warn
	}
	return say(text, &pulumi.LogArgs{Resource: parent})
}

func shares(name string, replicas, tolerance int) (text string, deviating bool) {
	var each []string
	for _, s := range stage.All() {
		pods := stage.Effective(replicas, s.Weight)
		each = append(each, fmt.Sprintf("%d %% is %.0f %% (%s)", s.Weight, math.Round(pods.Share()*100), pods))
		deviating = deviating || s.Deviation(pods) > float64(tolerance)
	}
	text = fmt.Sprintf("%s: with %d replicas, of the traffic %s", name, replicas, strings.Join(each, ", "))
	if deviating {
		text += fmt.Sprintf("; that differs by more than %d percentage points (nova:rollout.tolerance)", tolerance)
		if n := stage.ReplicasFor(stage.All(), float64(tolerance), config.MaxReplicas); n > 0 {
			text += fmt.Sprintf(", and %d replicas would not", n)
		}
	}
	return text, deviating
}
