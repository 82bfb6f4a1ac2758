// Package lint judges directories of sqlx migrations: by the rules of sqlx, by the
// locks that a statement takes, and by whether the releases that serve survive it.
//
// It reads SQL with PostgreSQL's own parser. Nothing is connected to.
package lint
