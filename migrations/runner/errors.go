package runner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"nova.dev/infra/migrations"
)

// RefusedError means that a check failed before anything was applied.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// MigrationError is a migration that failed.
type MigrationError struct {
	Migration migrations.Migration
	Err       error
}

// Error names the file, and the line where the server says it.
func (e *MigrationError) Error() string {
	var answer *serverError
	if errors.As(e.Err, &answer) && answer.Position > 0 {
		return fmt.Sprintf("%s:%d: %v", e.Migration.File, line(e.Migration.SQL, int(answer.Position)), e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Migration.File, e.Err)
}

func (e *MigrationError) Unwrap() error { return e.Err }

// serverError is an answer of the server about a migration. Its text leaves out the
// server's detail, which quotes values of rows.
type serverError struct{ *pgconn.PgError }

func (e *serverError) Error() string {
	text := fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code)
	if e.Hint != "" {
		text += ". " + e.Hint
	}
	return text
}

func (e *serverError) Unwrap() error { return e.PgError }

// line is the number of the line that holds a character; both count from 1.
func line(text string, character int) int {
	n := 1
	for offset := range text {
		if n == character {
			return strings.Count(text[:offset], "\n") + 1
		}
		n++
	}
	return strings.Count(text, "\n") + 1
}

const (
	// lockNotAvailable is the SQLSTATE of a lock_timeout, the only failure that is tried
	// again: nothing was changed, and the holder of the lock will be done some time.
	lockNotAvailable = "55P03"
	deadlock         = "40P01"
)

func hasCode(err error, code string) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == code
}
