package workload

import (
	_ "embed" // The set-up is SQL and shell.
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/postgres_login.sh
	postgresLoginScript string
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
func postgres(s *stack.Stack, w *Workload) *Workload {
	spec := s.Dependencies.Postgres
	memory := config.NewPostgresMemory(resource.MustParse(spec.Resources.Limits.Memory), spec.MaxConnections)
	w.Args = []string{
		"-c", fmt.Sprintf("max_connections=%d", spec.MaxConnections),
		"-c", fmt.Sprintf("shared_buffers=%dMB", memory.SharedBuffers/mebibyte),
		"-c", "shared_preload_libraries=pg_stat_statements",
		"-c", "password_encryption=scram-sha-256",
	}
	w.Env = map[string]Value{
		"POSTGRES_USER":             {Text: postgresSuperuser},
		"POSTGRES_DB":               {Text: postgresSuperuser},
		"POSTGRES_PASSWORD":         {Secret: "POSTGRES_SUPERUSER_PASSWORD", NoRestart: true},
		"POSTGRES_HOST_AUTH_METHOD": {Text: "scram-sha-256"},
		"POSTGRES_INITDB_ARGS":      {Text: "--auth-local=scram-sha-256 --auth-host=scram-sha-256"},
		// A folder of its own: the root of a volume has other owners and may
		// hold lost+found.
		"PGDATA": {Text: w.Volume.Path + "/pgdata"},
	}
	w.Scratch = append(w.Scratch, "/var/run/postgresql")
	// Parallel queries share memory here; a container has 64 MiB of it.
	w.Memory = []string{"/dev/shm"}
	w.Ports = []Port{{Name: "postgres", Number: postgresPort}}

	// Over TCP: while the image makes its data, a temporary server answers on
	// the socket. Status 1 means that it refuses connections, as in recovery;
	// only 2 is no answer.
	ask := fmt.Sprintf("pg_isready -q -h 127.0.0.1 -p %d -U %s", postgresPort, postgresSuperuser)
	w.checks(Check{Command: shell(ask)}, Check{Command: shell(ask + "; test $? -le 1")})
	w.GraceSeconds = 120
	return postgresSetup(s, w)
}

func postgresSetup(s *stack.Stack, w *Workload) *Workload {
	spec := s.Dependencies.Postgres
	login, previous := s.Store(catalog.Postgres).Login, s.Store(catalog.Postgres).PreviousLogin
	setup := w.setup(postgresSetupScript)
	setup.Files[settingsPath+"/login.sh"] = waitFor + postgresLoginScript
	setup.Files[settingsPath+"/setup.sql"] = postgresSetupSQL
	setup.Env = map[string]Value{
		"PGHOST":         {Text: s.Host(w.Name)},
		"PGPORT":         {Text: strconv.Itoa(postgresPort)},
		"PGUSER":         {Text: postgresSuperuser},
		"PGDATABASE":     {Text: postgresSuperuser},
		"DATABASE":       {Text: spec.Database},
		"OWNER":          {Text: spec.User},
		"LOGIN":          {Text: login},
		"PREVIOUS_LOGIN": {Text: previous},
		"EXPORTER":       {Text: postgresExporter},
		"MIGRATOR":       {Text: s.Migrations.User},

		"PASSWORD":                    {Secret: "POSTGRES_PASSWORD"},
		"PREVIOUS_PASSWORD":           {Secret: "POSTGRES_PASSWORD", Previous: true},
		"SUPERUSER_PASSWORD":          {Secret: "POSTGRES_SUPERUSER_PASSWORD"},
		"PREVIOUS_SUPERUSER_PASSWORD": {Secret: "POSTGRES_SUPERUSER_PASSWORD", Previous: true},
		"EXPORTER_PASSWORD":           {Secret: "POSTGRES_EXPORTER_PASSWORD"},
		"MIGRATION_PASSWORD":          {Secret: "POSTGRES_MIGRATION_PASSWORD"},
	}
	return setup
}

var postgresPort = catalog.FindStore(catalog.Postgres).Port
