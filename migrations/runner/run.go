package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"nova.dev/infra/migrations"
	"nova.dev/infra/migrations/lint"
)

// The defaults of Options.
const (
	// DefaultLockTimeout is how long a statement waits for a lock, and so how long all
	// later requests on the table wait behind it.
	DefaultLockTimeout = 2 * time.Second
	// DefaultStatementTimeout is how long a statement may hold its locks.
	DefaultStatementTimeout = 5 * time.Minute
	// DefaultDeadline limits a whole run.
	DefaultDeadline = time.Hour
)

// How often a file is tried again after a lock_timeout.
const (
	lockTries    = 10
	lockDeadline = 10 * time.Minute
	minBackoff   = time.Second
	maxBackoff   = 30 * time.Second
)

// Options are how a run goes.
type Options struct {
	Directory migrations.Directory
	Database  Database
	// Serving are the releases that use the schema; see migrations.Gate.
	Serving []string
	// Check judges the migrations that are about to be applied; nil judges nothing.
	Check func(pending []migrations.Migration) error
	// OutOfOrder lets a migration be applied after one of a higher version.
	OutOfOrder bool
	// Zero values stand for the defaults.
	LockTimeout, StatementTimeout, Deadline time.Duration
	// SetupWait is how long the role and the database may still be in the making; 0 means
	// that they exist.
	SetupWait time.Duration
	// Log takes one line for each thing that happens.
	Log io.Writer

	retry backoff.BackOff // For tests.
}

// Result is what a run did.
type Result struct {
	// Applied are the migrations that the run has applied, in order.
	Applied []migrations.Migration
	// Before is the number of those that were applied before.
	Before int
}

// Run applies what a directory has and a database has not. An error leaves each file
// either applied and on record, or not applied, except for one without a transaction,
// which may leave what its own statement leaves. A *RefusedError has applied nothing.
func Run(ctx context.Context, o Options) (Result, error) {
	o.defaults()
	if err := o.Directory.Err(); err != nil {
		return Result{}, &RefusedError{err.Error()}
	}
	if len(o.Directory.Forward()) == 0 {
		return Result{}, &RefusedError{"the directory has no migrations"}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, fmt.Errorf("the deadline of %s is over", o.Deadline))
	defer cancel()
	conn, err := o.Database.connect(ctx, o.Log, o.SetupWait)
	if err != nil {
		return Result{}, cause(ctx, err)
	}
	defer closeConn(conn)
	r := run{Options: o, conn: conn}
	result, err := r.all(ctx)
	return result, cause(ctx, err)
}

func (o *Options) defaults() {
	if o.LockTimeout == 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = DefaultStatementTimeout
	}
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	o.Log = &lines{to: o.Log}
	if o.retry == nil {
		exponential := backoff.NewExponentialBackOff()
		exponential.InitialInterval, exponential.MaxInterval = minBackoff, maxBackoff
		o.retry = exponential
	}
}

// lines lets several goroutines write lines.
type lines struct {
	mutex sync.Mutex
	to    io.Writer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.to.Write(line)
}

// cause adds why the context is over.
func cause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

// run is one run.
type run struct {
	Options
	conn   *pgx.Conn
	ledger ledger
}

