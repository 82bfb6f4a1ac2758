package tests

import (
	"encoding/json"
	"strconv"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// turn is one change of a knob.
type turn struct {
	// with is configured before and after the change, where the knob has no
	// effect or no valid other value without it.
	with map[string]any
	// at is the path that is set, where it is not the key itself: the keys of
	// maps filled in, the list in which the key lies.
	at string
	// to is the new value.
	to any
	// also is set together with the new value, which is not valid alone.
	also map[string]any
	// refused says that the change is documented to mean another resource in
	// place of a protected one, and that the engine refuses it.
	refused bool
}

// change is what the turn sets.
func (turn turn) change(key string) map[string]any {
	path := turn.at
	if path == "" {
		path = strings.ReplaceAll(key, "services.<name>", "services.cdn")
	}
	set := at(path, turn.to)
	merge(set, turn.also)
	return set
}

// at is an input with a value at a path.
func at(path string, value any) map[string]any {
	first, rest, more := strings.Cut(path, ".")
	if more {
		return map[string]any{first: at(rest, value)}
	}
	return map[string]any{first: value}
}

// pin is a pin of an image in the catalogue's version.
func pin(name string) string {
	image, _ := catalog.FindImage(name)
	return image.Tag + "@sha256:" + strings.Repeat("0", 64)
}

// text is a number as a stack file holds it.
func text(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// valuesBySuffix are valid other values of keys that many parts have.
var valuesBySuffix = map[string]any{
	".requests.cpu":              "50m",
	".requests.memory":           "640Mi",
	".requests.ephemeralStorage": "128Mi",
	".limits.cpu":                "1500m",
	".limits.memory":             "1700Mi",
	".limits.ephemeralStorage":   "2Gi",
	".cidrs":                     []any{"10.1.0.0/16"},
	".ports":                     []any{text(4242)},
	".storageClass":              "fast",
	".p99.alert":                 "900ms",
	".runbookURL":                "https://runbooks.example.com",
	".grafanaURL":                "https://grafana.example.com",
	".prometheusURL":             "https://prometheus.example.com",
}

// enough connections for more pods than the stack file has.
var manyConnections = map[string]any{"dependencies": map[string]any{"postgres": map[string]any{"maxConnections": text(5000)}}}

var autoscaled = map[string]any{
	"autoscaling":  map[string]any{"enabled": true},
	"dependencies": manyConnections["dependencies"],
}

// ownOperators is a cluster that is not the embedded one, whose operators are
// installed or exist.
func ownOperators(mode string) map[string]any {
	return map[string]any{
		"cluster":    ownCluster["cluster"],
		"monitoring": map[string]any{"mode": mode, "chart": map[string]any{"version": "1.2.3"}},
	}
}

// toldBy has one receiver in place of the stack's.
func toldBy(receiver map[string]any) []turn {
	return []turn{{at: "monitoring.receivers", to: []any{receiver}}}
}

var alertingSecret = map[string]any{"name": "other", "key": "other"}

// elsewhere is a registry that the stack does not declare.
var elsewhere = map[string]any{"images": map[string]any{"registry": "registry.example.com/nova"}}

// ownCluster is a cluster that is not the embedded one.
var ownCluster = map[string]any{"cluster": map[string]any{"kubeconfig": "/etc/nova/kubeconfig", "identifier": "prod"}}

// inCluster runs a system in the stack, before and after.
func inCluster(kind string) map[string]any {
	store := map[string]any{"mode": "inCluster", "host": "", "tls": false, "cidrs": []any{}}
	if kind == "postgres" {
		// The connections of production need it.
		store["resources"] = map[string]any{"limits": map[string]any{"memory": "4Gi"}}
	}
	return map[string]any{"dependencies": map[string]any{"acknowledgeInCluster": true, kind: store}}
}

// administered has the login of an administrator of its PostgreSQL.
var administered = map[string]any{"dependencies": map[string]any{"postgres": map[string]any{"admin": map[string]any{"secret": "postgres-admin"}}}}

// migrated has a Job that migrates the database.
var migrated = map[string]any{"migrations": map[string]any{"image": "registry.example.com/migrations@sha256:" + strings.Repeat("0", 64)}}

// externalStores says what production takes for granted.
var externalStores = map[string]any{
	"postgres": map[string]any{"mode": "external"}, "redis": map[string]any{"mode": "external"},
	"clickhouse": map[string]any{"mode": "external"}, "kafka": map[string]any{"mode": "external"},
	"elasticsearch": map[string]any{"mode": "external"},
}

// developing is a development stack that builds its images.
var developing = map[string]any{
	"environment":  "development",
	"dependencies": externalStores,
	"images":       map[string]any{"version": "", "build": map[string]any{"context": "../nova"}},
}

// service is one service's override.
func service(name string, override map[string]any) map[string]any {
	return map[string]any{"services": map[string]any{name: override}}
}

// cdnWrites is the bucket use of cdn as a list, the way a stack file has it.
func cdnWrites(bucket, variable, action string) []any {
	return []any{map[string]any{"bucket": bucket, "variable": variable, "actions": []any{action}}}
}

// turns are the changes of knobs whose other value does not follow from their
// type, or that need company.
var turns = map[string][]turn{
	"environment": {{
		with: map[string]any{"dependencies": externalStores},
		to:   "staging",
	}},
	"namespace":                {{to: "nova-other", refused: true}},
	"cluster.kubeconfig":       {{with: ownCluster, to: "/etc/nova/other"}},
	"cluster.context":          {{with: ownCluster, to: "other"}},
	"cluster.identifier":       {{to: "other", refused: true}},
	"images.registry":          {{to: "registry.example.com/nova"}},
	"images.version":           {{to: "v1.0.1"}},
	"images.pullPolicy":        {{to: "Always"}},
	"images.pullSecrets":       {{to: []any{"registry"}}},
	"images.pins.<name>":       {{at: "images.pins.redis-exporter", to: pin("redis-exporter")}},
	"images.build.context":     {{with: developing, to: "../other"}},
	"images.build.platform":    {{with: developing, to: "linux/arm64"}},
	"images.build.concurrency": {{with: developing, to: text(3)}},
	"images.build.host":        {{with: developing, to: "ssh://builder@example.com"}},
	"replicas":                 {{with: manyConnections, to: text(4)}},

	"rollout.strategy":          {{to: "canary"}},
	"rollout.promotion":         {{with: map[string]any{"rollout": map[string]any{"strategy": "canary"}}, to: "automatic"}},
	"rollout.maxSurge":          {{with: manyConnections, to: "50%"}},
	"disruption.minAvailable":   {{to: text(1)}},
	"disruption.maxUnavailable": {{with: map[string]any{"disruption": map[string]any{"minAvailable": nil, "maxUnavailable": text(1)}}, to: text(2)}},
	"spread.zones":              {{to: "preferred"}},
	"spread.hosts":              {{to: "required"}},
	"profile":                   {{to: "commit-94b91e29"}},
	"spread.minZones":           {{to: text(3)}},
	"autoscaling.enabled":       {{with: manyConnections, to: true}},
	"autoscaling.minReplicas":   {{with: autoscaled, to: text(4)}},
	"autoscaling.maxReplicas":   {{with: autoscaled, to: text(12)}},
	"autoscaling.cpuPercent":    {{with: autoscaled, to: text(60)}},
	"autoscaling.memoryPercent": {{with: autoscaled, to: text(60)}},
	"mesh":                      {{to: "istio"}, {to: "linkerd"}},
	"grpc.discovery":            {{to: "headless"}},

	"dependencies.postgres.mode":                 {{to: "inCluster", also: inCluster("postgres")}},
	"dependencies.postgres.host":                 {{to: "other-db.nova.internal"}},
	"dependencies.postgres.image":                {{with: inCluster("postgres"), to: "docker.io/library/postgres:15.14-bookworm"}},
	"dependencies.postgres.storage":              {{with: inCluster("postgres"), to: "20Gi"}},
	"dependencies.postgres.database":             {{to: "other"}},
	"dependencies.postgres.user":                 {{to: "other"}},
	"dependencies.postgres.admin.secret":         {{to: "postgres-admin"}},
	"dependencies.postgres.admin.userKey":        {{with: administered, to: "user"}},
	"dependencies.postgres.admin.passwordKey":    {{with: administered, to: "word"}},
	"dependencies.postgres.admin.database":       {{with: administered, to: "defaultdb"}},
	"dependencies.postgres.backup.schedule":      {{with: inCluster("postgres"), to: "0 5 * * *"}},
	"dependencies.postgres.backup.retentionDays": {{with: inCluster("postgres"), to: text(30)}},
	"dependencies.postgres.backup.scratch":       {{with: inCluster("postgres"), to: "8Gi"}},
	"dependencies.redis.mode":                    {{to: "inCluster", also: inCluster("redis")}},
	"dependencies.redis.host":                    {{to: "other-redis.nova.internal"}},
	"dependencies.redis.image":                   {{with: inCluster("redis"), to: "docker.io/library/redis:7.2.8-bookworm"}},
	"dependencies.redis.storage":                 {{with: inCluster("redis"), to: "6Gi"}},
	"dependencies.redis.maxMemory":               {{with: inCluster("redis"), to: "400Mi"}},
	"dependencies.clickhouse.mode":               {{to: "inCluster", also: inCluster("clickhouse")}},
	"dependencies.clickhouse.host":               {{to: "other-clickhouse.nova.internal"}},
	"dependencies.clickhouse.image":              {{with: inCluster("clickhouse"), to: "docker.io/clickhouse/clickhouse-server:24.8.5.1"}},
	"dependencies.clickhouse.storage":            {{with: inCluster("clickhouse"), to: "20Gi"}},
	"dependencies.clickhouse.database":           {{to: "other"}},
	"dependencies.clickhouse.user":               {{to: "other"}},
	"dependencies.kafka.mode":                    {{to: "inCluster", also: inCluster("kafka")}},
	"dependencies.kafka.host":                    {{to: "other-kafka.nova.internal"}},
	"dependencies.kafka.image":                   {{with: inCluster("kafka"), to: "docker.io/apache/kafka:3.8.2"}},
	"dependencies.kafka.storage":                 {{with: inCluster("kafka"), to: "20Gi"}},
	"dependencies.kafka.brokers":                 {{with: inCluster("kafka"), to: text(3)}},
	"dependencies.kafka.topics.name": {{at: "dependencies.kafka.topics", with: inCluster("kafka"),
		to: []any{map[string]any{"name": "nova.other"}}}},
	"dependencies.kafka.topics.partitions": {{at: "dependencies.kafka.topics", with: inCluster("kafka"),
		to: []any{map[string]any{"name": "nova.other", "partitions": text(6)}}}},
	"dependencies.kafka.topics.retentionHours": {{at: "dependencies.kafka.topics", with: inCluster("kafka"),
		to: []any{map[string]any{"name": "nova.other", "retentionHours": text(24)}}}},
	"dependencies.elasticsearch.mode":    {{to: "inCluster", also: inCluster("elasticsearch")}},
	"dependencies.elasticsearch.host":    {{to: "other-search.nova.internal"}},
	"dependencies.elasticsearch.image":   {{with: inCluster("elasticsearch"), to: "docker.elastic.co/elasticsearch/elasticsearch:8.11.5"}},
	"dependencies.elasticsearch.storage": {{with: inCluster("elasticsearch"), to: "20Gi"}},

	"migrations.mode":      {{to: "elsewhere"}, {to: "job", also: migrated}},
	"migrations.image":     {{to: "registry.example.com/migrations@sha256:" + strings.Repeat("1", 64)}},
	"migrations.directory": {{with: migrated, to: "/sql"}},
	"migrations.serving":   {{with: migrated, to: []any{"v1.4.0"}}},
	"migrations.host":      {{with: migrated, to: "primary.nova.internal"}},
	"migrations.port":      {{with: migrated, to: text(5433)}},
	"migrations.user":      {{with: migrated, to: "other"}},

	"storage.mode": {{to: "external", also: map[string]any{
		"storage": map[string]any{"endpoint": "s3.example.com:443"}, "images": elsewhere["images"],
		"secretSources": map[string]any{"keys": map[string]any{"AWS_ACCESS_KEY_ID": "external", "AWS_SECRET_ACCESS_KEY": "external"}},
	}, refused: true}},
	"storage.region": {{to: "eu-central-1", refused: true}},
	"storage.endpoint": {{
		with: map[string]any{
			"storage": map[string]any{"mode": "external", "endpoint": "s3.example.com:443"}, "images": elsewhere["images"],
			"secretSources": map[string]any{"keys": map[string]any{"AWS_ACCESS_KEY_ID": "external", "AWS_SECRET_ACCESS_KEY": "external"}},
		},
		to: "other.example.com:443",
	}},
	"storage.buckets.<name>": {
		{at: "storage.buckets.media", to: "nova-media-elsewhere", refused: true},
		{at: "storage.buckets.cdn", to: "nova-cdn-elsewhere", refused: true},
	},
	"storage.expireDays.<name>": {{at: "storage.expireDays.audio", to: text(90)}},
	"storage.kmsKey":            {{to: "arn:aws:kms:ap-northeast-1:444455556666:key/0123"}},
	"storage.image":             {{to: "docker.io/chrislusf/seaweedfs:3.81"}},
	"storage.size":              {{to: "30Gi"}},

	"aws.account":             {{to: "777788889999"}},
	"aws.oidcIssuer":          {{to: "https://oidc.eks.ap-northeast-1.amazonaws.com/id/2222"}},
	"aws.cdn.create":          {{to: false, also: map[string]any{"aws": map[string]any{"cdn": map[string]any{"distributions": []any{distribution}}}}, refused: true}},
	"aws.cdn.certificate":     {{to: "arn:aws:acm:us-east-1:444455556666:certificate/1"}},
	"aws.cdn.distributions":   {{to: []any{distribution}}},
	"aws.repositories.create": {{to: false, also: elsewhere, refused: true}},
	"aws.repositories.prefix": {{to: "other", refused: true}},

	"network.preset":                            {{to: "gke"}, {to: "openshift"}, {to: "nodelocaldns"}},
	"network.dns.namespace":                     {{to: "dns"}},
	"network.dns.labels.<name>":                 {{at: "network.dns.labels.app", to: "coredns"}},
	"network.dns.namespaceLabels.<name>":        {labelled("dns")},
	"network.prometheus.namespace":              {{to: "observability"}},
	"network.prometheus.labels.<name>":          {{at: "network.prometheus.labels.app", to: "prometheus"}},
	"network.prometheus.namespaceLabels.<name>": {labelled("prometheus")},
	"network.ingress.namespace":                 {{to: "gateways"}},
	"network.ingress.labels.<name>":             {{at: "network.ingress.labels.app", to: "ingress"}},
	"network.ingress.namespaceLabels.<name>":    {labelled("ingress")},
	"network.gateway.namespace":                 {{with: gateway, to: "gateways"}},
	"network.gateway.labels.<name>":             {{with: gateway, at: "network.gateway.labels.app", to: "gateway"}},
	"network.gateway.namespaceLabels.<name>":    {with(gateway, labelled("gateway"))},
	"network.gateway.cidrs":                     {{with: gateway, to: []any{"10.1.0.0/16"}}},
	"network.gateway.ports":                     {{with: gateway, to: []any{text(4242)}}},
	"network.mesh.namespace":                    {{with: meshed, to: "mesh"}},
	"network.mesh.labels.<name>":                {{with: meshed, at: "network.mesh.labels.app", to: "other"}},
	"network.mesh.namespaceLabels.<name>":       {with(meshed, labelled("mesh"))},
	"network.mesh.cidrs":                        {{with: meshed, to: []any{"10.1.0.0/16"}}},
	"network.mesh.ports":                        {{with: meshed, to: []any{text(4242)}}},
	"network.private":                           {{to: []any{"10.0.0.0/8"}}},
	"ingress.kind": {
		{to: "none"}, {to: "ingress"}, {to: "gateway"},
		{with: map[string]any{"ingress": map[string]any{"kind": "ingress"}}, to: "both"},
	},
	"ingress.host":               {{to: "api.example.com"}},
	"ingress.gateway":            {{with: gateway, to: "other"}},
	"ingress.gatewayNamespace":   {{with: gateway, to: "gateways"}},
	"ingress.listener":           {{with: gateway, to: "https"}},
	"ingress.gatewayClass":       {{to: "other"}},
	"ingress.gatewayTLSSecret":   {{to: "other"}},
	"ingress.className":          {{to: "other"}},
	"ingress.controller":         {{to: "other"}, {to: "alb"}},
	"ingress.tlsSecret":          {{to: "other"}},
	"ingress.issuer":             {{to: "other"}},
	"ingress.annotations.<name>": {{at: "ingress.annotations.note", to: "text"}},

	"monitoring.mode": {
		{to: "none", also: map[string]any{"monitoring": map[string]any{"receivers": []any{}}}},
		{with: ownOperators("existing"), to: "install"},
	},
	"monitoring.chart.version":              {{with: ownOperators("install"), to: "1.2.4"}},
	"monitoring.chart.repository":           {{with: ownOperators("install"), to: "https://charts.example.com"}},
	"monitoring.chart.retention":            {{with: ownOperators("install"), to: "30d"}},
	"monitoring.chart.storage":              {{with: ownOperators("install"), to: "50Gi"}},
	"monitoring.labels.rules.<name>":        {{at: "monitoring.labels.rules.prometheus", to: "main"}},
	"monitoring.labels.monitors.<name>":     {{at: "monitoring.labels.monitors.prometheus", to: "main"}},
	"monitoring.labels.alertmanager.<name>": {{at: "monitoring.labels.alertmanager.alertmanager", to: "main"}},
	"monitoring.labels.dashboards.<name>":   {{at: "monitoring.labels.dashboards.folder", to: "nova"}},
	"monitoring.services.<name>.team":       {{to: "cdn"}},
	"monitoring.receivers.kind":             toldBy(map[string]any{"kind": "webhook", "severity": "warning", "secret": alertingSecret}),
	"monitoring.receivers.severity":         toldBy(map[string]any{"kind": "slack", "severity": "critical", "secret": alertingSecret}),
	"monitoring.receivers.team":             toldBy(map[string]any{"kind": "slack", "severity": "warning", "team": "data", "secret": alertingSecret}),
	"monitoring.receivers.secret.name":      toldBy(map[string]any{"kind": "slack", "severity": "warning", "secret": alertingSecret}),
	"monitoring.receivers.secret.key":       toldBy(map[string]any{"kind": "slack", "severity": "warning", "secret": alertingSecret}),
	"monitoring.receivers.url":              toldBy(map[string]any{"kind": "webhook", "severity": "watchdog", "url": "https://switch.example.com"}),
	"monitoring.receivers.channel":          toldBy(map[string]any{"kind": "slack", "severity": "warning", "channel": "#other", "secret": alertingSecret}),

	"variables.<name>": {
		{at: "variables.LOG_LEVEL", to: "warn"},
		{at: "variables.CORS_ALLOWED_ORIGINS", to: "https://app.example.com"},
		{at: "variables.GOOGLE_CLIENT_ID", to: "client"},
	},
	"secrets.<name>": {
		{at: "secrets.FCM_API_KEY", to: config.NewSecret("a key")},
		{at: "secrets.POSTGRES_PASSWORD", to: config.NewSecret("a password")},
	},
	"secretSources.default":                  {{with: supplied, to: "generated"}},
	"secretSources.keys.<name>":              {{at: "secretSources.keys.SMTP_PASSWORD", to: "none"}},
	"secretSources.rotation.<name>":          {{at: "secretSources.rotation.JWT_SECRET", to: text(1)}, {at: "secretSources.rotation.POSTGRES_PASSWORD", to: text(1)}},
	"secretSources.external.store":           {{to: "other"}},
	"secretSources.external.storeKind":       {{to: "SecretStore"}},
	"secretSources.external.prefix":          {{to: "other"}},
	"secretSources.external.refreshInterval": {{to: "2h"}},

	"services.<name>.enabled":               {{to: false}, {at: "services.messaging.enabled", to: false}},
	"services.<name>.replicas":              {{with: manyConnections, to: text(4)}},
	"services.<name>.httpPort":              {{to: text(8099)}},
	"services.<name>.image.repository":      {{to: "registry.example.com/nova/cdn"}},
	"services.<name>.image.tag":             {{to: "v1.0.1"}},
	"services.<name>.image.digest":          {{to: "sha256:" + strings.Repeat("0", 64)}},
	"services.<name>.health.startup":        {{to: "/startup"}},
	"services.<name>.health.live":           {{to: "/live"}},
	"services.<name>.health.ready":          {{to: "/ready"}},
	"services.<name>.metricsPath":           {{to: "/other"}, {to: ""}},
	"services.<name>.unmeasured":            {{to: true}},
	"services.<name>.aliases.<name>":        {{at: "services.cdn.aliases.OTHER", to: "APP_ENV"}},
	"services.<name>.needs":                 {{to: []any{"postgres", "s3"}}},
	"services.<name>.calls":                 {{to: []any{"auth"}}},
	"services.<name>.variables":             {{to: []any{"APP_ENV"}}},
	"services.<name>.secrets":               {{to: []any{"DATABASE_URL", "REDIS_URL"}}},
	"services.<name>.env.<name>":            {{at: "services.cdn.env.OTHER", to: "text"}},
	"services.<name>.buckets.bucket":        {{at: "services.cdn.buckets", to: cdnWrites("uploads", "S3_BUCKET", "s3:PutObject")}, {at: "services.cdn.buckets", to: []any{}}},
	"services.<name>.buckets.variable":      {{at: "services.cdn.buckets", to: cdnWrites("cdn", "OTHER_BUCKET", "s3:PutObject")}},
	"services.<name>.buckets.actions":       {{at: "services.cdn.buckets", to: cdnWrites("cdn", "S3_BUCKET", "s3:GetObject")}},
	"services.<name>.publicPaths":           {{to: []any{"/api/v1/cdn"}}},
	"services.<name>.limits.path":           {limitedTo("/api/v1/uploads", 100, 30)},
	"services.<name>.limits.bodyMebibytes":  {limitedTo("/api/v1/uploads", 200, 600)},
	"services.<name>.limits.timeoutSeconds": {limitedTo("/api/v1/uploads", 100, 0)},
	"services.<name>.internetPorts":         {{to: []any{text(443)}}},
	"services.<name>.class":                 {{to: "worker"}},

	"services.<name>.rollout.strategy":          {{to: "canary"}},
	"services.<name>.disruption.minAvailable":   {{to: text(1)}},
	"services.<name>.disruption.maxUnavailable": {{to: text(2)}},
	"services.<name>.autoscaling.enabled":       {{with: manyConnections, to: true, also: service("cdn", map[string]any{"autoscaling": scaled})}},
	"services.<name>.autoscaling.minReplicas":   {{with: cdnScales, to: text(4)}},
	"services.<name>.autoscaling.maxReplicas":   {{with: cdnScales, to: text(12)}},
	"services.<name>.autoscaling.cpuPercent":    {{with: cdnScales, to: text(60)}},
	"services.<name>.autoscaling.memoryPercent": {{with: cdnScales, to: text(60)}},
}

// limitedTo gives media the limit of one path.
func limitedTo(path string, body, timeout int) turn {
	return turn{at: "services.media.limits", to: []any{map[string]any{"path": path, "bodyMebibytes": text(body), "timeoutSeconds": text(timeout)}}}
}

// labelled selects the namespaces of a peer by their labels.
func labelled(peer string) turn {
	return turn{at: "network." + peer, to: map[string]any{"namespace": "", "labels": map[string]any{}, "namespaceLabels": map[string]any{"team": "platform"}}}
}

func with(with map[string]any, turn turn) turn {
	turn.with = with
	return turn
}

var meshed = map[string]any{"mesh": "istio"}

const distribution = "arn:aws:cloudfront::444455556666:distribution/EDFDVBD6EXAMPLE"

var gateway = map[string]any{"ingress": map[string]any{"kind": "gateway", "gateway": "public", "gatewayClass": ""}}

// supplied are the secrets that cannot be generated, so that none is external.
var supplied = map[string]any{"secretSources": map[string]any{"keys": map[string]any{
	"POSTGRES_PASSWORD": "external", "POSTGRES_EXPORTER_PASSWORD": "external", "REDIS_PASSWORD": "external",
	"REDIS_EXPORTER_PASSWORD": "external", "CLICKHOUSE_PASSWORD": "external",
	"AWS_ACCESS_KEY_ID": "external", "AWS_SECRET_ACCESS_KEY": "external",
}}}

var scaled = map[string]any{
	"minReplicas": text(3), "maxReplicas": text(10), "cpuPercent": text(70), "memoryPercent": text(80),
}

var cdnScales = map[string]any{
	"dependencies": manyConnections["dependencies"],
	"services": map[string]any{"cdn": map[string]any{"autoscaling": map[string]any{
		"enabled": true, "minReplicas": text(3), "maxReplicas": text(10), "cpuPercent": text(70), "memoryPercent": text(80),
	}}},
}

// refusedTurns are the changes that the engine must refuse, by what they set.
func refusedTurns() []map[string]any {
	var found []map[string]any
	for key, turns := range turns {
		for _, turn := range turns {
			if turn.refused {
				found = append(found, turn.change(key))
			}
		}
	}
	return found
}
