package lint

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func (c *checker) alterTable(st *statement, a *pg.AlterTableStmt) {
	if a.Objtype == pg.ObjectType_OBJECT_VIEW || a.Objtype == pg.ObjectType_OBJECT_INDEX || a.Objtype == pg.ObjectType_OBJECT_SEQUENCE {
		return
	}
	table := relation(a.Relation)
	from := st.start // Commands are looked for one after the other.
	for _, n := range a.Cmds {
		cmd := n.GetAlterTableCmd()
		name := cmd.Name
		if def := cmd.Def.GetColumnDef(); def != nil && def.Colname != "" {
			name = def.Colname
		}
		line := c.script.find(st, name, from)
		switch def := cmd.Def.GetColumnDef(); {
		case def != nil && def.Location > 0 && st.block == nil:
			from = int(def.Location)
			line = c.script.line(from)
		case cmd.Def.GetConstraint() != nil && st.block == nil:
			from = int(cmd.Def.GetConstraint().Location)
			line = c.script.line(from)
		}
		c.alterTableCommand(st, line, a, table, cmd)
	}
}

func (c *checker) alterTableCommand(st *statement, line int, a *pg.AlterTableStmt, table string, cmd *pg.AlterTableCmd) {
	created := c.created[table]
	switch cmd.Subtype {
	case pg.AlterTableType_AT_AddColumn:
		def := cmd.Def.GetColumnDef()
		if a.Objtype == pg.ObjectType_OBJECT_TYPE {
			return
		}
		c.columnType(st, line, def)
		if !created {
			c.addColumn(st, line, table, def)
		}
	case pg.AlterTableType_AT_DropColumn:
		if cmd.Behavior == pg.DropBehavior_DROP_CASCADE {
			c.add(st, line, "ban-drop-cascade", "dropping column %s of %s cascades", cmd.Name, table)
		}
		if !created {
			c.add(st, line, "ban-drop-column", "column %s of %s is dropped", cmd.Name, table)
		}
	case pg.AlterTableType_AT_AlterColumnType:
		c.columnType(st, line, cmd.Def.GetColumnDef())
		if !created {
			c.add(st, line, "changing-column-type", "column %s of %s changes its type", cmd.Name, table)
		}
	case pg.AlterTableType_AT_AddConstraint:
		c.addConstraint(st, line, table, cmd.Def.GetConstraint())
	}
	if created {
		return
	}
	switch cmd.Subtype {
	case pg.AlterTableType_AT_SetNotNull:
		c.add(st, line, "adding-not-nullable-field", "column %s of %s becomes required", cmd.Name, table)
		if !c.notNull[table+"."+cmd.Name] {
			c.add(st, line, "set-not-null-without-check", "no file before has CHECK (%s IS NOT NULL) on %s", cmd.Name, table)
		}
	case pg.AlterTableType_AT_DropNotNull:
		c.add(st, line, "ban-drop-not-null", "column %s of %s may be NULL", cmd.Name, table)
	case pg.AlterTableType_AT_ColumnDefault:
		if cmd.Def == nil {
			c.add(st, line, "ban-drop-default", "column %s of %s loses its default", cmd.Name, table)
		}
	case pg.AlterTableType_AT_ValidateConstraint:
		if slices.Contains(c.notValid, table+"."+cmd.Name) {
			c.add(st, line, "validating-constraint-in-same-transaction", "constraint %s of %s is added and validated in one file", cmd.Name, table)
		}
	case pg.AlterTableType_AT_DetachPartition:
		if p := cmd.Def.GetPartitionCmd(); !p.GetConcurrent() {
			c.add(st, line, "require-concurrent-partition-detach", "partition %s of %s is detached under a lock", relation(p.GetName()), table)
		}
	case pg.AlterTableType_AT_SetLogged, pg.AlterTableType_AT_SetUnLogged, pg.AlterTableType_AT_SetTableSpace,
		pg.AlterTableType_AT_SetAccessMethod, pg.AlterTableType_AT_SetExpression:
		c.add(st, line, "table-rewrite", "%s is written anew", table)
	}
}

