package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/jackc/pgx/v5"

	"nova.dev/infra/migrations"
)

// The statements about _sqlx_migrations, the table in which sqlx keeps its books.
const (
	tableName = "_sqlx_migrations"

	createTable = `
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
);
                `
)

// record is one row of the table.
type record struct {
	version       int64
	description   string
	installedOn   time.Time
	success       bool
	checksum      []byte
	executionTime int64 // Nanoseconds; -1 where the migrator died before it wrote it.
}

// ledger is the table, with its schema: a migration that sets search_path does not lose it.
type ledger struct{ table string }

// openLedger finds the table, or makes it as sqlx does.
func openLedger(ctx context.Context, conn *pgx.Conn) (ledger, error) {
	l, found, err := findLedger(ctx, conn)
	if found || err != nil {
		return l, err
	}
	if _, err := conn.Exec(ctx, createTable, pgx.QueryExecModeSimpleProtocol); err != nil {
		return l, fmt.Errorf("creating %s: %w", tableName, err)
	}
	l, found, err = findLedger(ctx, conn)
	if err == nil && !found {
		err = fmt.Errorf("%s is not on the search path after it was created", tableName)
	}
	return l, err
}

func findLedger(ctx context.Context, conn *pgx.Conn) (ledger, bool, error) {
	var schema string
	err := conn.QueryRow(ctx, "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('"+tableName+"')").Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger{}, false, nil
	}
	return ledger{pgx.Identifier{schema, tableName}.Sanitize()}, err == nil, err
}

func (l ledger) records(ctx context.Context, conn *pgx.Conn) ([]record, error) {
	rows, err := conn.Query(ctx, "SELECT version, description, installed_on, success, checksum, execution_time FROM "+l.table+" ORDER BY version")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r record, err error) {
		return r, row.Scan(&r.version, &r.description, &r.installedOn, &r.success, &r.checksum, &r.executionTime)
	})
}

// add notes that a migration is applied. The time is not known yet.
func (l ledger) add(ctx context.Context, conn *pgx.Conn, m migrations.Migration) error {
	_, err := conn.Exec(ctx, "INSERT INTO "+l.table+" ( version, description, success, checksum, execution_time ) VALUES ( $1, $2, TRUE, $3, -1 )",
		m.Version, m.Description, m.Checksum[:])
	return err
}

// took notes how long a migration took.
func (l ledger) took(ctx context.Context, conn *pgx.Conn, m migrations.Migration, elapsed time.Duration) error {
	_, err := conn.Exec(ctx, "UPDATE "+l.table+" SET execution_time = $1 WHERE version = $2", elapsed.Nanoseconds(), m.Version)
	return err
}

// lockKey is the advisory lock of sqlx for a database: every migrator of that database,
// also one in a service, takes the same.
func lockKey(database string) int64 {
	return 0x3d32ad9e * int64(crc32.ChecksumIEEE([]byte(database)))
}
