package components

import (
	"encoding/base64"
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// secretName is a name that tools outside rely on.
const secretName = "nova-backend-secrets"

// previousSuffix names the key of the value before the last rotation.
const previousSuffix = "_PREVIOUS"

// SecretsArgs are the inputs of a Secrets.
type SecretsArgs struct {
	Scope
	// Secrets are those of the catalogue.
	Secrets []SecretArgs
	// URLs are the connection URLs that are composed with a password.
	URLs []catalog.ConnectionURL
	// External is the store of the External Secrets Operator.
	External config.ExternalSecrets
	// Issued are values that somebody else generates, by key of the catalogue: they
	// take the place of generated ones.
	Issued map[string]pulumi.StringOutput
	// Protect keeps generated values.
	Protect bool
}

// SecretArgs is one secret of a stack.
type SecretArgs struct {
	catalog.Secret
	// Source is where its value comes from.
	Source config.Source
	// Value is the supplied value; nil where none is.
	Value *config.Secret
	// Rotations is how often it was rotated.
	Rotations int
	// ExternalKey is its name in the external store.
	ExternalKey string
	// Whole says that an external connection URL is fetched as it is, rather
	// than completed with a password that is fetched.
	Whole bool
}

// Secrets are the secrets of a stack: a generator for every one that can be
// generated, the Secret that the program writes, and the one that the External
// Secrets Operator does.
type Secrets struct {
	pulumi.ResourceState

	// Name is the name of the Secret that the program writes, once it exists.
	Name pulumi.StringOutput `pulumi:"name"`
	// Keys are where values are held, by key of the catalogue; a key that has
	// no value is absent. Previous are where the values before the last
	// rotation are held, of generated keys that open a store.
	Keys, Previous map[string]SecretKey
	// PublicKey is the public half of the signing key, which is not secret; nil
	// where the program does not know it.
	PublicKey pulumi.StringInput
	// HashKey keys hashes over secret values.
	HashKey pulumi.StringOutput
}

// NewSecrets declares a Secrets. It needs providers for kubernetes, random and
// tls. There is a generator also where the value comes from elsewhere: should the
// stack go back, the generated one is still the same, and no change of a source
// deletes a generator.
func NewSecrets(ctx *pulumi.Context, name string, args *SecretsArgs, opts ...pulumi.ResourceOption) (*Secrets, error) {
	s := &Secrets{Keys: map[string]SecretKey{}, Previous: map[string]SecretKey{}}
	if err := ctx.RegisterComponentResource("nova:platform:Secrets", name, s, opts...); err != nil {
		return nil, err
	}
	values, err := newSecretValues(ctx, args, s)
	if err != nil {
		return nil, err
	}
	secret, err := corev1.NewSecret(ctx, secretName, &corev1.SecretArgs{
		Metadata: args.metadata(secretName),
		Type:     pulumi.String("Opaque"),
		Data:     base64Values(values.data()),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	if err := newExternalSecrets(ctx, args, s); err != nil {
		return nil, err
	}
	s.Name = secret.Metadata.Name().Elem()
	s.PublicKey, s.HashKey = values.publicKey, values.hashKey
	s.place(args, values)
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"name": s.Name})
}

// place fills in where each key is held.
func (s *Secrets) place(args *SecretsArgs, values *secretValues) {
	for _, secret := range args.Secrets {
		if secret.Source == config.SourceExternal {
			place := pulumi.String(fmt.Sprintf("%s#%d", secret.ExternalKey, args.externalRotations(secret)))
			s.Keys[secret.Key] = SecretKey{Secret: pulumi.String(args.externalSecretFor(secret)), Key: secret.Key, Hash: place}
		}
	}
	for key, value := range values.current {
		s.Keys[key] = SecretKey{Secret: s.Name, Key: key, Hash: value}
	}
	for key, value := range values.previous {
		s.Previous[key] = SecretKey{Secret: s.Name, Key: key + previousSuffix, Hash: value}
	}
}

// base64Values encodes values for the data of a Secret. Unlike stringData, a
// key that is left out later really disappears under server-side apply.
func base64Values(values pulumi.StringMap) pulumi.StringMap {
	encoded := pulumi.StringMap{}
	for key, value := range values {
		encoded[key] = value.ToStringOutput().ApplyT(func(text string) string {
			return base64.StdEncoding.EncodeToString([]byte(text))
		}).(pulumi.StringOutput)
	}
	return encoded
}
