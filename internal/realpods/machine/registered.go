//go:build linux

package machine

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// registered reports whether the API server knows this node, asked as the
// node itself.
func (n *node) registered() bool {
	config, err := clientcmd.BuildConfigFromFlags("", n.pki(n.name+".kubeconfig"))
	if err != nil {
		return false
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = client.CoreV1().Nodes().Get(ctx, n.name, metav1.GetOptions{})
	return err == nil
}
