package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Variables returns every variable of the system that is not a secret, in the
// order of the documentation: the documented keys first, then in each group
// those that the code requires and the documentation omits.
func Variables() []Variable {
	variables := []Variable{
		{Key: "APP_ENV", Group: GroupEnvironment, Derive: func(e Environment) string { return e.Name },
			Doc: "Name of the environment; \"production\" switches the code's production guards on.", Locked: true},
		{Key: "LOG_LEVEL", Group: GroupEnvironment, Default: "info", Doc: "Documented log level; RUST_LOG is the one with effect."},
		{Key: "RUST_LOG", Group: GroupEnvironment, Default: "info", Doc: "Log filter of every service, in tracing's syntax."},

		{Key: "DATABASE_MAX_CONNECTIONS", Group: GroupPostgres, Default: "10", Doc: "Upper bound of the connection pool of user, content, feed and media."},
		{Key: "DATABASE_MIN_CONNECTIONS", Group: GroupPostgres, Default: "2", Doc: "Documented pool minimum; DB_MIN_CONNECTIONS is the one with effect.", Unread: true},
		{Key: "DATABASE_ACQUIRE_TIMEOUT_SECS", Group: GroupPostgres, Default: "30", Doc: "Documented wait for a connection, in seconds.", Unread: true},
		{Key: "DATABASE_IDLE_TIMEOUT_SECS", Group: GroupPostgres, Default: "600", Doc: "Documented idle timeout, in seconds.", Unread: true},
		{Key: "DATABASE_MAX_LIFETIME_SECS", Group: GroupPostgres, Default: "1800", Doc: "Documented lifetime of a connection, in seconds.", Unread: true},
		{Key: "RUN_MIGRATIONS", Group: GroupPostgres, Default: "false", Locked: true,
			Doc: "Always false in pods: migrations run in one Job per release, never in every replica."},
		{Key: "DB_MAX_CONNECTIONS", Group: GroupPostgres, Default: "10", Doc: "Pool maximum per replica; the code's own default of 20 would need 440 connections for 11 services and their successors."},
		{Key: "DB_MIN_CONNECTIONS", Group: GroupPostgres, Default: "2", Doc: "Connections opened at boot, per replica."},
		{Key: "DB_CONNECT_TIMEOUT_SECS", Group: GroupPostgres, Default: "5", Doc: "Connect timeout, in seconds."},
		{Key: "DB_IDLE_TIMEOUT_SECS", Group: GroupPostgres, Default: "600", Doc: "Idle timeout of a connection, in seconds."},
		{Key: "DB_MAX_LIFETIME_SECS", Group: GroupPostgres, Default: "1800", Doc: "Lifetime of a connection, in seconds."},

		{Key: "REDIS_POOL_SIZE", Group: GroupRedis, Default: "20", Doc: "Redis connections per replica of user."},
		{Key: "REDIS_CONNECTION_TIMEOUT_SECS", Group: GroupRedis, Default: "5", Doc: "Documented connect timeout, in seconds.", Unread: true},

		{Key: "CLICKHOUSE_URL", Group: GroupClickHouse, Derive: endpointURL(ClickHouse), Doc: "HTTP interface of ClickHouse.", Locked: true},
		{Key: "CLICKHOUSE_DATABASE", Group: GroupClickHouse, Derive: database(ClickHouse), Locked: true, Doc: "Database, as content reads it."},
		{Key: "CLICKHOUSE_USERNAME", Group: GroupClickHouse, Derive: user(ClickHouse), Locked: true, Doc: "User, as content reads it."},
		{Key: "CLICKHOUSE_DB", Group: GroupClickHouse, Derive: database(ClickHouse), Locked: true, Doc: "Database, as user reads it."},
		{Key: "CLICKHOUSE_USER", Group: GroupClickHouse, Derive: user(ClickHouse), Locked: true, Doc: "User, as user reads it."},

		{Key: "KAFKA_BROKERS", Group: GroupKafka, Derive: endpointAddress(Kafka), Doc: "Bootstrap brokers, host:port separated by commas.", Locked: true},
		{Key: "KAFKA_BOOTSTRAP_SERVERS", Group: GroupKafka, Derive: endpointAddress(Kafka), Doc: "Bootstrap brokers, as feed reads them.", Locked: true},
		{Key: "KAFKA_CONSUMER_GROUP_ID", Group: GroupKafka, Default: "nova-consumer-v1", Doc: "Documented consumer group; services have groups of their own.", Unread: true},
		{Key: "KAFKA_AUTO_OFFSET_RESET", Group: GroupKafka, Default: "earliest", Doc: "Documented offset policy.", Unread: true},
		{Key: "KAFKA_ENABLE_AUTO_COMMIT", Group: GroupKafka, Default: "false", Doc: "Documented commit policy.", Unread: true},
		{Key: "KAFKA_AUTH_EVENTS_TOPIC", Group: GroupKafka, Default: "nova.auth.events", Doc: "Documented topic name.", Unread: true},
		{Key: "KAFKA_USER_EVENTS_TOPIC", Group: GroupKafka, Default: "nova.user.events", Doc: "Documented topic name.", Unread: true},
		{Key: "KAFKA_CONTENT_EVENTS_TOPIC", Group: GroupKafka, Default: "nova.content.events", Doc: "Documented topic name.", Unread: true},
		{Key: "KAFKA_MESSAGE_EVENTS_TOPIC", Group: GroupKafka, Default: "nova.message.events", Doc: "Documented topic name.", Unread: true},
		{Key: "KAFKA_FEED_EVENTS_TOPIC", Group: GroupKafka, Default: "nova.feed.events", Doc: "Documented topic name.", Unread: true},

		{Key: "ELASTICSEARCH_URL", Group: GroupElasticsearch, Derive: endpointURL(Elasticsearch), Doc: "HTTP interface of Elasticsearch.", Locked: true},
		{Key: "ELASTICSEARCH_POST_INDEX", Group: GroupElasticsearch, Default: "nova_posts", Doc: "Index of posts."},
		{Key: "ELASTICSEARCH_USER_INDEX", Group: GroupElasticsearch, Default: "nova_users", Doc: "Index of users."},

		{Key: "JWT_PUBLIC_KEY_PEM", Group: GroupTokens, Doc: "Public half of the signing key; computed from JWT_PRIVATE_KEY_PEM.", Locked: true},
		{Key: "JWT_PRIVATE_KEY_PATH", Group: GroupTokens, Default: "/etc/secrets/jwt_private_key.pem", Doc: "Documented path of the signing key.", Unread: true},
		{Key: "JWT_PUBLIC_KEY_PATH", Group: GroupTokens, Default: "/etc/secrets/jwt_public_key.pem", Doc: "Documented path of the public key.", Unread: true},
		{Key: "JWT_ACCESS_TOKEN_EXPIRES_IN_MINUTES", Group: GroupTokens, Default: "15", Doc: "Documented lifetime of an access token, in minutes.", Unread: true},
		{Key: "JWT_REFRESH_TOKEN_EXPIRES_IN_DAYS", Group: GroupTokens, Default: "30", Doc: "Documented lifetime of a refresh token, in days.", Unread: true},
		{Key: "JWT_ACCESS_TOKEN_TTL", Group: GroupTokens, Default: "900", Doc: "Lifetime of an access token, in seconds."},
		{Key: "JWT_REFRESH_TOKEN_TTL", Group: GroupTokens, Default: "604800", Doc: "Lifetime of a refresh token, in seconds."},

		{Key: "AWS_S3_BUCKET", Group: GroupStorage, Derive: bucketName(BucketMedia), Doc: "Documented name of the media bucket.", Unread: true, Locked: true},
		{Key: "AWS_S3_REGION", Group: GroupStorage, Derive: region, Doc: "Documented region of the buckets.", Unread: true, Locked: true},
		{Key: "AWS_S3_ENDPOINT", Group: GroupStorage, Derive: endpointURL(ObjectStorage), Doc: "Documented endpoint; empty means AWS.", Unread: true, Locked: true},
		{Key: "S3_BUCKET_NAME", Group: GroupStorage, Derive: bucketName(BucketMedia), Doc: "Bucket of user.", Locked: true},
		{Key: "S3_REGION", Group: GroupStorage, Derive: region, Doc: "Region of the buckets, as user reads it.", Locked: true},
		{Key: "AWS_REGION", Group: GroupStorage, Derive: region, Doc: "Region of the buckets, as the AWS SDK reads it.", Locked: true},
		{Key: "AWS_ENDPOINT_URL_S3", Group: GroupStorage, Derive: endpointURL(ObjectStorage), Doc: "Endpoint of an S3-compatible store for cdn, whose library reads it under this name; empty means AWS.", Locked: true},
		{Key: "S3_ENDPOINT", Group: GroupStorage, Derive: endpointURL(ObjectStorage), Doc: "Endpoint of an S3-compatible store; empty means AWS.", Locked: true},
		{Key: "CLOUDFRONT_URL", Group: GroupStorage, Derive: func(e Environment) string { return "https://" + cdnDomain(e) }, Doc: "Public URL under which media is read."},
		{Key: "CDN_DOMAIN", Group: GroupStorage, Derive: cdnDomain, Doc: "Public domain of the CDN."},

		{Key: "SMTP_HOST", Group: GroupMail, Default: "smtp.sendgrid.net", Doc: "Mail server."},
		{Key: "SMTP_PORT", Group: GroupMail, Default: "587", Doc: "Port of the mail server."},
		{Key: "SMTP_USERNAME", Group: GroupMail, Default: "apikey", Doc: "User at the mail server."},
		{Key: "SMTP_FROM", Group: GroupMail, Default: "noreply@nova.dev", Doc: "Sender of mail, as user reads it."},
		{Key: "SMTP_FROM_EMAIL", Group: GroupMail, Default: "noreply@nova.dev", Doc: "Documented sender address.", Unread: true},
		{Key: "SMTP_FROM_NAME", Group: GroupMail, Default: "Nova", Doc: "Documented sender name.", Unread: true},

		{Key: "GOOGLE_CLIENT_ID", Group: GroupOAuth, Doc: "OAuth client at Google.", Unread: true},
		{Key: "GOOGLE_REDIRECT_URI", Group: GroupOAuth, Doc: "OAuth redirect registered at Google.", Unread: true},

		{Key: "APNS_KEY_ID", Group: GroupPush, Doc: "Key id at Apple's push service.", Unread: true},
		{Key: "APNS_TEAM_ID", Group: GroupPush, Doc: "Team id at Apple's push service.", Unread: true},
		{Key: "APNS_PRIVATE_KEY_PATH", Group: GroupPush, Default: "/etc/secrets/apns_key.p8", Doc: "Documented path of Apple's key.", Unread: true},
		{Key: "APNS_ENVIRONMENT", Group: GroupPush, Derive: func(e Environment) string {
			if e.Name == "production" {
				return "production"
			}
			return "development"
		}, Doc: "Apple's push environment.", Unread: true},
		{Key: "FCM_PROJECT_ID", Group: GroupPush, Default: "nova-app", Doc: "Project at Google's push service.", Unread: true},
		{Key: "FCM_SERVICE_ACCOUNT_PATH", Group: GroupPush, Default: "/etc/secrets/fcm.json", Doc: "Documented path of Google's account.", Unread: true},

		{Key: "GRPC_CONNECTION_TIMEOUT_SECS", Group: GroupGRPC, Default: "10", Doc: "Connect timeout of gRPC clients, in seconds."},
		{Key: "GRPC_REQUEST_TIMEOUT_SECS", Group: GroupGRPC, Default: "30", Doc: "Timeout of one gRPC call, in seconds."},
		{Key: "GRPC_MAX_CONCURRENT_STREAMS", Group: GroupGRPC, Default: "1000", Doc: "Streams per connection."},
		{Key: "GRPC_KEEPALIVE_INTERVAL_SECS", Group: GroupGRPC, Default: "30", Doc: "Interval of keep-alive pings, in seconds."},
		{Key: "GRPC_KEEPALIVE_TIMEOUT_SECS", Group: GroupGRPC, Default: "10", Doc: "Timeout of a keep-alive ping, in seconds."},
		{Key: "GRPC_ENABLE_CONNECTION_POOLING", Group: GroupGRPC, Default: "true", Doc: "Documented pooling switch.", Unread: true},
		{Key: "GRPC_CONNECTION_POOL_SIZE", Group: GroupGRPC, Default: "10", Doc: "Documented pool size.", Unread: true},
		{Key: "GRPC_TLS_ENABLED", Group: GroupGRPC, Default: "false", Doc: "TLS of gRPC clients. No server speaks TLS: leave it to a mesh."},
		{Key: "GRPC_TLS_DOMAIN_NAME", Group: GroupGRPC, Default: "internal.nova", Doc: "Name expected in a server certificate.", Unread: true},
		{Key: "GRPC_TLS_CA_CERT_PATH", Group: GroupGRPC, Default: "/etc/grpc/certs/ca.crt", Doc: "Path of the certificate authority.", Unread: true},
		{Key: "GRPC_TLS_CLIENT_CERT_PATH", Group: GroupGRPC, Default: "/etc/grpc/certs/client.crt", Doc: "Path of the client certificate.", Unread: true},
		{Key: "GRPC_TLS_CLIENT_KEY_PATH", Group: GroupGRPC, Default: "/etc/grpc/certs/client.key", Doc: "Path of the client key.", Unread: true},

		{Key: "RATE_LIMIT_MAX_REQUESTS", Group: GroupLimits, Default: "100", Doc: "Requests per window and client; parsed, without effect at the documented commit."},
		{Key: "RATE_LIMIT_WINDOW_SECS", Group: GroupLimits, Default: "60", Doc: "Window of the limit, in seconds; parsed, without effect at the documented commit."},

		{Key: "CORS_ALLOWED_ORIGINS", Group: GroupWeb, Derive: func(e Environment) string {
			if e.Name == "production" {
				return "https://nova.dev"
			}
			return "http://localhost:3000"
		}, Doc: "Browser origins, separated by commas; never \"*\" in production."},
		{Key: "SESSION_TIMEOUT_MINUTES", Group: GroupWeb, Default: "60", Doc: "Documented session timeout, in minutes.", Unread: true},

		{Key: "PROMETHEUS_PORT", Group: GroupObservability, Default: "9090", Doc: "Documented Prometheus port; events speaks gRPC on the same number.", Unread: true},
		{Key: "JAEGER_AGENT_HOST", Group: GroupObservability, Default: "jaeger", Doc: "Documented tracing agent.", Unread: true},
		{Key: "JAEGER_AGENT_PORT", Group: GroupObservability, Default: "6831", Doc: "Port of the tracing agent.", Unread: true},

		{Key: "ENABLE_FEED_SORTING", Group: GroupFeatures, Default: "true", Doc: "Documented switch.", Unread: true},
		{Key: "ENABLE_VIDEO_TRANSCODING", Group: GroupFeatures, Default: "true", Doc: "Documented switch.", Unread: true},
		{Key: "ENABLE_REAL_TIME_NOTIFICATIONS", Group: GroupFeatures, Default: "true", Doc: "Documented switch.", Unread: true},
		{Key: "ENABLE_GROUP_CALLS", Group: GroupFeatures, Default: "true", Doc: "Documented switch.", Unread: true},

		{Key: "DISABLE_AUTH", Group: GroupDevelopment, Default: "false", Doc: "Documented switch; must stay false.", Unread: true, Locked: true},
		{Key: "DEBUG_SQL_QUERIES", Group: GroupDevelopment, Default: "false", Doc: "Documented switch.", Unread: true},
	}
	return append(variables, serviceVariables()...)
}

