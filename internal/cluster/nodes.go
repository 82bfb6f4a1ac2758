package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

const (
	region = "local"
	// nodesTimeout bounds the wait until kwok has made the nodes ready, and the
	// controller manager has created the default service account. Both take
	// about a second.
	nodesTimeout = time.Minute
	nodesPoll    = 100 * time.Millisecond
)

// capacity is that of a large cloud machine: enough for every stack, and small
// enough that a request which no real machine could serve stays pending.
var capacity = corev1.ResourceList{
	corev1.ResourceCPU:              resource.MustParse("32"),
	corev1.ResourceMemory:           resource.MustParse("128Gi"),
	corev1.ResourceEphemeralStorage: resource.MustParse("500Gi"),
	corev1.ResourcePods:             resource.MustParse("250"),
}

// nodes returns the simulated nodes that the cluster should have.
func (c *Cluster) nodes() []*corev1.Node {
	var nodes []*corev1.Node
	for _, zone := range c.options.Zones {
		for n := range c.options.NodesPerZone {
			name := fmt.Sprintf("node-%s-%d", zone, n+1)
			nodes = append(nodes, &corev1.Node{
				ObjectMeta: metav1.ObjectMeta{
					Name: name,
					Labels: map[string]string{
						corev1.LabelTopologyZone:   zone,
						corev1.LabelTopologyRegion: region,
						corev1.LabelHostname:       name,
						corev1.LabelOSStable:       "linux",
						corev1.LabelArchStable:     "amd64",
					},
					Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
				},
				Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity},
			})
		}
	}
	return nodes
}

// ensureNodes creates the nodes that are missing and waits until pods can be
// created and scheduled: until every node is ready and the default service
// account exists.
func (c *Cluster) ensureNodes(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	for _, node := range c.nodes() {
		_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("cluster: create node %s: %w", node.Name, err)
		}
	}
	var problem error
	err = wait.PollUntilContextTimeout(ctx, nodesPoll, nodesTimeout, true, func(ctx context.Context) (bool, error) {
		problem = schedulable(ctx, client)
		return problem == nil, nil
	})
	if err != nil {
		return fmt.Errorf("cluster: waiting for the nodes: %w", errors.Join(err, problem))
	}
	return nil
}

// schedulable returns why a pod cannot be created and scheduled yet.
func schedulable(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		if !isReady(node) {
			return fmt.Errorf("node %s is not ready", node.Name)
		}
		for _, taint := range node.Spec.Taints {
			if taint.Key == corev1.TaintNodeNotReady {
				return fmt.Errorf("node %s has the taint %s", node.Name, taint.Key)
			}
		}
	}
	_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

func isReady(node corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
