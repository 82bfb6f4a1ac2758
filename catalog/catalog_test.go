package catalog_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/catalog"
)

func production() catalog.Environment {
	return catalog.Environment{
		Name:      "production",
		Namespace: "nova-backend",
		Endpoints: map[catalog.StoreKind]catalog.Endpoint{
			catalog.Kafka:         {Host: "k1.internal, k2.internal", Port: 9092},
			catalog.ClickHouse:    {Host: "clickhouse.internal", Port: 8443, TLS: true},
			catalog.Elasticsearch: {Host: "search.internal", Port: 9200},
			catalog.ObjectStorage: {},
		},
		Region:   "ap-northeast-1",
		Buckets:  map[catalog.Bucket]string{catalog.BucketMedia: "nova-media-prod"},
		Services: catalog.Services(),
	}
}

func TestServices_have_the_documented_ports(t *testing.T) {
	want := map[string]int{
		"auth": 8083, "user": 8080, "content": 8081, "feed": 8084, "media": 8082, "messaging": 8085,
		"search": 8086, "streaming": 8087, "notification": 8088, "cdn": 8089, "events": 8090,
	}
	got := map[string]int{}
	for _, s := range catalog.Services() {
		got[s.Name] = s.HTTPPort
		assert.Equal(t, s.HTTPPort+1000, s.GRPCPort(), s.Name)
	}
	assert.Equal(t, want, got)
}

func TestValidate_accepts_the_catalogue(t *testing.T) {
	require.NoError(t, catalog.Validate(catalog.Services()))
}

func TestServices_follow_the_documented_contract(t *testing.T) {
	for _, s := range catalog.Services() {
		assert.Equal(t, catalog.DocumentedHealth(), s.Health, s.Name)
		assert.Equal(t, "/metrics", s.MetricsPath, s.Name)
		for _, need := range []catalog.StoreKind{catalog.Postgres, catalog.Redis, catalog.Kafka} {
			assert.Contains(t, s.Needs, need, s.Name)
		}
		assert.True(t, slices.IsSorted(s.Variables), s.Name)
		assert.True(t, slices.IsSorted(s.Secrets), s.Name)
	}
}

func TestServices_returns_a_fresh_copy(t *testing.T) {
	first := catalog.Services()
	first[0].Needs[0] = "changed"
	first[0].Variables[0] = "changed"
	first[2].Env["CONTENT_SERVICE_HOST"] = "changed"
	require.NoError(t, catalog.Validate(catalog.Services()))
	assert.Equal(t, "0.0.0.0", catalog.Services()[2].Env["CONTENT_SERVICE_HOST"])
}

func TestClone_shares_nothing(t *testing.T) {
	original := catalog.Services()[2]
	clone := original.Clone()
	clone.Env["CONTENT_SERVICE_HOST"] = "changed"
	clone.Needs[0], clone.Variables[0], clone.Secrets[0] = "x", "x", "x"
	assert.Equal(t, catalog.Services()[2], original)
}

