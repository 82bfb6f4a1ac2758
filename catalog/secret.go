package catalog

// Secret is one key of Secret nova-backend-secrets.
type Secret struct {
	Key   string
	Group Group
	// Generate is the generator of the value when the stack supplies none.
	Generate Generator
	// Store is the store for which the secret is a credential. A generated
	// value is valid only for a store that the stack runs itself.
	Store StoreKind
	// Internal secrets are for the stores and their exporters; no service
	// receives them.
	Internal bool
	// Optional secrets may be absent: Nova runs without them.
	Optional bool
	// Doc explains the secret in one sentence.
	Doc string
	// Pair is the key of the other half of a credential that is only valid as a
	// whole; empty where the secret is one by itself.
	Pair string
	// OnRotation describes what a new value breaks; empty means nothing.
	OnRotation string
	// Unread means that no service reads the key at the documented commit.
	Unread bool
}

// Generator is a way to generate a secret value.
type Generator string

const (
	// GenerateNone means that the value cannot be generated, such as a mail
	// provider's password.
	GenerateNone Generator = ""
	// GeneratePassword generates a URL-safe random password.
	GeneratePassword Generator = "password"
	// GenerateKey generates 32 random bytes in base64.
	GenerateKey Generator = "key"
	// GenerateRSA generates the RSA key pair that signs tokens.
	GenerateRSA Generator = "rsa"
	// GenerateURL composes a connection URL from an endpoint and a generated
	// or supplied password.
	GenerateURL Generator = "url"
)

// Sizes of generated secrets, for all generators.
const (
	// KeyBytes is the length of a key, for AES-256.
	KeyBytes = 32
	// RSABits is the length of the modulus of a signing key.
	RSABits = 3072
)

// Secrets returns every secret of the system, in the order of the
// documentation.
func Secrets() []Secret {
	return []Secret{
		{Key: "DATABASE_URL", Group: GroupPostgres, Generate: GenerateURL, Store: Postgres, Doc: "Connection URL of PostgreSQL, with the password."},
		{Key: "POSTGRES_PASSWORD", Group: GroupPostgres, Generate: GeneratePassword, Store: Postgres, Doc: "Password of the application's PostgreSQL user; part of DATABASE_URL."},
		{Key: "POSTGRES_SUPERUSER_PASSWORD", Group: GroupPostgres, Generate: GeneratePassword, Store: Postgres, Internal: true, Doc: "Password of the superuser, which only sets up roles."},
		{Key: "POSTGRES_EXPORTER_PASSWORD", Group: GroupPostgres, Generate: GeneratePassword, Store: Postgres, Internal: true, Doc: "Password of the exporter's role, which may only read statistics."},
		{Key: "POSTGRES_MIGRATION_PASSWORD", Group: GroupPostgres, Generate: GeneratePassword, Store: Postgres, Internal: true, Doc: "Password of the migrator's role, which changes the schema as the owner."},
		{Key: "REDIS_URL", Group: GroupRedis, Generate: GenerateURL, Store: Redis, Doc: "Connection URL of Redis, with the password."},
		{Key: "REDIS_PASSWORD", Group: GroupRedis, Generate: GeneratePassword, Store: Redis, Doc: "Password of Redis; part of REDIS_URL."},
		{Key: "REDIS_EXPORTER_PASSWORD", Group: GroupRedis, Generate: GeneratePassword, Store: Redis, Internal: true, Doc: "Password of the exporter's user, which may read no values."},
		{Key: "REDIS_ADMIN_PASSWORD", Group: GroupRedis, Generate: GeneratePassword, Store: Redis, Internal: true, Doc: "Password of the user that only changes the passwords of the others."},
		{Key: "CLICKHOUSE_PASSWORD", Group: GroupClickHouse, Generate: GeneratePassword, Store: ClickHouse, Doc: "Password of the ClickHouse user."},
		{Key: "JWT_PRIVATE_KEY_PEM", Group: GroupTokens, Generate: GenerateRSA, Doc: "RSA key that signs tokens; PEM, PKCS #8. For auth, and for user, which parses it at boot and exits without it.", OnRotation: "every token that was issued becomes invalid, so everybody has to log in again"},
		{Key: "JWT_SECRET", Group: GroupTokens, Generate: GeneratePassword, Doc: "Symmetric token secret of user; at least 32 characters.", OnRotation: "tokens that user signed with it become invalid"},
		{Key: "MESSAGE_ENCRYPTION_MASTER_KEY", Group: GroupTokens, Generate: GenerateKey, Doc: "Master key of stored messages; base64 of 32 bytes.", OnRotation: "messages that are stored can never be read again"},
		{Key: "AWS_ACCESS_KEY_ID", Group: GroupStorage, Generate: GeneratePassword, Store: ObjectStorage, Pair: "AWS_SECRET_ACCESS_KEY", Doc: "Access key for object storage; user cannot work with a role."},
		{Key: "AWS_SECRET_ACCESS_KEY", Group: GroupStorage, Generate: GeneratePassword, Store: ObjectStorage, Pair: "AWS_ACCESS_KEY_ID", Doc: "Secret of the access key."},
		{Key: "CDN_SECRET_KEY", Group: GroupStorage, Generate: GeneratePassword, Doc: "Signs CDN URLs; the code's built-in default is public, so it is always set.", OnRotation: "signed URLs that are in use become invalid"},
		{Key: "SMTP_PASSWORD", Group: GroupMail, Optional: true, Doc: "Password at the mail server."},
		{Key: "GOOGLE_CLIENT_SECRET", Group: GroupOAuth, Optional: true, Doc: "OAuth client secret at Google.", Unread: true},
		{Key: "APNS_CERTIFICATE_PASSPHRASE", Group: GroupPush, Optional: true, Doc: "Passphrase of the certificate for Apple's push service."},
		{Key: "FCM_API_KEY", Group: GroupPush, Optional: true, Doc: "Key for Google's push service."},
		{Key: "RTC_TURN_PASSWORD", Group: GroupPush, Optional: true, Doc: "Password at the TURN server of calls."},
	}
}

// FindSecret returns the secret of a key.
func FindSecret(key string) (Secret, bool) {
	for _, s := range Secrets() {
		if s.Key == key {
			return s, true
		}
	}
	return Secret{}, false
}