func (r *run) all(ctx context.Context) (Result, error) {
	if err := direct(ctx, r.conn); err != nil {
		return Result{}, err
	}
	if err := r.settle(ctx); err != nil {
		return Result{}, err
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if r.ledger, err = openLedger(ctx, r.conn); err != nil {
		return Result{}, err
	}
	records, err := r.ledger.records(ctx, r.conn)
	if err != nil {
		return Result{}, fmt.Errorf("reading %s: %w", tableName, err)
	}
	pending, err := r.pending(records)
	if err != nil {
		return Result{}, err
	}
	result := Result{Before: len(records)}
	for _, m := range pending {
		if err := r.apply(ctx, m); err != nil {
			return result, &MigrationError{m, err}
		}
		result.Applied = append(result.Applied, m)
	}
	return result, nil
}

// lock takes sqlx's lock. It asks again and again, where sqlx waits in one statement: a
// statement that waits is a transaction, for which CREATE INDEX CONCURRENTLY waits.
func (r *run) lock(ctx context.Context) (unlock func(), err error) {
	var database string
	if err := r.conn.QueryRow(ctx, "SELECT current_database()").Scan(&database); err != nil {
		return nil, err
	}
	key := lockKey(database)
	last := ""
	for {
		var taken bool
		if err := r.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&taken); err != nil {
			return nil, fmt.Errorf("taking the lock of migrators: %w", err)
		}
		if taken {
			return func() { r.unlock(key) }, nil
		}
		others, err := holders(ctx, r.conn, key)
		if err != nil {
			return nil, err
		}
		if now := list(others); now != last && now != "" {
			last = now
			fmt.Fprintf(r.Log, "another migrator is at work on database %s: %s\n", database, now)
		}
		if !sleep(ctx, time.Second) {
			return nil, fmt.Errorf("another migrator holds the lock of database %s: %s", database, last)
		}
	}
}

// unlock leaves the lock to the next, also when the context is over. The end of the
// session does so, too, a moment later.
func (r *run) unlock(key int64) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
	defer cancel()
	_, _ = r.conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", key)
}

// pending compares the database with the directory, and refuses a difference that sqlx
// refuses, an older migration after a newer one, and a contraction that comes too early.
func (r *run) pending(records []record) ([]migrations.Migration, error) {
	forward := r.Directory.Forward()
	var wrong []string
	var pending []migrations.Migration
	for _, row := range compare(forward, records) {
		switch row.State {
		case Failed:
			wrong = append(wrong, fmt.Sprintf("migration %d (%s) is recorded as failed; mend the database by hand and remove its row from %s", row.Version, row.Description, tableName))
		case Missing:
			wrong = append(wrong, fmt.Sprintf("migration %d (%s) is applied, but is not in the directory: the database is newer, or has the migrations of another directory", row.Version, row.Description))
		case Changed:
			wrong = append(wrong, row.File+" has changed since it was applied: its SHA-384 is not the one on record")
		case OutOfOrder:
			if !r.OutOfOrder {
				wrong = append(wrong, row.File+" is not applied, but a migration of a higher version is; give it a higher one, or allow it out of order")
			}
			fallthrough
		case Pending:
			at := slices.IndexFunc(forward, func(m migrations.Migration) bool { return m.File == row.File })
			pending = append(pending, forward[at])
		}
	}
	if len(records) > 0 { // Nothing serves from an empty database.
		for _, refused := range migrations.Gate(pending, r.Serving) {
			wrong = append(wrong, refused.Error())
		}
	}
	if len(wrong) > 0 {
		return nil, &RefusedError{"nothing was applied:\n  " + strings.Join(wrong, "\n  ")}
	}
	if r.Check != nil && len(pending) > 0 {
		if err := r.Check(pending); err != nil {
			return nil, err
		}
	}
	return pending, nil
}

