package lint

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// collect notes what the file creates and whether it changes what was there before, so
// that each statement can be judged by what the others do.
func (c *checker) collect() {
	for _, st := range c.script.statements {
		c.collectFrom(st.node)
		if st.node.GetDoStmt() == nil {
			continue
		}
		if inner, _, err := c.script.body(st); err == nil {
			for _, s := range inner {
				c.collectFrom(s.node)
			}
		}
	}
	for _, st := range c.script.statements {
		c.altersSchema = c.altersSchema || c.alters(st.node)
	}
}

func (c *checker) collectFrom(n *pg.Node) {
	switch n := n.Node.(type) {
	case *pg.Node_CreateStmt:
		c.created[relation(n.CreateStmt.Relation)] = true
		for _, elt := range n.CreateStmt.TableElts {
			for _, k := range elt.GetColumnDef().GetConstraints() {
				if k.GetConstraint().GetContype() == pg.ConstrType_CONSTR_NOTNULL {
					c.notNull[relation(n.CreateStmt.Relation)+"."+elt.GetColumnDef().Colname] = true
				}
			}
		}
	case *pg.Node_CreateForeignTableStmt:
		c.created[relation(n.CreateForeignTableStmt.BaseStmt.GetRelation())] = true
	case *pg.Node_CreateTableAsStmt:
		c.created[relation(n.CreateTableAsStmt.Into.GetRel())] = true
	case *pg.Node_ViewStmt:
		c.created[relation(n.ViewStmt.View)] = true
		c.createdViews[relation(n.ViewStmt.View)] = true
	case *pg.Node_CreateSeqStmt:
		c.created[relation(n.CreateSeqStmt.Sequence)] = true
	case *pg.Node_CreateEnumStmt:
		c.created[dotted(nodes(n.CreateEnumStmt.TypeName))] = true
	case *pg.Node_CompositeTypeStmt:
		c.created[relation(n.CompositeTypeStmt.Typevar)] = true
	case *pg.Node_CreateRangeStmt:
		c.created[dotted(nodes(n.CreateRangeStmt.TypeName))] = true
	case *pg.Node_CreateDomainStmt:
		c.created[dotted(nodes(n.CreateDomainStmt.Domainname))] = true
	case *pg.Node_CreateFunctionStmt:
		c.created[dotted(nodes(n.CreateFunctionStmt.Funcname))] = true
	case *pg.Node_CreateTrigStmt:
		c.created[relation(n.CreateTrigStmt.Relation)+"."+n.CreateTrigStmt.Trigname] = true
	case *pg.Node_CreatePolicyStmt:
		c.created[relation(n.CreatePolicyStmt.Table)+"."+n.CreatePolicyStmt.PolicyName] = true
	case *pg.Node_RuleStmt:
		c.created[relation(n.RuleStmt.Relation)+"."+n.RuleStmt.Rulename] = true
	case *pg.Node_CreateSchemaStmt:
		c.created[n.CreateSchemaStmt.Schemaname] = true
	case *pg.Node_IndexStmt:
		if c.created[relation(n.IndexStmt.Relation)] {
			c.created[n.IndexStmt.Idxname] = true
		}
	case *pg.Node_AlterTableStmt:
		table := relation(n.AlterTableStmt.Relation)
		for _, cmd := range n.AlterTableStmt.Cmds {
			if column := notNullCheck(cmd.GetAlterTableCmd().GetDef().GetConstraint()); column != "" {
				c.notNull[table+"."+column] = true
			}
		}
	case *pg.Node_AlterEnumStmt:
		if e := n.AlterEnumStmt; e.OldVal == "" && !c.created[dotted(nodes(e.TypeName))] {
			c.enumValues = append(c.enumValues, e.NewVal)
		}
	}
}

// notNullCheck is the column of a constraint CHECK (column IS NOT NULL).
func notNullCheck(k *pg.Constraint) string {
	test := k.GetRawExpr().GetNullTest()
	if k.GetContype() != pg.ConstrType_CONSTR_CHECK || test.GetNulltesttype() != pg.NullTestType_IS_NOT_NULL {
		return ""
	}
	if fields := nodes(test.GetArg().GetColumnRef().GetFields()); len(fields) == 1 {
		return fields[0]
	}
	return ""
}

// alters reports whether a statement changes a table that was there before, which locks
// it until the end of the file.
func (c *checker) alters(n *pg.Node) bool {
	switch n := n.Node.(type) {
	case *pg.Node_AlterTableStmt:
		return !c.created[relation(n.AlterTableStmt.Relation)]
	case *pg.Node_RenameStmt:
		return n.RenameStmt.Relation != nil && !c.created[relation(n.RenameStmt.Relation)]
	case *pg.Node_IndexStmt:
		return !c.created[relation(n.IndexStmt.Relation)]
	case *pg.Node_CreateTrigStmt:
		return !c.created[relation(n.CreateTrigStmt.Relation)]
	}
	return false
}
