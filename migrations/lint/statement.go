package lint

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"nova.dev/infra/migrations"
)

// statement judges one statement.
func (c *checker) statement(st *statement) {
	c.anywhere(st)
	if c.m.Kind == migrations.Down {
		return // A release never runs it, and taking away is what it is for.
	}
	c.timeouts(st)
	switch n := st.node.Node.(type) {
	case *pg.Node_DoStmt:
		c.do(st)
	case *pg.Node_AlterTableStmt:
		c.alterTable(st, n.AlterTableStmt)
	case *pg.Node_CreateStmt:
		c.createTable(st, n.CreateStmt)
	case *pg.Node_RenameStmt:
		c.rename(st, n.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		c.move(st, n.AlterObjectSchemaStmt)
	case *pg.Node_DropStmt:
		c.drop(st, n.DropStmt)
	case *pg.Node_IndexStmt:
		c.index(st, n.IndexStmt)
	case *pg.Node_ReindexStmt:
		c.reindex(st, n.ReindexStmt)
	case *pg.Node_RefreshMatViewStmt:
		if r := n.RefreshMatViewStmt; !r.Concurrent && !r.SkipData && !c.created[relation(r.Relation)] {
			c.add(st, st.line, "require-concurrent-refresh", "materialized view %s is computed under a lock", relation(r.Relation))
		}
	case *pg.Node_VacuumStmt:
		c.vacuum(st, n.VacuumStmt)
	case *pg.Node_ClusterStmt:
		c.add(st, st.line, "table-rewrite", "CLUSTER writes %s anew", relation(n.ClusterStmt.Relation))
	case *pg.Node_LockStmt:
		c.add(st, st.line, "explicit-lock", "the file locks tables by hand")
	case *pg.Node_TruncateStmt:
		c.truncate(st, n.TruncateStmt)
	case *pg.Node_DeleteStmt:
		c.deleteRows(st, n.DeleteStmt)
	case *pg.Node_UpdateStmt:
		c.update(st, n.UpdateStmt)
	case *pg.Node_InsertStmt:
		c.insert(st, n.InsertStmt)
	case *pg.Node_AlterEnumStmt:
		c.alterEnum(st, n.AlterEnumStmt)
	case *pg.Node_CreateDomainStmt:
		if len(n.CreateDomainStmt.Constraints) > 0 {
			c.add(st, st.line, "ban-create-domain-with-constraint", "domain %s has a constraint", dotted(nodes(n.CreateDomainStmt.Domainname)))
		}
	case *pg.Node_AlterDomainStmt:
		if t := n.AlterDomainStmt.Subtype; t == "C" || t == "O" { // ADD CONSTRAINT, SET NOT NULL
			c.add(st, st.line, "ban-alter-domain-with-add-constraint", "domain %s is restricted", dotted(nodes(n.AlterDomainStmt.TypeName)))
		}
	case *pg.Node_DropdbStmt:
		c.add(st, st.line, "ban-drop-database", "database %s is dropped", n.DropdbStmt.Dbname)
	case *pg.Node_DropOwnedStmt:
		c.add(st, st.line, "ban-drop-cascade", "DROP OWNED drops whatever the role owns")
	}
}

// do judges what a DO block runs.
func (c *checker) do(st *statement) {
	for _, n := range st.node.GetDoStmt().Args {
		if language, _, _ := value(n.GetDefElem().GetArg()); n.GetDefElem().GetDefname() == "language" && language != "plpgsql" {
			c.add(st, st.line, "dynamic-sql", "a DO block in %s cannot be read here", language)
			return
		}
	}
	inner, dynamic, err := c.script.body(st)
	if err != nil {
		c.add(st, err.line, "dynamic-sql", "%s", err.text)
		return
	}
	for _, line := range dynamic {
		c.add(st, line, "dynamic-sql", "the DO block runs SQL that is made of text")
	}
	for _, s := range inner {
		c.statement(s)
	}
}

// markedFile finds statements of a file with a contract marker that only add.
func (c *checker) markedFile() {
	if c.marker == "" {
		return
	}
	for _, st := range c.script.statements {
		what := ""
		switch n := st.node.Node.(type) {
		case *pg.Node_CreateStmt:
			what = "a table"
		case *pg.Node_IndexStmt:
			what = "an index"
		case *pg.Node_CreateEnumStmt, *pg.Node_CompositeTypeStmt, *pg.Node_CreateDomainStmt:
			what = "a type"
		case *pg.Node_AlterTableStmt:
			for _, cmd := range n.AlterTableStmt.Cmds {
				if cmd.GetAlterTableCmd().Subtype == pg.AlterTableType_AT_AddColumn {
					what = "a column"
				}
			}
		}
		if what != "" {
			c.add(st, st.line, "contract-marker", "a file that takes away adds %s, too", what)
		}
	}
}