// addColumn judges a column that is added to a table with rows.
func (c *checker) addColumn(st *statement, line int, table string, def *pg.ColumnDef) {
	var required, hasDefault, numbered bool
	numbered = serials[typeName(def.TypeName)]
	for _, n := range def.Constraints {
		switch k := n.GetConstraint(); k.Contype {
		case pg.ConstrType_CONSTR_NOTNULL:
			required = true
		case pg.ConstrType_CONSTR_DEFAULT:
			hasDefault = true
			if call := volatileCall(k.RawExpr); call != "" {
				c.add(st, line, "adding-field-with-default", "the default of column %s of %s calls %s", def.Colname, table, call)
			}
		case pg.ConstrType_CONSTR_IDENTITY:
			numbered = true
		case pg.ConstrType_CONSTR_GENERATED:
			hasDefault = true
			c.add(st, line, "adding-generated-column", "column %s of %s is computed for every row", def.Colname, table)
		case pg.ConstrType_CONSTR_PRIMARY:
			required = true
			c.add(st, line, "disallowed-unique-constraint", "column %s of %s is added with a primary key", def.Colname, table)
		case pg.ConstrType_CONSTR_UNIQUE:
			c.add(st, line, "disallowed-unique-constraint", "column %s of %s is added with a unique constraint", def.Colname, table)
		case pg.ConstrType_CONSTR_FOREIGN:
			c.add(st, line, "adding-foreign-key-constraint", "column %s of %s is added with a foreign key", def.Colname, table)
		case pg.ConstrType_CONSTR_CHECK:
			c.add(st, line, "constraint-missing-not-valid", "column %s of %s is added with a check", def.Colname, table)
		}
	}
	switch {
	case numbered:
		c.add(st, line, "adding-serial-primary-key-field", "column %s numbers the rows of %s", def.Colname, table)
	case required && !hasDefault:
		c.add(st, line, "adding-required-field", "column %s of %s is required and has no default", def.Colname, table)
	}
}

// addConstraint judges a constraint that is added to a table.
func (c *checker) addConstraint(st *statement, line int, table string, k *pg.Constraint) {
	if c.created[table] {
		return
	}
	if k.SkipValidation {
		c.notValid = append(c.notValid, table+"."+k.Conname)
		return
	}
	switch k.Contype {
	case pg.ConstrType_CONSTR_CHECK:
		c.add(st, line, "constraint-missing-not-valid", "the rows of %s are checked at once", table)
	case pg.ConstrType_CONSTR_FOREIGN:
		c.add(st, line, "adding-foreign-key-constraint", "the rows of %s are checked against %s at once", table, relation(k.Pktable))
	case pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_PRIMARY:
		if k.Indexname == "" {
			c.add(st, line, "disallowed-unique-constraint", "the index of the constraint on %s is built at once", table)
		}
	case pg.ConstrType_CONSTR_EXCLUSION:
		c.add(st, line, "adding-exclusion-constraint", "the index of the constraint on %s is built at once", table)
	}
}

// createTable judges the columns of a new table.
func (c *checker) createTable(st *statement, t *pg.CreateStmt) {
	if t.Relation.GetRelpersistence() == "t" {
		return
	}
	keys := map[string]bool{}
	for _, n := range t.TableElts {
		k := n.GetConstraint()
		if k.GetContype() == pg.ConstrType_CONSTR_PRIMARY || k.GetContype() == pg.ConstrType_CONSTR_FOREIGN {
			for _, name := range append(nodes(k.Keys), nodes(k.FkAttrs)...) {
				keys[name] = true
			}
		}
	}
	for _, n := range t.TableElts {
		def := n.GetColumnDef()
		if def == nil {
			continue
		}
		line := st.line
		if st.block == nil {
			line = c.script.line(int(def.Location))
		}
		c.columnType(st, line, def)
		if keys[def.Colname] && !isKey(def) && shortIntegers[typeName(def.TypeName)] {
			c.add(st, line, "prefer-bigint", "key %s has 32 bits or less", def.Colname)
		}
	}
}

