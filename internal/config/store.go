package config

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
)

// The modes of a store.
const (
	// InCluster means that the stack runs the store.
	InCluster = "inCluster"
	// External means that the store exists outside of the stack.
	External = "external"
)

// Dependencies are the stores: those that the stack runs itself, and the
// addresses of the others.
type Dependencies struct {
	AcknowledgeInCluster bool `config:"acknowledgeInCluster" doc:"Accept in production that a store in the cluster has one copy of its data and no failover, and that only PostgreSQL is backed up."`

	Postgres      Postgres   `config:"postgres" doc:"PostgreSQL."`
	Redis         Redis      `config:"redis" doc:"Redis."`
	ClickHouse    ClickHouse `config:"clickhouse" doc:"ClickHouse, HTTP interface."`
	Kafka         Kafka      `config:"kafka" doc:"Kafka; several external brokers are separated by commas."`
	Elasticsearch Store      `config:"elasticsearch" doc:"Elasticsearch."`
}

// Store is one stateful system.
type Store struct {
	Mode     string   `config:"mode" doc:"inCluster: the stack runs it. external: it exists, and only its address, credentials and egress are declared. The default is external in production and inCluster elsewhere; production takes inCluster only with nova:dependencies.acknowledgeInCluster."`
	Host     string   `config:"host" doc:"DNS name or address of an external store."`
	Port     int      `config:"port" doc:"TCP port of an external store; 1 to 65535."`
	TLS      bool     `config:"tls" doc:"Use TLS for an external store."`
	CIDRs    []string `config:"cidrs" doc:"Networks of an external store, for the egress policies; empty means any address, on its port only."`
	Exporter bool     `config:"exporter" doc:"Run its Prometheus exporter, if it does not export metrics by itself."`

	Image        string    `config:"image" doc:"Image in the cluster, with a tag or digest; the default is pinned in the catalogue."`
	Storage      string    `config:"storage" doc:"Size of each volume in the cluster, such as 10Gi. It is read when a volume is created; an existing volume is grown on its claim."`
	StorageClass string    `config:"storageClass" doc:"Storage class of the volumes; empty means the cluster's default."`
	Resources    Resources `config:"resources" doc:"Requests and limits in the cluster."`
}

// Postgres is PostgreSQL.
type Postgres struct {
	Store          `config:",squash"`
	Database       string `config:"database" doc:"Name of the database."`
	User           string `config:"user" doc:"Role that the services log in as. In the cluster it owns the database, and services log in as <user>_a or <user>_b, so that a password is rotated without downtime."`
	MaxConnections int    `config:"maxConnections" doc:"max_connections of the server. All pools of all pods, those of an update included, must fit; 20 to 10000."`

	Admin  PostgresAdmin  `config:"admin" doc:"Login of an administrator of an external server."`
	Backup PostgresBackup `config:"backup" doc:"Backups of PostgreSQL in the cluster."`
}

// PostgresAdmin is the login of an administrator of an external server.
type PostgresAdmin struct {
	Secret      string `config:"secret" doc:"Existing Secret in the stack's namespace with the login of a role that may create roles and databases. With it a Job prepares the roles, the database, extensions and grants; without it, they must exist: nova render writes the same SQL to external/postgres.sql."`
	UserKey     string `config:"userKey" doc:"Key of its name."`
	PasswordKey string `config:"passwordKey" doc:"Key of its password."`
	Database    string `config:"database" doc:"Database that it connects to first; it must exist."`
}

// PreparesPostgres reports whether the stack prepares an external server by
// itself.
func (c *Config) PreparesPostgres() bool {
	return c.Dependencies.Postgres.Mode == External && c.Dependencies.Postgres.Admin.Secret != ""
}

func (c *Config) checkPostgresAdmin(found *mistakes) {
	admin, key := c.Dependencies.Postgres.Admin, at("nova:dependencies.postgres.admin")
	if admin.Secret == "" {
		return
	}
	if c.Dependencies.Postgres.Mode != External {
		found.forbidden(key.Child("secret"), "is for mode external, but the mode is %s", c.Dependencies.Postgres.Mode)
	}
	if len(validation.IsDNS1123Subdomain(admin.Secret)) > 0 {
		found.invalid(key.Child("secret"), NewSecret(""), "is no name of a Secret; the login itself stays in the cluster")
	}
	for name, value := range map[string]string{"userKey": admin.UserKey, "passwordKey": admin.PasswordKey} {
		if len(validation.IsConfigMapKey(value)) > 0 {
			found.invalid(key.Child(name), value, "is no key of a Secret; allowed: letters, digits, -, _ and .")
		}
	}
	if !validVariable.MatchString(admin.Database) {
		found.invalid(key.Child("database"), admin.Database, "is not a name; allowed: letters, digits and _")
	}
	if d := c.Dependencies.Postgres; d.Mode == External && d.User == PostgresExporter {
		found.invalid(at("nova:dependencies.postgres.user"), d.User, "is taken: %s exports metrics", PostgresExporter)
	}
}

