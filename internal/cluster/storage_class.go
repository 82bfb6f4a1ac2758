package cluster

import (
	"context"
	"fmt"

	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// storageClass is the default class of volumes. Its provisioner is part of the
// controller manager and meant for clusters without a cloud: it creates a
// volume for each claim, backed by a folder under /tmp that no simulated pod
// uses. It binds a claim at once and not when its pod is scheduled: its volumes can
// be reached from every node, and the scheduler and the StatefulSet controller would
// change the claim at the same time, fail on each other's change and wait.
func storageClass() *storagev1.StorageClass {
	bind := storagev1.VolumeBindingImmediate
	grow := true
	return &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner:          "kubernetes.io/host-path",
		VolumeBindingMode:    &bind,
		AllowVolumeExpansion: &grow,
	}
}

func (c *Cluster) ensureStorageClass(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	_, err = client.StorageV1().StorageClasses().Create(ctx, storageClass(), metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("cluster: create the default storage class: %w", err)
	}
	return nil
}
