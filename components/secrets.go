package components

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"nova.dev/infra/catalog"
	"nova.dev/infra/config"
)

// Sizes of generated secrets.
const (
	passwordLength = 40 // Letters and digits: 238 bits.
	keyBytes       = 32 // AES-256.
	rsaBits        = 3072
)

// secrets are the secret values of a stack.
type secrets struct {
	values pulumi.StringMap
	// publicKey is the public half of the signing key; it is not secret.
	publicKey pulumi.StringOutput
	hashKey   pulumi.StringOutput
}

// newSecrets declares a generator for every secret that can be generated, also
// where the stack supplies the value: should the stack stop supplying it, the
// generated one is still the same.
func newSecrets(ctx *pulumi.Context, c *config.Config, parent pulumi.Resource) (*secrets, error) {
	s := &secrets{values: pulumi.StringMap{}}
	opts := append(keepsData(c), pulumi.Parent(parent))
	for _, secret := range catalog.Secrets() {
		value, err := s.generate(ctx, secret, opts)
		if err != nil {
			return nil, err
		}
		if own, ok := c.Secrets[secret.Key]; ok {
			text, _ := own.Reveal()
			value = pulumi.ToSecret(pulumi.String(text)).(pulumi.StringOutput)
			if err := s.derivePublicKey(secret, text); err != nil {
				return nil, err
			}
		}
		if value != nil {
			s.values[secret.Key] = value
		}
	}
	s.composeURLs(c)

	hashKey, err := newPassword(ctx, "config-hash-key", opts)
	if err != nil {
		return nil, err
	}
	s.hashKey = hashKey.Result
	return s, nil
}

// generate declares a secret's generator and returns its value, or nil where
// the value cannot be generated or is composed of others.
func (s *secrets) generate(ctx *pulumi.Context, secret catalog.Secret, opts []pulumi.ResourceOption) (pulumi.StringInput, error) {
	name := resourceName(secret.Key)
	switch secret.Generate {
	case catalog.GeneratePassword:
		password, err := newPassword(ctx, name, opts)
		if err != nil {
			return nil, err
		}
		return password.Result, nil
	case catalog.GenerateKey:
		key, err := random.NewRandomBytes(ctx, name, &random.RandomBytesArgs{Length: pulumi.Int(keyBytes)}, opts...)
		if err != nil {
			return nil, err
		}
		return key.Base64, nil
	case catalog.GenerateRSA:
		key, err := tls.NewPrivateKey(ctx, name, &tls.PrivateKeyArgs{
			Algorithm: pulumi.String("RSA"),
			RsaBits:   pulumi.Int(rsaBits),
		}, opts...)
		if err != nil {
			return nil, err
		}
		s.publicKey = key.PublicKeyPem
		return key.PrivateKeyPemPkcs8, nil
	}
	return nil, nil
}

// newPassword declares a password without characters that a URL would have to
// escape. Any change of its inputs makes a new password, so they never change.
func newPassword(ctx *pulumi.Context, name string, opts []pulumi.ResourceOption) (*random.RandomPassword, error) {
	return random.NewRandomPassword(ctx, name, &random.RandomPasswordArgs{
		Length:  pulumi.Int(passwordLength),
		Special: pulumi.Bool(false),
	}, opts...)
}

// derivePublicKey keeps the public half of a supplied signing key in step.
func (s *secrets) derivePublicKey(secret catalog.Secret, value string) error {
	if secret.Generate != catalog.GenerateRSA {
		return nil
	}
	public, err := config.PublicKeyPEM(value)
	if err != nil {
		return err
	}
	s.publicKey = pulumi.String(public).ToStringOutput()
	return nil
}

// composeURLs fills in the connection URLs that the stack does not supply.
func (s *secrets) composeURLs(c *config.Config) {
	endpoints := c.CatalogEnvironment().Endpoints
	postgres := c.Dependencies.Postgres
	if _, own := s.values["DATABASE_URL"]; !own {
		base := url.URL{Scheme: "postgresql", User: url.User(postgres.User), Host: endpoints[catalog.Postgres].Address(), Path: postgres.Database}
		if postgres.TLS {
			base.RawQuery = "sslmode=require"
		}
		s.values["DATABASE_URL"] = withPassword(base, s.values["POSTGRES_PASSWORD"])
	}
	if _, own := s.values["REDIS_URL"]; !own {
		base := url.URL{Scheme: "redis", User: url.User(""), Host: endpoints[catalog.Redis].Address()}
		if c.Dependencies.Redis.TLS {
			base.Scheme = "rediss"
		}
		s.values["REDIS_URL"] = withPassword(base, s.values["REDIS_PASSWORD"])
	}
}

// withPassword completes a URL with a password; the result is as secret as the
// password.
func withPassword(base url.URL, password pulumi.StringInput) pulumi.StringOutput {
	return password.ToStringOutput().ApplyT(func(password string) string {
		complete := base
		complete.User = url.UserPassword(base.User.Username(), password)
		return complete.String()
	}).(pulumi.StringOutput)
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
