package lint

import (
	"errors"
	"fmt"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
	pgquery "github.com/wasilibs/go-pgquery"
)

// The parser is PostgreSQL's own, compiled to WebAssembly. parsing lets one goroutine
// use it at a time: each further one would compile it anew, which takes seconds.
var (
	parsing sync.Mutex
	// failed is set once the parser has crashed, after which its memory is not to be
	// trusted.
	failed bool
)

var errParser = errors.New("PostgreSQL's parser has crashed on an earlier statement")

// Warm starts the parser, which takes about two seconds once in a process.
func Warm() error {
	_, err := parse("SELECT 1")
	return err
}

func parse(sql string) (*pg.ParseResult, error) { return guarded(pgquery.Parse, sql) }

func scan(sql string) (*pg.ScanResult, error) { return guarded(pgquery.Scan, sql) }

func parsePlpgsql(sql string) (string, error) { return guarded(pgquery.ParsePlPgSqlToJSON, sql) }

// guarded calls the parser. An assertion in it is a panic there and an error here.
func guarded[T any](call func(string) (T, error), sql string) (result T, err error) {
	parsing.Lock()
	defer parsing.Unlock()
	if failed {
		return result, errParser
	}
	defer func() {
		if crash := recover(); crash != nil {
			failed = true
			err = fmt.Errorf("PostgreSQL's parser crashes on it: %v", crash)
		}
	}()
	return call(sql)
}
