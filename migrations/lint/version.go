package lint

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// newer finds what the server is too old for. The parser is that of PostgreSQL 17; the
// versions are those of the release notes.
func (c *checker) newer(st *statement) {
	walk(st.node.ProtoReflect(), func(m protoreflect.Message) {
		if what, since := introduced(m.Interface()); since > c.options.Postgres {
			c.add(st, st.line, "needs-newer-postgres", "%s needs PostgreSQL %d, and the server is %d", what, since, c.options.Postgres)
		}
	})
}

func introduced(m protoreflect.ProtoMessage) (string, int) {
	switch n := m.(type) {
	case *pg.MergeStmt:
		if len(n.ReturningList) > 0 {
			return "MERGE ... RETURNING", 17
		}
		return "MERGE", 15
	case *pg.JsonTable:
		return "JSON_TABLE", 17
	case *pg.JsonFuncExpr:
		return "JSON_EXISTS, JSON_QUERY or JSON_VALUE", 17
	case *pg.JsonParseExpr, *pg.JsonScalarExpr, *pg.JsonSerializeExpr:
		return "JSON, JSON_SCALAR or JSON_SERIALIZE", 17
	case *pg.JsonObjectConstructor, *pg.JsonArrayConstructor, *pg.JsonArrayQueryConstructor, *pg.JsonObjectAgg, *pg.JsonArrayAgg:
		return "an SQL/JSON constructor", 16
	case *pg.JsonIsPredicate:
		return "IS JSON", 16
	case *pg.AlterTableCmd:
		switch {
		case n.Subtype == pg.AlterTableType_AT_SetExpression:
			return "ALTER COLUMN ... SET EXPRESSION", 17
		case n.Subtype == pg.AlterTableType_AT_DetachPartition && n.Def.GetPartitionCmd().GetConcurrent():
			return "DETACH PARTITION ... CONCURRENTLY", 14
		}
	case *pg.ColumnDef:
		switch {
		case n.StorageName != "":
			return "STORAGE of a column in CREATE TABLE", 16
		case n.Compression != "":
			return "COMPRESSION of a column", 14
		}
	case *pg.IndexStmt:
		if n.NullsNotDistinct {
			return "NULLS NOT DISTINCT", 15
		}
	case *pg.Constraint:
		if n.NullsNotDistinct {
			return "NULLS NOT DISTINCT", 15
		}
	case *pg.CreateTrigStmt:
		if n.Replace {
			return "CREATE OR REPLACE TRIGGER", 14
		}
	}
	return "", 0
}
