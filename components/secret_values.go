package components

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// passwordLength is that of a generated password, of letters and digits: 238
// bits.
const passwordLength = 40

// secretValues are the values of secrets that the program knows.
type secretValues struct {
	current pulumi.StringMap
	// previous are the values before the last rotation, of generated keys that
	// open a store.
	previous pulumi.StringMap
	// publicKey is the public half of the signing key; it is not secret.
	publicKey pulumi.StringInput
	hashKey   pulumi.StringOutput
}

func newSecretValues(ctx *pulumi.Context, args *SecretsArgs, parent pulumi.Resource) (*secretValues, error) {
	v := &secretValues{current: pulumi.StringMap{}, previous: pulumi.StringMap{}}
	opts := append(keepsData(args.Protect), pulumi.Parent(parent))
	for _, secret := range args.Secrets {
		generations, err := generate(ctx, secret, opts)
		if err != nil {
			return nil, err
		}
		switch secret.Source {
		case config.SourceGenerated:
			if issued, ok := args.Issued[secret.Key]; ok {
				v.current[secret.Key] = pulumi.ToSecret(issued).(pulumi.StringOutput)
				break
			}
			v.takeGenerated(secret.Secret, generations)
		case config.SourceConfig:
			if err := v.takeSupplied(secret); err != nil {
				return nil, err
			}
		}
	}
	v.composeURLs(args.URLs)

	hashKey, err := newPassword(ctx, "config-hash-key", nil, opts)
	if err != nil {
		return nil, err
	}
	v.hashKey = hashKey.Result
	return v, nil
}

// data are the values under the keys of the Secret.
func (v *secretValues) data() pulumi.StringMap {
	data := maps.Clone(v.current)
	for key, value := range v.previous {
		data[key+previousSuffix] = value
	}
	return data
}

// generation is one generated value of a secret.
type generation struct {
	value pulumi.StringOutput
	// public is the public half of a key pair; otherwise nil.
	public pulumi.StringInput
}

// generate declares a secret's generators: the first one, and one for each
// rotation. Older ones stay, so that a rotation deletes nothing and the value
// before it is known. The result is empty where there is nothing to generate.
func generate(ctx *pulumi.Context, secret SecretArgs, opts []pulumi.ResourceOption) ([]generation, error) {
	var generations []generation
	for n := range secret.Rotations + 1 {
		name := resourceName(secret.Key)
		var keepers pulumi.StringMap
		if n > 0 {
			name = fmt.Sprintf("%s-%d", name, n+1)
			keepers = pulumi.StringMap{"rotation": pulumi.String(strconv.Itoa(n))}
		}
		switch secret.Generate {
		case catalog.GeneratePassword:
			password, err := newPassword(ctx, name, keepers, opts)
			if err != nil {
				return nil, err
			}
			generations = append(generations, generation{value: password.Result})
		case catalog.GenerateKey:
			key, err := random.NewRandomBytes(ctx, name, &random.RandomBytesArgs{Length: pulumi.Int(catalog.KeyBytes), Keepers: keepers}, opts...)
			if err != nil {
				return nil, err
			}
			generations = append(generations, generation{value: key.Base64})
		case catalog.GenerateRSA:
			key, err := tls.NewPrivateKey(ctx, name, &tls.PrivateKeyArgs{
				Algorithm: pulumi.String("RSA"),
				RsaBits:   pulumi.Int(catalog.RSABits),
			}, opts...)
			if err != nil {
				return nil, err
			}
			generations = append(generations, generation{value: key.PrivateKeyPemPkcs8, public: key.PublicKeyPem})
		}
	}
	return generations, nil
}

func (v *secretValues) takeGenerated(secret catalog.Secret, generations []generation) {
	if len(generations) == 0 {
		return // A URL, composed later.
	}
	last := generations[len(generations)-1]
	v.current[secret.Key] = last.value
	if last.public != nil {
		v.publicKey = last.public
	}
	if secret.Store != "" {
		// Before the first rotation it is the current one, so that no pod is
		// replaced only because there is a previous one from now on.
		v.previous[secret.Key] = generations[max(0, len(generations)-2)].value
	}
}

func (v *secretValues) takeSupplied(secret SecretArgs) error {
	if secret.Value == nil {
		return nil // A URL with a supplied password, composed later.
	}
	text, _ := secret.Value.Reveal()
	v.current[secret.Key] = pulumi.ToSecret(pulumi.String(text)).(pulumi.StringOutput)
	if secret.Generate == catalog.GenerateRSA {
		public, err := config.PublicKeyPEM(text)
		if err != nil {
			return err
		}
		v.publicKey = pulumi.String(public)
	}
	return nil
}

// composeURLs fills in the connection URLs whose passwords are known here.
func (v *secretValues) composeURLs(urls []catalog.ConnectionURL) {
	for _, composed := range urls {
		password, known := v.current[composed.Password]
		if _, own := v.current[composed.Key]; !own && known {
			v.current[composed.Key] = withPassword(composed, password)
		}
	}
}

// newPassword declares a password without characters that a URL would have to
// escape. Any change of its inputs makes a new password, so they never change.
func newPassword(ctx *pulumi.Context, name string, keepers pulumi.StringMap, opts []pulumi.ResourceOption) (*random.RandomPassword, error) {
	return random.NewRandomPassword(ctx, name, &random.RandomPasswordArgs{
		Length:  pulumi.Int(passwordLength),
		Special: pulumi.Bool(false),
		Keepers: keepers,
	}, opts...)
}

// withPassword completes a URL with a password; the result is as secret as the
// password.
func withPassword(u catalog.ConnectionURL, password pulumi.StringInput) pulumi.StringOutput {
	return password.ToStringOutput().ApplyT(u.With).(pulumi.StringOutput)
}

// resourceName turns a key such as JWT_SECRET into the resource name
// jwt-secret.
func resourceName(key string) string {
	return strings.ToLower(strings.ReplaceAll(key, "_", "-"))
}
