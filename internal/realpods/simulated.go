package realpods

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// ErrSimulated means that the pods of a cluster run no containers.
var ErrSimulated = errors.New("the pods of this cluster are simulated")

// CheckReal returns an error that wraps ErrSimulated when a node of a cluster
// only simulates its pods, as those of the embedded control plane do. What such
// pods seem to do says nothing about containers.
func CheckReal(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("realpods: list nodes: %w", err)
	}
	if len(nodes.Items) == 0 {
		return errors.New("realpods: the cluster has no node")
	}
	for _, node := range nodes.Items {
		kubelet := node.Status.NodeInfo.KubeletVersion
		if _, found := node.Annotations["kwok.x-k8s.io/node"]; found || strings.HasPrefix(kubelet, "fake") || strings.HasPrefix(kubelet, "kwok") {
			return fmt.Errorf("realpods: %w: node %s runs no containers; give a cluster whose nodes do, such as that of `nova local up --real`, kind or k3d", ErrSimulated, node.Name)
		}
	}
	return nil
}
