-- May run any number of times. The administrator need not be a superuser: one
-- that may create roles and databases does. Passwords come from the environment;
-- where one is not set, that of the role stays as it is.
\set ON_ERROR_STOP 1
SET client_min_messages = 'warning';

-- A superuser can keep the passwords below out of the log and the statistics.
SELECT current_setting('is_superuser') = 'on' AS superuser \gset
\set private ''
\if :superuser
\set private 'SET log_statement = ''none''; SET log_min_duration_statement = -1; SET log_min_error_statement = ''panic''; SET pg_stat_statements.track = ''none'';'
\endif
:private

\getenv password PASSWORD
\getenv exporter_password EXPORTER_PASSWORD
\getenv migration_password MIGRATION_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY[:'login', :'exporter']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
\if :{?password}
ALTER ROLE :"login" LOGIN PASSWORD :'password';
\endif
-- As many connections as the exporter opens at most.
ALTER ROLE :"exporter" LOGIN CONNECTION LIMIT 3;
\if :{?exporter_password}
ALTER ROLE :"exporter" PASSWORD :'exporter_password';
\endif
GRANT pg_monitor TO :"exporter";

-- An administrator that is no superuser must be a member of the owner.
\if :superuser
\else
GRANT :"login" TO CURRENT_USER;
\endif

-- A database that exists keeps its owner and the rights of others.
SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') AS new \gset
\if :new
CREATE DATABASE :"database" OWNER :"login";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
\endif
GRANT ALL ON DATABASE :"database" TO :"login";
GRANT CONNECT ON DATABASE :"database" TO :"exporter";

\connect :"database"
SET client_min_messages = 'warning';
GRANT ALL ON SCHEMA public TO :"login";
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS pgcrypto;

-- The migrator acts as the role of the services, to whom everything belongs that it
-- creates. It logs in from here on: it waits for this to end.
SELECT format('CREATE ROLE %I', :'migrator')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'migrator')
\gexec
GRANT :"login" TO :"migrator";
ALTER ROLE :"migrator" LOGIN;
ALTER ROLE :"migrator" SET role = :'login';
\if :{?migration_password}
:private
ALTER ROLE :"migrator" PASSWORD :'migration_password';
\endif

-- The services work without it; only the alert about slow statements does not.
\set ON_ERROR_STOP 0
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
\if :ERROR
\warn 'extension pg_stat_statements is missing: the alert PostgreSQLSlowQueries has no data until a superuser creates it'
\endif
