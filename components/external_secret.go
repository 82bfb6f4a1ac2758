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
	"nova.dev/infra/internal/stack"
)

// externalSecretName is the name of the ExternalSecret and of the Secret that
// the operator writes. It is not nova-backend-secrets: two owners of one Secret
// would take turns to undo each other's work.
const externalSecretName = "nova-backend-secrets-external"

// newExternalSecret declares what the External Secrets Operator fetches. The
// operator's Go types are a module of their own; this is its published form of
// version external-secrets.io/v1.
func newExternalSecret(ctx *pulumi.Context, c *stack.Stack, namespace pulumi.StringInput, parent pulumi.Resource) error {
	data, rotations := pulumi.Array{}, 0
	for _, secret := range catalog.Secrets() {
		if c.Source(secret) != config.SourceExternal || composedFrom(c, secret.Key) != "" {
			continue
		}
		rotations += c.SecretSources.Rotation[secret.Key]
		data = append(data, pulumi.Map{
			"secretKey": pulumi.String(secret.Key),
			"remoteRef": pulumi.Map{"key": pulumi.String(c.ExternalKey(secret.Key))},
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
	if templates := urlTemplates(c); len(templates) > 0 {
		target["template"] = pulumi.Map{
			"engineVersion": pulumi.String("v2"),
			"mergePolicy":   pulumi.String("Merge"),
			"data":          templates,
		}
	}
	meta := metadata(c, externalSecretName, namespace)
	// The operator looks at once when this annotation changes.
	meta.Annotations = pulumi.StringMap{"force-sync": pulumi.String(strconv.Itoa(rotations))}
	external := c.SecretSources.External
	_, err := apiextensions.NewCustomResource(ctx, externalSecretName, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("external-secrets.io/v1"),
		Kind:       pulumi.String("ExternalSecret"),
		Metadata:   meta,
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{
			"refreshInterval": pulumi.String(external.RefreshInterval),
			"secretStoreRef":  pulumi.Map{"kind": pulumi.String(external.StoreKind), "name": pulumi.String(external.Store)},
			"target":          target,
			"data":            data,
		}},
	}, pulumi.Parent(parent))
	return err
}

// composedFrom is the key of the password that completes an external URL, or
// empty where the key is no URL or is fetched whole.
func composedFrom(c *stack.Stack, key string) string {
	urls := c.CatalogEnvironment().ConnectionURLs()
	i := slices.IndexFunc(urls, func(u catalog.ConnectionURL) bool { return u.Key == key })
	if i < 0 || c.SecretSources.Keys[key] == string(config.SourceExternal) {
		return ""
	}
	return urls[i].Password
}

// urlTemplates are the connection URLs that the operator completes with a
// password which it fetches.
func urlTemplates(c *stack.Stack) pulumi.StringMap {
	templates := pulumi.StringMap{}
	for _, composed := range c.CatalogEnvironment().ConnectionURLs() {
		secret, _ := catalog.FindSecret(composed.Key)
		if c.Source(secret) == config.SourceExternal && composedFrom(c, composed.Key) != "" {
			templates[composed.Key] = pulumi.String(urlTemplate(composed))
		}
	}
	return templates
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
