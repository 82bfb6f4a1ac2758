package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"nova.dev/infra/internal/rehearsal/traffic"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/monitoring/scrape"
)

// simulation gives the pods of a namespace that really exist their traffic: it lets
// time pass in the model, tells Prometheus which pods there are, and answers scrapes.
type simulation struct {
	client    kubernetes.Interface
	namespace string
	// services are those of the stack, by the label of their pods.
	services map[string]stack.Service
	// factor is by how much time is compressed.
	factor   float64
	model    *traffic.Model
	exporter *exporter
	// targets is the path of the file that tells Prometheus the pods.
	targets string
	// behaves returns how the pods of a service answer that run an image, and whether
	// they crash.
	behaves func(service, image string) (b traffic.Behavior, crashes bool)
	// rate is how many requests per second a service gets from users.
	rate func() float64

	told string
}

// tick is how often the simulation looks at the pods.
const tick = 50 * time.Millisecond

// run simulates until the context ends. It returns an error when the pods cannot be
// watched or Prometheus cannot be told of them.
func (s *simulation) run(ctx context.Context) error {
	watching := cache.NewListWatchFromClient(s.client.CoreV1().RESTClient(), "pods", s.namespace, fields.Everything())
	informer := cache.NewSharedInformer(watching, &corev1.Pod{}, 0)
	go informer.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return ctx.Err()
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			var pods []*corev1.Pod
			for _, object := range informer.GetStore().List() {
				if pod, ok := object.(*corev1.Pod); ok && pod.DeletionTimestamp == nil && s.services[pod.Labels[scrape.NameLabel]].Name != "" {
					pods = append(pods, pod)
				}
			}
			slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
			if err := s.step(ctx, pods, now.Sub(last)); err != nil && ctx.Err() == nil {
				return err
			}
			last = now
		}
	}
}

// step lets a time pass for pods.
func (s *simulation) step(ctx context.Context, pods []*corev1.Pod, d time.Duration) error {
	var ready []traffic.Pod
	var there []*corev1.Pod
	for _, pod := range pods {
		service := s.services[pod.Labels[scrape.NameLabel]]
		behavior, crashes := s.behaves(service.Name, pod.Spec.Containers[0].Image)
		if crashes && pod.Status.PodIP != "" && !crashing(pod) {
			if err := s.crash(ctx, pod); err != nil {
				return err
			}
			continue
		}
		if pod.Status.PodIP == "" || !isReady(pod) {
			continue
		}
		there = append(there, pod)
		ready = append(ready, traffic.Pod{Name: pod.Name, Service: service.Name, Behavior: behavior})
	}
	s.model.Rate = s.rate()
	s.model.Advance(ready, time.Duration(float64(d)*s.factor))
	answers := map[string]answering{}
	for _, pod := range there {
		service := s.services[pod.Labels[scrape.NameLabel]]
		address := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(service.HTTPPort))
		answers[address] = answering{service.MetricsPath, service.Health.Live, s.model.Counters(pod.Name)}
	}
	s.exporter.set(answers)
	return s.tell(there)
}

// tell writes the file by which Prometheus finds the pods, when they are others than
// before.
func (s *simulation) tell(pods []*corev1.Pod) error {
	targets := []scrape.Target{}
	for _, pod := range pods {
		for _, port := range pod.Spec.Containers[0].Ports {
			address := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(port.ContainerPort)))
			targets = append(targets, scrape.TargetOf(s.namespace, pod.Name, string(pod.Status.Phase), port.Name, address, pod.Labels))
		}
	}
	text, err := json.Marshal(targets)
	if err != nil {
		return err
	}
	if string(text) == s.told {
		return nil
	}
	// Renamed into place, the file is never half written.
	if err := os.WriteFile(s.targets+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(s.targets+".new", s.targets); err != nil {
		return err
	}
	s.told = string(text)
	return nil
}

// crash makes a pod look as one whose container has crashed several times.
func (s *simulation) crash(ctx context.Context, pod *corev1.Pod) error {
	const restarts = 5
	pod = pod.DeepCopy()
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady || c.Type == corev1.ContainersReady {
			c.Status, c.Reason, c.LastTransitionTime = corev1.ConditionFalse, "ContainersNotReady", metav1.Now()
		}
	}
	for i := range pod.Status.ContainerStatuses {
		c := &pod.Status.ContainerStatuses[i]
		c.Ready, c.RestartCount = false, restarts
		c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: crashLoop, Message: "back-off 1m20s restarting failed container (simulated)",
		}}
	}
	if _, err := s.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return nil // The controller has changed or deleted it: the next look tells.
		}
		return fmt.Errorf("simulate the crash of pod %s: %w", pod.Name, err)
	}
	return nil
}

const crashLoop = "CrashLoopBackOff"

func crashing(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.State.Waiting != nil && c.State.Waiting.Reason == crashLoop
	})
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
