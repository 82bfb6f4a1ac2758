package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

// parse reads the lines below "config:" of a stack file.
func parse(t *testing.T, name, lines string) (*stack.Stack, error) {
	t.Helper()
	input, err := stackfile.Parse([]byte("config:\n" + lines))
	if err != nil {
		return nil, err
	}
	return stack.Parse(name, input)
}

const production = "  nova:environment: production\n"

// released is what production needs at least.
const released = production + elsewhere + "  nova:images: {registry: registry.example.com/nova, version: v1.4.0}\n"

// elsewhere says where the stateful systems of a production stack are.
const elsewhere = `  nova:dependencies:
    postgres: {host: pg.example.com, maxConnections: 5000}
    redis: {host: redis.example.com}
    clickhouse: {host: clickhouse.example.com}
    kafka: {host: "k1.example.com,k2.example.com"}
    elasticsearch: {host: search.example.com}
  nova:secretSources: {default: external, keys: {JWT_PRIVATE_KEY_PEM: generated}}
  nova:aws: {account: "123456789012", oidcIssuer: "https://oidc.example.com/id/1", cdn: {distributions: ["arn:aws:cloudfront::123456789012:distribution/E1"]}}
`

// owned runs on a cluster of one's own; watched begins a list of receivers.
const (
	owned   = "  nova:cluster: {kubeconfig: kubeconfig, identifier: mine}\n"
	watched = "  nova:monitoring: {mode: existing, receivers: ["
)

