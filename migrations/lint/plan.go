package lint

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// Plan says how a file without a transaction is to be run.
type Plan struct {
	// Concurrent is set for a statement that waits for other transactions by itself
	// while requests go on: a timeout of such a wait leaves half of the work behind.
	Concurrent bool
	// Index is the name of what CREATE INDEX CONCURRENTLY makes, Table the table, and
	// Reindex what REINDEX CONCURRENTLY builds anew; the last two are quoted, with their
	// schema where it is given.
	Index, Table, Reindex string
	// Repeatable is set where a failure has changed nothing, so that the file can be
	// tried again.
	Repeatable bool
}

// PlanOf reads a file without a transaction.
func PlanOf(sql string) (Plan, error) {
	tree, err := parse(sql)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Repeatable: true}
	for _, raw := range tree.Stmts {
		switch n := raw.Stmt.Node.(type) {
		case *pg.Node_IndexStmt:
			if i := n.IndexStmt; i.Concurrent {
				p.Concurrent, p.Index, p.Table = true, i.Idxname, quoted(i.Relation.GetSchemaname(), i.Relation.GetRelname())
			}
		case *pg.Node_ReindexStmt:
			if r := n.ReindexStmt; option(r.Params, "concurrently") {
				p.Concurrent, p.Reindex = true, quoted(r.Relation.GetSchemaname(), r.Relation.GetRelname())
			}
		case *pg.Node_DropStmt, *pg.Node_AlterTableStmt:
			p.Concurrent = p.Concurrent || needsNoTransaction(raw.Stmt)
		case *pg.Node_CallStmt, *pg.Node_DoStmt:
			p.Repeatable = false // They may commit by themselves.
		}
	}
	return p, nil
}
