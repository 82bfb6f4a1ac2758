package components

import (
	"maps"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Annotations that tell the Kubernetes provider what to do. They mean nothing to
// a cluster, so that rendered manifests leave them out.
const (
	// patchForce takes over the fields of the program that somebody else has set:
	// a change by hand is undone instead of being a conflict. Fields of others
	// stay, and so does what the program ignores.
	patchForce = "pulumi.com/patchForce"
	// skipAwait does not wait for what a controller answers, such as endpoints or
	// an address: nothing in the program uses it.
	skipAwait = "pulumi.com/skipAwait"
)

// providerHints are the annotations of every object.
func providerHints() pulumi.StringMap {
	return pulumi.StringMap{patchForce: pulumi.String("true")}
}

// annotate adds annotations to those of an object.
func annotate(metadata *metav1.ObjectMetaArgs, more pulumi.StringMap) *metav1.ObjectMetaArgs {
	all := pulumi.StringMap{}
	if own, ok := metadata.Annotations.(pulumi.StringMap); ok {
		maps.Copy(all, own)
	}
	maps.Copy(all, more)
	metadata.Annotations = all
	return metadata
}

// unawaited is the metadata of an object that the provider does not wait for.
func unawaited(metadata *metav1.ObjectMetaArgs) *metav1.ObjectMetaArgs {
	return annotate(metadata, pulumi.StringMap{skipAwait: pulumi.String("true")})
}
