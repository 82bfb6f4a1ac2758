package preflight_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestCheckGaps(t *testing.T) {
	t.Run("a_kind_without_definition_names_what_brings_it", func(t *testing.T) {
		n := unique("planned")
		s := newStack(t, newNamespace(n, nil),
			newObject("argoproj.io/v1alpha1", "Trial", n, "a", nil), newObject("argoproj.io/v1alpha1", "Trial", n, "b", nil),
			newObject("monitoring.coreos.com/v9", "PodMonitor", n, "a", nil))
		want := []string{
			"refused: the cluster knows no kind PodMonitor in version monitoring.coreos.com/v9, of which the stack declares 1 object: it has version v1; install a release of the Prometheus operator (kube-prometheus-stack has it) that has v9, or set nova:monitoring.mode: none",
			"refused: the cluster knows no kind Trial in version argoproj.io/v1alpha1, of which the stack declares 2 objects: install Argo Rollouts first, or set nova:rollout.strategy: rolling",
		}
		wantFindings(t, s.check(t), want...)
		s.InstallsCharts = true
		wantFindings(t, s.check(t))
	})

	t.Run("a_kind_that_the_stack_defines_itself_is_judged_once_it_is_there", func(t *testing.T) {
		n, group := unique("planned"), unique("g")+".example.com"
		crd := definition(group, "Widget", "widgets", "v1")
		big := newObject(group+"/v1", "Widget", n, "big", fields{"spec": fields{"size": int64(10)}})
		s := newStack(t, newNamespace(n, nil), crd, big)
		wantFindings(t, s.check(t))
		put(t, crd.DeepCopy())
		s.owns("CustomResourceDefinition " + crd.GetName())
		eventually(t, "the kind is served", func() bool {
			findings := s.check(t)
			return len(findings) == 1 && strings.Contains(findings[0], "Widget "+n+"/big: the API server refuses it: spec.size: ") &&
				strings.Contains(findings[0], "less than or equal to 9")
		})
	})

	t.Run("a_namespace_that_nobody_makes", func(t *testing.T) {
		n := unique("nowhere")
		s := newStack(t, newConfigMap(n, "a"), newConfigMap(n, "b"))
		wantFindings(t, s.check(t), "refused: namespace "+n+" does not exist and the stack does not declare it, but 2 objects would go there: create it first")
		s.InstallsCharts = true
		wantFindings(t, s.check(t))
	})
}

func TestCheckPods(t *testing.T) {
	t.Run("pods_of_every_kind_of_workload_are_judged_before_their_namespace_exists", func(t *testing.T) {
		n := unique("planned")
		for _, kind := range [][2]string{
			{"apps/v1", "Deployment"}, {"apps/v1", "StatefulSet"}, {"apps/v1", "DaemonSet"}, {"batch/v1", "Job"}, {"batch/v1", "CronJob"},
		} {
			t.Run(kind[1], func(t *testing.T) {
				s := newStack(t, newNamespace(n, enforce), workload(kind[0], kind[1], n, "bad", rooted("bad")), workload(kind[0], kind[1], n, "good", restricted("good")))
				wantFindings(t, s.check(t), "refused: "+kind[1]+" "+n+`/bad: its pods would be refused by Pod Security, level "restricted" (version latest) of namespace `+n+
					`: runAsNonRoot != true (...container "app"...), seccompProfile`)
			})
		}
	})

	t.Run("pods_of_a_Rollout_are_judged_unless_a_Deployment_has_them", func(t *testing.T) {
		n := unique("planned")
		referring := newObject("argoproj.io/v1alpha1", "Rollout", n, "referring", fields{"spec": fields{"workloadRef": fields{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}})
		s := newStack(t, newNamespace(n, enforce),
			workload("argoproj.io/v1alpha1", "Rollout", n, "bad", rooted("bad")), referring)
		wantFindings(t, s.check(t), "refused: Rollout "+n+"/bad: its pods would be refused by Pod Security")
	})

	t.Run("the_version_of_the_level_counts", func(t *testing.T) {
		// seccompProfile is demanded since v1.19, and no privilege escalation since v1.8.
		old := map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "v1.18"}
		n := unique("planned")
		template := restricted("web")
		delete(template["spec"].(fields)["securityContext"].(fields), "seccompProfile")
		s := newStack(t, newNamespace(n, old), workload("apps/v1", "Deployment", n, "web", template))
		findings := s.check(t)
		assert.Empty(t, findings)
		s.Objects[0].Object.SetLabels(enforce)
		wantFindings(t, s.check(t), "refused: ...seccompProfile")
	})

	t.Run("a_level_that_only_warns_is_a_warning", func(t *testing.T) {
		n := unique("planned")
		labels := map[string]string{"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"}
		s := newStack(t, newNamespace(n, labels), workload("apps/v1", "Deployment", n, "web", rooted("web")))
		wantFindings(t, s.check(t), "warning: Deployment "+n+`/web: its pods violate what Pod Security warns of, level "restricted"`)
	})

	t.Run("a_namespace_of_somebody_else_has_the_labels_of_the_cluster", func(t *testing.T) {
		n := unique("live")
		put(t, newNamespace(n, enforce))
		s := newStack(t, workload("apps/v1", "Deployment", n, "web", rooted("web")))
		wantFindings(t, s.check(t), "refused: Deployment "+n+"/web: its pods would be refused by Pod Security")
	})
}

