package catalog

import (
	"slices"
	"strconv"
	"strings"
)

// anyAddress makes a server listen on every interface of its pod.
const anyAddress = "0.0.0.0"

// Ports of providers on the internet.
const (
	httpsPort      = 443
	submissionPort = 587
)

func itoa(n int) string { return strconv.Itoa(n) }

// Services returns the 11 services of Nova, in the order of the documentation.
// The result is a fresh copy: callers may change it.
//
// Ports, needs, calls and variables are those of the source at commit 94b91e29,
// joined with the documented needs (PostgreSQL, Redis and Kafka for every
// service). Public are the routes that check a token; search, notification and
// feed do not check one at that commit, so they are not published.
func Services() []Service {
	services := []Service{
		{
			Name:      "auth",
			HTTPPort:  8083,
			Variables: join(kafkaVariables, oauthVariables, tokenVariables),
			Secrets:   []string{"GOOGLE_CLIENT_SECRET", "JWT_PRIVATE_KEY_PEM"},
			Required:  []string{"JWT_PRIVATE_KEY_PEM", "JWT_PUBLIC_KEY_PEM", "REDIS_URL", "SERVER_HOST", "SERVER_PORT"},
			// OAuth providers and mail.
			InternetPorts: []int{httpsPort, submissionPort},
			PublicPaths:   []string{"/api/v1/auth", "/api/v1/oauth"},
		},
		{
			Name:          "user",
			HTTPPort:      8080,
			PoolVariables: documentedPool,
			Needs:         []StoreKind{ClickHouse, ObjectStorage},
			Calls:         []string{"auth", "content", "media"},
			// Its rate limiter, and the versions of its cache, which it loads once.
			RedisScripting: []string{"EVAL", "EVALSHA", "SCRIPT|LOAD"},
			Variables: join(kafkaVariables, clickhouseVariables, smtpVariables, grpcClientVariables, storageVariables,
				tokenVariables, []string{
					"REDIS_POOL_SIZE", "RATE_LIMIT_MAX_REQUESTS", "RATE_LIMIT_WINDOW_SECS", "CORS_ALLOWED_ORIGINS",
					"CLOUDFRONT_URL", "S3_REGION",
					"AUTH_SERVICE_GRPC_URL", "CONTENT_SERVICE_GRPC_URL", "MEDIA_SERVICE_GRPC_URL",
				}),
			// Only auth should sign, but user parses the signing key at boot, too,
			// and exits without it.
			Secrets: []string{
				"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLICKHOUSE_PASSWORD", "JWT_PRIVATE_KEY_PEM", "JWT_SECRET", "SMTP_PASSWORD",
			},
			Required: []string{
				"AUTH_SERVICE_GRPC_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLICKHOUSE_URL", "CLOUDFRONT_URL",
				"CONTENT_SERVICE_GRPC_URL", "JWT_PRIVATE_KEY_PEM", "JWT_PUBLIC_KEY_PEM", "JWT_SECRET", "KAFKA_BROKERS",
				"MEDIA_SERVICE_GRPC_URL", "REDIS_URL", "S3_BUCKET_NAME", "S3_REGION",
			},
			RequiredInProduction: []string{"CORS_ALLOWED_ORIGINS"},
			Buckets:              []BucketUse{{BucketMedia, "S3_BUCKET_NAME", PutObjects()}},
			// Mail.
			InternetPorts: []int{submissionPort},
			PublicPaths:   []string{"/api/v1/users", "/api/v1/events"},
		},
		{
			Name:          "content",
			HTTPPort:      8081,
			PoolVariables: documentedPool,
			Needs:         []StoreKind{ClickHouse},
			// Its rate limiter.
			RedisScripting: []string{"EVAL"},
			Variables:      join(kafkaVariables, clickhouseVariables, []string{"CORS_ALLOWED_ORIGINS", "ENABLE_FEED_SORTING"}),
			Secrets:        []string{"CLICKHOUSE_PASSWORD"},
			Required:       []string{"CLICKHOUSE_URL", "REDIS_URL"},
			// In production it also refuses the password "clickhouse".
			RequiredInProduction: []string{"CLICKHOUSE_PASSWORD", "CORS_ALLOWED_ORIGINS"},
			// The code binds to this address; a DNS name here makes it panic.
			Env:         map[string]string{"CONTENT_SERVICE_HOST": anyAddress},
			PublicPaths: []string{"/api/v1/feed", "/api/v1/posts", "/api/v1/stories"},
		},
		{
			Name:          "feed",
			HTTPPort:      8084,
			PoolVariables: documentedPool,
			Needs:         []StoreKind{ClickHouse},
			Calls:         []string{"content", "user"},
			Variables: join(kafkaVariables, clickhouseVariables, grpcClientVariables, []string{
				"KAFKA_BOOTSTRAP_SERVERS", "USER_SERVICE_GRPC_URL",
				"GRPC_CONTENT_SERVICE_URL", "GRPC_USER_SERVICE_URL", "ENABLE_FEED_SORTING",
			}),
			Secrets: []string{"CLICKHOUSE_PASSWORD"},
		},
		{
			Name:          "media",
			HTTPPort:      8082,
			PoolVariables: documentedPool,
			Needs:         []StoreKind{ObjectStorage},
			Variables:     join(kafkaVariables, storageVariables, []string{"AWS_REGION", "ENABLE_VIDEO_TRANSCODING"}),
			Required:      []string{"REDIS_URL"},
			// The code binds to this address; a DNS name here makes it panic.
			Env:         map[string]string{"MEDIA_SERVICE_HOST": anyAddress},
			Buckets:     []BucketUse{{BucketUploads, "S3_BUCKET", PutObjects()}},
			Class:       ClassMedia,
			PublicPaths: []string{"/api/v1/uploads", "/api/v1/videos", "/api/v1/reels"},
			Limits:      limited(uploads, "/api/v1/uploads", "/api/v1/videos", "/api/v1/reels"),
		},
		{
			Name:     "messaging",
			HTTPPort: 8085,
			Needs:    []StoreKind{ObjectStorage},
			Calls:    []string{"auth"},
			Variables: join(kafkaVariables, storageVariables, grpcClientVariables,
				[]string{"AWS_REGION", "GRPC_AUTH_SERVICE_URL", "ENABLE_GROUP_CALLS"}),
			Secrets:  []string{"APNS_CERTIFICATE_PASSPHRASE", "FCM_API_KEY", "MESSAGE_ENCRYPTION_MASTER_KEY", "RTC_TURN_PASSWORD"},
			Required: []string{"GRPC_AUTH_SERVICE_URL", "JWT_PUBLIC_KEY_PEM", "MESSAGE_ENCRYPTION_MASTER_KEY", "REDIS_URL"},
			Buckets:  []BucketUse{{BucketAudio, "S3_BUCKET", PutObjects()}},
			// Push providers.
			InternetPorts: []int{httpsPort},
			PublicPaths: []string{
				"/api/v1/conversations", "/api/v1/messages", "/api/v1/calls", "/api/v1/rtc", "/api/v1/ws",
			},
			Limits: limited(streams, "/api/v1/ws"),
		},
		{
			Name:     "search",
			HTTPPort: 8086,
			Needs:    []StoreKind{ClickHouse, Elasticsearch},
			Variables: join(kafkaVariables, []string{
				"CLICKHOUSE_URL", "ELASTICSEARCH_URL", "ELASTICSEARCH_POST_INDEX", "ELASTICSEARCH_USER_INDEX",
			}),
			Required: []string{"REDIS_URL"},
		},
		{
			Name:      "streaming",
			HTTPPort:  8087,
			Variables: kafkaVariables,
			Required:  []string{"REDIS_URL"},
			Class:     ClassMedia,
		},
		{
			Name:      "notification",
			HTTPPort:  8088,
			Variables: join(kafkaVariables, pushVariables, []string{"ENABLE_REAL_TIME_NOTIFICATIONS"}),
			Class:     ClassWorker,
			// Push providers.
			InternetPorts: []int{httpsPort},
		},
		{
			Name:      "cdn",
			HTTPPort:  8089,
			Needs:     []StoreKind{ObjectStorage},
			Variables: join(kafkaVariables, []string{"AWS_ENDPOINT_URL_S3", "AWS_REGION", "CDN_DOMAIN"}),
			Secrets:   []string{"CDN_SECRET_KEY"},
			// It starts without, and signs with a key that is in its public source.
			Required: []string{"CDN_SECRET_KEY"},
			Buckets:  []BucketUse{{BucketCDN, "S3_BUCKET", PutObjects()}},
			Class:    ClassMedia,
		},
		{
			Name:      "events",
			HTTPPort:  8090,
			Variables: kafkaVariables,
			// It exits with code 0 where it cannot make a producer.
			Required: []string{"KAFKA_BROKERS"},
			Class:    ClassWorker,
		},
	}
	for i := range services {
		services[i].applyContract()
	}
	return services
}

