package stack

import (
	"maps"

	"nova.dev/infra/internal/config"
)

// Local returns the stack as Docker Compose runs it on one machine: its services
// with its overrides, images and variables, and every store in one copy of its
// own, wherever the stack itself has it.
func (s *Stack) Local() (*Stack, error) {
	c := s.Config
	// The repositories that the stack declares go with its AWS account.
	c.Images.Registry = s.Registry()
	d := &c.Dependencies
	for _, store := range []*config.Store{&d.Postgres.Store, &d.Redis.Store, &d.ClickHouse.Store, &d.Kafka.Store, &d.Elasticsearch} {
		store.Mode, store.Host, store.TLS, store.CIDRs = config.InCluster, "", false, nil
	}
	d.Kafka.Brokers = 1
	c.Migrations.Host, c.Migrations.Port = "", 0
	d.Postgres.Backup.Schedule, d.Postgres.Admin.Secret = config.NoBackups, ""
	c.Storage.Mode, c.Storage.Endpoint, c.Storage.TLS, c.Storage.CIDRs = config.InCluster, "", false, nil
	c.Secrets = nil
	c.SecretSources = config.SecretSources{Default: string(config.SourceGenerated)}
	c.Variables = maps.Clone(c.Variables)
	delete(c.Variables, config.PublicKeyVariable)
	return resolve(&c, s.pins, true)
}