func TestCheckNeeds(t *testing.T) {
	n := unique("planned")
	naming := func(name, class, account string) *unstructured.Unstructured {
		d := newDeployment(n, name)
		set(t, d, class, "spec", "template", "spec", "priorityClassName")
		return set(t, d, account, "spec", "template", "spec", "serviceAccountName")
	}
	live := unique("live")
	put(t, newPriorityClass(live))
	s := newStack(t, newNamespace(n, nil), newPriorityClass(n+"-own"), newObject("v1", "ServiceAccount", n, "own", nil),
		naming("good", n+"-own", "own"), naming("live", live, "default"), naming("bad", "nobodys", "later"))
	s.declare(naming("unknown", "placeholder", "default")).Unknown = []string{"spec.template.spec.priorityClassName"}
	wantFindings(t, s.check(t),
		"refused: Deployment "+n+"/bad: its pods would be refused, because PriorityClass nobodys exists neither in the cluster nor in the stack",
		"refused: Deployment "+n+"/bad: its pods would be refused, because ServiceAccount later exists neither in the cluster nor in the stack")
}

func TestCheckDryRun(t *testing.T) {
	for where, exists := range map[string]bool{"in_a_namespace_that_exists": true, "in_one_that_does_not": false} {
		t.Run(where, func(t *testing.T) {
			n := unique("own")
			if exists {
				put(t, newNamespace(n, nil))
			}
			selector := newDeployment(n, "selector")
			set(t, selector, "other", "spec", "selector", "matchLabels", "app")
			named := newDeployment(n, "named")
			container(named)["name"] = "Not_A_Label"
			twice := newDeployment(n, "twice")
			container(twice)["env"] = []any{fields{"name": "A", "value": "1"}, fields{"name": "A", "value": "2"}}
			typed := set(t, newDeployment(n, "typed"), "two", "spec", "replicas")
			s := newStack(t, newNamespace(n, nil), newDeployment(n, "good"), set(t, newDeployment(n, "field"), int64(2), "spec", "replica"),
				selector, named, twice, typed)
			s.owns("Namespace " + n)
			findings := s.check(t)
			wantFindings(t, findings,
				"refused: Deployment "+n+"/field: the API server refuses it: ...replica",
				"refused: Deployment "+n+"/named: the API server refuses it: spec.template.spec.containers[0].name: Invalid value",
				"refused: Deployment "+n+"/selector: the API server refuses it: spec.template.metadata.labels: ...selector",
				"refused: Deployment "+n+"/twice: the API server refuses it: ...duplicate",
				"refused: Deployment "+n+"/typed: the API server refuses it: ...spec.replicas")
			assert.NotContains(t, strings.Join(findings, "\n"), "default/")
		})
	}

	t.Run("an_object_without_name_is_tried_under_another", func(t *testing.T) {
		n := unique("planned")
		s := newStack(t, newNamespace(n, nil), newConfigMap(n, ""), set(t, newDeployment(n, ""), int64(1), "spec", "replica"))
		container(s.Objects[2].Object)["name"] = "app"
		set(t, s.Objects[2].Object, "", "metadata", "name")
		findings := s.check(t)
		assert.NotEmpty(t, findings)
		assert.Contains(t, findings[0], "refused: Deployment in namespace "+n+": the API server refuses it")
	})

	t.Run("what_the_default_namespace_has_is_no_objection", func(t *testing.T) {
		taken := unique("web")
		theirs := newDeployment("default", taken)
		put(t, theirs)
		put(t, newConfigMap("default", taken))
		put(t, newObject("v1", "ResourceQuota", "default", taken, fields{"spec": fields{"hard": fields{"count/services": "0", "count/cronjobs.batch": "0"}}}))
		n := unique("planned")
		mine := workload("apps/v1", "Deployment", n, taken, restricted("another"))
		set(t, mine, "another", "spec", "selector", "matchLabels", "app") // Which no update may change.
		wrong := set(t, newConfigMap(n, taken), fields{"not a key": "1"}, "data")
		pod := newObject("v1", "Pod", n, "p", fields{"spec": restricted("p")["spec"]})
		set(t, pod, "own", "spec", "serviceAccountName")
		set(t, pod, n, "spec", "priorityClassName")
		service := newObject("v1", "Service", n, "web", fields{"spec": fields{"ports": []any{fields{"name": "http", "port": int64(80)}}}})
		s := newStack(t, newNamespace(n, nil), newPriorityClass(n), newObject("v1", "ServiceAccount", n, "own", nil), mine, pod, service, workload("batch/v1", "CronJob", n, "daily", restricted("daily")))
		eventually(t, "the quota is known", func() bool {
			q := newObject("v1", "ResourceQuota", "default", taken, nil)
			live, err := client(t, q).Get(t.Context(), taken, metav1.GetOptions{})
			if err != nil {
				return false
			}
			_, known, _ := unstructured.NestedString(live.Object, "status", "hard", "count/services")
			return known
		})
		wantFindings(t, s.check(t))
		s.declare(wrong)
		wantFindings(t, s.check(t), "refused: ConfigMap "+n+"/"+taken+": the API server refuses it: data[not a key]")
	})

	t.Run("a_quota_of_the_own_namespace_is_a_warning", func(t *testing.T) {
		n := unique("own")
		put(t, newNamespace(n, nil))
		put(t, newObject("v1", "ResourceQuota", n, "q", fields{"spec": fields{"hard": fields{"count/services": "0"}}}))
		s := newStack(t, newNamespace(n, nil), newObject("v1", "Service", n, "web", fields{"spec": fields{"ports": []any{fields{"name": "http", "port": int64(80)}}}}))
		s.owns("Namespace " + n)
		eventually(t, "the quota is known", func() bool {
			findings := s.check(t)
			return len(findings) == 1 && strings.HasPrefix(findings[0], "warning: Service "+n+"/web: it would exceed a quota as it is now")
		})
	})

	t.Run("warnings_of_the_server_are_shown_once", func(t *testing.T) {
		n := unique("planned")
		s := newStack(t, newNamespace(n, nil))
		for _, name := range []string{"a", "b", "c"} {
			d := newDeployment(n, name)
			set(t, d, "linux", "spec", "template", "spec", "nodeSelector", "beta.kubernetes.io/os")
			s.declare(d)
		}
		wantFindings(t, s.check(t), "warning: Deployment "+n+"/a and 2 more: the API server warns: ...deprecated since v1.14")
	})
}

