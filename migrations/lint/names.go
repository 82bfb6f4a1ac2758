package lint

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// relation is the name of a table, with its schema where it is given and not public.
func relation(r *pg.RangeVar) string {
	return dotted([]string{r.GetSchemaname(), r.GetRelname()})
}

func dotted(parts []string) string {
	var name []string
	for _, part := range parts {
		if part != "" && (part != "public" || len(name) > 0) {
			name = append(name, part)
		}
	}
	return strings.Join(name, ".")
}

// nodes are the strings of a list, as in the name of a type or function.
func nodes(list []*pg.Node) []string {
	var parts []string
	for _, n := range list {
		parts = append(parts, n.GetString_().GetSval())
	}
	return parts
}

// object is the name of what DROP or ALTER ... RENAME is about.
func object(n *pg.Node) string {
	switch {
	case n.GetList() != nil:
		return dotted(nodes(n.GetList().GetItems()))
	case n.GetTypeName() != nil:
		return dotted(nodes(n.GetTypeName().GetNames()))
	case n.GetObjectWithArgs() != nil:
		return dotted(nodes(n.GetObjectWithArgs().GetObjname()))
	}
	return n.GetString_().GetSval()
}

// words is an object type as SQL writes it: "materialized view".
func words(t pg.ObjectType) string {
	switch t {
	case pg.ObjectType_OBJECT_MATVIEW:
		return "materialized view"
	case pg.ObjectType_OBJECT_TABCONSTRAINT, pg.ObjectType_OBJECT_DOMCONSTRAINT:
		return "constraint"
	case pg.ObjectType_OBJECT_STATISTIC_EXT:
		return "statistics"
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(t.String(), "OBJECT_")), "_", " ")
}

// typeName is the last part of a type's name: int4, text, serial.
func typeName(t *pg.TypeName) string {
	parts := nodes(t.GetNames())
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1]
}

// value is a constant: a whole number, or the text of a string or of another number.
func value(n *pg.Node) (text string, integer int32, isInteger bool) {
	c := n.GetAConst()
	switch {
	case c.GetIval() != nil:
		return "", c.GetIval().GetIval(), true
	case n.GetInteger() != nil:
		return "", n.GetInteger().GetIval(), true
	case c.GetFval() != nil:
		return c.GetFval().GetFval(), 0, false
	case n.GetString_() != nil:
		return n.GetString_().GetSval(), 0, false
	}
	return c.GetSval().GetSval(), 0, false
}

// quoted is a name as SQL takes it literally; empty parts are left out.
func quoted(parts ...string) string {
	var name []string
	for _, part := range parts {
		if part != "" {
			name = append(name, `"`+strings.ReplaceAll(part, `"`, `""`)+`"`)
		}
	}
	return strings.Join(name, ".")
}
