package lint

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/wasilibs/go-pgquery/parser"
)

const byteOrderMark = "\ufeff"

// script is the text of a migration, cut into its parts.
type script struct {
	text   string
	breaks []int // Offsets of line breaks.
	tokens []*pg.ScanToken
	// comments are the line comments; blocks have no directives.
	comments   []comment
	statements []*statement
}

type comment struct {
	offset, line int
	text         string
	block        bool
}

// statement is one statement of a script, or of a DO block in it.
type statement struct {
	node *pg.Node
	// start and end are offsets in the script, start that of the first word.
	start, end int
	// line is the line where it starts.
	line int
	// block is the DO statement of the script that holds this one, and text the
	// statement itself.
	block *statement
	text  string
}

// syntaxError is a place where the script is no SQL.
type syntaxError struct {
	line int
	text string
}

// line is the number of the line that holds an offset, from 1.
func (s *script) line(offset int) int { return sort.SearchInts(s.breaks, offset) + 1 }

// read cuts a script into parts.
func read(text string) (*script, *syntaxError) {
	// PostgreSQL's parser counts bytes, and takes a byte order mark for a name.
	if rest, marked := strings.CutPrefix(text, byteOrderMark); marked {
		text = strings.Repeat(" ", len(byteOrderMark)) + rest
	}
	s := &script{text: text}
	for i := range len(text) {
		if text[i] == '\n' {
			s.breaks = append(s.breaks, i)
		}
	}
	scanned, err := scan(text)
	if err != nil {
		return s, s.wrong(err)
	}
	for _, t := range scanned.Tokens {
		if t.Token != pg.Token_SQL_COMMENT && t.Token != pg.Token_C_COMMENT {
			s.tokens = append(s.tokens, t)
			continue
		}
		s.comments = append(s.comments, comment{
			int(t.Start), s.line(int(t.Start)), text[t.Start:t.End], t.Token == pg.Token_C_COMMENT,
		})
	}
	if s.psql() > 0 {
		return s, nil // Whatever follows is data or not SQL.
	}
	tree, err := parse(text)
	if err != nil {
		return s, s.wrong(err)
	}
	for _, raw := range tree.Stmts {
		end := len(text)
		if raw.StmtLen > 0 {
			end = int(raw.StmtLocation + raw.StmtLen)
		}
		st := &statement{node: raw.Stmt, start: int(raw.StmtLocation), end: end}
		if i := s.tokenAt(st.start); i < len(s.tokens) {
			st.start = int(s.tokens[i].Start)
		}
		st.line, st.text = s.line(st.start), text[st.start:end]
		s.statements = append(s.statements, st)
	}
	return s, nil
}

// tokenAt is the index of the first token at or after an offset.
func (s *script) tokenAt(offset int) int {
	return sort.Search(len(s.tokens), func(i int) bool { return int(s.tokens[i].Start) >= offset })
}

// word is a token's text.
func (s *script) word(i int) string { return s.text[s.tokens[i].Start:s.tokens[i].End] }

// find is the line of the first token of a statement that is a name, from an offset on,
// and that of the statement where there is none.
func (s *script) find(st *statement, name string, from int) int {
	if st.block != nil {
		return st.line
	}
	for i := s.tokenAt(max(from, st.start)); i < len(s.tokens) && int(s.tokens[i].Start) < st.end; i++ {
		if unquote(s.word(i)) == name {
			return s.line(int(s.tokens[i].Start))
		}
	}
	return st.line
}

// unquote is the name that an identifier in SQL stands for.
func unquote(word string) string {
	if len(word) >= 2 && word[0] == '"' && word[len(word)-1] == '"' {
		return strings.ReplaceAll(word[1:len(word)-1], `""`, `"`)
	}
	return strings.ToLower(word)
}

// psql is the line of the first thing that only the psql program understands, or 0: a
// command that begins with a backslash, or COPY with the data below it.
func (s *script) psql() int {
	copying := false
	for i, t := range s.tokens {
		first := i == 0 || s.tokens[i-1].Token == pg.Token_ASCII_59
		switch {
		case t.Token == pg.Token_ASCII_92 && (i == 0 || s.line(int(s.tokens[i-1].Start)) < s.line(int(t.Start))):
			return s.line(int(t.Start))
		case first:
			copying = t.Token == pg.Token_COPY
		case copying && t.Token == pg.Token_STDIN && s.tokens[i-1].Token == pg.Token_FROM:
			return s.line(int(t.Start))
		}
	}
	return 0
}

