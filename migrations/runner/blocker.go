package runner

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// How often it is asked who holds a lock, and after what time first. The first is well
// below lock_timeout, so that each attempt sees it.
const (
	firstLook = 500 * time.Millisecond
	nextLooks = time.Second
)

// session is another session of the server, as far as the migrator's role may see it.
type session struct {
	pid         int32
	user        string
	application string
	state       string
	since       time.Duration // The age of its transaction.
}

func (s session) String() string {
	text := fmt.Sprintf("pid %d", s.pid)
	for _, part := range []string{s.user, s.application, s.state} {
		if part != "" {
			text += ", " + part
		}
	}
	if s.since > 0 {
		text += fmt.Sprintf(", transaction open for %s", s.since.Round(time.Second))
	}
	return text
}

const sessionColumns = "a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, ''), coalesce(extract(epoch FROM now() - a.xact_start), 0)::float8"

func collectSessions(rows pgx.Rows, err error) ([]session, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s session, err error) {
		var seconds float64
		err = row.Scan(&s.pid, &s.user, &s.application, &s.state, &seconds)
		s.since = time.Duration(seconds * float64(time.Second))
		return s, err
	})
}

// blockers are the sessions that a session waits for.
func blockers(ctx context.Context, conn *pgx.Conn, pid uint32) ([]session, error) {
	return collectSessions(conn.Query(ctx, "SELECT "+sessionColumns+" FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids($1)) ORDER BY a.pid", int32(pid)))
}

// holders are the sessions that hold an advisory lock.
func holders(ctx context.Context, conn *pgx.Conn, key int64) ([]session, error) {
	return collectSessions(conn.Query(ctx, "SELECT "+sessionColumns+` FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid::bigint = ($1::bigint >> 32) & 4294967295 AND l.objid::bigint = $1::bigint & 4294967295 ORDER BY a.pid`, key))
}

func list(sessions []session) string {
	texts := make([]string, len(sessions))
	for i, s := range sessions {
		texts[i] = s.String()
	}
	return strings.Join(texts, "; ")
}

// watch runs work and meanwhile says, from a session of its own, for which sessions
// it waits. It returns those that were seen last.
func watch(ctx context.Context, d Database, pid uint32, log io.Writer, work func() error) ([]session, error) {
	looking, stop := context.WithCancel(ctx)
	seen := make(chan []session, 1)
	go func() {
		var last []session
		defer func() { seen <- last }()
		if !sleep(looking, firstLook) {
			return
		}
		conn, err := pgx.ConnectConfig(looking, d.config)
		if err != nil {
			return
		}
		defer closeConn(conn)
		for {
			found, err := blockers(looking, conn, pid)
			if err != nil {
				return
			}
			if len(found) > 0 {
				if !slices.EqualFunc(found, last, func(a, b session) bool { return a.pid == b.pid }) {
					fmt.Fprintf(log, "  waiting for a lock of %s\n", list(found))
				}
				last = found
			}
			if !sleep(looking, nextLooks) {
				return
			}
		}
	}()
	err := work()
	stop()
	return <-seen, err
}

// sleep waits, and reports false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