func TestServices(t *testing.T) {
	t.Run("the signing key is for auth, and for user, which exits without it", func(t *testing.T) {
		for _, s := range catalog.Services() {
			receives := slices.Contains(s.Secrets, "JWT_PRIVATE_KEY_PEM")
			assert.Equal(t, s.Name == "auth" || s.Name == "user", receives, s.Name)
			assert.Equal(t, receives, slices.Contains(s.Required, "JWT_PRIVATE_KEY_PEM"), s.Name)
		}
	})
	// What the code at commit 94b91e29 exits without: section 1.5 of what was read
	// out of it, and of 1.3 and 1.4 the stores and callees that are fatal.
	required := map[string]string{
		"auth":         "DATABASE_URL JWT_PRIVATE_KEY_PEM JWT_PUBLIC_KEY_PEM REDIS_URL SERVER_HOST SERVER_PORT",
		"user":         "AUTH_SERVICE_GRPC_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY CLICKHOUSE_URL CLOUDFRONT_URL CONTENT_SERVICE_GRPC_URL DATABASE_URL JWT_PRIVATE_KEY_PEM JWT_PUBLIC_KEY_PEM JWT_SECRET KAFKA_BROKERS MEDIA_SERVICE_GRPC_URL REDIS_URL S3_BUCKET_NAME S3_REGION",
		"content":      "CLICKHOUSE_URL DATABASE_URL REDIS_URL",
		"feed":         "DATABASE_URL",
		"media":        "DATABASE_URL REDIS_URL",
		"messaging":    "DATABASE_URL GRPC_AUTH_SERVICE_URL JWT_PUBLIC_KEY_PEM MESSAGE_ENCRYPTION_MASTER_KEY REDIS_URL",
		"search":       "DATABASE_URL REDIS_URL",
		"streaming":    "DATABASE_URL REDIS_URL",
		"notification": "DATABASE_URL",
		"cdn":          "CDN_SECRET_KEY DATABASE_URL",
		"events":       "DATABASE_URL KAFKA_BROKERS",
	}
	inProduction := map[string]string{"user": "CORS_ALLOWED_ORIGINS", "content": "CLICKHOUSE_PASSWORD CORS_ALLOWED_ORIGINS"}
	for _, s := range catalog.Services() {
		t.Run(s.Name+" is given all that it exits without", func(t *testing.T) {
			assert.Equal(t, required[s.Name], strings.Join(s.Required, " "))
			assert.Equal(t, inProduction[s.Name], strings.Join(s.RequiredInProduction, " "))
			assert.Subset(t, s.Receives(), slices.Concat(s.Required, s.RequiredInProduction))
		})
	}
}

func TestVariables_of_ports_agree(t *testing.T) {
	for _, s := range catalog.Services() {
		v := s.PortVariables()
		for _, key := range []string{"HTTP_PORT", "SERVER_PORT", "APP_PORT", "PORT"} {
			assert.Equal(t, v["HTTP_PORT"], v[key], "%s %s", s.Name, key)
		}
		assert.Equal(t, "0.0.0.0", v["SERVER_HOST"])
		assert.Equal(t, "0.0.0.0", v["APP_HOST"])
		assert.Len(t, v, 7)
	}
}

func TestVariables_and_secrets_cover_the_documented_template(t *testing.T) {
	keys := map[string]bool{}
	for _, v := range catalog.Variables() {
		assert.False(t, keys[v.Key], "%s declared twice", v.Key)
		keys[v.Key] = true
		assert.NotEmpty(t, v.Doc, v.Key)
		assert.NotEmpty(t, v.Group, v.Key)
	}
	for _, s := range catalog.Secrets() {
		assert.False(t, keys[s.Key], "%s is both a variable and a secret, or declared twice", s.Key)
		keys[s.Key] = true
		assert.NotEmpty(t, s.Doc, s.Key)
	}
	for _, key := range documentedKeys() {
		assert.True(t, keys[key], "documented key %s is missing", key)
	}
	assert.Len(t, documentedKeys(), 112, "the documented template has 112 keys")
	for _, key := range []string{
		"JWT_SECRET", "MESSAGE_ENCRYPTION_MASTER_KEY", "CDN_SECRET_KEY", "S3_BUCKET_NAME", "S3_REGION", "CLOUDFRONT_URL",
		"KAFKA_BOOTSTRAP_SERVERS", "CONTENT_SERVICE_GRPC_URL", "MEDIA_SERVICE_GRPC_URL", "AUTH_SERVICE_GRPC_URL",
		"CLICKHOUSE_DB", "CLICKHOUSE_USER", "DB_MAX_CONNECTIONS", "DB_MIN_CONNECTIONS", "DB_CONNECT_TIMEOUT_SECS",
		"DB_IDLE_TIMEOUT_SECS", "DB_MAX_LIFETIME_SECS", "RUST_LOG",
	} {
		assert.True(t, keys[key], "required key %s is missing", key)
	}
}

