package lint

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

func (c *checker) index(st *statement, i *pg.IndexStmt) {
	table := relation(i.Relation)
	if i.Concurrent {
		c.needsNoTransaction(st, "CREATE INDEX CONCURRENTLY")
		if i.Idxname == "" {
			c.add(st, st.line, "concurrent-index-name", "the index on %s has no name", table)
			return
		}
		c.robust(st, i.IfNotExists, "IF NOT EXISTS")
		return
	}
	if !c.created[table] {
		c.add(st, st.line, "require-concurrent-index-creation", "the index on %s is built under a lock", table)
	}
}

func (c *checker) reindex(st *statement, r *pg.ReindexStmt) {
	if option(r.Params, "concurrently") {
		c.needsNoTransaction(st, "REINDEX CONCURRENTLY")
		return
	}
	c.add(st, st.line, "require-concurrent-reindex", "an index is built anew under a lock")
}

func (c *checker) vacuum(st *statement, v *pg.VacuumStmt) {
	if !v.IsVacuumcmd {
		return // ANALYZE
	}
	if option(v.Options, "full") {
		c.add(st, st.line, "table-rewrite", "VACUUM FULL writes tables anew")
	}
	c.needsNoTransaction(st, "VACUUM")
}

// option reports whether an option in parentheses is on.
func option(options []*pg.Node, name string) bool {
	for _, n := range options {
		d := n.GetDefElem()
		if d.GetDefname() != name {
			continue
		}
		switch text, number, isNumber := value(d.GetArg()); {
		case isNumber:
			return number != 0
		case text == "off" || text == "false":
			return false
		}
		return true
	}
	return false
}

// needsNoTransaction judges a statement that PostgreSQL refuses in a transaction.
func (c *checker) needsNoTransaction(st *statement, what string) {
	switch {
	case st.block != nil:
		c.add(st, st.line, "ban-concurrent-index-creation-in-transaction", "%s cannot run in a DO block", what)
	case !c.m.NoTransaction:
		c.add(st, st.line, "ban-concurrent-index-creation-in-transaction", "%s cannot run in the transaction of this file", what)
	}
}

// robust judges a statement of a file without a transaction.
func (c *checker) robust(st *statement, guarded bool, clause string) {
	if c.m.NoTransaction && !guarded {
		c.add(st, st.line, "prefer-robust-stmts", "the statement has no %s", clause)
	}
}
