package runner

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"nova.dev/infra/migrations/lint"
)

// invalidIndex is what a failed CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY left:
// it slows writes down, serves no query, and IF NOT EXISTS takes it for the real one.
type invalidIndex struct {
	name string // Quoted, with its schema.
	// building is set while some session works on its table's indexes.
	building bool
}

const invalidColumns = `SELECT n.nspname, c.relname, EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid AND p.pid <> pg_backend_pid())
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i'`

func collectIndexes(rows pgx.Rows, err error) ([]invalidIndex, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (i invalidIndex, err error) {
		var schema, name string
		err = row.Scan(&schema, &name, &i.building)
		i.name = pgx.Identifier{schema, name}.Sanitize()
		return i, err
	})
}

// invalidIndexes are all of a database.
func invalidIndexes(ctx context.Context, conn *pgx.Conn) ([]invalidIndex, error) {
	return collectIndexes(conn.Query(ctx, invalidColumns+" AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2"))
}

// leftBehind are those that an earlier attempt at a file has left.
func leftBehind(ctx context.Context, conn *pgx.Conn, plan lint.Plan) ([]invalidIndex, error) {
	switch {
	case plan.Index != "":
		return collectIndexes(conn.Query(ctx, invalidColumns+" AND i.indrelid = to_regclass($1) AND c.relname = $2::name", plan.Table, plan.Index))
	case plan.Reindex != "":
		// https://www.postgresql.org/docs/15/sql-reindex.html: the names of what is left end so.
		return collectIndexes(conn.Query(ctx, invalidColumns+` AND c.relname ~ '_cc(new|old)[0-9]*$'
AND i.indrelid = coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass($1)), to_regclass($1))`, plan.Reindex))
	}
	return nil, nil
}

// clearIndexes drops what an earlier attempt at a file has left.
func clearIndexes(ctx context.Context, conn *pgx.Conn, plan lint.Plan, log io.Writer) error {
	left, err := leftBehind(ctx, conn, plan)
	if err != nil {
		return err
	}
	for _, i := range left {
		if i.building {
			return fmt.Errorf("another session builds an index on the table of %s; wait until it is done", i.name)
		}
		fmt.Fprintf(log, "  dropping the invalid index %s that an earlier attempt left\n", i.name)
		if _, err := conn.Exec(ctx, "DROP INDEX CONCURRENTLY IF EXISTS "+i.name, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("dropping the invalid index %s: %w", i.name, err)
		}
	}
	return nil
}