func TestParse_reports_each_mistake_with_key_and_allowed_values(t *testing.T) {
	for name, tc := range map[string]struct {
		lines string
		want  []string
	}{
		"a number that is text":                {"  nova:replicas: three\n", []string{`nova:replicas: Invalid value: "three": is not a whole number`}},
		"a fraction of a replica":              {"  nova:replicas: 2.5\n", []string{`nova:replicas: Invalid value: "2.5": is not a whole number`}},
		"no replicas":                          {"  nova:replicas: 0\n", []string{"nova:replicas: Invalid value: 0: is out of range; allowed: 1 to 100"}},
		"far too many replicas":                {"  nova:replicas: 5000\n", []string{"nova:replicas: Invalid value: 5000", "allowed: 1 to 100"}},
		"a boolean that is text":               {"  nova:deletionProtection: maybe\n", []string{`nova:deletionProtection: Invalid value: "maybe": is not a boolean; allowed: true, false`}},
		"text in place of an object":           {"  nova:images: latest\n", []string{`nova:images: Invalid value: "latest": must be an object`}},
		"an object in place of text":           {"  nova:namespace: {name: x}\n", []string{"nova:namespace: Invalid value: an object: must be text"}},
		"text in place of a list":              {"  nova:images: {pullSecrets: mine}\n", []string{`nova:images.pullSecrets: Invalid value: "mine": must be a list`}},
		"a pin of an unknown image":            {"  nova:images: {pins: {postgress: x}}\n", []string{`nova:images.pins.postgress: Invalid value: "x": is no image that can be pinned; did you mean "postgres"?`}},
		"a pin of a base image":                {"  nova:images: {pins: {debian: x}}\n", []string{"nova:images.pins.debian"}},
		"a pin without a digest":               {"  nova:images: {pins: {kafka: 3.8.1}}\n", []string{`nova:images.pins.kafka: Invalid value: "3.8.1": is not a pin; expected 3.8.1@sha256:`}},
		"a pin of an earlier version":          {"  nova:images: {pins: {kafka: 3.7.0@sha256:" + strings.Repeat("a", 64) + "}}\n", []string{"pins another version than this program runs, docker.io/apache/kafka:3.8.1"}},
		"an unknown top-level key":             {"  nova:replica: 2\n", []string{`nova:replica: Forbidden: unknown key; did you mean "replicas"?`}},
		"an unknown nested key":                {"  nova:images: {verson: v1}\n", []string{`nova:images.verson: Forbidden: unknown key; did you mean "version"?`}},
		"a key like no other":                  {"  nova:images: {zzzzzzzzzzzz: v1}\n", []string{"nova:images.zzzzzzzzzzzz: Forbidden: unknown key; allowed: build, pins, pullPolicy, pullSecrets, registry, version"}},
		"an unknown key of a service":          {"  nova:services: {auth: {replcas: 2}}\n", []string{`nova:services.auth.replcas: Forbidden: unknown key; did you mean "replicas"?`}},
		"a gRPC port, which is locked":         {"  nova:services: {auth: {grpcPort: 9999}}\n", []string{"nova:services.auth.grpcPort: Forbidden: unknown key"}},
		"an unknown service":                   {"  nova:services: {auht: {replicas: 2}}\n", []string{`nova:services.auht: Forbidden: unknown service; did you mean "auth"?`}},
		"an unknown environment":               {"  nova:environment: prod\n", []string{`nova:environment: Unsupported value: "prod": supported values: "development", "staging", "production"`}},
		"a namespace with capitals":            {"  nova:namespace: Nova\n", []string{`nova:namespace: Invalid value: "Nova": is not a Kubernetes name`}},
		"a namespace of Kubernetes":            {"  nova:namespace: kube-system\n", []string{"is reserved by Kubernetes"}},
		"production without a version":         {production + "  nova:images: {registry: registry.example.com}\n", []string{"nova:images.version: Required value: must be set in production"}},
		"production without a registry":        {production + "  nova:images: {version: v1}\n  nova:aws: {repositories: {create: false}}\n", []string{"nova:images.registry: Required value: must be set in production"}},
		"capitals in the path of repositories": {production + "  nova:aws: {account: \"123456789012\", oidcIssuer: \"https://oidc.example.com/id/1\", repositories: {prefix: Nova}}\n", []string{`nova:aws.repositories.prefix: Invalid value: "Nova": is not a repository path`}},
		"latest in production":                 {production + "  nova:images: {registry: registry.example.com, version: latest}\n", []string{`nova:images.version: Invalid value: "latest": is refused in production`}},
		"latest for one service":               {released + "  nova:services: {auth: {image: {tag: latest}}}\n", []string{`nova:services.auth.image.tag: Invalid value: "latest": is refused in production`}},
		"a tag with a space":                   {"  nova:images: {version: 'v 1'}\n", []string{`nova:images.version: Invalid value: "v 1": is not a tag`}},
		"a digest that is too short":           {"  nova:services: {auth: {image: {digest: 'sha256:abc'}}}\n", []string{`nova:services.auth.image.digest: Invalid value: "sha256:abc": is not a digest`}},
		"a registry with a scheme":             {"  nova:images: {registry: 'https://example.com'}\n", []string{"nova:images.registry", "is not a registry"}},
		"a repository with a tag":              {"  nova:services: {auth: {image: {repository: 'example.com/auth:v1'}}}\n", []string{"nova:services.auth.image.repository", "is not a repository"}},
		"a build of production":                {production + "  nova:images: {registry: registry.example.com, version: v1, build: {context: ../nova}}\n", []string{`nova:images.build.context: Invalid value: "../nova": is refused in production`}},
		"a build anywhere, with a version": {"  nova:images: {version: v1, build: {context: /src/nova, platform: windows/amd64, concurrency: 12, host: localhost}}\n", []string{
			`nova:images.build.context: Invalid value: "/src/nova": is a path of one machine`, `nova:images.version: Invalid value: "v1": contradicts nova:images.build.context`,
			`nova:images.build.platform: Invalid value: "windows/amd64": is not a platform of Linux`, `nova:images.build.concurrency: Invalid value: 12: is out of range; allowed: 1 to 11`,
			`nova:images.build.host: Invalid value: "localhost": is not the address of a Docker engine`,
		}},
		"an unknown pull policy":       {"  nova:images: {pullPolicy: Sometimes}\n", []string{`supported values: "IfNotPresent", "Always", "Never"`}},
		"a request above its limit":    {"  nova:resources: {default: {requests: {cpu: 600m}}}\n", []string{`nova:services.auth.resources.requests.cpu: Invalid value: "600m": is above the limit 500m`}},
		"a memory request above limit": {"  nova:services: {feed: {resources: {requests: {memory: 1Gi}}}}\n", []string{`nova:services.feed.resources.requests.memory: Invalid value: "1Gi": is above the limit 512Mi`}},
		"a quantity without meaning":   {"  nova:resources: {default: {limits: {memory: lots}}}\n", []string{`"lots": is not a positive Kubernetes quantity`}},
		"memory in thousandths of a byte": {"  nova:resources: {default: {requests: {memory: 256m}, limits: {memory: 512m}}}\n", []string{
			`nova:services.auth.resources.requests.memory: Invalid value: "256m": is 0.256 bytes; allowed: 1Mi to 1Pi, such as 512Mi`,
			`nova:services.auth.resources.limits.memory: Invalid value: "512m": is 0.512 bytes`,
		}},
		"a store's memory without a unit": {"  nova:dependencies: {redis: {resources: {limits: {memory: 512}}}}\n", []string{`nova:dependencies.redis.resources.limits.memory: Invalid value: "512": is 512 bytes`}},
		"processors in mebi": {"  nova:services: {cdn: {resources: {limits: {cpu: 500Mi}}}}\n", []string{
			`nova:services.cdn.resources.limits.cpu: Invalid value: "500Mi": is 524288000 processors; allowed: 1m to 1000`,
		}},
		"a volume of a few bytes":         {"  nova:dependencies: {kafka: {storage: 20m}}\n", []string{`nova:dependencies.kafka.storage: Invalid value: "20m": is 0.020 bytes`}},
		"a negative quantity":             {"  nova:resources: {media: {limits: {cpu: '-1'}}}\n", []string{`nova:services.media.resources.limits.cpu: Invalid value: "-1"`}},
		"replicas at the budget":          {"  nova:replicas: 2\n  nova:disruption: {minAvailable: 2}\n", []string{"nova:services.auth.disruption.minAvailable: Invalid value: 2: is not below the 2 replicas of auth"}},
		"replicas below a budget":         {"  nova:services: {auth: {replicas: 1, disruption: {minAvailable: 3}}}\n", []string{"is not below the 1 replicas of auth"}},
		"a budget that allows nothing":    {"  nova:disruption: {maxUnavailable: 0}\n", []string{"nova:services.auth.disruption.maxUnavailable: Invalid value: 0: must be at least 1"}},
		"two services on one port":        {"  nova:services: {auth: {httpPort: 8080}}\n", []string{"port 8080: claimed by both auth HTTP and user HTTP"}},
		"HTTP on another's gRPC port":     {"  nova:services: {cdn: {httpPort: 9081}}\n", []string{"port 9081: claimed by both content gRPC and cdn HTTP"}},
		"a port out of range":             {"  nova:services: {auth: {httpPort: 65000}}\n", []string{"HTTP port 65000 is outside 1 to 64535"}},
		"a call to nobody":                {"  nova:services: {auth: {calls: [video]}}\n", []string{`service auth: calls unknown service "video"`}},
		"a call to a disabled service":    {"  nova:services: {media: {enabled: false}}\n", []string{`service user: calls unknown service "media"`}},
		"a call cycle":                    {"  nova:services: {auth: {calls: [user]}}\n", []string{"call cycle among"}},
		"an unknown need":                 {"  nova:services: {auth: {needs: [oracle]}}\n", []string{`service auth: needs unknown store "oracle"`}},
		"an unknown secret for a service": {"  nova:services: {auth: {secrets: [PASSWORD]}}\n", []string{`service auth: secret "PASSWORD" is not in the catalogue`}},
		"a port variable by hand":         {"  nova:services: {auth: {env: {SERVER_PORT: '1'}}}\n", []string{"change nova:services.auth.httpPort"}},
		"a secret in plain environment":   {"  nova:services: {auth: {env: {JWT_SECRET: hunter2hunter2}}}\n", []string{"nova:services.auth.env.JWT_SECRET: Invalid value: [secret]: is a secret"}},
		"a variable name with a dash":     {"  nova:services: {auth: {env: {MY-VAR: x}}}\n", []string{"is not a variable name"}},
		"a variable that breaks auth":     {"  nova:services: {auth: {env: {EMAIL: x}}}\n", []string{"breaks the configuration parser"}},
		"a probe path without slash":      {"  nova:services: {auth: {health: {live: health}}}\n", []string{`health path "health" does not start with /`}},
		"an unknown variable":             {"  nova:variables: {LOG_LEVELL: debug}\n", []string{`nova:variables.LOG_LEVELL: Forbidden: unknown variable; did you mean "LOG_LEVEL"?`}},
		"a derived variable":              {"  nova:variables: {RUN_MIGRATIONS: 'true'}\n", []string{"nova:variables.RUN_MIGRATIONS", "cannot be set"}},
		"a secret among the variables":    {"  nova:variables: {DATABASE_URL: 'postgresql://u:hunter2@h/d'}\n", []string{"nova:variables.DATABASE_URL: Invalid value: [secret]: is a secret"}},
		"a secret in plain text":          {"  nova:secrets: {SMTP_PASSWORD: hunter2}\n", []string{"nova:secrets.SMTP_PASSWORD: Invalid value: [secret]: must be encrypted"}},
		"an unknown secret":               {"  nova:secrets: {SMTP_PASWORD: {secure: v1:abc}}\n", []string{`nova:secrets.SMTP_PASWORD: Forbidden: unknown secret; did you mean "SMTP_PASSWORD"?`}},
		"an encrypted plain field":        {"  nova:namespace: {secure: v1:abc}\n", []string{"nova:namespace: Invalid value: [secret]: must not be secret"}},
		"a surge of nothing":              {"  nova:rollout: {maxSurge: '0'}\n", []string{`nova:rollout.maxSurge: Invalid value: "0"`}},
		"a surge in words":                {"  nova:rollout: {maxSurge: some}\n", []string{"is neither a number nor a percentage"}},
		"a deadline before readiness":     {"  nova:rollout: {minReadySeconds: 300, progressDeadlineSeconds: 200}\n", []string{"nova:rollout.progressDeadlineSeconds: Invalid value: 200: is out of range; allowed: 301 to 3600"}},
		"a boot longer than the deadline": {"  nova:probes: {startup: {periodSeconds: 60}}\n", []string{"nova:probes.startup: Forbidden: a pod may take 1800 s to start"}},
		"a probe that outlasts its turn":  {"  nova:probes: {liveness: {timeoutSeconds: 20}}\n", []string{"nova:probes.liveness.timeoutSeconds: Invalid value: 20: is out of range; allowed: 1 to 10"}},
		"no grace at all":                 {"  nova:shutdown: {drainSeconds: 0}\n", []string{"nova:shutdown.drainSeconds: Invalid value: 0"}},
		"an autoscaler upside down":       {"  nova:autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 2}\n", []string{"nova:services.auth.autoscaling.maxReplicas: Invalid value: 2: is out of range; allowed: 5 to 100"}},
		"a target above the request":      {"  nova:autoscaling: {enabled: true, cpuPercent: 150}\n", []string{"autoscaling.cpuPercent: Invalid value: 150"}},
		"an unknown mesh":                 {"  nova:mesh: consul\n", []string{`supported values: "none", "istio", "linkerd"`}},
		"zones that nothing requires":     {"  nova:spread: {minZones: 3}\n", []string{`nova:spread.minZones: Invalid value: 3: is for nova:spread.zones required, but that is "preferred"`}},
		"an unknown profile":              {"  nova:profile: commit-94b91e2\n", []string{`nova:profile: Unsupported value: "commit-94b91e2": supported values: "contract", "commit-94b91e29"`}},
		"an alias of nothing":             {"  nova:services: {cdn: {aliases: {OTHER: NOPE}}}\n", []string{`service cdn: alias OTHER: variable "NOPE" is not in the catalogue`}},
		"an unknown spread":               {"  nova:spread: {zones: always}\n", []string{`supported values: "required", "preferred", "off"`}},
		"an unknown discovery":            {"  nova:grpc: {discovery: dns}\n", []string{`supported values: "clusterIP", "headless"`}},
		"a host with a scheme":            {"  nova:dependencies: {redis: {mode: external, host: 'redis://r'}}\n", []string{`nova:dependencies.redis.host: Invalid value: "redis://r": is not a host`}},
		"a dependency's port":             {"  nova:dependencies: {kafka: {mode: external, port: 70000}}\n", []string{"nova:dependencies.kafka.port: Invalid value: 70000: is out of range; allowed: 1 to 65535"}},
		"a schedule of six fields":        {"  nova:dependencies: {postgres: {backup: {schedule: '0 0 2 * * *'}}}\n", []string{`nova:dependencies.postgres.backup.schedule: Invalid value: "0 0 2 * * *": is no schedule; expected none, or five fields of cron in UTC`}},
		"a schedule of a time zone":       {"  nova:dependencies: {postgres: {backup: {schedule: 'TZ=UTC 0 2 * * *'}}}\n", []string{"is no schedule"}},
		"a backup once a year":            {"  nova:dependencies: {postgres: {backup: {schedule: '0 2 1 1 *'}}}\n", []string{"runs less than once a month"}},
		"no time to keep a backup":        {"  nova:dependencies: {postgres: {backup: {retentionDays: 0}}}\n", []string{"nova:dependencies.postgres.backup.retentionDays: Invalid value: 0: is out of range; allowed: 1 to 3650"}},
		"an administrator of one's own":   {"  nova:dependencies: {postgres: {admin: {secret: a}}}\n", []string{"nova:dependencies.postgres.admin.secret: Forbidden: is for mode external, but the mode is inCluster"}},
		"an administrator in plain text":  {"  nova:dependencies: {postgres: {mode: external, host: db, admin: {secret: 'user:hunter2'}}}\n", []string{"is no name of a Secret"}},
		"a migrating Job without image":   {"  nova:migrations: {mode: job}\n", []string{"nova:migrations.image: Required value: must be set when mode is job"}},
		"an image that nobody runs":       {"  nova:migrations: {mode: elsewhere, image: 'a/b:v1'}\n", []string{`nova:migrations.image: Invalid value: "a/b:v1": is for mode job, but the mode is elsewhere`}},
		"migrations by nobody known":      {"  nova:migrations: {mode: pods}\n", []string{`nova:migrations.mode: Unsupported value: "pods": supported values: "none", "job", "elsewhere"`}},
		"migrations of the latest image":  {"  nova:migrations: {image: 'a/b:latest'}\n", []string{`nova:migrations.image: Invalid value: "a/b:latest": names no exact version`}},
		"migrations of a tag, guarded":    {released + "  nova:migrations: {image: 'a/b:v1'}\n", []string{`nova:migrations.image: Invalid value: "a/b:v1": has no digest, which is refused in production`}},
		"migrations in a relative folder": {"  nova:migrations: {directory: migrations}\n", []string{`nova:migrations.directory: Invalid value: "migrations": is not an absolute path`}},
		"a release without a v":           {"  nova:migrations: {serving: ['1.4.0']}\n", []string{`nova:migrations.serving: Invalid value: ["1.4.0"]: "1.4.0" is not a release; write it as v1.4.0`}},
		"a migrator past the server":      {"  nova:migrations: {host: db.example.com}\n", []string{"nova:migrations.host: Forbidden: is for an external PostgreSQL"}},
		"a migrator of the services":      {"  nova:migrations: {user: nova_a}\n", []string{`nova:migrations.user: Invalid value: "nova_a": is taken`}},
		"migrations in no time":           {"  nova:migrations: {deadlineSeconds: 5}\n", []string{"nova:migrations.deadlineSeconds: Invalid value: 5: is out of range; allowed: 60 to 86400"}},
		"two PostgreSQL hosts":            {"  nova:dependencies: {postgres: {mode: external, host: 'a,b'}}\n", []string{"must be one host"}},
		"a database with a quote":         {"  nova:dependencies: {postgres: {database: \"a'b\"}}\n", []string{"nova:dependencies.postgres.database", "is not a name"}},
		"a region that is none":           {"  nova:storage: {region: tokyo}\n", []string{"nova:storage.region"}},
		"a bucket with capitals":          {"  nova:storage: {buckets: {media: Media}}\n", []string{"nova:storage.buckets.media", "is not a bucket name"}},
		"two buckets of one name":         {"  nova:storage: {buckets: {media: same-name, cdn: same-name}}\n", []string{"is already the bucket of media"}},
		"an unknown bucket":               {"  nova:storage: {buckets: {medai: x-y-z}}\n", []string{`unknown bucket; did you mean "media"?`}},
		"an endpoint without port":        {"  nova:storage: {endpoint: minio}\n", []string{"is not host:port"}},
		"external without a host":         {"  nova:dependencies: {postgres: {mode: external}}\n", []string{"nova:dependencies.postgres.host: Required value: must be set when mode is external (stack s)"}},
		"a host in the cluster":           {"  nova:dependencies: {redis: {host: r.example.com}}\n", []string{"nova:dependencies.redis.host: Forbidden: is for mode external, but the mode is inCluster"}},
		"an unknown mode":                 {"  nova:dependencies: {redis: {mode: cloud}}\n", []string{`nova:dependencies.redis.mode: Unsupported value: "cloud": supported values: "inCluster", "external"`}},
		"production in the cluster":       {production + "  nova:dependencies: {kafka: {mode: inCluster}}\n", []string{`nova:dependencies.kafka.mode: Invalid value: "inCluster": is refused in production`, "nova:dependencies.acknowledgeInCluster"}},
		"storage of production inside":    {production + "  nova:storage: {mode: inCluster}\n", []string{`nova:storage.mode: Invalid value: "inCluster": is refused in production`}},
		"more connections than fit":       {"  nova:variables: {DB_MAX_CONNECTIONS: '40'}\n", []string{"nova:dependencies.postgres.maxConnections: Invalid value: 500: is below the 891 connections", "auth 40 × 2 pods", "exporter 3 + jobs 5 + reserved 3"}},
		"an autoscaler past the pools":    {"  nova:autoscaling: {enabled: true, maxReplicas: 20}\n", []string{"auth 10 × 25 pods"}},
		"a pool in words":                 {"  nova:variables: {DB_MAX_CONNECTIONS: many}\n", []string{`nova:variables.DB_MAX_CONNECTIONS: Invalid value: "many": is not a number of connections`}},
		"a network with host bits":        {"  nova:dependencies: {redis: {mode: external, host: r, cidrs: [10.0.0.1/8]}}\n", []string{`nova:dependencies.redis.cidrs[0]: Invalid value: "10.0.0.1/8": is not a network`}},
		"a network that is none":          {"  nova:network: {private: [intranet]}\n", []string{`nova:network.private[0]: Invalid value: "intranet": is not a network`}},
		"a topic of the catalogue":        {"  nova:dependencies: {kafka: {topics: [{name: events}]}}\n", []string{`nova:dependencies.kafka.topics[0].name: Duplicate value: "events": is declared by the catalogue already`}},
		"a topic declared twice":          {"  nova:dependencies: {kafka: {topics: [{name: a.b}, {name: a_b}]}}\n", []string{`nova:dependencies.kafka.topics[1].name: Duplicate value: "a_b": is declared by nova:dependencies.kafka.topics[0] already`}},
		"a topic with a space":            {"  nova:dependencies: {kafka: {topics: [{name: 'a b'}]}}\n", []string{"is not a topic"}},
		"a topic without partitions":      {"  nova:dependencies: {kafka: {topics: [{name: a, partitions: -1}]}}\n", []string{"nova:dependencies.kafka.topics[0].partitions: Invalid value: -1: is out of range"}},
		"two brokers":                     {"  nova:dependencies: {kafka: {brokers: 2}}\n", []string{"nova:dependencies.kafka.brokers: Invalid value: 2: allowed: 1 or 3"}},
		"messages kept for no hour":       {"  nova:dependencies: {kafka: {retentionHours: 0}}\n", []string{"nova:dependencies.kafka.retentionHours: Invalid value: 0: is out of range; allowed: 1 to 8760"}},
		"Redis without room":              {"  nova:dependencies: {redis: {maxMemory: 768Mi}}\n", []string{`nova:dependencies.redis.maxMemory: Invalid value: "768Mi": leaves too little of the memory limit 768Mi`}},
		"a store without a version":       {"  nova:dependencies: {redis: {image: redis}}\n", []string{`nova:dependencies.redis.image: Invalid value: "redis": names no exact version`}},
		"the latest store":                {"  nova:dependencies: {redis: {image: 'redis:latest'}}\n", []string{"names no exact version"}},
		"a volume of no size":             {"  nova:dependencies: {kafka: {storage: big}}\n", []string{`nova:dependencies.kafka.storage: Invalid value: "big": is not a positive Kubernetes quantity`}},
		"versions kept for too short":     {"  nova:deletionProtection: true\n  nova:storage: {noncurrentDays: 1}\n", []string{"nova:storage.noncurrentDays: Invalid value: 1: is out of range; allowed: 7 to 3650"}},
		"objects expire too early":        {"  nova:deletionProtection: true\n  nova:storage: {expireDays: {cdn: 3}}\n", []string{"nova:storage.expireDays.cdn: Invalid value: 3: is out of range; allowed: 30 to 3650"}},
		"an unknown bucket expires":       {"  nova:storage: {expireDays: {medai: 60}}\n", []string{`nova:storage.expireDays.medai: Forbidden: unknown bucket; did you mean "media"?`}},
		"a role without issuer":           {"  nova:storage: {mode: aws}\n  nova:aws: {account: '123456789012'}\n", []string{"nova:aws.oidcIssuer: Required value: must be set when nova:storage.mode is aws"}},
		"an issuer without scheme":        {"  nova:storage: {mode: aws}\n  nova:aws: {account: '123456789012', oidcIssuer: oidc.example.com}\n", []string{`nova:aws.oidcIssuer: Invalid value: "oidc.example.com": is not an issuer`}},
		"an account with a letter":        {"  nova:storage: {mode: aws}\n  nova:aws: {account: 12345678901a}\n", []string{`nova:aws.account: Invalid value: "12345678901a": is not an account; expected 12 digits`}},
		"a wildcard action":               {"  nova:services: {media: {buckets: [{bucket: media, variable: B, actions: ['s3:*']}]}}\n", []string{`nova:services.media.buckets[0].actions[0]: Invalid value: "s3:*": is not an action on objects`}},
		"external storage, no endpoint":   {"  nova:storage: {mode: external}\n", []string{"nova:storage.endpoint: Required value: must be set when mode is external"}},
		"an ingress without host":         {"  nova:ingress: {kind: ingress}\n", []string{"nova:ingress.host: Required value: must be set when kind is ingress"}},
		"a route without gateway":         {"  nova:ingress: {kind: gateway, host: api.example.com}\n", []string{"nova:ingress.gateway: Required value: must be set"}},
		"metrics for everybody":           {"  nova:services: {auth: {publicPaths: [/metrics]}}\n", []string{`nova:services.auth.publicPaths[0]: Invalid value: "/metrics": is not a path of the API`}},
		"health for everybody":            {"  nova:services: {auth: {publicPaths: [/api/v1]}}\n", []string{`nova:services.auth.publicPaths[0]: Invalid value: "/api/v1": would publish /api/v1/health`}},
		"one path of two services":        {"  nova:services: {cdn: {publicPaths: [/api/v1/videos]}}\n", []string{`nova:services.cdn.publicPaths[0]: Duplicate value: "/api/v1/videos": is published by nova:services.media.publicPaths[1] already`}},
		"a path published twice":          {"  nova:services: {cdn: {publicPaths: [/api/v1/cdn, /api/v1/cdn]}}\n", []string{`nova:services.cdn.publicPaths[1]: Duplicate value: "/api/v1/cdn": is published by nova:services.cdn.publicPaths[0] already`}},
		"a private network of IPv6":       {"  nova:network: {private: ['fd00::/8']}\n", []string{`nova:network.private[0]: Invalid value: "fd00::/8": cannot be excluded from the internet`}},
		"everything as private":           {"  nova:network: {private: [0.0.0.0/0]}\n", []string{`nova:network.private[0]: Invalid value: "0.0.0.0/0": cannot be excluded from the internet`}},
		"a neighbour's label with spaces": {"  nova:network: {prometheus: {labels: {app: 'my prometheus'}}}\n", []string{`nova:network.prometheus.labels.app: Invalid value: "my prometheus": is not the value of a label`}},
		"a neighbour's label, no key":     {"  nova:network: {dns: {labels: {'a b': c}}}\n", []string{`nova:network.dns.labels["a b"]: Invalid value: "c": is not a label`}},
		"a class with capitals":           {"  nova:ingress: {kind: ingress, host: api.example.com, className: Nginx}\n", []string{`nova:ingress.className: Invalid value: "Nginx": is not a Kubernetes name`}},
		"a gateway with a slash":          {"  nova:ingress: {kind: gateway, host: api.example.com, gateway: a/b, gatewayNamespace: C}\n", []string{`nova:ingress.gateway: Invalid value: "a/b": is not a Kubernetes name`, `nova:ingress.gatewayNamespace: Invalid value: "C": is not a Kubernetes name`}},
		"a source that is none":           {"  nova:secretSources: {keys: {JWT_SECRET: vault}}\n", []string{`nova:secretSources.keys.JWT_SECRET: Unsupported value: "vault": supported values: "generated", "external", "none"`}},
		"a source of an unknown secret":   {"  nova:secretSources: {keys: {JWT_SECRETT: external}}\n", []string{`nova:secretSources.keys.JWT_SECRETT: Forbidden: unknown secret; did you mean "JWT_SECRET"?`}},
		"a secret that cannot be made":    {"  nova:secretSources: {keys: {SMTP_PASSWORD: generated}}\n", []string{"nova:secretSources.keys.SMTP_PASSWORD", "cannot be generated"}},
		"a required secret left out":      {"  nova:secretSources: {keys: {JWT_SECRET: none}}\n", []string{"nova:secrets.JWT_SECRET: Required value: must be set in this stack"}},
		"a password of nobody's database": {"  nova:dependencies: {postgres: {mode: external, host: pg}}\n", []string{"nova:secrets.POSTGRES_PASSWORD: Required value: must be set in this stack", "nova:secretSources.keys.POSTGRES_PASSWORD to external"}},
		"a signing key kept elsewhere":    {"  nova:secretSources: {keys: {JWT_PRIVATE_KEY_PEM: external}}\n", []string{"nova:variables.JWT_PUBLIC_KEY_PEM", "is required when JWT_PRIVATE_KEY_PEM is external"}},
		"too many rotations":              {"  nova:secretSources: {rotation: {JWT_SECRET: 101}}\n", []string{"nova:secretSources.rotation.JWT_SECRET: Invalid value: 101: is out of range"}},
		"a hasty refresh":                 {"  nova:secretSources: {default: external, external: {refreshInterval: 1s}}\n", []string{`nova:secretSources.external.refreshInterval: Invalid value: "1s": is not an interval of a minute or more`}},
		"a quota below the plan":          {"  nova:quota: {headroomPercent: -10}\n", []string{"nova:quota.headroomPercent: Invalid value: -10: is out of range"}},
		"stores below services":           {"  nova:priority: {services: 500, stores: 100}\n", []string{"nova:priority.stores: Invalid value: 100: is out of range; allowed: 500 to"}},
		"own cluster, no identifier":      {"  nova:cluster: {kubeconfig: /etc/kubeconfig}\n", []string{"nova:cluster.identifier: Required value: must be set with a kubeconfig of your own"}},
		"no kubeconfig":                   {"  nova:cluster: {kubeconfig: ''}\n", []string{"nova:cluster.kubeconfig: Required value: must not be empty"}},

		"an unknown way of monitoring":     {"  nova:monitoring: {mode: helm}\n", []string{`nova:monitoring.mode: Unsupported value: "helm": supported values: "none", "existing", "install"`}},
		"a chart on the embedded cluster":  {"  nova:monitoring: {mode: install, chart: {version: 1.2.3}}\n", []string{`nova:monitoring.mode: Invalid value: "install": is refused on the embedded control plane`}},
		"a chart without version":          {owned + "  nova:monitoring: {mode: install}\n", []string{"nova:monitoring.chart.version: Required value: must be set with mode install"}},
		"a range of chart versions":        {owned + "  nova:monitoring: {mode: install, chart: {version: '77'}}\n", []string{`nova:monitoring.chart.version: Invalid value: "77": is not an exact version`}},
		"a chart from nowhere":             {owned + "  nova:monitoring: {mode: install, chart: {version: 1.2.3, repository: charts}}\n", []string{`nova:monitoring.chart.repository: Invalid value: "charts": is not the address`}},
		"a retention without unit":         {owned + "  nova:monitoring: {mode: install, chart: {version: 1.2.3, retention: '15'}}\n", []string{`nova:monitoring.chart.retention: Invalid value: "15": is not a duration of Prometheus`}},
		"a volume without meaning":         {owned + "  nova:monitoring: {mode: install, chart: {version: 1.2.3, storage: big}}\n", []string{`nova:monitoring.chart.storage: Invalid value: "big": is not a positive Kubernetes quantity`}},
		"Prometheus among the services":    {owned + "  nova:monitoring: {mode: install, chart: {version: 1.2.3}}\n  nova:network: {prometheus: {namespace: nova-backend}}\n", []string{`nova:network.prometheus.namespace: Invalid value: "nova-backend": is the stack's own`}},
		"an objective above 100":           {"  nova:monitoring: {slo: {objective: 120}}\n", []string{"nova:monitoring.slo.objective: Invalid value: 120 %: want more than 0 and less than 100"}},
		"an objective of a service":        {"  nova:monitoring: {services: {feed: {slo: {errorHigh: 0}}}}\n", []string{"nova:monitoring.services.feed.slo.errorHigh: Invalid value: 0 %: want more than 0"}},
		"an alert that comes too late":     {"  nova:monitoring: {services: {feed: {slo: {p95: {alert: 2s}}}}}\n", []string{"nova:monitoring.services.feed.slo.p95.alert: Invalid value: 2s: want no more than p99.alert"}},
		"an objective in words":            {"  nova:monitoring: {slo: {objective: high}}\n", []string{`nova:monitoring.slo.objective: Invalid value: "high": is not a number`}},
		"a duration without unit":          {"  nova:monitoring: {slo: {p95: {alert: 500}}}\n", []string{"nova:monitoring.slo.p95.alert: Invalid value: 500: is not a duration; expected a form such as 300ms"}},
		"a limit above 100":                {"  nova:monitoring: {limits: {redisMemory: 101}}\n", []string{"nova:monitoring.limits.redisMemory: Invalid value: 101 %: want"}},
		"an objective for nobody":          {"  nova:monitoring: {services: {fede: {slo: {objective: 99}}}}\n", []string{`nova:monitoring.services.fede: Forbidden: unknown service; did you mean "feed"?`}},
		"an objective for who is away":     {"  nova:services: {events: {enabled: false}}\n  nova:monitoring: {services: {events: {team: x}}}\n", []string{"nova:monitoring.services.events: Forbidden: is not part of the stack: nova:services.events.enabled is false"}},
		"a team with a space":              {"  nova:monitoring: {services: {feed: {team: our team}}}\n", []string{`nova:monitoring.services.feed.team: Invalid value: "our team": is not a Kubernetes name`}},
		"a receiver without secret":        {watched + "{kind: pagerduty, severity: critical}]}\n", []string{"nova:monitoring.receivers[0]: Invalid value: secret is missing, want the name and key of a Secret"}},
		"a receiver with half a secret":    {watched + "{kind: slack, severity: warning, secret: {name: a}}]}\n", []string{"nova:monitoring.receivers[0]: Invalid value: secret is missing"}},
		"a receiver with a plain secret":   {watched + "{kind: slack, severity: warning, secret: hunter2}]}\n", []string{"nova:monitoring.receivers[0].secret: Invalid value: [secret]: must be the name and key of a Secret"}},
		"a receiver with a plain address":  {watched + "{kind: slack, severity: warning, secret: {name: a, key: b}, url: 'https://hunter2'}]}\n", []string{"url is set, but the address of Slack is secret"}},
		"a receiver of an unknown kind":    {watched + "{kind: email, severity: warning, secret: {name: a, key: b}}]}\n", []string{`nova:monitoring.receivers[0]: Invalid value: kind is "email", want pagerduty, slack or webhook`}},
		"a receiver's Secret with capital": {watched + "{kind: slack, severity: warning, secret: {name: A, key: b}}]}\n", []string{`nova:monitoring.receivers[0].secret.name: Invalid value: "A": is not the name of a Secret`}},
		"a key with a slash":               {watched + "{kind: slack, severity: warning, secret: {name: a, key: b/c}}]}\n", []string{`nova:monitoring.receivers[0].secret.key: Invalid value: "b/c": is not a key`}},
		"a receiver of no team":            {watched + "{kind: slack, severity: warning, team: dta, secret: {name: a, key: b}}]}\n", []string{`nova:monitoring.receivers[0].team: Invalid value: "dta": is the team of no alert; did you mean "data"?`}},
		"receivers without monitoring":     {"  nova:monitoring: {receivers: [{kind: webhook, severity: watchdog, url: 'http://x'}]}\n", []string{"nova:monitoring.receivers: Forbidden: would receive nothing, since nova:monitoring.mode is none"}},
		"no patience at all":               {"  nova:monitoring: {timing: {wait: 0s}}\n", []string{"nova:monitoring.timing.wait: Invalid value: 0s: is too short"}},
		"a link that is none":              {"  nova:monitoring: {grafanaURL: grafana}\n", []string{`nova:monitoring.grafanaURL: Invalid value: "grafana": is not an address`}},
		"a label that is a list":           {"  nova:monitoring: {labels: {rules: {app.kubernetes.io/name: [x]}}}\n", []string{`nova:monitoring.labels.rules["app.kubernetes.io/name"]: Invalid value: a list: must be text`}},
		"a label with a space":             {"  nova:monitoring: {labels: {rules: {release: my release}}}\n", []string{`nova:monitoring.labels.rules.release: Invalid value: "my release": is not a Kubernetes label`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, "s", tc.lines)
			var mistakes *config.Error
			require.ErrorAs(t, err, &mistakes)
			for _, want := range tc.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "hunter2", "a secret stays hidden")
			for _, m := range mistakes.Mistakes {
				assert.True(t, strings.HasPrefix(m.Field, "nova:"), m.Field)
			}
		})
	}
}

