package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

const (
	// connectTimeout limits one attempt to connect, connectWait all of them: a Job's pod
	// may start before its network policy is in force, or the server may be starting.
	connectTimeout = 10 * time.Second
	connectWait    = time.Minute
	// cancelWait is how long the server may take to cancel a statement.
	cancelWait = 5 * time.Second
)

// ErrURL says what a connection URL looks like. Errors about a URL never hold a part
// of it, because a password that is not escaped makes any part of it a secret.
var ErrURL = errors.New("it is not a connection URL of PostgreSQL; write postgres://user:password@host:5432/database?sslmode=require, and percent-encode special characters of the password")

// Database is a database that migrations are applied to.
type Database struct{ config *pgx.ConnConfig }

// ParseURL reads a connection URL as sqlx and libpq write it. The environment variables
// of libpq (PGOPTIONS, PGSSLROOTCERT, ...) count for what the URL leaves open.
func ParseURL(text string) (Database, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return Database{}, ErrURL
	}
	// Parameters of sqlx alone would be sent to the server, which refuses them.
	query := u.Query()
	for _, own := range []string{"statement-cache-capacity", "ssl-mode", "ssl-root-cert", "ssl-ca", "ssl-cert", "ssl-key"} {
		if value := query.Get(own); value != "" {
			query.Del(own)
			if libpq := map[string]string{"ssl-mode": "sslmode", "ssl-root-cert": "sslrootcert", "ssl-ca": "sslrootcert", "ssl-cert": "sslcert", "ssl-key": "sslkey"}[own]; libpq != "" {
				query.Set(libpq, value)
			}
		}
	}
	// sqlx takes "+" for a space, pgx as libpq does not.
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return Database{}, withoutSecrets(u)
	}
	// No statement is prepared: a migration may discard what is.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.ConnectTimeout = connectTimeout
	// What sqlx sends (sqlx-postgres/src/connection/establish.rs): literals in a
	// migration mean the same to both.
	config.RuntimeParams["DateStyle"] = "ISO, MDY"
	config.RuntimeParams["TimeZone"] = "UTC"
	config.RuntimeParams["client_encoding"] = "UTF8"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "nova-migrations"
	}
	// A statement whose context ends is cancelled on the server, too.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelWait}
	}
	return Database{config}, nil
}

// withoutSecrets is what is wrong with a URL, asked of one without its passwords.
func withoutSecrets(u *url.URL) error {
	plain := *u
	plain.User = url.User(u.User.Username())
	query := plain.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		query.Del(secret)
	}
	plain.RawQuery = query.Encode()
	if _, err := pgx.ParseConfig(plain.String()); err != nil {
		return err
	}
	return ErrURL
}

// String names the database without its password.
func (d Database) String() string {
	return fmt.Sprintf("database %s on %s:%d as %s", d.config.Database, d.config.Host, d.config.Port, d.config.User)
}

// connect connects, and waits for a server that is not there yet. setup is how long
// the role and the database may still be in the making; 0 means that they exist, so
// that what the server refuses is final.
func (d Database) connect(ctx context.Context, log io.Writer, setup time.Duration) (*pgx.Conn, error) {
	patience := max(connectWait, setup)
	config := d.config.Copy()
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Fprintf(log, "  %s: %s\n", n.Severity, n.Message) }
	told := false
	conn, err := backoff.Retry(ctx, func() (*pgx.Conn, error) {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil && !mayStillStart(err) && (setup == 0 || !mayBeInTheMaking(err)) {
			return nil, backoff.Permanent(err)
		}
		if err != nil && !told {
			told = true
			fmt.Fprintf(log, "waiting at most %s for %s: %v\n", patience, d, err)
		}
		return conn, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(time.Second)), backoff.WithMaxElapsedTime(patience))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", d, err)
	}
	return conn, nil
}

// mayStillStart reports whether a failure to connect may pass: whatever happens before
// the server answers, and "the database system is starting up".
func mayStillStart(err error) bool {
	var answer *pgconn.PgError
	return !errors.As(err, &answer) || answer.Code == "57P03"
}

// mayBeInTheMaking reports whether a server refuses a login for a reason that ends when
// the set-up of the database does: no such role or password, no right to log in or to
// connect, no such database.
func mayBeInTheMaking(err error) bool {
	return slices.ContainsFunc([]string{"28P01", "28000", "42501", "3D000"}, func(code string) bool { return hasCode(err, code) })
}

// direct refuses a connection through a pooler, which hands statements of one client to
// several sessions, so that a lock of a session protects nothing, and one to a replica.
// A pooler makes up the process number that it tells its clients.
func direct(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	var replica bool
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid(), pg_is_in_recovery()", pgx.QueryExecModeSimpleProtocol).Scan(&pid, &replica); err != nil {
		return err
	}
	switch {
	case pid != conn.PgConn().PID():
		return &RefusedError{"the connection goes through a pooler, in which the lock of the migrator does not hold; give the URL of the server itself"}
	case replica:
		return &RefusedError{"the server is a replica; give the URL of the primary"}
	}
	return nil
}

// closeConn ends a session, also one whose context is over.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
	defer cancel()
	_ = conn.Close(ctx)
}
