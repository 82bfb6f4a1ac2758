package components_test

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"

	"nova.dev/infra/catalog"
	"nova.dev/infra/components"
	"nova.dev/infra/internal/config"
)

// newSecrets runs a Secrets and hands its result to check as well.
func newSecrets(t *testing.T, args components.SecretsArgs, check func(t *testing.T, s *components.Secrets, all registrations)) {
	var made *components.Secrets
	args.Scope = scope
	eachRun(t, func(ctx *pulumi.Context, opts ...pulumi.ResourceOption) error {
		var err error
		made, err = components.NewSecrets(ctx, "nova", &args, opts...)
		return err
	}, func(t *testing.T, all registrations) { check(t, made, all) })
}

// decoded is a value of the Secret that the program writes.
func decoded(t *testing.T, all registrations, key string) string {
	t.Helper()
	encoded, _ := all.one(t, "Secret", "nova-backend-secrets").at("data." + key).(string)
	text, err := base64.StdEncoding.DecodeString(encoded)
	assert.NoError(t, err)
	return string(text)
}

func TestSecrets(t *testing.T) {
	password := catalog.Secret{Key: "POSTGRES_PASSWORD", Generate: catalog.GeneratePassword, Store: catalog.Postgres}
	t.Run("keeps a generator for every rotation and the value before the last", func(t *testing.T) {
		newSecrets(t, components.SecretsArgs{Protect: true, Secrets: []components.SecretArgs{{Secret: password, Source: config.SourceGenerated, Rotations: 2}}},
			func(t *testing.T, s *components.Secrets, all registrations) {
				all.component(t, "Secrets", "nova", "", "RandomPassword", "RandomPassword", "RandomPassword", "RandomPassword", "Secret")
				assert.Equal(t, "value of postgres-password-3", decoded(t, all, "POSTGRES_PASSWORD"))
				assert.Equal(t, "value of postgres-password-2", decoded(t, all, "POSTGRES_PASSWORD_PREVIOUS"))
				assert.Equal(t, "POSTGRES_PASSWORD_PREVIOUS", s.Previous["POSTGRES_PASSWORD"].Key)
				for _, r := range all.of("RandomPassword") {
					assert.True(t, r.protect, r.name)
					assert.True(t, r.retain, r.name)
				}
			})
	})
	t.Run("has a previous value before the first rotation, of what opens a store", func(t *testing.T) {
		newSecrets(t, components.SecretsArgs{Secrets: []components.SecretArgs{
			{Secret: password, Source: config.SourceGenerated},
			{Secret: catalog.Secret{Key: "JWT_SECRET", Generate: catalog.GeneratePassword}, Source: config.SourceGenerated},
		}}, func(t *testing.T, s *components.Secrets, all registrations) {
			assert.Equal(t, decoded(t, all, "POSTGRES_PASSWORD"), decoded(t, all, "POSTGRES_PASSWORD_PREVIOUS"))
			assert.NotContains(t, s.Previous, "JWT_SECRET", "nothing would accept it")
		})
	})
	t.Run("takes a supplied value and keeps the generator", func(t *testing.T) {
		value := config.NewSecret("supplied")
		newSecrets(t, components.SecretsArgs{Secrets: []components.SecretArgs{{Secret: password, Source: config.SourceConfig, Value: &value}}},
			func(t *testing.T, _ *components.Secrets, all registrations) {
				all.one(t, "RandomPassword", "postgres-password")
				assert.Equal(t, "supplied", decoded(t, all, "POSTGRES_PASSWORD"))
				assert.True(t, all.one(t, "Secret", "nova-backend-secrets").inputs["data"].IsSecret())
			})
	})
	t.Run("never holds an external value", func(t *testing.T) {
		newSecrets(t, components.SecretsArgs{
			External: config.ExternalSecrets{Store: "vault", StoreKind: "SecretStore", RefreshInterval: "1h"},
			Secrets:  []components.SecretArgs{{Secret: password, Source: config.SourceExternal, Rotations: 1, ExternalKey: "nova/POSTGRES_PASSWORD"}},
		}, func(t *testing.T, s *components.Secrets, all registrations) {
			external := all.one(t, "ExternalSecret", "nova-backend-secrets-external")
			assert.Equal(t, "nova/POSTGRES_PASSWORD", external.at("spec.data[0].remoteRef.key"))
			assert.Equal(t, "vault", external.at("spec.secretStoreRef.name"))
			assert.Equal(t, "1", external.at(`metadata.annotations["force-sync"]`))
			assert.Nil(t, all.one(t, "Secret", "nova-backend-secrets").at("data.POSTGRES_PASSWORD"))
			assert.Equal(t, pulumi.String("nova-backend-secrets-external-postgres-password-1"), s.Keys["POSTGRES_PASSWORD"].Secret)
		})
	})
	t.Run("has a Secret for each rotation of an external value, and of a URL that is completed with it", func(t *testing.T) {
		args := func(rotations int) components.SecretsArgs {
			return components.SecretsArgs{
				External: config.ExternalSecrets{Store: "vault", StoreKind: "SecretStore", RefreshInterval: "1h"},
				URLs:     []catalog.ConnectionURL{{Key: "DATABASE_URL", Password: "POSTGRES_PASSWORD", Base: url.URL{Scheme: "postgresql", User: url.User("u"), Host: "h"}}},
				Secrets: []components.SecretArgs{
					{Secret: catalog.Secret{Key: "DATABASE_URL", Generate: catalog.GenerateURL, Store: catalog.Postgres}, Source: config.SourceExternal},
					{Secret: password, Source: config.SourceExternal, Rotations: rotations, ExternalKey: "nova/POSTGRES_PASSWORD"},
					{Secret: catalog.Secret{Key: "FCM_API_KEY"}, Source: config.SourceExternal, ExternalKey: "nova/FCM_API_KEY"},
				},
			}
		}
		const base = "nova-backend-secrets-external"
		newSecrets(t, args(0), func(t *testing.T, s *components.Secrets, all registrations) {
			assert.Len(t, all.of("ExternalSecret"), 1)
			assert.Equal(t, pulumi.String(base), s.Keys["DATABASE_URL"].Secret)
		})
		newSecrets(t, args(2), func(t *testing.T, s *components.Secrets, all registrations) {
			assert.Len(t, all.of("ExternalSecret"), 3)
			assert.Len(t, all.one(t, "ExternalSecret", base).at("spec.data"), 2, "pods from before the rotation go on")
			for key, name := range map[string]string{"DATABASE_URL": base + "-database-url-2", "POSTGRES_PASSWORD": base + "-postgres-password-2"} {
				assert.Equal(t, pulumi.String(name), s.Keys[key].Secret)
				own := all.one(t, "ExternalSecret", name)
				assert.Equal(t, name, own.at("metadata.name"))
				assert.Equal(t, name, own.at("spec.target.name"))
				assert.Equal(t, "nova/POSTGRES_PASSWORD", own.at("spec.data[0].remoteRef.key"))
			}
			assert.Contains(t, all.one(t, "ExternalSecret", base+"-database-url-2").at("spec.target.template.data.DATABASE_URL"), "{{ .POSTGRES_PASSWORD")
			assert.Equal(t, pulumi.String(base), s.Keys["FCM_API_KEY"].Secret, "its receivers are not touched")
		})
	})
	t.Run("holds nothing of a secret without a source", func(t *testing.T) {
		newSecrets(t, components.SecretsArgs{Secrets: []components.SecretArgs{{Secret: password, Source: config.SourceNone}}},
			func(t *testing.T, s *components.Secrets, all registrations) {
				assert.Empty(t, s.Keys)
				assert.Empty(t, all.of("ExternalSecret"))
			})
	})
	t.Run("knows the public half of a generated key", func(t *testing.T) {
		newSecrets(t, components.SecretsArgs{Secrets: []components.SecretArgs{{Secret: catalog.Secret{Key: "SIGNING", Generate: catalog.GenerateRSA}, Source: config.SourceGenerated}}},
			func(t *testing.T, s *components.Secrets, all registrations) {
				all.one(t, "PrivateKey", "signing")
				assert.NotNil(t, s.PublicKey)
			})
	})
}
