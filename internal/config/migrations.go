package config

import (
	"path"

	"nova.dev/infra/catalog"
	"nova.dev/infra/migrations"
)

// Who migrates the database of a stack.
const (
	// MigrationsNone means that nobody does: the schema must exist.
	MigrationsNone = "none"
	// MigrationsJob means that a Job of the stack does.
	MigrationsJob = "job"
	// MigrationsElsewhere means that somebody else does.
	MigrationsElsewhere = "elsewhere"
)

// Migrations is who migrates the database, and with what.
type Migrations struct {
	Mode            string   `config:"mode" doc:"job: a Job of the stack, before any service is changed. elsewhere: somebody else, such as a pipeline. none: nobody, which previews warn about. The default is job where an image is set, otherwise none."`
	Image           string   `config:"image" doc:"Image that holds nova, as its entry point, and the migrations: repository@sha256:digest; in development a tag will do. A new digest is a new Job."`
	Directory       string   `config:"directory" doc:"Absolute path in the image of the migrations of the database, one history; the default is /migrations/ and the name of the database."`
	Serving         []string `config:"serving" doc:"Releases that use the schema, those that run now and the one that a rollback returns to, such as v1.4.0. A migration that takes something away is refused while one of them is older than its marker."`
	Host            string   `config:"host" doc:"DNS name or address of the primary server itself, where nova:dependencies.postgres.host is a pooler; for external servers only. Its networks are nova:dependencies.postgres.cidrs."`
	Port            int      `config:"port" doc:"TCP port of that server; 0 means that of nova:dependencies.postgres."`
	User            string   `config:"user" doc:"Role that migrates. It acts as the role of the services, to whom everything belongs that it creates."`
	DeadlineSeconds int      `config:"deadlineSeconds" doc:"Seconds that all migrations of a release may take, waiting for locks and for the server included; 60 to 86400."`
}

func defaultMigrations() Migrations {
	return Migrations{User: PostgresMigrator, DeadlineSeconds: 1800}
}

// Migrates reports whether a Job of the stack migrates the database.
func (c *Config) Migrates() bool { return c.Migrations.Mode == MigrationsJob }

// resolveMigrations fills in what is not set.
func (c *Config) resolveMigrations() {
	m := &c.Migrations
	if m.Mode == "" {
		m.Mode = MigrationsNone
		if m.Image != "" {
			m.Mode = MigrationsJob
		}
	}
	if m.Directory == "" {
		m.Directory = "/migrations/" + c.Dependencies.Postgres.Database
	}
}

func (c *Config) checkMigrations(found *mistakes) {
	m, key := c.Migrations, at("nova:migrations")
	oneOf(found, key.Child("mode"), m.Mode, MigrationsNone, MigrationsJob, MigrationsElsewhere)
	between(found, key.Child("deadlineSeconds"), m.DeadlineSeconds, 60, 86400)
	between(found, key.Child("port"), m.Port, 0, 65535)
	checkHosts(found, key.Child("host"), m.Host, false)
	if (m.Host != "" || m.Port != 0) && c.InCluster(catalog.Postgres) {
		found.forbidden(key.Child("host"), "is for an external PostgreSQL; in the cluster the migrator connects to the server itself")
	}
	if !path.IsAbs(m.Directory) || path.Clean(m.Directory) != m.Directory {
		found.invalid(key.Child("directory"), m.Directory, "is not an absolute path; expected a form such as /migrations/nova")
	}
	if err := migrations.CheckReleases(m.Serving); err != nil {
		found.invalid(key.Child("serving"), m.Serving, "%v", err)
	}
	switch d := c.Dependencies.Postgres; {
	case !validVariable.MatchString(m.User):
		found.invalid(key.Child("user"), m.User, "is not a name; allowed: letters, digits and _")
	case m.User == d.User, m.User == d.User+"_a", m.User == d.User+"_b", m.User == PostgresSuperuser, m.User == PostgresExporter:
		found.invalid(key.Child("user"), m.User, "is taken: the migrator has a role of its own")
	}
	switch {
	case m.Mode == MigrationsJob && m.Image == "":
		found.required(key.Child("image"), "must be set when mode is job: it holds nova and the migrations")
	case m.Mode != MigrationsJob && m.Image != "":
		found.invalid(key.Child("image"), m.Image, "is for mode job, but the mode is %s", m.Mode)
	case m.Image != "":
		if pinned := checkReference(found, key.Child("image"), m.Image); !pinned && c.Guarded() {
			found.invalid(key.Child("image"), m.Image, "has no digest, which is refused in %s: the files that a tag names can change; add @sha256:digest", c.Environment)
		}
	}
}
