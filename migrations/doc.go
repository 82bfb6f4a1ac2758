// Package migrations reads a directory of sqlx migrations as sqlx reads it: names,
// versions, descriptions, checksums and the directive "-- no-transaction".
//
// The rules are those of launchbadge/sqlx at commit 9d6bf662 (0.9.0-alpha.1),
// sqlx-core/src/migrate/source.rs and migration_type.rs; 0.7.4, which Nova's services
// use, names, describes and sums files in the same way, but knows no
// "-- no-transaction" (that came with 0.8.0).
//
// Package lint judges the files, package runner applies them.
package migrations