func TestParse_reports_all_mistakes_together(t *testing.T) {
	_, err := parse(t, "prod", production+"  nova:replicas: none\n  nova:mesh: x\n  nova:services: {auth: {httpPort: 8080}, nobody: {}}\n  nova:bogus: 1\n")
	for _, want := range []string{
		"configuration of stack prod: ", "nova:replicas", "nova:mesh", "nova:images.version", "nova:aws.account",
		"nova:services.nobody", "nova:bogus", "port 8080",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestStackFile_is_refused_where_it_is_none(t *testing.T) {
	for name, text := range map[string]string{
		"broken YAML":   "config: [",
		"a doubled key": "config:\n  nova:images: {version: a, version: b}\n",
		"an alias":      "config:\n  nova:a: &x {b: 1}\n  nova:c: *x\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := stackfile.Parse([]byte(text))
			assert.Error(t, err)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("config:\n" + released)
	f.Add("config:\n  nova:services: {auth: {replicas: [1]}}\n  nova:secrets: {SMTP_PASSWORD: {secure: x}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		input, err := stackfile.Parse([]byte(text))
		if err != nil {
			return
		}
		if c, err := stack.Parse("fuzz", input); err == nil && len(c.Services) > 11 {
			t.Fatalf("%d services", len(c.Services))
		}
	})
}
