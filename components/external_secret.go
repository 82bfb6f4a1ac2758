package components

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// externalSecretName is the name of the ExternalSecret and of the Secret that
// the operator writes, but for values that were rotated. It is not nova-backend-secrets: two owners of one Secret
// would take turns to undo each other's work.
const externalSecretName = "nova-backend-secrets-external"

// externalRotations is how often the value of an external secret was rotated. A
// URL that the operator completes changes with its password.
func (args *SecretsArgs) externalRotations(secret SecretArgs) int {
	rotations := secret.Rotations
	if password, ok := args.completedBy(secret); ok {
		rotations += password.Rotations
	}
	return rotations
}

// externalSecretFor is the name of the Secret in which pods find an external
// secret. One that was rotated has a Secret of its own for each rotation: the
// operator writes it only after the rotation, so that what a pod finds there is the
// new value, and until then the pod waits for the Secret. Pods from before the
// rotation keep theirs. Waiting for the refresh of one common Secret instead would
// need the operator's answer for exactly this change, which a cluster without Pulumi
// cannot wait for.
func (args *SecretsArgs) externalSecretFor(secret SecretArgs) string {
	rotations := args.externalRotations(secret)
	if rotations == 0 {
		return externalSecretName
	}
	return fmt.Sprintf("%s-%s-%d", externalSecretName, resourceName(secret.Key), rotations)
}

// newExternalSecrets declares what the External Secrets Operator fetches, where it
// fetches anything: all keys into one Secret, and again each that was rotated into
// its own. Those of earlier rotations are removed after the last pod that refers to
// them.
func newExternalSecrets(ctx *pulumi.Context, args *SecretsArgs, parent pulumi.Resource) error {
	var external []SecretArgs
	rotations := 0
	for _, secret := range args.Secrets {
		if secret.Source != config.SourceExternal {
			continue
		}
		external = append(external, secret)
		rotations += secret.Rotations
	}
	if err := newExternalSecret(ctx, args, externalSecretName, external, rotations, parent); err != nil {
		return err
	}
	for _, secret := range external {
		if args.externalRotations(secret) == 0 {
			continue
		}
		of := []SecretArgs{secret}
		if password, ok := args.completedBy(secret); ok {
			of = append(of, password)
		}
		if err := newExternalSecret(ctx, args, args.externalSecretFor(secret), of, 0, parent); err != nil {
			return err
		}
	}
	return nil
}

// newExternalSecret declares an ExternalSecret and the Secret of the same name. The
// operator's Go types are a module of their own; this is its published form of
// version external-secrets.io/v1.
func newExternalSecret(ctx *pulumi.Context, args *SecretsArgs, name string, secrets []SecretArgs, rotations int, parent pulumi.Resource) error {
	data, templates := pulumi.Array{}, pulumi.StringMap{}
	for _, secret := range secrets {
		if template, ok := urlTemplateOf(args.URLs, secret); ok {
			templates[secret.Key] = pulumi.String(template)
			continue
		}
		data = append(data, pulumi.Map{
			"secretKey": pulumi.String(secret.Key),
			"remoteRef": pulumi.Map{"key": pulumi.String(secret.ExternalKey)},
		})
	}
	if len(data) == 0 {
		return nil
	}
	target := pulumi.Map{
		"name":           pulumi.String(name),
		"creationPolicy": pulumi.String("Owner"),
		"deletionPolicy": pulumi.String("Retain"),
	}
	if len(templates) > 0 {
		target["template"] = pulumi.Map{
			"engineVersion": pulumi.String("v2"),
			"mergePolicy":   pulumi.String("Merge"),
			"data":          templates,
		}
	}
	metadata := args.metadata(name)
	// The operator looks at once when this annotation changes.
	annotate(metadata, pulumi.StringMap{"force-sync": pulumi.String(strconv.Itoa(rotations))})
	_, err := apiextensions.NewCustomResource(ctx, name, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("external-secrets.io/v1"),
		Kind:       pulumi.String("ExternalSecret"),
		Metadata:   metadata,
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{
			"refreshInterval": pulumi.String(args.External.RefreshInterval),
			"secretStoreRef":  pulumi.Map{"kind": pulumi.String(args.External.StoreKind), "name": pulumi.String(args.External.Store)},
			"target":          target,
			"data":            data,
		}},
	}, pulumi.Parent(parent))
	return err
}

// completedBy is the password with which the operator completes an external
// connection URL.
func (args *SecretsArgs) completedBy(secret SecretArgs) (password SecretArgs, ok bool) {
	if _, completed := urlTemplateOf(args.URLs, secret); !completed {
		return SecretArgs{}, false
	}
	url := slices.IndexFunc(args.URLs, func(u catalog.ConnectionURL) bool { return u.Key == secret.Key })
	i := slices.IndexFunc(args.Secrets, func(s SecretArgs) bool { return s.Key == args.URLs[url].Password })
	if i < 0 {
		return SecretArgs{}, false
	}
	return args.Secrets[i], true
}

// urlTemplateOf is the connection URL that the operator completes with a password
// which it fetches; ok is false where a secret is no URL or is fetched whole.
func urlTemplateOf(urls []catalog.ConnectionURL, secret SecretArgs) (template string, ok bool) {
	i := slices.IndexFunc(urls, func(u catalog.ConnectionURL) bool { return u.Key == secret.Key })
	if i < 0 || secret.Whole {
		return "", false
	}
	return urlTemplate(urls[i]), true
}

// urlTemplate has the password percent-encoded by the operator. urlquery is
// made for queries, where a space is a plus; in the user part it is %20.
func urlTemplate(composed catalog.ConnectionURL) string {
	const mark = "password"
	complete := composed.Base
	complete.User = url.UserPassword(complete.User.Username(), mark)
	action := "{{ ." + composed.Password + ` | urlquery | replace "+" "%20" }}`
	return strings.Replace(complete.String(), ":"+mark+"@", ":"+action+"@", 1)
}
