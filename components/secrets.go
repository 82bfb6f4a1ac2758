package components

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// passwordLength is that of a generated password, of letters and digits: 238
// bits.
const passwordLength = 40

// secrets are the secret values of a stack that the program knows.
type secrets struct {
	values pulumi.StringMap
	// previous are the values before the last rotation, of keys that were
	// rotated and open a system that the stack runs.
	previous pulumi.StringMap
	// publicKey is the public half of the signing key; it is not secret.
	publicKey pulumi.StringInput
	hashKey   pulumi.StringOutput
}

// newSecrets declares a generator for every secret that can be generated, also
// where the value comes from elsewhere: should the stack go back, the generated
// one is still the same, and no change of a source deletes a generator.
func newSecrets(ctx *pulumi.Context, c *stack.Stack, parent pulumi.Resource) (*secrets, error) {
	s := &secrets{values: pulumi.StringMap{}, previous: pulumi.StringMap{}}
	opts := append(keepsData(c), pulumi.Parent(parent))
	for _, secret := range catalog.Secrets() {
		generations, err := generate(ctx, c, secret, opts)
		if err != nil {
			return nil, err
		}
		switch c.Source(secret) {
		case config.SourceGenerated:
			s.takeGenerated(secret, generations)
		case config.SourceConfig:
			if err := s.takeSupplied(c, secret); err != nil {
				return nil, err
			}
		}
	}
	s.composeURLs(c)

	hashKey, err := newPassword(ctx, "config-hash-key", nil, opts)
	if err != nil {
		return nil, err
	}
	s.hashKey = hashKey.Result
	return s, nil
}

// data are the values under the keys of the Secret.
func (s *secrets) data() pulumi.StringMap {
	data := maps.Clone(s.values)
	for key, value := range s.previous {
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
func generate(ctx *pulumi.Context, c *stack.Stack, secret catalog.Secret, opts []pulumi.ResourceOption) ([]generation, error) {
	var generations []generation
	for n := range c.SecretSources.Rotation[secret.Key] + 1 {
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

func (s *secrets) takeGenerated(secret catalog.Secret, generations []generation) {
	if len(generations) == 0 {
		return // A URL, composed later.
	}
	last := generations[len(generations)-1]
	s.values[secret.Key] = last.value
	if last.public != nil {
		s.publicKey = last.public
	}
	if secret.System != "" && len(generations) > 1 {
		s.previous[secret.Key] = generations[len(generations)-2].value
	}
}

func (s *secrets) takeSupplied(c *stack.Stack, secret catalog.Secret) error {
	supplied, own := c.Secrets[secret.Key]
	if !own {
		return nil // A URL with a supplied password, composed later.
	}
	text, _ := supplied.Reveal()
	s.values[secret.Key] = pulumi.ToSecret(pulumi.String(text)).(pulumi.StringOutput)
	if secret.Generate == catalog.GenerateRSA {
		public, err := config.PublicKeyPEM(text)
		if err != nil {
			return err
		}
		s.publicKey = pulumi.String(public)
	}
	return nil
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

// composeURLs fills in the connection URLs whose passwords are known here.
func (s *secrets) composeURLs(c *stack.Stack) {
	for _, composed := range c.CatalogEnvironment().ConnectionURLs() {
		password, known := s.values[composed.Password]
		if _, own := s.values[composed.Key]; !own && known {
			s.values[composed.Key] = withPassword(composed, password)
		}
	}
}

// withPassword completes a URL with a password; the result is as secret as the
// password.
func withPassword(u catalog.ConnectionURL, password pulumi.StringInput) pulumi.StringOutput {
	return password.ToStringOutput().ApplyT(u.With).(pulumi.StringOutput)
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

// resourceName turns a key such as JWT_SECRET into the resource name
// jwt-secret.
func resourceName(key string) string {
	return strings.ToLower(strings.ReplaceAll(key, "_", "-"))
}
