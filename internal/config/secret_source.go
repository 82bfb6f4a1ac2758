package config

import (
	"strings"
	"time"

	"nova.dev/infra/catalog"
)

// Source is where the value of a secret comes from.
type Source string

const (
	// SourceNone means that the stack has no such secret.
	SourceNone Source = "none"
	// SourceGenerated means that the stack generates the value and keeps it in
	// its encrypted state.
	SourceGenerated Source = "generated"
	// SourceConfig means that nova:secrets supplies the value, encrypted.
	SourceConfig Source = "config"
	// SourceExternal means that the External Secrets Operator fetches the value
	// in the cluster; it is neither in the program nor in its state.
	SourceExternal Source = "external"
)

// SecretSources are the sources of the values of secrets.
type SecretSources struct {
	Default  string            `config:"default" doc:"Source of the keys that nova:secrets does not supply: generated, or external. Credentials of outside providers cannot be generated."`
	Keys     map[string]string `config:"keys" doc:"Source by key, where it differs: generated, external or none."`
	Rotation map[string]int    `config:"rotation" doc:"Rotations of a key so far; 0 to 100. An increment generates a new value, or makes pods read a new external one; nova secrets rotate increments it."`
	External ExternalSecrets   `config:"external" doc:"Secret store of external values."`
}

// ExternalSecrets is the secret store of external values.
type ExternalSecrets struct {
	Store           string `config:"store" doc:"Name of the secret store of the External Secrets Operator."`
	StoreKind       string `config:"storeKind" doc:"Kind of the secret store: ClusterSecretStore or SecretStore."`
	Prefix          string `config:"prefix" doc:"Path before the name of each key; the default is nova/<stack>."`
	RefreshInterval string `config:"refreshInterval" doc:"Refresh interval of the operator, such as 1h; 1m or more."`
}

func defaultSecretSources() SecretSources {
	return SecretSources{
		Default:  string(SourceGenerated),
		External: ExternalSecrets{Store: "aws-secretsmanager", StoreKind: "ClusterSecretStore", RefreshInterval: "1h"},
	}
}

// ExternalKey is the name of a secret in the external store.
func (c *Config) ExternalKey(key string) string {
	prefix := c.SecretSources.External.Prefix
	if prefix == "" {
		prefix = "nova/" + c.Stack
	}
	return strings.TrimSuffix(prefix, "/") + "/" + key
}

// CanGenerate reports whether a generated value of a secret can be valid: a
// generated password is not that of a store that exists already. The keys of
// object storage in AWS are made by the account.
func (c *Config) CanGenerate(secret catalog.Secret) bool {
	if secret.Store == catalog.ObjectStorage && c.Storage.Mode == StorageAWS {
		return true
	}
	return secret.Generate != catalog.GenerateNone && (secret.Store == "" || c.InCluster(secret.Store))
}

// The secrets that open object storage, which are made together.
const (
	AccessKeyID     = "AWS_ACCESS_KEY_ID"
	SecretAccessKey = "AWS_SECRET_ACCESS_KEY"
)

// Supplies reports whether nova:secrets has a value for a key.
func (c *Config) Supplies(key string) bool {
	_, ok := c.Secrets[key]
	return ok
}

// PublicKeyVariable holds the public half of the signing key. It is derived
// from the private half if the program has that.
const PublicKeyVariable = "JWT_PUBLIC_KEY_PEM"

// MaxRotations is the maximum number of rotations of a key; each one adds a
// generator.
const MaxRotations = 100

func (c *Config) checkSecretSources(found *mistakes) {
	key := at("nova:secretSources")
	oneOf(found, key.Child("default"), c.SecretSources.Default, string(SourceGenerated), string(SourceExternal))
	external := c.SecretSources.Default == string(SourceExternal)
	for name, source := range c.SecretSources.Keys {
		secret, _ := catalog.FindSecret(name)
		path := key.Child("keys", name)
		oneOf(found, path, source, string(SourceGenerated), string(SourceExternal), string(SourceNone))
		external = external || source == string(SourceExternal)
		switch {
		case c.Supplies(name):
			found.invalid(path, source, "contradicts nova:secrets.%s, which supplies the value", name)
		case source == string(SourceGenerated) && secret.Key != "" && !c.CanGenerate(secret):
			found.invalid(path, source, "cannot be generated: it is a credential of an outside provider or store; supply it under nova:secrets, or use external")
		}
	}
	for name, rotations := range c.SecretSources.Rotation {
		between(found, key.Child("rotation", name), rotations, 0, MaxRotations)
		secret, _ := catalog.FindSecret(name)
		if other := c.SecretSources.Rotation[secret.Pair]; secret.Pair != "" && other < rotations {
			found.invalid(key.Child("rotation", secret.Pair), other, "must be %d as that of %s: a store knows a key and its secret as one", rotations, name)
		}
	}
	if !external {
		return
	}
	e := c.SecretSources.External
	oneOf(found, key.Child("external", "storeKind"), e.StoreKind, "ClusterSecretStore", "SecretStore")
	label(found, key.Child("external", "store"), e.Store)
	if d, err := time.ParseDuration(e.RefreshInterval); err != nil || d < time.Minute {
		found.invalid(key.Child("external", "refreshInterval"), e.RefreshInterval, "is not an interval of a minute or more; expected a form such as 1h")
	}
	if !validPath.MatchString(strings.Trim(c.ExternalKey("x"), "/")) {
		found.invalid(key.Child("external", "prefix"), e.Prefix, "is not a path; allowed: lower-case letters, digits, -, _, . and /")
	}
}
