package kubernetes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	corev1 "k8s.io/api/core/v1"
	kresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAnObjectThatDoesNotBecomeReadyStaysInTheState(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	stuck := deployment(n, "web", 2)
	stuck.Spec.Template.Spec.NodeSelector = map[string]string{"no": "node"}
	s.timeout = 3
	done := s.up("web", stuck)
	wantError(t, done.err, "not ready after 3s", "Deployment "+n+"/web: 0/2 replicas available", "pod web-", "Unschedulable", "nodes are available")
	details := rpcerror.Convert(done.err).Details()
	if len(details) != 1 {
		t.Fatalf("the error has the details %v", details)
	}
	if initial, ok := details[0].(*pulumirpc.ErrorResourceInitFailed); !ok || initial.Id != n+"/web" || initial.Properties == nil {
		t.Errorf("the error does not carry the state: %v", details[0])
	}
	urn := urnOf("web", properties(t, stuck))
	if s.state[urn] == nil || s.state[urn].id != resource.ID(n+"/web") {
		t.Fatal("the Deployment is not in the state")
	}
	s.timeout = 60
	wantOp(t, s.mustUp("web", deployment(n, "web", 2)), "update")
}

func TestAQuotaIsNamedAsTheReason(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	put(t, quota(n, "1"))
	s.timeout = 3
	eventually(t, "the quota has a status", func() bool {
		return strings.Contains(field(get(t, "v1", "ResourceQuota", n, "quota"), "status"), "hard")
	})
	done := s.up("web", deployment(n, "web", 2))
	wantError(t, done.err, "1/2 replicas available", "exceeded quota: quota")
}

func TestSkipAwaitReturnsAtOnce(t *testing.T) {
	s := newStack(t, mutable)
	stuck := deployment(namespace(t, nil), "web", 2)
	stuck.Spec.Template.Spec.NodeSelector = map[string]string{"no": "node"}
	stuck.Annotations = map[string]string{"pulumi.com/skipAwait": "true"}
	began := time.Now()
	s.mustUp("web", stuck)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTheTimeoutAnnotationIsHonoured(t *testing.T) {
	s := newStack(t, mutable)
	stuck := deployment(namespace(t, nil), "web", 1)
	stuck.Spec.Template.Spec.NodeSelector = map[string]string{"no": "node"}
	stuck.Annotations = map[string]string{"pulumi.com/timeoutSeconds": "1"}
	wantError(t, s.up("web", stuck).err, "not ready after 1s")
}

func TestCancellationEndsAWaitPromptly(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	stuck := deployment(n, "web", 1)
	stuck.Spec.Template.Spec.NodeSelector = map[string]string{"no": "node"}
	done := make(chan step)
	go func() { done <- s.up("web", stuck) }()
	eventually(t, "the provider waits", func() bool { return s.engine.showed("0/1 replicas available") })
	began := time.Now()
	if err := s.provider.SignalCancellation(t.Context()); err != nil {
		t.Fatal(err)
	}
	result := <-done
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the wait ended %s after the cancellation", took)
	}
	wantError(t, result.err, "cancelled while waiting", "0/1 replicas available")
	if len(s.state) != 1 {
		t.Error("the created Deployment is not in the state")
	}
}

func TestAJobIsReadyWhenItHasCompleted(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.timeout = 60
	s.mustUp("once", job(n, "once"))
	if got := field(get(t, "batch/v1", "Job", n, "once"), "status", "succeeded"); got != "1" {
		t.Errorf("%s pods have succeeded", got)
	}
}

func TestServicesDoNotWaitForWhatMayNeverCome(t *testing.T) {
	n := namespace(t, nil)
	headless := service(n, "headless", map[string]string{"app": "web"})
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	bare := service(n, "bare", nil)
	for _, o := range []*corev1.Service{service(n, "no-pods", map[string]string{"app": "none"}), headless, bare} {
		s := newStack(t, mutable)
		s.timeout = 20
		began := time.Now()
		s.mustUp(o.Name, o)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", o.Name, took)
		}
	}
}

func TestAServiceWaitsForItsPodsAndForItsLoadBalancer(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	stuck := deployment(n, "stuck", 1)
	stuck.Spec.Template.Spec.NodeSelector = map[string]string{"no": "node"}
	stuck.Annotations = map[string]string{"pulumi.com/skipAwait": "true"}
	s.mustUp("stuck", stuck)
	eventually(t, "the pod exists", func() bool {
		pods, err := objects(t, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, n).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(pods.Items) > 0
	})
	s.timeout = 2
	wantError(t, s.up("stuck-svc", service(n, "stuck-svc", map[string]string{"app": "stuck"})).err,
		"none of its 1 pods is ready", "Unschedulable")
	balanced := service(n, "balanced", map[string]string{"app": "none"})
	balanced.Spec.Type = corev1.ServiceTypeLoadBalancer
	wantError(t, s.up("balanced", balanced).err, "waiting for the address of its load balancer")

	s.timeout = 60
	s.mustUp("web", deployment(n, "web", 1))
	s.mustUp("web-svc", service(n, "web-svc", map[string]string{"app": "web"}))
}

func TestAClaimIsNotWaitedForUntilAPodUsesIt(t *testing.T) {
	s := newStack(t, mutable)
	n := namespace(t, nil)
	s.timeout = 20
	claim := &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Namespace: n, Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: kresource.MustParse("1Gi"),
			}},
		},
	}
	s.mustUp("data", claim)
	if err := s.destroy(urnOf("data", properties(t, claim))); err != nil {
		t.Fatal(err)
	}
}

func TestANamespaceMadeInTheSameUpdateIsWaitedFor(t *testing.T) {
	s := newStack(t, mutable)
	name := namespace(t, nil) + "-later"
	done := make(chan step)
	go func() { done <- s.up("web", deployment(name, "web", 1)) }()
	time.Sleep(time.Second)
	other := newStack(t, mutable)
	other.mustUp("n", ns(name, enforce))
	if result := <-done; result.err != nil {
		t.Fatal(result.err)
	}
	if err := other.destroy(urnOf("n", properties(t, ns(name, nil)))); err != nil {
		t.Fatal(err)
	}
}
