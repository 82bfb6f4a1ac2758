package real

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startClient runs the contract service in a pod of the stack's namespace with the
// environment that a service has at that moment.
func startClient[Result any](t *testing.T, d *deployment, service, name string, args ...string) *running[Result] {
	t.Helper()
	pod := toolPod(name, clientLabels, args...)
	like := d.c.pods(t, d.namespace, service)
	require.NotEmpty(t, like, service)
	container := &pod.Spec.Containers[0]
	container.Env = like[0].Spec.Containers[0].Env
	container.Resources.Limits = quantities("250m", "128Mi", "64Mi")
	d.c.runInNamespace(t, d.namespace, pod)
	t.Cleanup(func() {
		err := d.c.client.CoreV1().Pods(d.namespace).Delete(context.Background(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return &running[Result]{d.c, d.namespace, name}
}
