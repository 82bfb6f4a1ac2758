package realpods

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"nova.dev/infra/internal/realpods/machine"
	"nova.dev/infra/internal/realpods/podimage"
)

// The users of what runs outside of pods.
const (
	routerUser      = "nova:kube-router"
	provisionerUser = "nova:provisioner"
)

const corefile = `.:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa {
        ttl 5
    }
    cache 5
    loadbalance
}
`

// applyAddons creates what a cluster has beside its programs: DNS, the default
// StorageClass and the rights of the users.
func applyAddons(ctx context.Context, client kubernetes.Interface) error {
	read := []string{"get", "list", "watch"}
	roles := map[string][]rbacv1.PolicyRule{
		routerUser: {
			{APIGroups: []string{""}, Resources: []string{"pods", "namespaces", "nodes", "services", "endpoints"}, Verbs: read},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
			{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: read},
		},
		provisionerUser: {
			{APIGroups: []string{""}, Resources: []string{"persistentvolumeclaims"}, Verbs: read},
			{APIGroups: []string{""}, Resources: []string{"persistentvolumes"}, Verbs: append([]string{"create", "delete"}, read...)},
		},
	}
	for user, rules := range roles {
		subject := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
		if err := grant(ctx, client, user, rules, subject); err != nil {
			return err
		}
	}
	dns := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceSystem, Name: "coredns"}
	err := grant(ctx, client, "nova:coredns", []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"endpoints", "services", "pods", "namespaces"}, Verbs: read},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
	}, dns)
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Name: "coredns", Namespace: metav1.NamespaceSystem}
	core := client.CoreV1()
	_, err = core.ServiceAccounts(meta.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err := created("ServiceAccount coredns", err); err != nil {
		return err
	}
	_, err = core.ConfigMaps(meta.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"Corefile": corefile}}, metav1.CreateOptions{})
	if err := created("ConfigMap coredns", err); err != nil {
		return err
	}
	_, err = core.Services(meta.Namespace).Create(ctx, dnsService(), metav1.CreateOptions{})
	if err := created("Service kube-dns", err); err != nil {
		return err
	}
	_, err = client.AppsV1().Deployments(meta.Namespace).Create(ctx, dnsDeployment(meta), metav1.CreateOptions{})
	if err := created("Deployment coredns", err); err != nil {
		return err
	}
	_, err = client.StorageV1().StorageClasses().Create(ctx, storageClass(), metav1.CreateOptions{})
	return created("StorageClass "+machine.StorageClass, err)
}

func created(what string, err error) error {
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return fmt.Errorf("create %s: %w", what, err)
}

func grant(ctx context.Context, client kubernetes.Interface, name string, rules []rbacv1.PolicyRule, subject rbacv1.Subject) error {
	meta := metav1.ObjectMeta{Name: name}
	_, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err := created("ClusterRole "+name, err); err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: []rbacv1.Subject{subject},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	return created("ClusterRoleBinding "+name, err)
}

// dnsLabels are those by which network policies find DNS everywhere.
var dnsLabels = map[string]string{"k8s-app": "kube-dns"}

func dnsService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "kube-dns", Namespace: metav1.NamespaceSystem, Labels: dnsLabels},
		Spec: corev1.ServiceSpec{
			ClusterIP: machine.DNSService, Selector: dnsLabels,
			Ports: []corev1.ServicePort{{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP}},
		},
	}
}

func dnsDeployment(meta metav1.ObjectMeta) *appsv1.Deployment {
	no, yes := false, true
	meta.Labels = dnsLabels
	return &appsv1.Deployment{
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: dnsLabels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: dnsLabels},
				Spec: corev1.PodSpec{
					ServiceAccountName: "coredns", PriorityClassName: "system-cluster-critical", DNSPolicy: corev1.DNSDefault,
					Containers: []corev1.Container{{
						Name: "coredns", Image: podimage.CoreDNS, Args: []string{"-conf", "/etc/coredns/Corefile"},
						ImagePullPolicy: corev1.PullNever,
						ReadinessProbe: &corev1.Probe{
							PeriodSeconds: 1,
							ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8181)}},
						},
						SecurityContext: &corev1.SecurityContext{
							AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
							Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"}},
						},
						VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns"}},
					}},
					Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{
						ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "coredns"}},
					}}},
				},
			},
		},
	}
}

func storageClass() *storagev1.StorageClass {
	wait := storagev1.VolumeBindingWaitForFirstConsumer
	return &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name: machine.StorageClass, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: machine.Provisioner, VolumeBindingMode: &wait,
	}
}
