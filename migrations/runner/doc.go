// Package runner applies directories of sqlx migrations to PostgreSQL and keeps sqlx's
// books: the table _sqlx_migrations, its rows and the advisory lock are those of
// launchbadge/sqlx at commit 9d6bf662 (0.9.0-alpha.1), sqlx-postgres/src/migrate.rs and
// sqlx-core/src/migrate/migrator.rs; versions 0.7 and 0.8 write the same. So
// `sqlx migrate info` and the migrations that a service embeds agree with it.
//
// Other than sqlx it limits how long a statement waits for a lock, says who holds it,
// tries again, removes what a failed CREATE INDEX CONCURRENTLY left, and checks
// everything before it applies anything.
package runner