// Redis is Redis.
type Redis struct {
	Store     `config:",squash"`
	MaxMemory string `config:"maxMemory" doc:"Memory for data in the cluster, below the memory limit. Writes beyond it are refused: eviction would make revoked tokens valid again."`
}

// ClickHouse is ClickHouse.
type ClickHouse struct {
	Store    `config:",squash"`
	Database string `config:"database" doc:"Name of the database."`
	User     string `config:"user" doc:"User of the services. In the cluster they log in as <user>_a or <user>_b, as in PostgreSQL."`
}

// Kafka is Kafka.
type Kafka struct {
	Store          `config:",squash"`
	Brokers        int     `config:"brokers" doc:"Brokers in the cluster, each also a controller: 1 or 3. Topics are replicated to all of them. Read once: a cluster that exists takes no further controllers."`
	Partitions     int     `config:"partitions" doc:"Partitions of a topic; 1 to 100. More can be added later, never fewer."`
	RetentionHours int     `config:"retentionHours" doc:"Hours that a topic keeps its messages; 1 to 8760."`
	Topics         []Topic `config:"topics" doc:"Topics beside those of the catalogue."`
}

// Topic is a Kafka topic of a stack.
type Topic struct {
	Name           string `config:"name" doc:"Name: letters, digits, ., _ and -."`
	Partitions     int    `config:"partitions" doc:"Partitions; 0 means those of nova:dependencies.kafka."`
	RetentionHours int    `config:"retentionHours" doc:"Hours of retention; 0 means those of nova:dependencies.kafka."`
}

// defaultDependencies are the cheapest that work; memory figures are those with
// which the stores start and are sufficient for a developer.
func defaultDependencies() Dependencies {
	base := func(kind catalog.StoreKind, storage string, requests, limits Quantities) Store {
		store := catalog.FindStore(kind)
		return Store{
			Port: store.Port, Image: store.Image, Exporter: store.Exporter != nil, Storage: storage,
			Resources: Resources{Requests: requests, Limits: limits},
		}
	}
	return Dependencies{
		Postgres: Postgres{
			Store:    base(catalog.Postgres, "10Gi", Quantities{"100m", "256Mi", "64Mi"}, Quantities{"1", "2Gi", "1Gi"}),
			Database: "nova", User: "nova", MaxConnections: 500,
			Admin:  PostgresAdmin{UserKey: "username", PasswordKey: "password", Database: "postgres"},
			Backup: defaultPostgresBackup(),
		},
		Redis: Redis{
			Store:     base(catalog.Redis, "5Gi", Quantities{"50m", "128Mi", "64Mi"}, Quantities{"500m", "768Mi", "1Gi"}),
			MaxMemory: "512Mi",
		},
		ClickHouse: ClickHouse{
			Store:    base(catalog.ClickHouse, "10Gi", Quantities{"100m", "512Mi", "64Mi"}, Quantities{"1", "2Gi", "1Gi"}),
			Database: "nova", User: "nova",
		},
		Kafka: Kafka{
			Store:   base(catalog.Kafka, "10Gi", Quantities{"100m", "512Mi", "64Mi"}, Quantities{"1", "1536Mi", "1Gi"}),
			Brokers: 1, Partitions: 3, RetentionHours: 168,
		},
		Elasticsearch: base(catalog.Elasticsearch, "10Gi", Quantities{"100m", "1Gi", "64Mi"}, Quantities{"1", "1536Mi", "1Gi"}),
	}
}

// StoreSpec returns what is configured about a store. Object storage has
// a section of its own, nova:storage, of which the same fields are returned.
func (c *Config) StoreSpec(kind catalog.StoreKind) Store {
	switch kind {
	case catalog.Postgres:
		return c.Dependencies.Postgres.Store
	case catalog.Redis:
		return c.Dependencies.Redis.Store
	case catalog.ClickHouse:
		return c.Dependencies.ClickHouse.Store
	case catalog.Kafka:
		return c.Dependencies.Kafka.Store
	case catalog.Elasticsearch:
		return c.Dependencies.Elasticsearch
	default:
		return c.Storage.store()
	}
}

