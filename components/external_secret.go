package components

import (
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
// the operator writes. It is not nova-backend-secrets: two owners of one Secret
// would take turns to undo each other's work.
const externalSecretName = "nova-backend-secrets-external"

// newExternalSecret declares what the External Secrets Operator fetches, where it
// fetches anything. The operator's Go types are a module of their own; this is
// its published form of version external-secrets.io/v1.
func newExternalSecret(ctx *pulumi.Context, args *SecretsArgs, parent pulumi.Resource) error {
	data, templates, rotations := pulumi.Array{}, pulumi.StringMap{}, 0
	for _, secret := range args.Secrets {
		if secret.Source != config.SourceExternal {
			continue
		}
		if template, ok := urlTemplateOf(args.URLs, secret); ok {
			templates[secret.Key] = pulumi.String(template)
			continue
		}
		rotations += secret.Rotations
		data = append(data, pulumi.Map{
			"secretKey": pulumi.String(secret.Key),
			"remoteRef": pulumi.Map{"key": pulumi.String(secret.ExternalKey)},
		})
	}
	if len(data) == 0 {
		return nil
	}
	target := pulumi.Map{
		"name":           pulumi.String(externalSecretName),
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
	metadata := args.metadata(externalSecretName)
	// The operator looks at once when this annotation changes.
	annotate(metadata, pulumi.StringMap{"force-sync": pulumi.String(strconv.Itoa(rotations))})
	_, err := apiextensions.NewCustomResource(ctx, externalSecretName, &apiextensions.CustomResourceArgs{
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