func TestCheckUnknown(t *testing.T) {
	n := unique("planned")
	declare := func(t *testing.T, change func(s *stack)) []string {
		s := newStack(t, newNamespace(n, enforce))
		change(s)
		return s.check(t)
	}
	t.Run("a_placeholder_of_another_type_is_no_finding", func(t *testing.T) {
		wantFindings(t, declare(t, func(s *stack) {
			s.declare(set(t, newDeployment(n, "typed"), "unknown", "spec", "replicas")).Unknown = []string{"spec.replicas"}
		}))
	})
	t.Run("a_placeholder_that_validation_refuses_is_no_finding", func(t *testing.T) {
		wantFindings(t, declare(t, func(s *stack) {
			d := newDeployment(n, "named")
			container(d)["imagePullPolicy"] = "unknown"
			s.declare(d).Unknown = []string{"spec.template.spec.containers[0].imagePullPolicy"}
			c := newConfigMap(n, "c")
			c.SetLabels(map[string]string{"a.example/b": "not a label"})
			s.declare(c).Unknown = []string{`metadata.labels["a.example/b"]`}
			s.declare(newObject("v1", "Secret", n, "s", fields{"data": fields{"k": "no base64"}})).Unknown = []string{"data.k"}
		}))
	})
	t.Run("other_fields_are_judged_all_the_same", func(t *testing.T) {
		wantFindings(t, declare(t, func(s *stack) {
			d := newDeployment(n, "named")
			container(d)["image"], container(d)["name"] = "unknown", "Not_A_Label"
			s.declare(d).Unknown = []string{"spec.template.spec.containers[0].image"}
			f := set(t, newDeployment(n, "field"), int64(1), "spec", "replica")
			s.declare(f).Unknown = []string{"spec.template.spec.containers[0].image"}
		}), "Deployment "+n+"/field: the API server refuses it", "Deployment "+n+"/named: the API server refuses it: spec.template.spec.containers[0].name")
	})
	t.Run("pods_are_judged_unless_what_decides_is_unknown", func(t *testing.T) {
		wantFindings(t, declare(t, func(s *stack) {
			s.declare(workload("apps/v1", "Deployment", n, "image", rooted("image"))).Unknown = []string{"spec.template.spec.containers[0].image"}
			s.declare(workload("apps/v1", "Deployment", n, "user", rooted("user"))).Unknown = []string{"spec.template.spec.securityContext.runAsNonRoot"}
			s.declare(workload("apps/v1", "Deployment", n, "whole", rooted("whole"))).Unknown = []string{"spec.template"}
		}), "Deployment "+n+"/image: its pods would be refused")
	})
}