// InCluster reports whether the stack runs a store itself.
func (c *Config) InCluster(kind catalog.StoreKind) bool {
	return c.StoreSpec(kind).Mode == InCluster
}

// StoreReplicas is the number of pods of a store in the cluster.
func (c *Config) StoreReplicas(kind catalog.StoreKind) int {
	if kind == catalog.Kafka {
		return c.Dependencies.Kafka.Brokers
	}
	return 1
}

// resolveModes fills in the modes that are not set.
func (c *Config) resolveModes() {
	mode, storage := InCluster, InCluster
	if c.Environment == Production {
		mode = External
	}
	if c.Guarded() {
		storage = StorageAWS
	}
	if c.Storage.Endpoint != "" {
		storage = External
	}
	d := &c.Dependencies
	for _, field := range []*string{&d.Postgres.Mode, &d.Redis.Mode, &d.ClickHouse.Mode, &d.Kafka.Mode, &d.Elasticsearch.Mode} {
		if *field == "" {
			*field = mode
		}
	}
	if c.Storage.Mode == "" {
		c.Storage.Mode = storage
	}
	if d.Postgres.Backup.Schedule == "" {
		// A developer's data is not worth a copy each night.
		d.Postgres.Backup.Schedule = NoBackups
		if c.Guarded() && d.Postgres.Mode == InCluster {
			d.Postgres.Backup.Schedule = dailySchedule
		}
	}
}

// Roles of PostgreSQL that are reserved.
const (
	// PostgresSuperuser sets up a server in the cluster.
	PostgresSuperuser = "postgres"
	// PostgresExporter is the role of the exporter.
	PostgresExporter = "nova_exporter"
	// PostgresMigrator is the role of the migrator, unless the stack names another.
	PostgresMigrator = "nova_migrator"
)

func (c *Config) checkDependencies(found *mistakes) {
	for _, kind := range catalog.StoreKinds() {
		if kind != catalog.ObjectStorage {
			c.checkStoreSpec(kind, found)
		}
	}
	d := c.Dependencies
	for key, name := range map[string]string{
		"postgres.database": d.Postgres.Database, "postgres.user": d.Postgres.User,
		"clickhouse.database": d.ClickHouse.Database, "clickhouse.user": d.ClickHouse.User,
	} {
		if !validVariable.MatchString(name) {
			found.invalid(at("nova:dependencies").Child(key), name, "is not a name; allowed: letters, digits and _")
		}
	}
	if name := d.Postgres.User; d.Postgres.Mode == InCluster && (name == PostgresSuperuser || name == PostgresExporter) {
		found.invalid(at("nova:dependencies.postgres.user"), name, "is taken: %s sets the server up, %s exports metrics", PostgresSuperuser, PostgresExporter)
	}
	between(found, at("nova:dependencies.postgres.maxConnections"), d.Postgres.MaxConnections, 20, 10000)
	c.checkPostgresMemory(found)
	c.checkPostgresAdmin(found)
	c.checkPostgresBackup(found)
	c.checkRedisMemory(found)
	c.checkKafka(found)
}

func (c *Config) checkStoreSpec(kind catalog.StoreKind, found *mistakes) {
	d := c.StoreSpec(kind)
	key := at("nova:dependencies").Child(string(kind))
	oneOf(found, key.Child("mode"), d.Mode, InCluster, External)
	between(found, key.Child("port"), d.Port, 1, 65535)
	checkCIDRs(found, key.Child("cidrs"), d.CIDRs)
	switch d.Mode {
	case External:
		checkHosts(found, key.Child("host"), d.Host, kind == catalog.Kafka)
		if d.Host == "" {
			found.required(key.Child("host"), "must be set when mode is external (stack %s)", c.Stack)
		}
	case InCluster:
		if c.Environment == Production && !c.Dependencies.AcknowledgeInCluster {
			found.invalid(key.Child("mode"), d.Mode, "is refused in production: one copy of the data, no backup, no failover; use external, or accept it with nova:dependencies.acknowledgeInCluster")
		}
		for name, set := range map[string]bool{"host": d.Host != "", "tls": d.TLS, "port": d.Port != catalog.FindStore(kind).Port, "cidrs": len(d.CIDRs) > 0} {
			if set {
				found.forbidden(key.Child(name), "is for mode external, but the mode is inCluster")
			}
		}
		checkInCluster(found, key, d)
	}
}