// serviceVariables are the addresses of the services under the names that
// their clients read.
func serviceVariables() []Variable {
	var ports, hosts, urls []Variable
	for _, s := range Services() {
		prefix := strings.ToUpper(s.Name)
		ports = append(ports, Variable{
			Key: prefix + "_SERVICE_HTTP_PORT", Group: GroupPorts, Unread: true, Locked: true,
			Derive: of(s.Name, func(_ Environment, s Service) string { return itoa(s.HTTPPort) }),
			Doc:    "HTTP port of " + s.Name + ".",
		})
		host := Variable{
			Key: prefix + "_SERVICE_HOST", Group: GroupHosts, Unread: true, Locked: true,
			Derive: of(s.Name, Environment.host),
			Doc:    "DNS name of " + s.Name + ".",
		}
		if bind, ok := s.Env[host.Key]; ok {
			host.Unread = false
			host.Derive = nil
			host.Default = bind
			host.Doc = "Address that " + s.Name + " binds to; a DNS name here makes it panic."
		}
		hosts = append(hosts, host)
		urls = append(urls, Variable{
			Key: "GRPC_" + prefix + "_SERVICE_URL", Group: GroupGRPC, Locked: true,
			Derive: of(s.Name, grpcURL),
			Doc:    "gRPC address of " + s.Name + ", as messaging and feed read it.",
		})
	}
	for _, name := range []string{"auth", "content", "media", "user"} {
		urls = append(urls, Variable{
			Key: strings.ToUpper(name) + "_SERVICE_GRPC_URL", Group: GroupGRPC, Locked: true,
			Derive: of(name, grpcURL),
			Doc:    "gRPC address of " + name + ", as user and feed read it.",
		})
	}
	return slices.Concat(ports, hosts, urls)
}