func TestCheckPolicies(t *testing.T) {
	own := unique("own")
	labels := map[string]string{"judged": own}
	put(t, newNamespace(own, labels))
	rule := func(resource string) fields {
		return fields{"apiGroups": []any{"*"}, "apiVersions": []any{"*"}, "operations": []any{"CREATE"}, "resources": []any{resource}}
	}
	put(t, newObject("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", own, fields{"webhooks": []any{fields{
		"name": "gone.example.com", "sideEffects": "None", "admissionReviewVersions": []any{"v1"}, "failurePolicy": "Fail",
		"clientConfig": fields{"url": "https://127.0.0.1:1/"}, "rules": []any{rule("configmaps")},
		"namespaceSelector": fields{"matchLabels": fields{"judged": own}},
	}}}))
	policy := unique("policy")
	put(t, newObject("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "", policy, fields{"spec": fields{
		"matchConstraints": fields{"resourceRules": []any{rule("serviceaccounts")}, "objectSelector": fields{"matchLabels": fields{"judged": own}}},
		"validations":      []any{fields{"expression": "false", "message": "no more accounts"}},
	}}))
	put(t, newObject("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "", policy, fields{"spec": fields{
		"policyName": policy, "validationActions": []any{"Deny"},
	}}))
	account := func(namespace string) *unstructured.Unstructured {
		o := newObject("v1", "ServiceAccount", namespace, "a", nil)
		o.SetLabels(labels)
		return o
	}
	planned := unique("planned")
	s := newStack(t, newNamespace(own, labels), newNamespace(planned, nil), account(own), account(planned),
		newConfigMap(own, "a"), newConfigMap(own, "b"))
	s.owns("Namespace " + own)
	want := []string{
		"refused: ServiceAccount " + own + "/a: the API server refuses it: ...no more accounts",
		"warning: ServiceAccount " + planned + "/a: a policy of the cluster refuses it in namespace default, where it was tried: ...no more accounts",
		"warning: ConfigMap in namespace " + own + " (2 objects): not judged, because a webhook that has to see it does not answer: ...failed calling webhook",
	}
	eventually(t, "the policies are known", func() bool { return len(s.check(t)) == len(want) })
	wantFindings(t, s.check(t), want...)
}
