package podwatch

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// logs is what the API server of the tests answers for the log of any container.
const logs = "fake logs"

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) wait(d time.Duration) { c.at = c.at.Add(d) }

// crashing is a pod of a stack that ends again and again.
func crashing(restarts int32) *corev1.Pod {
	p := pod(corev1.ContainerStatus{State: waiting("CrashLoopBackOff", ""), RestartCount: restarts, LastTerminationState: ended("Error", 1)})
	p.Namespace, p.Labels = "nova", map[string]string{"app.kubernetes.io/part-of": "nova"}
	return p
}

func namespace(stack string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "nova", Labels: map[string]string{labelStack: stack}}}
}

func TestWatch(t *testing.T) {
	const line = "auth-service-1, container app: CrashLoopBackOff (exit code 1), 6 restarts; last log line: fake logs"
	watching := func(objects ...runtime.Object) (*watcher, *fake.Clientset, *clock) {
		client, c := fake.NewSimpleClientset(objects...), &clock{now}
		return newWatcher(client, Target{Namespace: "nova", Stack: "dev"}, c.now), client, c
	}
	t.Run("tells what stays wrong, once, and again when it changes", func(t *testing.T) {
		w, client, c := watching(namespace("dev"), crashing(6))
		assert.Empty(t, w.look(t.Context()), "it may be transient")
		c.wait(steady)
		assert.Equal(t, []string{line}, w.look(t.Context()))
		c.wait(period)
		assert.Empty(t, w.look(t.Context()))
		assert.Equal(t, []string{line}, w.lines(), "it is still wrong")

		require.NoError(t, client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("pods"), crashing(7), "nova"))
		assert.Contains(t, w.look(t.Context())[0], "7 restarts")
		require.NoError(t, client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "nova", "auth-service-1"))
		assert.Empty(t, w.look(t.Context()))
		assert.Empty(t, w.lines())
	})
	t.Run("names a pod within 30 s", func(t *testing.T) {
		assert.Less(t, steady+2*period+3*timeout, 36*time.Second, "also where every request takes its time")
		assert.LessOrEqual(t, steady+2*period, 20*time.Second)
	})
	t.Run("shows no value of a Secret", func(t *testing.T) {
		w, _, c := watching(namespace("dev"), crashing(6), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "nova"}, Data: map[string][]byte{"PASSWORD": []byte(logs)},
		})
		w.look(t.Context())
		c.wait(steady)
		assert.Contains(t, w.look(t.Context())[0], "last log line: [secret]")
	})
	t.Run("shows no log where the Secrets cannot be read", func(t *testing.T) {
		w, client, c := watching(namespace("dev"), crashing(6))
		client.PrependReactor("list", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("forbidden") })
		w.look(t.Context())
		c.wait(steady)
		assert.Equal(t, []string{"auth-service-1, container app: CrashLoopBackOff (exit code 1), 6 restarts"}, w.look(t.Context()))
	})
	t.Run("leaves the pods of others alone", func(t *testing.T) {
		foreign := crashing(6)
		foreign.Labels = nil
		for name, objects := range map[string][]runtime.Object{
			"of another stack":    {namespace("prod"), crashing(6)},
			"of somebody else":    {namespace("dev"), foreign},
			"without a namespace": {crashing(6)},
		} {
			w, _, c := watching(objects...)
			w.look(t.Context())
			c.wait(steady)
			assert.Empty(t, w.look(t.Context()), name)
		}
	})
	t.Run("keeps what it knows while the cluster does not answer", func(t *testing.T) {
		w, client, c := watching(namespace("dev"), crashing(6))
		w.look(t.Context())
		c.wait(steady)
		require.NotEmpty(t, w.look(t.Context()))
		client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("away") })
		assert.Empty(t, w.look(t.Context()))
		assert.Equal(t, []string{line}, w.lines())
	})
	t.Run("asks for the log of the container that ended", func(t *testing.T) {
		w, client, c := watching(namespace("dev"), crashing(6))
		w.look(t.Context())
		c.wait(steady)
		w.look(t.Context())
		asked := false
		for _, action := range client.Actions() {
			if action.GetSubresource() == "log" {
				options := action.(clienttesting.GenericAction).GetValue().(*corev1.PodLogOptions)
				asked = options.Previous && options.Container == "app"
			}
		}
		assert.True(t, asked)
	})
}
