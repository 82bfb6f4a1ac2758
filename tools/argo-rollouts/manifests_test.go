package argorollouts

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/validation"
	"github.com/argoproj/argo-rollouts/utils/analysis"
	"github.com/argoproj/argo-rollouts/utils/evaluate"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// manifests are rendered canaries; a test of package internal/render keeps them.
const manifests = "../../internal/render/testdata/canary/*.golden"

// TestManifests lets the controller's own code judge what is rendered.
func TestManifests(t *testing.T) {
	files, err := filepath.Glob(manifests)
	if err != nil || len(files) < 2 {
		t.Fatalf("%s: %v, %v", manifests, files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var rollout v1alpha1.Rollout
			var pods corev1.PodTemplate
			templates := map[string]v1alpha1.AnalysisTemplate{}
			for _, document := range bytes.Split(text, []byte("\n---\n")) {
				var about metav1.TypeMeta
				read(t, document, &about, false)
				switch about.Kind {
				case "Rollout":
					read(t, document, &rollout, true)
				case "PodTemplate":
					read(t, document, &pods, true)
				case "AnalysisTemplate":
					var template v1alpha1.AnalysisTemplate
					read(t, document, &template, true)
					templates[template.Name] = template
				}
			}
			if ref := rollout.Spec.WorkloadRef; ref == nil || ref.Kind != "PodTemplate" || ref.Name != pods.Name {
				t.Fatalf("workloadRef is %v, want PodTemplate %q", ref, pods.Name)
			}
			rollout.Spec.SetResolvedTemplate(pods.Template)
			for _, wrong := range validation.ValidateRollout(&rollout) {
				t.Errorf("the controller would refuse the Rollout: %v", wrong)
			}
			referenced := rollout.Spec.Strategy.Canary.Analysis.Templates
			for _, step := range rollout.Spec.Strategy.Canary.Steps {
				if step.Analysis != nil {
					referenced = append(referenced, step.Analysis.Templates...)
				}
			}
			for _, ref := range referenced {
				template, found := templates[ref.TemplateName]
				if !found {
					t.Fatalf("there is no AnalysisTemplate %q", ref.TemplateName)
				}
				if err := analysis.ValidateMetrics(template.Spec.Metrics); err != nil {
					t.Errorf("the controller would refuse AnalysisTemplate %q: %v", template.Name, err)
				}
				checkConditions(t, template)
			}
		})
	}
}

// checkConditions evaluates the conditions of a template as the controller does:
// without data, nothing passes and nothing fails.
func checkConditions(t *testing.T, template v1alpha1.AnalysisTemplate) {
	t.Helper()
	for _, metric := range template.Spec.Metrics {
		for _, tc := range []struct {
			name   string
			result []float64
			want   v1alpha1.AnalysisPhase
		}{
			{"no data", []float64{}, v1alpha1.AnalysisPhaseInconclusive},
			{"not a number", []float64{math.NaN()}, v1alpha1.AnalysisPhaseInconclusive},
			{"a healthy version", []float64{-2}, v1alpha1.AnalysisPhaseSuccessful},
			{"the limit", []float64{2}, v1alpha1.AnalysisPhaseSuccessful},
			{"a bad version", []float64{20}, v1alpha1.AnalysisPhaseFailed},
			{"infinitely many", []float64{math.Inf(1)}, v1alpha1.AnalysisPhaseFailed},
		} {
			got, err := evaluate.EvaluateResult(tc.result, metric, *log.NewEntry(log.StandardLogger()))
			if err != nil || got != tc.want {
				t.Errorf("%s of %s, %s: %s (%v), want %s", metric.Name, template.Name, tc.name, got, err, tc.want)
			}
		}
	}
}

func read(t *testing.T, document []byte, into any, strict bool) {
	t.Helper()
	decode := yaml.Unmarshal
	if strict {
		decode = func(text []byte, into any, _ ...yaml.JSONOpt) error { return yaml.UnmarshalStrict(text, into) }
	}
	if err := decode(document, into); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
}
