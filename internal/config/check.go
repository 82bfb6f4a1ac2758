package config

import (
	"encoding/base64"
	"errors"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
)

// Bounds of numbers. MaxReplicas keeps a typing error from creating thousands
// of pods.
const (
	MaxReplicas     = 100
	maxZones        = 10
	minSecretLength = 32 // JWT_SECRET in production, by the code of user.
)

var validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkNames reports unknown names in maps.
func (c *Config) checkNames(found *mistakes) {
	unknown(found, at("nova:services"), "service", c.Overrides, catalog.Names())
	var variables, secrets, buckets []string
	for _, v := range catalog.Variables() {
		variables = append(variables, v.Key)
	}
	for _, s := range catalog.Secrets() {
		secrets = append(secrets, s.Key)
	}
	for _, b := range allBuckets() {
		buckets = append(buckets, string(b))
	}
	for key := range c.Variables {
		v, ok := catalog.FindVariable(key)
		switch {
		case ok && v.Locked && key != PublicKeyVariable:
			found.invalid(at("nova:variables").Child(key), c.Variables[key], "is derived from other facts and cannot be set: %s", v.Doc)
		case slices.Contains(secrets, key):
			found.invalid(at("nova:variables").Child(key), NewSecret(""), "is a secret; set it under nova:secrets, encrypted")
		case !ok:
			found.forbidden(at("nova:variables").Child(key), "unknown variable%s", closest(key, variables))
		}
	}
	unknown(found, at("nova:secrets"), "secret", c.Secrets, secrets)
	unknown(found, at("nova:secretSources.keys"), "secret", c.SecretSources.Keys, secrets)
	unknown(found, at("nova:secretSources.rotation"), "secret", c.SecretSources.Rotation, secrets)
	unknown(found, at("nova:storage.buckets"), "bucket", c.Storage.Buckets, buckets)
	unknown(found, at("nova:storage.expireDays"), "bucket", c.Storage.ExpireDays, buckets)
}

// unknown reports the keys of a map that name nothing.
func unknown[V any](found *mistakes, path *field.Path, what string, entries map[string]V, known []string) {
	for key := range entries {
		if !slices.Contains(known, key) {
			found.forbidden(path.Child(key), "unknown %s%s", what, didYouMean(key, known))
		}
	}
}

// closest is didYouMean for lists that are too long to print.
func closest(unknown string, known []string) string {
	if hint := didYouMean(unknown, known); strings.HasPrefix(hint, "; did") {
		return hint
	}
	return "; `nova services --format json` lists the known ones"
}

// check reports everything that is wrong with the resolved configuration.
func (c *Config) check(found *mistakes) {
	oneOf(found, at("nova:environment"), c.Environment, KnownEnvironments()...)
	label(found, at("nova:namespace"), c.Namespace)
	if strings.HasPrefix(c.Namespace, "kube-") || c.Namespace == "default" {
		found.invalid(at("nova:namespace"), c.Namespace, "is reserved by Kubernetes; choose another namespace")
	}
	var profiles []string
	for _, profile := range catalog.Profiles() {
		profiles = append(profiles, string(profile))
	}
	oneOf(found, at("nova:profile"), c.Profile, profiles...)
	c.checkCluster(found)
	c.checkImages(found)
	between(found, at("nova:replicas"), c.Replicas, 1, MaxReplicas)
	c.checkRollout(found)
	c.checkProbes(found)
	oneOf(found, at("nova:spread.zones"), c.Spread.Zones, "required", "preferred", "off")
	oneOf(found, at("nova:spread.hosts"), c.Spread.Hosts, "required", "preferred", "off")
	between(found, at("nova:spread.minZones"), c.Spread.MinZones, 0, maxZones)
	if c.Spread.MinZones > 0 && c.Spread.Zones != "required" {
		found.invalid(at("nova:spread.minZones"), c.Spread.MinZones, "is for nova:spread.zones required, but that is %q", c.Spread.Zones)
	}
	oneOf(found, at("nova:mesh"), c.Mesh, MeshNone, MeshIstio, MeshLinkerd)
	oneOf(found, at("nova:grpc.discovery"), c.GRPC.Discovery, "clusterIP", "headless")
	c.checkDependencies(found)
	c.checkMigrations(found)
	c.checkMonitoring(found)
	c.checkStorage(found)
	c.checkSecrets(found)
	c.checkSecretSources(found)
	c.checkNetwork(found)
	c.checkQuota(found)
}

func (c *Config) checkCluster(found *mistakes) {
	if c.Cluster.Kubeconfig == "" {
		found.required(at("nova:cluster.kubeconfig"), "must not be empty; the embedded control plane's is %s", EmbeddedKubeconfig)
	}
	if c.Cluster.Identifier == "" {
		found.required(at("nova:cluster.identifier"), "must not be empty; choose a name that stays the same as long as the cluster does")
	}
	if !c.TargetsEmbedded() && c.Cluster.Identifier == embeddedIdentifier {
		found.required(at("nova:cluster.identifier"), "must be set with a kubeconfig of your own (%q); choose a name that stays the same as long as the cluster does", c.Cluster.Kubeconfig)
	}
}

