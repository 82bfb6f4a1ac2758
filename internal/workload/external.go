package workload

import (
	_ "embed" // What prepares a store is SQL and shell.
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

var (
	//go:embed scripts/postgres_external.sh
	postgresExternalScript string
	//go:embed scripts/postgres_external.sql
	postgresExternalSQL string
)

// External are the files that prepare the external stores of a stack for the
// services, by name, for whoever owns those. They hold no secret: SQL reads
// passwords from the environment or has a placeholder in their place.
func External(s *stack.Stack) map[string]string {
	prepared := map[string]string{}
	for kind, files := range map[catalog.StoreKind]func(*stack.Stack) map[string]string{
		catalog.Postgres:      externalPostgres,
		catalog.Redis:         externalRedis,
		catalog.ClickHouse:    externalClickHouse,
		catalog.Kafka:         externalKafka,
		catalog.Elasticsearch: externalElasticsearch,
	} {
		if s.Store(kind).Spec.Mode != config.External {
			continue
		}
		for name, text := range files(s) {
			prepared[name] = text
		}
	}
	return prepared
}

// preparation is the Job that prepares an external PostgreSQL, where the stack
// has an administrator's login. It runs the SQL that is rendered.
func preparation(s *stack.Stack) Workload {
	store, admin := s.Store(catalog.Postgres), s.Dependencies.Postgres.Admin
	w := &Workload{Name: store.Name, Store: store.Kind, Image: store.Image, User: store.User}
	setup := w.setup(postgresExternalScript)
	setup.Files[settingsPath+"/setup.sql"] = postgresSQL(s)
	setup.Env = map[string]Value{
		"PGHOST":     {Text: store.Endpoint.Host},
		"PGPORT":     {Text: strconv.Itoa(store.Endpoint.Port)},
		"PGSSLMODE":  {Text: sslMode(store.Endpoint)},
		"PGDATABASE": {Text: admin.Database},
		"PGUSER":     {Existing: config.SecretKey{Name: admin.Secret, Key: admin.UserKey}},
		"PGPASSWORD": {Existing: config.SecretKey{Name: admin.Secret, Key: admin.PasswordKey}},

		"PASSWORD":          {Secret: "POSTGRES_PASSWORD"},
		"EXPORTER_PASSWORD": {Secret: "POSTGRES_EXPORTER_PASSWORD"},
		// Without one the role cannot log in.
		"MIGRATION_PASSWORD": {Secret: "POSTGRES_MIGRATION_PASSWORD", Optional: true},
	}
	setup.connectTo(s, catalog.Postgres)
	return *setup
}

// sslMode is how a client of libpq connects to an endpoint.
func sslMode(at catalog.Endpoint) string {
	if at.TLS {
		return "require"
	}
	return "disable"
}

const postgresUsage = `-- What Nova needs of an external PostgreSQL: %s.
-- Run it as an administrator, with psql of version 15 or later:
--
--   export PGPASSWORD=...            # the administrator's
--   export PASSWORD=...              # of %s; unset keeps the one it has
--   export EXPORTER_PASSWORD=...     # of %s
--   export MIGRATION_PASSWORD=...    # of %s
--   psql -h %s -p %d -U <administrator> -d %s -f postgres.sql
--
-- With nova:dependencies.postgres.admin a Job of the stack runs the same.
`

// postgresSQL is the SQL that prepares an external PostgreSQL.
func postgresSQL(s *stack.Stack) string {
	spec := s.Dependencies.Postgres
	var text strings.Builder
	fmt.Fprintf(&text, postgresUsage, "roles, database, extensions and grants", spec.User, postgresExporter, s.Migrations.User, spec.Host, spec.Port, spec.Admin.Database)
	for _, variable := range []setting{{"database", spec.Database}, {"login", spec.User}, {"exporter", postgresExporter}, {"migrator", s.Migrations.User}} {
		// They are identifiers, which need no quotes.
		fmt.Fprintf(&text, "\\set %s %s\n", variable.key, variable.value)
	}
	return text.String() + "\n" + postgresExternalSQL
}

func externalPostgres(s *stack.Stack) map[string]string {
	return map[string]string{"postgres.sql": postgresSQL(s)}
}

// redisRules are the rights of the services, and redisExporterRules those of the
// exporter: the commands that it needs without looking at keys.
const (
	redisRules         = "~* &* +@all -@admin -@scripting"
	redisExporterRules = "resetkeys resetchannels -@all +ping +info +select +client|setname +config|get +slowlog|get +slowlog|len +latency|latest +latency|histogram"
)

func externalRedis(s *stack.Stack) map[string]string {
	scripting := redisPasswords(s)["REDIS_SCRIPTING"].Text
	return map[string]string{"redis-users.txt": fmt.Sprintf(`# What Nova needs of an external Redis. Fill in every <NAME>, run each line with
# redis-cli as an administrator, and save: ACL SAVE, or the console of the service.
# maxmemory-policy must be noeviction: eviction would make revoked tokens valid.
ACL SETUSER default on ><REDIS_PASSWORD> %s %s
ACL SETUSER %s on ><REDIS_EXPORTER_PASSWORD> %s
`, redisRules, scripting, redisExporter, redisExporterRules)}
}

func externalClickHouse(s *stack.Stack) map[string]string {
	spec := s.Dependencies.ClickHouse
	return map[string]string{"clickhouse.sql": fmt.Sprintf(`-- What Nova needs of an external ClickHouse. Fill in every <NAME>, and run it as an
-- administrator: clickhouse-client --multiquery < clickhouse.sql
-- It may run any number of times. The services create their tables by themselves.
CREATE DATABASE IF NOT EXISTS %[1]s;
CREATE USER IF NOT EXISTS %[2]s IDENTIFIED WITH sha256_password BY '<CLICKHOUSE_PASSWORD>';
GRANT ALL ON %[1]s.* TO %[2]s;
`, "`"+spec.Database+"`", "`"+spec.User+"`")}
}

const kafkaUsage = `# What Nova needs of an external Kafka: the topics of kafka-topics.txt beside this
# file, one a line with its partitions and retention in milliseconds. Brokers do not
# create them by themselves. It may run any number of times:
#
#   BOOTSTRAP_SERVER=%s REPLICATION_FACTOR=3 sh kafka-topics.sh
#
# KAFKA_HOME is where Kafka's tools are.
`

const aclUsage = `# What Nova's clients do, as access control lists, for a Kafka that has any. At the
# documented commit the clients use neither SASL nor TLS certificates, so their
# principal is User:ANONYMOUS unless a proxy or a mesh gives them another.
#
#   BOOTSTRAP_SERVER=%s PRINCIPAL=User:ANONYMOUS sh kafka-acls.sh
set -eu

allow() { "${KAFKA_HOME:-/opt/kafka}/bin/kafka-acls.sh" --bootstrap-server "$BOOTSTRAP_SERVER" --add --allow-principal "$PRINCIPAL" "$@"; }

`

func externalKafka(s *stack.Stack) map[string]string {
	at, _, _ := strings.Cut(s.Store(catalog.Kafka).Endpoint.Address(), ",")
	var topics, lists strings.Builder
	for _, topic := range s.KafkaTopics() {
		retention := time.Duration(topic.RetentionHours) * time.Hour
		fmt.Fprintln(&topics, topic.Name, topic.Partitions, retention.Milliseconds())
		fmt.Fprintf(&lists, "allow --operation Read --operation Write --operation Describe --topic %s\n", topic.Name)
	}
	for _, group := range catalog.ConsumerGroups() {
		fmt.Fprintf(&lists, "allow --operation Read --operation Describe --group %s\n", group)
	}
	moved := strings.NewReplacer("<"+settingsPath+"/topics", `<"$(dirname "$0")/kafka-topics.txt"`, "/opt/kafka/bin", `"${KAFKA_HOME:-/opt/kafka}"/bin`)
	return map[string]string{
		"kafka-topics.txt": topics.String(),
		"kafka-topics.sh":  fmt.Sprintf(kafkaUsage, at) + waitFor + moved.Replace(kafkaSetupScript),
		"kafka-acls.sh":    fmt.Sprintf(aclUsage, at) + lists.String(),
	}
}

// externalElasticsearch are the roles of the services and of the exporter, for a
// cluster whose security is on: the body of PUT _security/role/<name>.
func externalElasticsearch(s *stack.Stack) map[string]string {
	values := s.VariableValues()
	var indices []string
	for _, v := range catalog.Variables() {
		if v.Group == catalog.GroupElasticsearch && strings.HasSuffix(v.Key, "_INDEX") {
			indices = append(indices, values[v.Key])
		}
	}
	type index struct {
		Names      []string `json:"names"`
		Privileges []string `json:"privileges"`
	}
	type role struct {
		Cluster []string `json:"cluster"`
		Indices []index  `json:"indices"`
	}
	return map[string]string{
		"elasticsearch-role-nova.json":          document(role{[]string{"monitor"}, []index{{indices, []string{"all"}}}}),
		"elasticsearch-role-nova_exporter.json": document(role{[]string{"monitor"}, []index{{[]string{"*"}, []string{"monitor"}}}}),
	}
}

// document is a value as JSON; those that are passed to it can always be written.
func document(value any) string {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("workload: %v cannot be written as JSON: %v", value, err))
	}
	return string(text) + "\n"
}
