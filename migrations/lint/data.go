package lint

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func (c *checker) truncate(st *statement, t *pg.TruncateStmt) {
	if t.Behavior == pg.DropBehavior_DROP_CASCADE {
		c.add(st, st.line, "ban-truncate-cascade", "TRUNCATE cascades")
	}
	for _, n := range t.Relations {
		if table := relation(n.GetRangeVar()); !c.created[table] {
			c.add(st, st.line, "ban-truncate", "table %s is emptied", table)
		}
	}
}

func (c *checker) deleteRows(st *statement, d *pg.DeleteStmt) {
	table := relation(d.Relation)
	switch {
	case c.created[table]:
	case d.WhereClause == nil:
		c.add(st, st.line, "delete-without-where", "all rows of %s are deleted", table)
	default:
		c.backfill(st, table)
	}
}

func (c *checker) update(st *statement, u *pg.UpdateStmt) {
	table := relation(u.Relation)
	c.assignments(st, u.TargetList)
	switch {
	case c.created[table]:
	case u.WhereClause == nil:
		c.add(st, st.line, "update-without-where", "all rows of %s are written", table)
	default:
		c.backfill(st, table)
	}
}

func (c *checker) insert(st *statement, i *pg.InsertStmt) {
	c.assignments(st, i.Cols)
	c.assignments(st, i.OnConflictClause.GetTargetList())
	if i.SelectStmt.GetSelectStmt().GetFromClause() != nil {
		c.backfill(st, relation(i.Relation))
	}
}

// backfill judges a statement that writes rows in a file that locks tables.
func (c *checker) backfill(st *statement, table string) {
	if c.altersSchema {
		c.add(st, st.line, "backfill-in-same-transaction", "rows of %s are written in a file that changes the schema", table)
	}
}

// assignments finds columns that are assigned to twice.
func (c *checker) assignments(st *statement, targets []*pg.Node) {
	seen := map[string]bool{}
	for _, n := range targets {
		t := n.GetResTarget()
		if len(t.GetIndirection()) > 0 {
			continue // a[1] and a[2] are two targets.
		}
		if seen[t.GetName()] {
			c.add(st, st.line, "duplicate-column-assignment", "column %s is assigned to twice", t.GetName())
		}
		seen[t.GetName()] = true
	}
}

func (c *checker) alterEnum(st *statement, e *pg.AlterEnumStmt) {
	name := dotted(nodes(e.TypeName))
	switch {
	case c.created[name]:
	case e.OldVal != "":
		c.add(st, st.line, "renaming-enum-value", "value %q of %s is renamed to %q", e.OldVal, name, e.NewVal)
	case e.NewValNeighbor == "":
		c.add(st, st.line, "require-enum-value-ordering", "value %q of %s has no place", e.NewVal, name)
	}
}

// usesNewEnumValue finds constants that are values which the file itself adds.
func (c *checker) usesNewEnumValue(st *statement) {
	if st.node.GetAlterEnumStmt() != nil {
		return
	}
	walk(st.node.ProtoReflect(), func(m protoreflect.Message) {
		k, ok := m.Interface().(*pg.A_Const)
		if !ok {
			return
		}
		for _, added := range c.enumValues {
			if k.GetSval().GetSval() == added {
				c.add(st, st.line, "enum-value-used-in-same-transaction", "value %q is added by this file and used in it", added)
				return
			}
		}
	})
}