func (c *Config) checkImages(found *mistakes) {
	oneOf(found, at("nova:images.pullPolicy"), c.Images.PullPolicy, "IfNotPresent", "Always", "Never")
	if registry := c.Images.Registry; registry != "" && !validRepository.MatchString(strings.TrimSuffix(registry, "/")) {
		found.invalid(at("nova:images.registry"), registry, "is not a registry; expected host/path without scheme or tag")
	}
	c.checkImageBuild(found)
	c.checkPins(found)
	for _, name := range catalog.Names() {
		if c.Enabled(name) {
			c.checkServiceImage(name, found)
		}
	}
	for i, name := range c.Images.PullSecrets {
		label(found, at("nova:images.pullSecrets").Index(i), name)
	}
}

func (c *Config) checkRollout(found *mistakes) {
	oneOf(found, at("nova:rollout.strategy"), c.Rollout.Strategy, StrategyRolling, StrategyCanary)
	oneOf(found, at("nova:rollout.promotion"), c.Rollout.Promotion, PromotionUnit, PromotionAutomatic)
	between(found, at("nova:rollout.tolerance"), c.Rollout.Tolerance, 0, 100)
	for name, override := range c.Overrides {
		if s := override.Rollout.Strategy; s != "" {
			oneOf(found, at("nova:services").Child(name, "rollout", "strategy"), s, StrategyRolling, StrategyCanary)
		}
	}
	if surge, err := c.Rollout.Surge(); err != nil {
		found.invalid(at("nova:rollout.maxSurge"), c.Rollout.MaxSurge, "%v", err)
	} else if n, err := intstr.GetScaledValueFromIntOrPercent(&surge, 100, true); err != nil || n < 1 || n > 100 {
		found.invalid(at("nova:rollout.maxSurge"), c.Rollout.MaxSurge, "allowed: 1 to 100, or 1%% to 100%%; with maxUnavailable 0 an update needs room")
	}
	between(found, at("nova:rollout.minReadySeconds"), c.Rollout.MinReadySeconds, 0, 600)
	between(found, at("nova:rollout.progressDeadlineSeconds"), c.Rollout.ProgressDeadlineSeconds, c.Rollout.MinReadySeconds+1, 3600)
	between(found, at("nova:rollout.revisionHistory"), c.Rollout.RevisionHistory, 1, 20)
	between(found, at("nova:shutdown.preStopSeconds"), c.Shutdown.PreStopSeconds, 1, 120)
	between(found, at("nova:shutdown.drainSeconds"), c.Shutdown.DrainSeconds, 1, 600)
	between(found, at("nova:shutdown.marginSeconds"), c.Shutdown.MarginSeconds, 1, 120)
}

// Surge is MaxSurge in the form that Kubernetes takes.
func (r Rollout) Surge() (intstr.IntOrString, error) {
	if number, ok := strings.CutSuffix(r.MaxSurge, "%"); ok {
		if _, err := strconv.Atoi(number); err == nil {
			return intstr.FromString(r.MaxSurge), nil
		}
	} else if n, err := strconv.Atoi(r.MaxSurge); err == nil {
		return intstr.FromInt32(int32(min(n, MaxReplicas+1))), nil
	}
	return intstr.IntOrString{}, errors.New("is neither a number nor a percentage")
}

func (c *Config) checkProbes(found *mistakes) {
	for name, probe := range map[string]Probe{
		"startup": c.Probes.Startup, "readiness": c.Probes.Readiness, "liveness": c.Probes.Liveness,
	} {
		key := at("nova:probes").Child(name)
		between(found, key.Child("periodSeconds"), probe.PeriodSeconds, 1, 300)
		between(found, key.Child("timeoutSeconds"), probe.TimeoutSeconds, 1, max(probe.PeriodSeconds, 1))
		between(found, key.Child("failureThreshold"), probe.FailureThreshold, 1, 100)
	}
	if boot := c.Probes.Startup.PeriodSeconds * c.Probes.Startup.FailureThreshold; boot >= c.Rollout.ProgressDeadlineSeconds {
		found.forbidden(at("nova:probes.startup"), "a pod may take %d s to start, which is not below nova:rollout.progressDeadlineSeconds (%d)", boot, c.Rollout.ProgressDeadlineSeconds)
	}
}

// Names of buckets, as the S3 documentation has them.
var validBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

