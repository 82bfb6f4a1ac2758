package lint

import (
	"strconv"
	"strings"
	"time"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"nova.dev/infra/migrations"
)

// The longest timeouts that a file may set for itself.
const (
	maxLockTimeout      = 10 * time.Second
	maxStatementTimeout = time.Hour
)

var timeoutRules = map[string]string{"lock_timeout": "require-lock-timeout", "statement_timeout": "require-statement-timeout"}

// maxIdentifier is NAMEDATALEN - 1 of a standard PostgreSQL, in bytes.
const maxIdentifier = 63

// transactions judges the file as what sqlx runs: one transaction, or one statement.
func (c *checker) transactions() {
	open := 0 // The line of a BEGIN that nothing ends.
	for _, st := range c.script.statements {
		switch t := st.node.GetTransactionStmt(); t.GetKind() {
		case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
			open = st.line
			c.add(st, st.line, "transaction-nesting", "the file opens a transaction")
		case pg.TransactionStmtKind_TRANS_STMT_COMMIT, pg.TransactionStmtKind_TRANS_STMT_ROLLBACK, pg.TransactionStmtKind_TRANS_STMT_PREPARE:
			open = 0
			c.add(st, st.line, "transaction-nesting", "the file ends a transaction")
		}
	}
	if open > 0 {
		c.add(nil, open, "ban-uncommitted-transaction", "nothing ends the transaction")
	}
	if !c.m.NoTransaction {
		return
	}
	if all := c.script.statements; len(all) > 1 {
		c.add(all[1], all[1].line, "no-transaction-single-statement", "the file has %d statements", len(all))
	} else if c.m.Kind != migrations.Down && !needsNoTransaction(all[0].node) {
		c.add(all[0], all[0].line, "needless-no-transaction", "the statement can run in a transaction")
	}
}

// needsNoTransaction reports whether a statement may have to run outside a transaction.
func needsNoTransaction(n *pg.Node) bool {
	switch n := n.Node.(type) {
	case *pg.Node_IndexStmt:
		return n.IndexStmt.Concurrent
	case *pg.Node_DropStmt:
		return n.DropStmt.Concurrent
	case *pg.Node_AlterTableStmt:
		for _, cmd := range n.AlterTableStmt.Cmds {
			if cmd.GetAlterTableCmd().GetDef().GetPartitionCmd().GetConcurrent() {
				return true
			}
		}
		return false
	case *pg.Node_RefreshMatViewStmt:
		return false
	case *pg.Node_ReindexStmt, *pg.Node_VacuumStmt, *pg.Node_CallStmt, *pg.Node_DoStmt, *pg.Node_AlterEnumStmt,
		*pg.Node_AlterSystemStmt, *pg.Node_CreatedbStmt, *pg.Node_DropdbStmt, *pg.Node_ClusterStmt, *pg.Node_CreateSubscriptionStmt:
		return true
	}
	return false
}

// timeouts judges what a file does with the limits of its statements.
func (c *checker) timeouts(st *statement) {
	if s := st.node.GetVariableSetStmt(); s != nil {
		c.timeout(st, s)
		return
	}
	if !c.options.OwnTimeouts || c.m.NoTransaction || !c.alters(st.node) && st.node.GetDropStmt() == nil {
		return
	}
	for _, variable := range []string{"lock_timeout", "statement_timeout"} {
		if !c.limited[variable] {
			c.limited[variable] = true // Once in a file is enough.
			c.add(st, st.line, timeoutRules[variable], "the file sets no %s before it takes locks", variable)
		}
	}
}

func (c *checker) timeout(st *statement, s *pg.VariableSetStmt) {
	rule, known := timeoutRules[s.Name]
	if !known {
		return
	}
	limit := maxLockTimeout
	if s.Name == "statement_timeout" {
		limit = maxStatementTimeout
	}
	c.limited[s.Name] = true
	if s.Kind != pg.VariableSetKind_VAR_SET_VALUE || len(s.Args) != 1 {
		return
	}
	text, number, isNumber := value(s.Args[0])
	if isNumber {
		text = strconv.Itoa(int(number))
	}
	switch d, ok := duration(text); {
	case !ok:
	case d == 0:
		c.add(st, st.line, rule, "%s is switched off", s.Name)
	case d > limit:
		c.add(st, st.line, rule, "%s of %s is longer than %s", s.Name, text, limit)
	}
}

