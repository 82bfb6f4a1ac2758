package stack

import (
	"slices"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// Source returns where the value of a secret comes from. A URL that the stack
// does not supply is composed where its password is.
func (s *Stack) Source(secret catalog.Secret) config.Source {
	if s.Supplies(secret.Key) {
		return config.SourceConfig
	}
	if set, ok := s.SecretSources.Keys[secret.Key]; ok {
		return config.Source(set)
	}
	if secret.Generate == catalog.GenerateURL {
		password, _ := catalog.FindSecret(passwordOf[secret.Store])
		return s.Source(password)
	}
	switch {
	case !s.uses(secret), secret.Optional:
		return config.SourceNone
	case s.SecretSources.Default == string(config.SourceExternal):
		return config.SourceExternal
	case s.CanGenerate(secret):
		return config.SourceGenerated
	}
	return config.SourceNone
}

// uses reports whether anything in the stack receives a secret.
func (s *Stack) uses(secret catalog.Secret) bool {
	switch secret.Key {
	case "POSTGRES_SUPERUSER_PASSWORD":
		return s.InCluster(catalog.Postgres)
	case "POSTGRES_EXPORTER_PASSWORD":
		return s.InCluster(catalog.Postgres) || s.Dependencies.Postgres.Exporter
	case "POSTGRES_MIGRATION_PASSWORD":
		return s.InCluster(catalog.Postgres) || s.Migrates()
	case "REDIS_ADMIN_PASSWORD":
		return s.InCluster(catalog.Redis)
	case "REDIS_EXPORTER_PASSWORD":
		return s.InCluster(catalog.Redis) || s.Dependencies.Redis.Exporter
	case passwordOf[secret.Store]:
		return true
	}
	if s.BacksUpPostgres() && s.Storage.Mode != config.StorageAWS && slices.Contains(storageKeys, secret.Key) {
		return true
	}
	return slices.ContainsFunc(s.Services, func(each Service) bool { return slices.Contains(each.Secrets, secret.Key) })
}

// required reports whether the stack cannot run without a secret.
func (s *Stack) required(secret catalog.Secret) bool {
	if secret.Key == passwordOf[secret.Store] && !s.InCluster(secret.Store) && s.urlSupplied(secret.Store) {
		return false
	}
	return !secret.Optional && secret.Generate != catalog.GenerateURL && s.uses(secret)
}

// urlSupplied reports whether a connection URL comes whole, with its password.
func (s *Stack) urlSupplied(kind catalog.StoreKind) bool {
	url := urlOf[kind]
	return s.Supplies(url) || s.SecretSources.Keys[url] == string(config.SourceExternal)
}

// urlOf names the secret with the connection URL of a system.
var urlOf = map[catalog.StoreKind]string{catalog.Postgres: "DATABASE_URL", catalog.Redis: "REDIS_URL"}

// signsElsewhere reports whether the private half of the signing key is not
// known to the program.
func (s *Stack) signsElsewhere() bool {
	signing, _ := catalog.FindSecret("JWT_PRIVATE_KEY_PEM")
	return s.Source(signing) == config.SourceExternal
}

// passwordOf names the secret with the services' password of a system.
var passwordOf = map[catalog.StoreKind]string{
	catalog.Postgres: "POSTGRES_PASSWORD", catalog.Redis: "REDIS_PASSWORD", catalog.ClickHouse: "CLICKHOUSE_PASSWORD",
}