// Names returns the names of the 11 services, in the order of Services.
func Names() []string {
	services := Services()
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Name
	}
	return names
}

// applyContract fills in what is the same for every service.
func (s *Service) applyContract() {
	s.Health = DocumentedHealth()
	s.MetricsPath = DocumentedMetricsPath
	if s.Class == "" {
		s.Class = ClassAPI
	}
	s.PoolVariables = append([]string{"DB_MAX_CONNECTIONS"}, s.PoolVariables...)
	s.Needs = append([]StoreKind{Postgres, Redis, Kafka}, s.Needs...)
	s.Variables = sorted(join(commonVariables, s.Variables))
	s.Secrets = sorted(join([]string{"DATABASE_URL", "REDIS_URL"}, s.Secrets))
	s.Required = sorted(join([]string{"DATABASE_URL"}, s.Required))
}

// documentedPool is the documented bound of a pool. At commit 94b91e29 four
// services read it, and it only ever raises theirs.
var documentedPool = []string{"DATABASE_MAX_CONNECTIONS"}

// Variables that several services read together.
var (
	commonVariables = []string{
		"APP_ENV", "LOG_LEVEL", "RUST_LOG", "RUN_MIGRATIONS", "JWT_PUBLIC_KEY_PEM",
		"DATABASE_MAX_CONNECTIONS", "DB_MAX_CONNECTIONS", "DB_MIN_CONNECTIONS",
		"DB_CONNECT_TIMEOUT_SECS", "DB_IDLE_TIMEOUT_SECS", "DB_MAX_LIFETIME_SECS",
	}
	kafkaVariables      = []string{"KAFKA_BROKERS"}
	clickhouseVariables = []string{
		"CLICKHOUSE_URL", "CLICKHOUSE_DATABASE", "CLICKHOUSE_DB", "CLICKHOUSE_USER", "CLICKHOUSE_USERNAME",
	}
	storageVariables    = []string{"S3_ENDPOINT"}
	tokenVariables      = []string{"JWT_ACCESS_TOKEN_TTL", "JWT_REFRESH_TOKEN_TTL"}
	oauthVariables      = []string{"GOOGLE_CLIENT_ID", "GOOGLE_REDIRECT_URI"}
	smtpVariables       = []string{"SMTP_HOST", "SMTP_PORT", "SMTP_USERNAME", "SMTP_FROM"}
	pushVariables       = []string{"APNS_ENVIRONMENT", "APNS_KEY_ID", "APNS_TEAM_ID", "FCM_PROJECT_ID"}
	grpcClientVariables = []string{
		"GRPC_CONNECTION_TIMEOUT_SECS", "GRPC_REQUEST_TIMEOUT_SECS", "GRPC_MAX_CONCURRENT_STREAMS",
		"GRPC_KEEPALIVE_INTERVAL_SECS", "GRPC_KEEPALIVE_TIMEOUT_SECS", "GRPC_TLS_ENABLED",
	}
)

func join(lists ...[]string) []string { return slices.Concat(lists...) }

func sorted(list []string) []string {
	slices.SortFunc(list, strings.Compare)
	return slices.Compact(list)
}
