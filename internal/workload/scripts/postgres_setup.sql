-- Roles, database and extensions of Nova. May run any number of times.

-- Passwords must not reach the log, not even by an error, nor the statistics,
-- which keep the text of statements like these.
\set private 'SET log_statement = ''none''; SET log_min_duration_statement = -1; SET log_min_error_statement = ''panic''; SET pg_stat_statements.track = ''none''; SET client_min_messages = ''warning'';'
:private

\getenv database DATABASE
\getenv owner OWNER
\getenv login LOGIN
\getenv previous_login PREVIOUS_LOGIN
\getenv exporter EXPORTER
\getenv password PASSWORD
\getenv previous_password PREVIOUS_PASSWORD
\getenv superuser_password SUPERUSER_PASSWORD
\getenv exporter_password EXPORTER_PASSWORD
\getenv migrator MIGRATOR
\getenv migration_password MIGRATION_PASSWORD

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY[:'owner', :'login', :'previous_login', :'exporter', :'migrator']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE :"owner" NOLOGIN;
GRANT :"owner" TO :"login", :"previous_login";
-- They act as the owner from the start of a session.
ALTER ROLE :"login" SET role = :'owner';
ALTER ROLE :"previous_login" SET role = :'owner';
ALTER ROLE :"login" LOGIN PASSWORD :'password';
-- Of a value from elsewhere the one before is not known: its login keeps the
-- password that it has.
SELECT :'password' = :'previous_password' AS same
\gset
\if :same
ALTER ROLE :"previous_login" LOGIN;
\else
ALTER ROLE :"previous_login" LOGIN PASSWORD :'previous_password';
\endif

-- As many connections as the exporter opens at most.
ALTER ROLE :"exporter" LOGIN CONNECTION LIMIT 3 PASSWORD :'exporter_password';
GRANT pg_monitor TO :"exporter";

SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec
ALTER DATABASE :"database" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"exporter";

\connect :"database"
:private
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- The migrator acts as the owner, so that services change what it has made, and it
-- what they have made. It logs in from here on: it waits for the set-up to end.
GRANT :"owner" TO :"migrator";
ALTER ROLE :"migrator" SET role = :'owner';
ALTER ROLE :"migrator" LOGIN PASSWORD :'migration_password';

-- Last, since a new connection would still use the password of the first.
ALTER ROLE CURRENT_USER PASSWORD :'superuser_password';
