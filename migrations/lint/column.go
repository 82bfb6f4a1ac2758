package lint

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var (
	serials       = map[string]bool{"serial": true, "bigserial": true, "smallserial": true, "serial2": true, "serial4": true, "serial8": true}
	shortIntegers = map[string]bool{"int4": true, "int2": true, "serial": true, "serial4": true, "smallserial": true, "serial2": true}
)

// isKey reports whether a column is a key by its own words: a key that runs out of
// numbers is the one that hurts, a short integer elsewhere is a choice.
func isKey(def *pg.ColumnDef) bool {
	return slices.ContainsFunc(def.Constraints, func(n *pg.Node) bool {
		switch n.GetConstraint().GetContype() {
		case pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_FOREIGN, pg.ConstrType_CONSTR_IDENTITY:
			return true
		}
		return false
	})
}

// columnType judges the type of a column that is new or that changes.
func (c *checker) columnType(st *statement, line int, def *pg.ColumnDef) {
	name := typeName(def.TypeName)
	if serials[name] {
		c.add(st, line, "prefer-identity", "column %s is a %s", def.Colname, name)
	}
	if shortIntegers[name] && (serials[name] || isKey(def)) {
		c.add(st, line, "prefer-bigint", "key %s has 32 bits or less", def.Colname)
	}
	switch name {
	case "bpchar":
		c.add(st, line, "prefer-text", "column %s is a char(n)", def.Colname)
	case "varchar":
		if len(def.TypeName.GetTypmods()) > 0 {
			c.add(st, line, "prefer-text", "column %s is a varchar(n)", def.Colname)
		}
	case "timestamp":
		c.add(st, line, "prefer-timestamptz", "column %s is a timestamp without time zone", def.Colname)
	case "json":
		c.add(st, line, "prefer-jsonb", "column %s is a json", def.Colname)
	}
}

// stable are functions that have one value for a whole statement; a default that calls
// only these is stored once and rewrites nothing.
var stable = map[string]bool{
	"now": true, "transaction_timestamp": true, "statement_timestamp": true, "current_setting": true, "to_timestamp": true,
	"timezone": true, "date_trunc": true, "make_interval": true, "make_date": true, "lower": true, "upper": true, "md5": true,
	"to_jsonb": true, "jsonb_build_object": true, "jsonb_build_array": true, "to_tsvector": true, "decode": true, "encode": true,
	"concat": true, "length": true, "array_fill": true, "int4range": true, "tstzrange": true, "daterange": true, "point": true,
}

// volatileCall is the first function of an expression that may differ from row to row.
func volatileCall(n *pg.Node) string {
	var name string
	walk(n.ProtoReflect(), func(m protoreflect.Message) {
		call, ok := m.Interface().(*pg.FuncCall)
		if !ok || name != "" {
			return
		}
		parts := nodes(call.Funcname)
		if !stable[parts[len(parts)-1]] {
			name = dotted(parts)
		}
	})
	return name
}

// walk calls f for each message of a tree, outer ones first.
func walk(m protoreflect.Message, f func(protoreflect.Message)) {
	f(m)
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				walk(value.List().Get(i).Message(), f)
			}
		default:
			walk(value.Message(), f)
		}
		return true
	})
}