// apply applies one migration, and tries again while another session holds a lock.
func (r *run) apply(ctx context.Context, m migrations.Migration) error {
	fmt.Fprintf(r.Log, "applying %s\n", m.File)
	attempt, plan := r.inTransaction, lint.Plan{Repeatable: true}
	if m.NoTransaction {
		var err error
		if plan, err = lint.PlanOf(m.SQL); err != nil {
			return err
		}
		attempt = func(ctx context.Context, m migrations.Migration) error { return r.without(ctx, m, plan) }
	}
	start, tries := time.Now(), 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		tries++
		start = time.Now()
		waitedFor, err := watch(ctx, r.Database, r.conn.PgConn().PID(), r.Log, func() error { return attempt(ctx, m) })
		switch {
		case err == nil:
		case plan.Concurrent && hasCode(err, deadlock):
			err = backoff.Permanent(fmt.Errorf("%w; it waits for a migrator that is part of a service and waits for this one: set RUN_MIGRATIONS to false on the services, and run again", err))
		case !hasCode(err, lockNotAvailable) || !plan.Repeatable:
			err = backoff.Permanent(err)
		case len(waitedFor) > 0:
			err = fmt.Errorf("%w; the lock was held by %s", err, list(waitedFor))
		}
		return struct{}{}, err
	}, backoff.WithBackOff(r.retry), backoff.WithMaxTries(lockTries), backoff.WithMaxElapsedTime(lockDeadline),
		backoff.WithNotify(func(err error, wait time.Duration) {
			fmt.Fprintf(r.Log, "  attempt %d of %d: %v; again in %s\n", tries, lockTries, err, wait.Round(100*time.Millisecond))
		}))
	if err != nil {
		if hasCode(err, lockNotAvailable) && plan.Repeatable {
			return fmt.Errorf("gave up after %d attempts: %w", tries, err)
		}
		return err
	}
	elapsed := time.Since(start)
	if err := r.ledger.took(ctx, r.conn, m, elapsed); err != nil {
		return fmt.Errorf("it is applied and on record, but noting its time failed: %w", err)
	}
	fmt.Fprintf(r.Log, "  done in %s\n", elapsed.Round(time.Millisecond))
	return r.restore(ctx)
}

// restore undoes settings that a migration has made for the session.
func (r *run) restore(ctx context.Context) error {
	if err := r.execute(ctx, "RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE"); err != nil {
		return err
	}
	return r.settle(ctx)
}

// settle sets what the session needs. A server notices within 10 s that the migrator
// was killed, and stops its statement; servers before 14 do not know the setting.
func (r *run) settle(ctx context.Context) error {
	if err := r.execute(ctx, "SET client_connection_check_interval = '10s'"); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// execute sends a text as one simple query, as sqlx does.
func (r *run) execute(ctx context.Context, sql string) error {
	return r.conn.PgConn().Exec(ctx, sql).Close()
}

// file sends a migration.
func (r *run) file(ctx context.Context, m migrations.Migration) error {
	err := r.execute(ctx, m.SQL)
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return &serverError{answer}
	}
	return err
}

// inTransaction applies a migration and puts it on record in one transaction.
func (r *run) inTransaction(ctx context.Context, m migrations.Migration) (err error) {
	defer func() {
		if err != nil && r.conn.PgConn().TxStatus() != 'I' {
			r.rollback()
		}
	}()
	if err := r.execute(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := r.execute(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d", r.LockTimeout.Milliseconds(), r.StatementTimeout.Milliseconds())); err != nil {
		return err
	}
	if err := r.file(ctx, m); err != nil {
		return err
	}
	if r.conn.PgConn().TxStatus() == 'I' {
		fmt.Fprint(r.Log, "  warning: the file has ended its transaction by itself\n")
	}
	if err := r.ledger.add(ctx, r.conn, m); err != nil {
		return fmt.Errorf("putting it on record: %w", err)
	}
	if r.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	return r.execute(ctx, "COMMIT")
}

// rollback ends a transaction that failed, also when the context is over.
func (r *run) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
	defer cancel()
	_ = r.execute(ctx, "ROLLBACK")
}

// without applies a migration without a transaction.
func (r *run) without(ctx context.Context, m migrations.Migration, plan lint.Plan) error {
	lockTimeout, statementTimeout := r.LockTimeout, r.StatementTimeout
	if plan.Concurrent {
		// It waits without being in anybody's way, and a timeout would leave an invalid
		// index. The deadline of the run is its limit.
		lockTimeout, statementTimeout = 0, 0
	}
	if err := r.execute(ctx, fmt.Sprintf("SET lock_timeout = %d; SET statement_timeout = %d", lockTimeout.Milliseconds(), statementTimeout.Milliseconds())); err != nil {
		return err
	}
	if err := clearIndexes(ctx, r.conn, plan, r.Log); err != nil {
		return err
	}
	if err := r.file(ctx, m); err != nil {
		return err
	}
	if err := r.ledger.add(ctx, r.conn, m); err != nil {
		return fmt.Errorf("it is applied, but putting it on record failed, so that it runs again next time: %w", err)
	}
	return nil
}
