package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/stack"
)

// Migrations is the name of what migrates the database.
const Migrations = "migrations"

const (
	// setupWait is how long a migrator waits for the server, its role and the
	// database: the set-up makes them at the same time, and may take as long as its
	// Job. Beside it, a migrator that waited for the set-up's Job would make the
	// longest chain of a first update longer by one.
	setupWait = 15 * time.Minute
	// deadlineMargin is how much longer a Job lives than its migrator, which says by
	// itself why it has not ended: the pods of a Job beyond its deadline are removed
	// together with their logs.
	deadlineMargin = time.Minute
)

// migration is the process that migrates the database before the services of a
// release start. Where the stack has no image for it, somebody else may run it:
// what it may reach and take is settled all the same.
func migration(s *stack.Stack) Workload {
	w := Workload{Name: Migrations, Kind: Migration, Store: catalog.Postgres, Resources: setupResources, Replicas: 1, PeakPods: 1}
	at := migrationEndpoint(s)
	if s.InCluster(catalog.Postgres) {
		w.connectTo(s, catalog.Postgres)
	} else {
		w.connectOutside(s, catalog.Postgres, at.Port)
	}
	if !s.Migrates() {
		return w
	}
	m := s.Migrations
	w.Image, w.PullPolicy, w.User = m.Image, s.Images.PullPolicy, imageUser
	w.Object = Migrations + "-" + imageSum(m.Image)
	deadline := time.Duration(m.DeadlineSeconds) * time.Second
	w.Args = []string{"migrations", "run", m.Directory, "--deadline", deadline.String(), "--setup-wait", min(setupWait, deadline).String()}
	if len(m.Serving) > 0 {
		w.Args = append(w.Args, "--serving", strings.Join(m.Serving, ","))
	}
	address := url.URL{
		Scheme: "postgresql", User: url.User(m.User), Host: at.Address(), Path: "/" + s.Dependencies.Postgres.Database,
		RawQuery: url.Values{"sslmode": {sslMode(at)}}.Encode(),
	}
	w.Env = map[string]Value{
		"DATABASE_URL": {Text: address.String()},
		// A new password is no reason to run again.
		"PGPASSWORD": {Secret: "POSTGRES_MIGRATION_PASSWORD", NoRestart: true},
	}
	w.Scratch = []string{scratch}
	w.DeadlineSeconds = int((deadline + deadlineMargin).Seconds())
	return w
}

// migrationEndpoint is the server that is migrated: never a pooler, whose sessions
// keep no lock.
func migrationEndpoint(s *stack.Stack) catalog.Endpoint {
	at := s.Store(catalog.Postgres).Endpoint
	if s.Migrations.Host != "" {
		at.Host = s.Migrations.Host
	}
	if s.Migrations.Port != 0 {
		at.Port = s.Migrations.Port
	}
	return at
}

// imageSum identifies an image in the name of an object: the first digits of its
// digest, or of the sum of a reference that has none.
func imageSum(reference string) string {
	_, sum, pinned := strings.Cut(reference, "@sha256:")
	if !pinned {
		whole := sha256.Sum256([]byte(reference))
		sum = hex.EncodeToString(whole[:])
	}
	return sum[:12]
}
