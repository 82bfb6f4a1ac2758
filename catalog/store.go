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

// Stores returns the stores, in the versions of Images: PostgreSQL 15, Redis 7,
// ClickHouse 23.11 or later, Kafka 3.5 or later and Elasticsearch 8.11 or later
// are the documented requirements.
func Stores() []Store {
	return []Store{
		{
			Kind: Postgres, Name: "postgres", Image: image("postgres"),
			Port: 5432, User: 999, DataPath: "/var/lib/postgresql/data",
			Exporter: &Exporter{Name: "postgres-exporter", Image: image("postgres-exporter"), Port: 9187, User: 65534},
		},
		{
			Kind: Redis, Name: "redis", Image: image("redis"),
			Port: 6379, User: 999, DataPath: "/data",
			Exporter: &Exporter{Name: "redis-exporter", Image: image("redis-exporter"), Port: 9121, User: 59000},
		},
		{
			Kind: ClickHouse, Name: "clickhouse", Image: image("clickhouse"),
			Port: 8123, User: 101, DataPath: "/var/lib/clickhouse", MetricsPort: 9363,
		},
		{
			Kind: Kafka, Name: "kafka", Image: image("kafka"),
			Port: 9092, User: 1000, DataPath: "/var/lib/kafka/data",
			Exporter: &Exporter{Name: "kafka-exporter", Image: image("kafka-exporter"), Port: 9308, User: 65534},
		},
		{
			Kind: Elasticsearch, Name: "elasticsearch", Image: image("elasticsearch"),
			Port: 9200, User: 1000, DataPath: "/usr/share/elasticsearch/data",
			Exporter: &Exporter{Name: "elasticsearch-exporter", Image: image("elasticsearch-exporter"), Port: 9114, User: 65534},
		},
		{
			// Speaks S3, under the Apache licence.
			Kind: ObjectStorage, Name: "object-store", Image: image("seaweedfs"),
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
