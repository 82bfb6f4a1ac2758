package datastore

import (
	_ "embed" // The set-up is SQL and shell.
	"fmt"
	"strconv"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/postgres_setup.sh
	postgresSetupScript string
	//go:embed scripts/postgres_setup.sql
	postgresSetupSQL string
)

// Roles of PostgreSQL that are not the services'.
const (
	postgresSuperuser = config.PostgresSuperuser
	postgresExporter  = config.PostgresExporter
)

// postgres runs PostgreSQL. The superuser only sets up; services log in as
// roles that act as the owner of the database, so that what one creates another
// can change after a rotation.
func (s *Store) postgres(c *stack.Stack, site Site) {
	said := c.Dependencies.Postgres
	s.Args = []string{
		"-c", fmt.Sprintf("max_connections=%d", said.MaxConnections),
		// The usual quarter of the memory.
		"-c", fmt.Sprintf("shared_buffers=%dMB", share(said.Resources.Limits.Memory, 4)),
		"-c", "shared_preload_libraries=pg_stat_statements",
		"-c", "password_encryption=scram-sha-256",
	}
	s.Env = map[string]string{
		"POSTGRES_USER":             postgresSuperuser,
		"POSTGRES_DB":               postgresSuperuser,
		"POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
		"POSTGRES_INITDB_ARGS":      "--auth-local=scram-sha-256 --auth-host=scram-sha-256",
		// A folder of its own: the root of a volume has other owners and may
		// hold lost+found.
		"PGDATA": s.DataPath + "/pgdata",
	}
	s.Secrets = []SecretVariable{{Variable: "POSTGRES_PASSWORD", Key: "POSTGRES_SUPERUSER_PASSWORD", Once: true}}
	s.Scratch = append(s.Scratch, "/var/run/postgresql")
	// Parallel queries share memory here; a container has 64 MiB of it.
	s.Memory = []string{"/dev/shm"}
	s.Ports = []Port{{Name: "postgres", Number: postgresPort}}

	// Over TCP: while the image makes its data, a temporary server answers on
	// the socket. Status 1 means that it refuses connections, as in recovery;
	// only 2 is no answer.
	ask := fmt.Sprintf("pg_isready -q -h 127.0.0.1 -p %d -U %s", postgresPort, postgresSuperuser)
	s.Ready = Check{Command: shell(ask)}
	s.Alive = Check{Command: shell(ask + "; test $? -le 1")}
	s.StopSeconds = 120

	s.Setup = s.postgresSetup(c, site)
}

func (s *Store) postgresSetup(c *stack.Stack, site Site) *Container {
	said := c.Dependencies.Postgres
	login, previous := c.Store(catalog.Postgres).Login, c.Store(catalog.Postgres).PreviousLogin
	setup := s.setup(postgresSetupScript)
	setup.Files[settingsPath+"/setup.sql"] = postgresSetupSQL
	setup.Env = map[string]string{
		"PGHOST":         site.address(s.Name),
		"PGPORT":         strconv.Itoa(postgresPort),
		"PGUSER":         postgresSuperuser,
		"PGDATABASE":     postgresSuperuser,
		"DATABASE":       said.Database,
		"OWNER":          said.User,
		"LOGIN":          login,
		"PREVIOUS_LOGIN": previous,
		"EXPORTER":       postgresExporter,
	}
	setup.Secrets = []SecretVariable{
		{Variable: "PASSWORD", Key: "POSTGRES_PASSWORD"},
		{Variable: "PREVIOUS_PASSWORD", Key: "POSTGRES_PASSWORD", Previous: true},
		{Variable: "SUPERUSER_PASSWORD", Key: "POSTGRES_SUPERUSER_PASSWORD"},
		{Variable: "PREVIOUS_SUPERUSER_PASSWORD", Key: "POSTGRES_SUPERUSER_PASSWORD", Previous: true},
		{Variable: "EXPORTER_PASSWORD", Key: "POSTGRES_EXPORTER_PASSWORD"},
	}
	return setup
}

var postgresPort = catalog.FindStore(catalog.Postgres).Port