var (
	validRegion = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	// An account of AWS.
	validAccount = regexp.MustCompile(`^[0-9]{12}$`)
	// A path of image repositories or of secrets.
	validPath = regexp.MustCompile(`^[A-Za-z0-9]+([/._-][A-Za-z0-9]+)*$`)
	// The grammar of Kafka's topic names.
	validTopic = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
)

func (c *Config) checkSecrets(found *mistakes) {
	for key, secret := range c.Secrets {
		value, known := secret.Reveal()
		if !known {
			continue
		}
		path := at("nova:secrets").Child(key)
		switch {
		case strings.TrimSpace(value) == "":
			found.invalid(path, secret, "must not be empty; remove the key to have none")
		case key == "JWT_SECRET" && len(value) < minSecretLength:
			found.invalid(path, secret, "has %d characters; at least %d are required", len(value), minSecretLength)
		case key == "CLICKHOUSE_PASSWORD" && value == "clickhouse" && c.Environment == Production:
			found.invalid(path, secret, "is the public default: content exits with it in production")
		case key == "JWT_PRIVATE_KEY_PEM":
			if _, err := PublicKeyPEM(value); err != nil {
				found.invalid(path, secret, "%v", err)
			}
		case key == "MESSAGE_ENCRYPTION_MASTER_KEY":
			if raw, err := base64.StdEncoding.DecodeString(value); err != nil || len(raw) != catalog.KeyBytes {
				found.invalid(path, secret, "is not the base64 form of %d bytes", catalog.KeyBytes)
			}
		}
	}
}

func checkResources(found *mistakes, key *field.Path, r Resources) {
	for _, pair := range []struct {
		name, request, limit string
		parse                func(*mistakes, *field.Path, string) (resource.Quantity, bool)
	}{
		{"cpu", r.Requests.CPU, r.Limits.CPU, processors},
		{"memory", r.Requests.Memory, r.Limits.Memory, size},
		{"ephemeralStorage", r.Requests.EphemeralStorage, r.Limits.EphemeralStorage, size},
	} {
		request, ok := pair.parse(found, key.Child("resources", "requests", pair.name), pair.request)
		limit, limitOK := pair.parse(found, key.Child("resources", "limits", pair.name), pair.limit)
		if ok && limitOK && request.Cmp(limit) > 0 {
			found.invalid(key.Child("resources", "requests", pair.name), pair.request, "is above the limit %s", pair.limit)
		}
	}
}

func between(found *mistakes, key *field.Path, value, low, high int) {
	if value < low || value > high {
		found.invalid(key, value, "is out of range; allowed: %d to %d", low, high)
	}
}

func oneOf(found *mistakes, key *field.Path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		found.notSupported(key, value, allowed)
	}
}

func label(found *mistakes, key *field.Path, value string) {
	if problems := validation.IsDNS1123Label(value); len(problems) > 0 {
		found.invalid(key, value, "is not a Kubernetes name; allowed: lower-case letters, digits and -, at most 63, beginning and ending with a letter or digit")
	}
}

func host(found *mistakes, key *field.Path, value string) {
	if !isHost(value) {
		found.invalid(key, value, "is not a host; expected a DNS name or an address without scheme, port or path")
	}
}

func isHost(value string) bool {
	return net.ParseIP(value) != nil || len(validation.IsDNS1123Subdomain(strings.ToLower(value))) == 0
}

func quantity(found *mistakes, key *field.Path, value string) (resource.Quantity, bool) {
	q, err := resource.ParseQuantity(value)
	if err != nil || q.Sign() <= 0 {
		found.invalid(key, value, "is not a positive Kubernetes quantity; expected a form such as 250m, 512Mi or 1Gi")
		return q, false
	}
	return q, true
}

// The bounds of quantities. A unit of the other kind is legal in Kubernetes and
// lies far outside of them: 512m of memory are 512 thousandths of a byte, 500Mi of
// CPU are 524288000 processors.
var (
	minProcessors, maxProcessors = resource.MustParse("1m"), resource.MustParse("1k")
	minSize, maxSize             = resource.MustParse("1Mi"), resource.MustParse("1Pi")
)

// processors is a quantity of CPU.
func processors(found *mistakes, key *field.Path, value string) (resource.Quantity, bool) {
	q, ok := quantity(found, key, value)
	if ok && (q.Cmp(minProcessors) < 0 || q.Cmp(maxProcessors) > 0) {
		found.invalid(key, value, "is %s processors; allowed: 1m to 1000, such as 250m or 2", q.AsDec())
		return q, false
	}
	return q, ok
}

// size is a quantity of bytes.
func size(found *mistakes, key *field.Path, value string) (resource.Quantity, bool) {
	q, ok := quantity(found, key, value)
	if ok && (q.Cmp(minSize) < 0 || q.Cmp(maxSize) > 0) {
		found.invalid(key, value, "is %s bytes; allowed: 1Mi to 1Pi, such as 512Mi or 2Gi", q.AsDec())
		return q, false
	}
	return q, ok
}