// checkInCluster checks what is configured about a store in the cluster.
func checkInCluster(found *mistakes, key *field.Path, d Store) {
	size(found, key.Child("storage"), d.Storage)
	checkResources(found, key, d.Resources)
	if d.StorageClass != "" {
		label(found, key.Child("storageClass"), d.StorageClass)
	}
	checkReference(found, key.Child("image"), d.Image)
}

// checkReference checks the reference of an image that is not a service's.
func checkReference(found *mistakes, key *field.Path, reference string) (pinned bool) {
	name, digest, pinned := strings.Cut(reference, "@")
	repository, tag, tagged := cutTag(name)
	switch {
	case !validRepository.MatchString(repository), tagged && !validTag.MatchString(tag), pinned && !validDigest.MatchString(digest):
		found.invalid(key, reference, "is not an image; expected registry/path/name:tag, with or without @sha256:digest")
	case !tagged && !pinned, tag == "latest":
		found.invalid(key, reference, "names no exact version; add a tag other than latest, or a digest")
	}
	return pinned
}

// cutTag splits a reference without digest at its tag.
func cutTag(reference string) (repository, tag string, tagged bool) {
	if i := strings.LastIndex(reference, ":"); i > strings.LastIndex(reference, "/") {
		return reference[:i], reference[i+1:], true
	}
	return reference, "", false
}

func checkHosts(found *mistakes, key *field.Path, value string, several bool) {
	if value == "" {
		return
	}
	hosts := strings.Split(value, ",")
	if len(hosts) > 1 && !several {
		found.invalid(key, value, "must be one host")
		return
	}
	for _, each := range hosts {
		host(found, key, strings.TrimSpace(each))
	}
}

func checkCIDRs(found *mistakes, key *field.Path, values []string) {
	for i, value := range values {
		if prefix, err := netip.ParsePrefix(value); err != nil || prefix != prefix.Masked() {
			found.invalid(key.Index(i), value, "is not a network; expected a form such as 10.0.0.0/16, without host bits")
		}
	}
}

// redisHeadroom is the part of its memory limit that Redis leaves for what is
// not data: buffers of clients and copies of pages while it saves.
const redisHeadroom = 1.25

func (c *Config) checkRedisMemory(found *mistakes) {
	redis := c.Dependencies.Redis
	key := at("nova:dependencies.redis.maxMemory")
	memory, ok := size(found, key, redis.MaxMemory)
	if !ok || redis.Mode != InCluster {
		return
	}
	ignored := &mistakes{}
	limit, ok := size(ignored, key, redis.Resources.Limits.Memory)
	if ok && float64(memory.Value())*redisHeadroom > float64(limit.Value()) {
		found.invalid(key, redis.MaxMemory, "leaves too little of the memory limit %s; allowed: up to four fifths of it", redis.Resources.Limits.Memory)
	}
}

const (
	maxPartitions     = 100
	maxRetentionHours = 8760
)

func (c *Config) checkKafka(found *mistakes) {
	key := at("nova:dependencies.kafka")
	kafka := c.Dependencies.Kafka
	if kafka.Brokers != 1 && kafka.Brokers != 3 {
		found.invalid(key.Child("brokers"), kafka.Brokers, "allowed: 1 or 3; an even number of controllers survives no more than the odd one below")
	}
	between(found, key.Child("partitions"), kafka.Partitions, 1, maxPartitions)
	between(found, key.Child("retentionHours"), kafka.RetentionHours, 1, maxRetentionHours)
	taken := map[string]string{}
	for _, name := range catalog.TopicNames() {
		taken[collision(name)] = "the catalogue"
	}
	for i, topic := range kafka.Topics {
		path := key.Child("topics").Index(i)
		if !validTopic.MatchString(topic.Name) {
			found.invalid(path.Child("name"), topic.Name, "is not a topic; allowed: letters, digits, ., _ and -, at most 249")
		}
		if owner, twice := taken[collision(topic.Name)]; twice {
			found.duplicate(path.Child("name"), topic.Name, "is declared by %s already; Kafka treats . and _ as the same in metrics", owner)
		}
		taken[collision(topic.Name)] = path.String()
		if topic.Partitions != 0 {
			between(found, path.Child("partitions"), topic.Partitions, 1, maxPartitions)
		}
		if topic.RetentionHours != 0 {
			between(found, path.Child("retentionHours"), topic.RetentionHours, 1, maxRetentionHours)
		}
	}
}

// collision is the form in which Kafka compares topic names for its metrics.
func collision(topic string) string { return strings.ReplaceAll(topic, ".", "_") }