// duration reads a time as PostgreSQL does: a number of milliseconds, or one with a unit.
func duration(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, false
	}
	unit, ok := map[string]time.Duration{
		"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[strings.TrimSpace(text[len(number):])]
	return time.Duration(n * float64(unit)), ok
}

// anywhere judges what is wrong in any statement, also in one of a down file.
func (c *checker) anywhere(st *statement) {
	c.identifiers(st)
	c.privileges(st)
	c.newer(st)
	if s := st.node.GetVariableSetStmt(); s != nil && !s.IsLocal && s.Kind == pg.VariableSetKind_VAR_SET_VALUE {
		c.add(st, st.line, "session-setting", "%s stays set after the file", s.Name)
	}
	if !c.m.NoTransaction {
		c.usesNewEnumValue(st)
	}
	walk(st.node.ProtoReflect(), func(m protoreflect.Message) {
		switch n := m.Interface().(type) {
		case *pg.FuncCall:
			c.setConfig(st, n)
		case *pg.DefElem:
			if n.Defname == "password" && n.Arg.GetString_().GetSval() != "" {
				c.add(st, st.line, "secret-in-migration", "the statement has a password in it")
			}
		}
	})
}

// setConfig judges set_config(name, value, false), which pg_dump writes.
func (c *checker) setConfig(st *statement, call *pg.FuncCall) {
	parts := nodes(call.Funcname)
	if parts[len(parts)-1] != "set_config" || len(call.Args) != 3 || st.node.GetCreateFunctionStmt() != nil {
		return
	}
	if local := call.Args[2].GetAConst().GetBoolval(); local != nil && !local.Boolval {
		name, _, _ := value(call.Args[0])
		c.add(st, st.line, "session-setting", "%s stays set after the file", name)
	}
}

func (c *checker) privileges(st *statement) {
	what := ""
	switch n := st.node.Node.(type) {
	case *pg.Node_CreateRoleStmt, *pg.Node_AlterRoleStmt, *pg.Node_AlterRoleSetStmt, *pg.Node_DropRoleStmt, *pg.Node_GrantRoleStmt:
		what = "a statement about roles"
	case *pg.Node_AlterSystemStmt:
		what = "ALTER SYSTEM"
	case *pg.Node_CreatedbStmt, *pg.Node_AlterDatabaseStmt, *pg.Node_AlterDatabaseSetStmt:
		what = "a statement about databases"
	case *pg.Node_CreateTableSpaceStmt, *pg.Node_DropTableSpaceStmt:
		what = "a statement about tablespaces"
	case *pg.Node_CreateEventTrigStmt:
		what = "an event trigger"
	case *pg.Node_CreateExtensionStmt:
		if !n.CreateExtensionStmt.IfNotExists { // With it nothing happens where the set-up made it.
			what = "CREATE EXTENSION without IF NOT EXISTS"
		}
	case *pg.Node_CopyStmt:
		if n.CopyStmt.Filename != "" {
			what = "COPY with a file or program of the server"
		}
	}
	if what != "" {
		c.add(st, st.line, "privileged-statement", "%s needs rights that the migration's role lacks", what)
	}
}

// identifiers finds names that PostgreSQL would cut.
func (c *checker) identifiers(st *statement) {
	if st.block != nil {
		return // The tokens are those of the block as a string.
	}
	for i := c.script.tokenAt(st.start); i < len(c.script.tokens) && int(c.script.tokens[i].Start) < st.end; i++ {
		if c.script.tokens[i].Token != pg.Token_IDENT {
			continue
		}
		if name := unquote(c.script.word(i)); len(name) > maxIdentifier {
			c.add(st, c.script.line(int(c.script.tokens[i].Start)), "identifier-too-long", "%s has %d bytes", name, len(name))
		}
	}
}