func grpcURL(e Environment, s Service) string {
	if e.HeadlessGRPC && !e.Compose {
		return fmt.Sprintf("http://%s:%d", s.HeadlessHost(e.Namespace), s.GRPCPort())
	}
	return fmt.Sprintf("http://%s:%d", e.host(s), s.GRPCPort())
}

// of derives a value from a service as the stack has it. A service that the
// stack disables keeps its catalogue address, so that its callers' variables
// stay well-formed.
func of(name string, derive func(Environment, Service) string) func(Environment) string {
	return func(e Environment) string {
		if s, ok := e.Service(name); ok {
			return derive(e, s)
		}
		for _, s := range Services() {
			if s.Name == name {
				return derive(e, s)
			}
		}
		return ""
	}
}

func endpointURL(d StoreKind) func(Environment) string {
	return func(e Environment) string { return e.Endpoints[d].HTTP() }
}

func endpointAddress(d StoreKind) func(Environment) string {
	return func(e Environment) string { return e.Endpoints[d].Address() }
}

func database(d StoreKind) func(Environment) string {
	return func(e Environment) string { return e.Endpoints[d].Database }
}

func user(d StoreKind) func(Environment) string {
	return func(e Environment) string { return e.Endpoints[d].User }
}

func bucketName(b Bucket) func(Environment) string {
	return func(e Environment) string { return e.Buckets[b] }
}

func region(e Environment) string { return e.Region }

func cdnDomain(e Environment) string {
	if e.Name == "production" {
		return "cdn.nova.dev"
	}
	return "cdn." + e.Name + ".nova.dev"
}