func (s *script) wrong(err error) *syntaxError {
	var at *parser.Error
	if errors.As(err, &at) && at.Cursorpos > 0 {
		// The parser counts characters from 1.
		offset, n := 0, 1
		for i := range s.text {
			if offset = i; n == at.Cursorpos {
				break
			}
			n++
		}
		return &syntaxError{s.line(offset), at.Message}
	}
	return &syntaxError{1, err.Error()}
}

// body are the statements that a DO block runs, and the lines of statements in it that
// are made of text at run time.
func (s *script) body(st *statement) (inner []*statement, dynamic []int, err *syntaxError) {
	if !slices.ContainsFunc(st.node.GetDoStmt().GetArgs(), func(n *pg.Node) bool { return n.GetDefElem().GetDefname() == "as" }) {
		return nil, nil, &syntaxError{st.line, "the DO block has no body"} // The parser crashes on it.
	}
	first := st.line // The line on which the body begins.
	for i := s.tokenAt(st.start); st.block == nil && i < len(s.tokens) && int(s.tokens[i].Start) < st.end; i++ {
		if s.tokens[i].Token == pg.Token_SCONST {
			first = s.line(int(s.tokens[i].Start))
			break
		}
	}
	var tree any
	text, problem := parsePlpgsql(st.text)
	if problem == nil {
		problem = json.Unmarshal([]byte(text), &tree)
	}
	if problem != nil {
		return nil, nil, &syntaxError{st.line, "the DO block cannot be read: " + problem.Error()}
	}
	visit(tree, func(kind string, node map[string]any) {
		line := first
		if n, ok := node["lineno"].(float64); ok {
			line += int(n) - 1
		}
		var sql string
		switch kind {
		case "PLpgSQL_stmt_execsql":
			sql = query(node["sqlstmt"])
		case "PLpgSQL_stmt_dynexecute":
			constant, ok := constantText(query(node["query"]))
			if !ok {
				dynamic = append(dynamic, line)
				return
			}
			sql = constant
		default:
			return
		}
		parsed, err := parse(sql)
		if err != nil {
			dynamic = append(dynamic, line)
			return
		}
		outer := cmp.Or(st.block, st)
		for _, raw := range parsed.Stmts {
			// A block in the block is read from its own text, which is shorter.
			end := len(sql)
			if raw.StmtLen > 0 {
				end = int(raw.StmtLocation + raw.StmtLen)
			}
			inner = append(inner, &statement{
				node: raw.Stmt, start: outer.start, end: outer.end, line: line, block: outer, text: sql[raw.StmtLocation:end],
			})
		}
	})
	slices.SortStableFunc(inner, func(a, b *statement) int { return a.line - b.line })
	return inner, dynamic, nil
}

// visit calls f for each node of PL/pgSQL's tree, which is an object with one key.
func visit(tree any, f func(kind string, node map[string]any)) {
	switch t := tree.(type) {
	case []any:
		for _, item := range t {
			visit(item, f)
		}
	case map[string]any:
		for key, value := range t {
			if node, ok := value.(map[string]any); ok && strings.HasPrefix(key, "PLpgSQL_") {
				f(key, node)
			}
			visit(value, f)
		}
	}
}

func query(expr any) string {
	outer, _ := expr.(map[string]any)
	inner, _ := outer["PLpgSQL_expr"].(map[string]any)
	text, _ := inner["query"].(string)
	return text
}

// constantText is the value of an expression that is one string.
func constantText(expr string) (string, bool) {
	tree, err := parse("SELECT " + expr)
	if err != nil || len(tree.Stmts) != 1 {
		return "", false
	}
	targets := tree.Stmts[0].GetStmt().GetSelectStmt().GetTargetList()
	if len(targets) != 1 {
		return "", false
	}
	value := targets[0].GetResTarget().GetVal().GetAConst().GetSval()
	return value.GetSval(), value != nil
}
