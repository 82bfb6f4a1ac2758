//go:build linux

package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	provisionPoll = 500 * time.Millisecond
	// selectedNode is the annotation in which the scheduler tells where the
	// first pod with a claim goes.
	selectedNode = "volume.kubernetes.io/selected-node"
)

// provision makes a volume for each claim of the class, and removes it when its
// claim is gone. The volumes are of type local, not hostPath: the kubelet gives
// them to the group of a pod.
func provision(ctx context.Context, dir, kubeconfig string) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		say("provisioner: %v", err)
		return
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		say("provisioner: %v", err)
		return
	}
	for ctx.Err() == nil {
		if err := errors.Join(provisionOnce(ctx, client, dir), reclaimOnce(ctx, client)); err != nil {
			say("provisioner: %v", err)
		}
		time.Sleep(provisionPoll)
	}
}

func provisionOnce(ctx context.Context, client kubernetes.Interface, dir string) error {
	claims, err := client.CoreV1().PersistentVolumeClaims("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var problems []error
	for _, claim := range claims.Items {
		node := claim.Annotations[selectedNode]
		if claim.Status.Phase != corev1.ClaimPending || node == "" || claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != StorageClass {
			continue
		}
		path := filepath.Join(dir, string(claim.UID))
		if err := os.MkdirAll(path, 0o755); err != nil {
			problems = append(problems, err)
			continue
		}
		_, err := client.CoreV1().PersistentVolumes().Create(ctx, volumeFor(claim, node, path), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func volumeFor(claim corev1.PersistentVolumeClaim, node, path string) *corev1.PersistentVolume {
	mode := corev1.PersistentVolumeFilesystem
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "pvc-" + string(claim.UID),
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": Provisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              StorageClass,
			VolumeMode:                    &mode,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
	}
}

// reclaimOnce removes the volumes whose claims are gone.
func reclaimOnce(ctx context.Context, client kubernetes.Interface) error {
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var problems []error
	for _, volume := range volumes.Items {
		if volume.Status.Phase != corev1.VolumeReleased || volume.Spec.StorageClassName != StorageClass || volume.Spec.Local == nil {
			continue
		}
		problems = append(problems, os.RemoveAll(volume.Spec.Local.Path))
		if err := client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