func (c *checker) rename(st *statement, r *pg.RenameStmt) {
	table := relation(r.Relation)
	name := r.Subname
	if r.Relation != nil && c.created[table] {
		return
	}
	switch r.RenameType {
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_ATTRIBUTE:
		c.add(st, st.line, "renaming-column", "column %s of %s is renamed to %s", name, table, r.Newname)
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		if !c.createdViews[table] { // The old name lives on as a view.
			c.add(st, st.line, "renaming-table", "table %s is renamed to %s", table, r.Newname)
		}
	case pg.ObjectType_OBJECT_SCHEMA:
		c.add(st, st.line, "renaming-schema", "schema %s is renamed to %s", name, r.Newname)
	case pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_SEQUENCE:
		c.add(st, st.line, "renaming-object", "%s %s is renamed to %s", words(r.RenameType), table, r.Newname)
	case pg.ObjectType_OBJECT_TYPE, pg.ObjectType_OBJECT_DOMAIN, pg.ObjectType_OBJECT_FUNCTION, pg.ObjectType_OBJECT_PROCEDURE,
		pg.ObjectType_OBJECT_ROUTINE, pg.ObjectType_OBJECT_AGGREGATE:
		if name = object(r.Object); !c.created[name] {
			c.add(st, st.line, "renaming-object", "%s %s is renamed to %s", words(r.RenameType), name, r.Newname)
		}
	case pg.ObjectType_OBJECT_DATABASE:
		c.add(st, st.line, "privileged-statement", "database %s is renamed", name)
	}
}

// move judges ALTER ... SET SCHEMA.
func (c *checker) move(st *statement, a *pg.AlterObjectSchemaStmt) {
	name := relation(a.Relation)
	if name == "" {
		name = object(a.Object)
	}
	if a.ObjectType == pg.ObjectType_OBJECT_EXTENSION || c.created[name] {
		return
	}
	c.add(st, st.line, "renaming-object", "%s %s moves to schema %s", words(a.ObjectType), name, a.Newschema)
}

func (c *checker) drop(st *statement, d *pg.DropStmt) {
	if d.Behavior == pg.DropBehavior_DROP_CASCADE {
		c.add(st, st.line, "ban-drop-cascade", "DROP %s cascades", words(d.RemoveType))
	}
	for _, n := range d.Objects {
		name := object(n)
		line := c.script.find(st, name, st.start)
		switch d.RemoveType {
		case pg.ObjectType_OBJECT_INDEX:
			if !d.Concurrent && !c.created[name] {
				c.add(st, line, "require-concurrent-index-deletion", "index %s is dropped under a lock", name)
			}
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
			if !c.created[name] {
				c.add(st, line, "ban-drop-table", "table %s is dropped", name)
			}
		case pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_TYPE,
			pg.ObjectType_OBJECT_DOMAIN, pg.ObjectType_OBJECT_FUNCTION, pg.ObjectType_OBJECT_PROCEDURE, pg.ObjectType_OBJECT_ROUTINE,
			pg.ObjectType_OBJECT_AGGREGATE, pg.ObjectType_OBJECT_SCHEMA, pg.ObjectType_OBJECT_EXTENSION, pg.ObjectType_OBJECT_TRIGGER,
			pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_CAST, pg.ObjectType_OBJECT_OPERATOR,
			pg.ObjectType_OBJECT_PUBLICATION, pg.ObjectType_OBJECT_COLLATION:
			if !c.created[name] {
				c.add(st, line, "ban-drop-object", "%s %s is dropped", words(d.RemoveType), name)
			}
		}
	}
	if d.Concurrent {
		c.needsNoTransaction(st, "DROP INDEX CONCURRENTLY")
		c.robust(st, d.MissingOk, "IF EXISTS")
	}
}
