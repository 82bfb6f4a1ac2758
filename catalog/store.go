package catalog

// Store is a stateful system, such as PostgreSQL, as Nova runs it in a cluster
// or under Docker Compose: one for each of StoreKinds.
type Store struct {
	Kind StoreKind
	// Name is that of its Kubernetes Service, and its host name under Compose.
	Name string
	// Image is the reference of its image, with an exact version.
	Image string
	// Port is where clients connect.
	Port int
	// User is the uid and gid that the image is built for.
	User int
	// DataPath is the folder of its data in the container.
	DataPath string
	// Exporter exports its state to Prometheus; nil if the store exports metrics
	// by itself, or none at all.
	Exporter *Exporter
	// MetricsPort is the port on which the store itself exports metrics; 0 means
	// that it does not.
	MetricsPort int
}

// Exporter is a process that exports a store's state to Prometheus.
type Exporter struct {
	// Name is that of its Deployment and Service.
	Name  string
	Image string
	// Port serves /metrics.
	Port int
	// User is the uid that it runs as.
	User int
}

// Stores returns the stores with pinned versions: PostgreSQL 15, Redis 7,
// ClickHouse 23.11 or later, Kafka 3.5 or later and Elasticsearch 8.11 or later
// are the documented requirements.
func Stores() []Store {
	return []Store{
		{
			Kind: Postgres, Name: "postgres", Image: "docker.io/library/postgres:15.13-bookworm",
			Port: 5432, User: 999, DataPath: "/var/lib/postgresql/data",
			Exporter: &Exporter{Name: "postgres-exporter", Image: "quay.io/prometheuscommunity/postgres-exporter:v0.17.1", Port: 9187, User: 65534},
		},
		{
			// The last line of versions under the BSD licence.
			Kind: Redis, Name: "redis", Image: "docker.io/library/redis:7.2.7-bookworm",
			Port: 6379, User: 999, DataPath: "/data",
			Exporter: &Exporter{Name: "redis-exporter", Image: "docker.io/oliver006/redis_exporter:v1.67.0", Port: 9121, User: 59000},
		},
		{
			Kind: ClickHouse, Name: "clickhouse", Image: "docker.io/clickhouse/clickhouse-server:24.8.4.13",
			Port: 8123, User: 101, DataPath: "/var/lib/clickhouse", MetricsPort: 9363,
		},
		{
			Kind: Kafka, Name: "kafka", Image: "docker.io/apache/kafka:3.8.1",
			Port: 9092, User: 1000, DataPath: "/var/lib/kafka/data",
			Exporter: &Exporter{Name: "kafka-exporter", Image: "docker.io/danielqsj/kafka-exporter:v1.8.0", Port: 9308, User: 65534},
		},
		{
			Kind: Elasticsearch, Name: "elasticsearch", Image: "docker.elastic.co/elasticsearch/elasticsearch:8.11.4",
			Port: 9200, User: 1000, DataPath: "/usr/share/elasticsearch/data",
			Exporter: &Exporter{Name: "elasticsearch-exporter", Image: "quay.io/prometheuscommunity/elasticsearch-exporter:v1.8.0", Port: 9114, User: 65534},
		},
		{
			// Speaks S3, under the Apache licence.
			Kind: ObjectStorage, Name: "object-store", Image: "docker.io/chrislusf/seaweedfs:3.80",
			Port: 8333, User: 1000, DataPath: "/data",
		},
	}
}

// FindStore returns the record of a store. Each of StoreKinds has one.
func FindStore(kind StoreKind) Store {
	for _, s := range Stores() {
		if s.Kind == kind {
			return s
		}
	}
	return Store{}
}