func TestVariables_each_reach_a_service(t *testing.T) {
	received := map[string]bool{}
	for _, s := range catalog.Services() {
		for _, key := range append(s.Variables, s.Secrets...) {
			received[key] = true
		}
		for key := range s.Env {
			received[key] = true
		}
		for _, use := range s.Buckets {
			received[use.Variable] = true
		}
	}
	for _, v := range catalog.Variables() {
		// The shared client pool knows all services, but only declared calls
		// are handed out.
		if v.Unread || strings.HasPrefix(v.Key, "GRPC_") {
			continue
		}
		assert.True(t, received[v.Key], "%s is read by the code, yet no record lists it", v.Key)
	}
}

func TestVariables_derived_values_follow_the_stack(t *testing.T) {
	e := production()
	for key, want := range map[string]string{
		"APP_ENV":                  "production",
		"KAFKA_BROKERS":            "k1.internal:9092,k2.internal:9092",
		"KAFKA_BOOTSTRAP_SERVERS":  "k1.internal:9092,k2.internal:9092",
		"CLICKHOUSE_URL":           "https://clickhouse.internal:8443",
		"ELASTICSEARCH_URL":        "http://search.internal:9200",
		"S3_ENDPOINT":              "",
		"S3_BUCKET_NAME":           "nova-media-prod",
		"AWS_REGION":               "ap-northeast-1",
		"AUTH_SERVICE_GRPC_URL":    "http://auth-service.nova-backend.svc.cluster.local:9083",
		"GRPC_EVENTS_SERVICE_URL":  "http://events-service.nova-backend.svc.cluster.local:9090",
		"EVENTS_SERVICE_HTTP_PORT": "8090",
		"AUTH_SERVICE_HOST":        "auth-service.nova-backend.svc.cluster.local",
		"CONTENT_SERVICE_HOST":     "0.0.0.0",
		"MEDIA_SERVICE_HOST":       "0.0.0.0",
		"RUN_MIGRATIONS":           "false",
		"APNS_ENVIRONMENT":         "production",
	} {
		v, ok := catalog.FindVariable(key)
		require.True(t, ok, key)
		assert.Equal(t, want, v.Value(e), key)
	}
}

func TestVariables_an_overridden_port_is_in_every_address(t *testing.T) {
	e := production()
	e.Services[0].HTTPPort = 7000
	v, _ := catalog.FindVariable("GRPC_AUTH_SERVICE_URL")
	parsed, err := url.Parse(v.Value(e))
	require.NoError(t, err)
	assert.Equal(t, "8000", parsed.Port())
}

func TestVariables_a_disabled_service_keeps_a_valid_address(t *testing.T) {
	e := production()
	e.Services = e.Services[1:]
	v, _ := catalog.FindVariable("AUTH_SERVICE_GRPC_URL")
	assert.Equal(t, "http://auth-service.nova-backend.svc.cluster.local:9083", v.Value(e))
}

func TestWaves_put_callees_first(t *testing.T) {
	waves, err := catalog.Waves(catalog.Services())
	require.NoError(t, err)
	wave := map[string]int{}
	total := 0
	for i, services := range waves {
		for _, s := range services {
			wave[s.Name] = i
			total++
		}
	}
	assert.Equal(t, 11, total)
	for _, s := range catalog.Services() {
		for _, callee := range s.Calls {
			assert.Less(t, wave[callee], wave[s.Name], "%s calls %s", s.Name, callee)
		}
	}
}

func TestValidate_reports_every_mistake(t *testing.T) {
	for name, tc := range map[string]struct {
		change func([]catalog.Service) []catalog.Service
		want   []string
	}{
		"an unknown callee": {
			func(s []catalog.Service) []catalog.Service { s[0].Calls = []string{"video"}; return s },
			[]string{`service auth: calls unknown service "video"`, "known are auth, cdn"},
		},
		"a call to itself": {
			func(s []catalog.Service) []catalog.Service { s[0].Calls = []string{"auth"}; return s },
			[]string{"service auth: calls itself"},
		},
		"a duplicate name": {
			func(s []catalog.Service) []catalog.Service { s[1].Name = "auth"; return s },
			[]string{"service auth: declared twice"},
		},
		"a missing name": {
			func(s []catalog.Service) []catalog.Service { s[10].Name = ""; return s },
			[]string{"service without a name (HTTP port 8090)"},
		},
		"two equal HTTP ports": {
			func(s []catalog.Service) []catalog.Service { s[0].HTTPPort = 8080; return s },
			[]string{"port 8080: claimed by both auth HTTP and user HTTP", "port 9080: claimed by both auth gRPC and user gRPC"},
		},
		"an HTTP port on another's gRPC port": {
			func(s []catalog.Service) []catalog.Service { s[0].HTTPPort = 9080; return s },
			[]string{"port 9080: claimed by both auth HTTP and user gRPC"},
		},
		"a port whose gRPC port does not exist": {
			func(s []catalog.Service) []catalog.Service { s[0].HTTPPort = 65000; return s },
			[]string{"service auth: HTTP port 65000 is outside 1 to 64535"},
		},
		"a call cycle": {
			func(s []catalog.Service) []catalog.Service { s[0].Calls = []string{"user"}; return s },
			[]string{"call cycle among auth, user, feed, messaging"},
		},
		"an unknown variable, secret, need, bucket and class together": {
			func(s []catalog.Service) []catalog.Service {
				s[0].Variables = []string{"NOPE"}
				s[0].Secrets = []string{"NOPE_SECRET"}
				s[0].Needs = []catalog.StoreKind{"oracle"}
				s[0].Buckets = []catalog.BucketUse{{Bucket: "bin", Variable: "B"}}
				s[0].Class = "huge"
				return s
			},
			[]string{`variable "NOPE"`, `secret "NOPE_SECRET"`, `unknown store "oracle"`, `unknown bucket "bin"`, `unknown resource class "huge"`},
		},
		"paths that are not paths": {
			func(s []catalog.Service) []catalog.Service {
				s[0].Health.Live = "live"
				s[0].MetricsPath = "metrics"
				return s
			},
			[]string{`health path "live"`, `metrics path "metrics"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := catalog.Validate(tc.change(catalog.Services()))
			require.Error(t, err)
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

// documentedKeys are the 112 keys of the documented .env template.
func documentedKeys() []string {
	keys := strings.Fields(`
		APP_ENV LOG_LEVEL
		DATABASE_URL DATABASE_MAX_CONNECTIONS DATABASE_MIN_CONNECTIONS DATABASE_ACQUIRE_TIMEOUT_SECS
		DATABASE_IDLE_TIMEOUT_SECS DATABASE_MAX_LIFETIME_SECS RUN_MIGRATIONS
		REDIS_URL REDIS_POOL_SIZE REDIS_CONNECTION_TIMEOUT_SECS
		CLICKHOUSE_URL CLICKHOUSE_DATABASE CLICKHOUSE_USERNAME CLICKHOUSE_PASSWORD
		KAFKA_BROKERS KAFKA_CONSUMER_GROUP_ID KAFKA_AUTO_OFFSET_RESET KAFKA_ENABLE_AUTO_COMMIT
		KAFKA_AUTH_EVENTS_TOPIC KAFKA_USER_EVENTS_TOPIC KAFKA_CONTENT_EVENTS_TOPIC KAFKA_MESSAGE_EVENTS_TOPIC KAFKA_FEED_EVENTS_TOPIC
		ELASTICSEARCH_URL ELASTICSEARCH_POST_INDEX ELASTICSEARCH_USER_INDEX
		JWT_PRIVATE_KEY_PEM JWT_PUBLIC_KEY_PEM JWT_PRIVATE_KEY_PATH JWT_PUBLIC_KEY_PATH
		JWT_ACCESS_TOKEN_EXPIRES_IN_MINUTES JWT_REFRESH_TOKEN_EXPIRES_IN_DAYS
		AWS_S3_BUCKET AWS_S3_REGION AWS_S3_ENDPOINT AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
		SMTP_HOST SMTP_PORT SMTP_USERNAME SMTP_PASSWORD SMTP_FROM_EMAIL SMTP_FROM_NAME
		GOOGLE_CLIENT_ID GOOGLE_REDIRECT_URI GOOGLE_CLIENT_SECRET
		APNS_KEY_ID APNS_TEAM_ID APNS_PRIVATE_KEY_PATH APNS_ENVIRONMENT FCM_PROJECT_ID FCM_SERVICE_ACCOUNT_PATH
		GRPC_CONNECTION_TIMEOUT_SECS GRPC_REQUEST_TIMEOUT_SECS GRPC_MAX_CONCURRENT_STREAMS
		GRPC_KEEPALIVE_INTERVAL_SECS GRPC_KEEPALIVE_TIMEOUT_SECS GRPC_ENABLE_CONNECTION_POOLING GRPC_CONNECTION_POOL_SIZE
		GRPC_TLS_ENABLED GRPC_TLS_DOMAIN_NAME GRPC_TLS_CA_CERT_PATH GRPC_TLS_CLIENT_CERT_PATH GRPC_TLS_CLIENT_KEY_PATH
		RATE_LIMIT_MAX_REQUESTS RATE_LIMIT_WINDOW_SECS CORS_ALLOWED_ORIGINS SESSION_TIMEOUT_MINUTES
		PROMETHEUS_PORT JAEGER_AGENT_HOST JAEGER_AGENT_PORT
		ENABLE_FEED_SORTING ENABLE_VIDEO_TRANSCODING ENABLE_REAL_TIME_NOTIFICATIONS ENABLE_GROUP_CALLS
		DISABLE_AUTH DEBUG_SQL_QUERIES`)
	for _, name := range catalog.Names() {
		upper := strings.ToUpper(name)
		keys = append(keys, upper+"_SERVICE_HTTP_PORT", upper+"_SERVICE_HOST", "GRPC_"+upper+"_SERVICE_URL")
	}
	return keys
}

func TestBucketActions_are_those_of_the_services(t *testing.T) {
	services := []catalog.Service{
		{Name: "a", Buckets: []catalog.BucketUse{{Bucket: catalog.BucketMedia, Actions: []string{"s3:PutObject"}}}},
		{Name: "b", Buckets: []catalog.BucketUse{
			{Bucket: catalog.BucketMedia, Actions: []string{"s3:PutObject", "s3:GetObject"}},
			{Bucket: catalog.BucketCDN, Actions: []string{"s3:DeleteObject"}},
		}},
	}
	assert.Equal(t, []string{"s3:GetObject", "s3:PutObject"}, catalog.BucketActions(services, catalog.BucketMedia))
	assert.Empty(t, catalog.BucketActions(services, catalog.BucketAudio))
}

func TestAddress_brackets_IPv6(t *testing.T) {
	assert.Equal(t, "[fd00::1]:5432", catalog.Endpoint{Host: "fd00::1", Port: 5432}.Address())
	assert.Equal(t, "10.0.0.1:9092,k2.internal:9092", catalog.Endpoint{Host: "10.0.0.1, k2.internal", Port: 9092}.Address())
}

func TestImages(t *testing.T) {
	names := map[string]bool{}
	for _, i := range catalog.Images() {
		assert.False(t, names[i.Name], i.Name)
		names[i.Name] = true
		assert.NotContains(t, i.Tag, "@", "digests are in stack files")
		assert.NotEqual(t, "latest", i.Tag)
	}
	for _, s := range catalog.Stores() {
		if s.Exporter != nil {
			assert.True(t, names[s.Exporter.Name], "%s is pinned under its own name", s.Exporter.Name)
		}
	}
}
