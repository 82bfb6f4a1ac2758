package stack

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/rule"
)

// check reports everything that is wrong with what follows from the
// configuration; the configuration itself was checked when it was parsed.
func (s *Stack) check(found *config.Mistakes) {
	found.Joined(field.NewPath("nova:services"), catalog.Validate(s.CatalogServices()))
	s.checkPathOwners(found)
	for _, service := range s.Services {
		s.checkService(service, found)
	}
	s.checkConnections(found)
	s.checkSecrets(found)
	s.checkRequired(found)
	s.checkAnyOrigin(found)
	if s.Storage.Mode == config.StorageAWS {
		s.checkNamesInAWS(found)
	}
	s.checkReceivers(found)
}

func (s *Stack) checkService(service Service, found *config.Mistakes) {
	key := field.NewPath("nova:services").Child(service.Name)
	if s.Overrides[service.Name].Replicas != nil {
		found.Between(key.Child("replicas"), service.Replicas, 1, config.MaxReplicas)
	}
	found.Resources(key, service.Resources)
	checkPublicPaths(service, found)
	checkLimits(service, found)
	checkBuckets(service, found)
	for i, port := range service.InternetPorts {
		found.Between(key.Child("internetPorts").Index(i), port, 1, 65535)
	}
	checkDisruption(key, service, found)
	s.checkCanary(key, service, found)
	if a := service.Autoscaling; a.Enabled {
		found.Between(key.Child("autoscaling", "minReplicas"), a.MinReplicas, 1, config.MaxReplicas)
		found.Between(key.Child("autoscaling", "maxReplicas"), a.MaxReplicas, max(a.MinReplicas, 1), config.MaxReplicas)
		found.Between(key.Child("autoscaling", "cpuPercent"), a.CPUPercent, 1, 100)
		found.Between(key.Child("autoscaling", "memoryPercent"), a.MemoryPercent, 1, 100)
	}
	for name, alias := range service.Aliases {
		if _, port := service.PortVariables()[name]; port || !config.IsVariable(name) {
			found.Invalid(key.Child("aliases", name), alias, "cannot be set: it is no variable name, or the service's port")
		}
	}
	for name, value := range service.Env {
		path := key.Child("env", name)
		_, port := service.PortVariables()[name]
		_, secret := catalog.FindSecret(name)
		switch {
		case !config.IsVariable(name):
			found.Invalid(path, value, "is not a variable name; allowed: letters, digits and _")
		case port:
			found.Invalid(path, value, "is set from the service's port; change nova:services.%s.httpPort", service.Name)
		case secret:
			found.Invalid(path, config.NewSecret(""), "is a secret; list it under nova:services.%s.secrets and set it under nova:secrets", service.Name)
		case name == "EMAIL" || name == "OAUTH":
			found.Invalid(path, value, "breaks the configuration parser of auth; choose another name")
		}
	}
}

func checkDisruption(key *field.Path, s Service, found *config.Mistakes) {
	d := s.Disruption
	switch {
	case d.MinAvailable != nil && d.MaxUnavailable != nil && *d.MaxUnavailable != 1:
		found.Invalid(key.Child("disruption", "maxUnavailable"), *d.MaxUnavailable, "cannot be set together with minAvailable")
	case d.MinAvailable != nil && *d.MinAvailable < 0:
		found.Invalid(key.Child("disruption", "minAvailable"), *d.MinAvailable, "must not be negative")
	case d.MinAvailable != nil && *d.MinAvailable >= s.Replicas:
		found.Invalid(key.Child("disruption", "minAvailable"), *d.MinAvailable,
			"is not below the %d replicas of %s: no node could ever be drained; raise replicas or lower it", s.Replicas, s.Name)
	case d.MinAvailable == nil && *d.MaxUnavailable < 1:
		found.Invalid(key.Child("disruption", "maxUnavailable"), *d.MaxUnavailable, "must be at least 1: no node could ever be drained")
	}
}

// checkCanary reports what the analysis of a canary cannot work with.
func (s *Stack) checkCanary(key *field.Path, service Service, found *config.Mistakes) {
	if service.Rollout.Strategy != config.StrategyCanary {
		return
	}
	if s.Monitoring.Mode == config.MonitoringNone {
		found.Invalid(key.Child("rollout", "strategy"), service.Rollout.Strategy, "needs monitoring, since nothing else judges a canary; set nova:monitoring.mode to existing or install, or the strategy to rolling")
	}
	objectives := s.Objectives(service.Name)
	for name, limit := range map[string]time.Duration{"p95": objectives.P95.Alert, "p99": objectives.P99.Alert} {
		if !slices.Contains(metric.RequiredBuckets(), limit) {
			found.Invalid(field.NewPath("nova:monitoring.slo").Child(name, "alert"), limit, "is not a bound of the services' histogram buckets, so that the slow requests of a canary (%s) cannot be counted; allowed: %v", service.Name, metric.RequiredBuckets())
		}
	}
}

// An IAM action on objects, without wildcards.
var validObjectAction = regexp.MustCompile(`^s3:[A-Z][A-Za-z]*Object[A-Za-z]*$`)

func checkBuckets(s Service, found *config.Mistakes) {
	for i, use := range s.Buckets {
		for j, action := range use.Actions {
			if !validObjectAction.MatchString(action) {
				found.Invalid(field.NewPath("nova:services").Child(s.Name, "buckets").Index(i).Child("actions").Index(j), action, "is not an action on objects; expected a form such as s3:GetObject, without wildcards")
			}
		}
	}
}

// checkPathOwners refuses a path that two services publish: which of them
// answered would be left to the controller. A longer path of another service is
// no conflict, since the longest match wins.
func (s *Stack) checkPathOwners(found *config.Mistakes) {
	owners := map[string]string{}
	for _, each := range s.Services {
		for i, path := range each.PublicPaths {
			key := field.NewPath("nova:services").Child(each.Name, "publicPaths").Index(i)
			if owner, taken := owners[path]; taken {
				found.Duplicate(key, path, "is published by %s already", owner)
				continue
			}
			owners[path] = key.String()
		}
	}
}

// hidden are paths of a service that no ingress may publish; facts are those of
// the code at commit 94b91e29.
var hidden = []string{"/metrics", "/swagger-ui", "/docs", "/api/v1/health", "/health"}

// Bounds of limits. Load balancers allow a little more than an hour without a
// byte.
const maxBodyMebibytes, maxTimeoutSeconds = 10240, 3600

func checkLimits(s Service, found *config.Mistakes) {
	owners := map[string]bool{}
	for i, limit := range s.Limits {
		key := field.NewPath("nova:services").Child(s.Name, "limits").Index(i)
		found.Between(key.Child("bodyMebibytes"), limit.BodyMebibytes, 1, maxBodyMebibytes)
		found.Between(key.Child("timeoutSeconds"), limit.TimeoutSeconds, 0, maxTimeoutSeconds)
		switch path := key.Child("path"); {
		case !s.Publishes(limit.Path) || strings.HasSuffix(limit.Path, "/"):
			found.Invalid(path, limit.Path, "is not public; allowed: a path of publicPaths, or one below, without a slash at the end")
		case owners[limit.Path]:
			found.Duplicate(path, limit.Path, "has a limit already")
		}
		owners[limit.Path] = true
	}
}

func checkPublicPaths(s Service, found *config.Mistakes) {
	for i, path := range s.PublicPaths {
		key := field.NewPath("nova:services").Child(s.Name, "publicPaths").Index(i)
		if !strings.HasPrefix(path, "/api/") || strings.ContainsAny(path, " ?#*") || strings.HasSuffix(path, "/") {
			found.Invalid(key, path, "is not a path of the API; expected a form such as /api/v1/users")
		}
		for _, secret := range append(hidden, s.MetricsPath, s.Health.Live, s.Health.Ready, s.Health.Startup) {
			if secret != "" && (path == secret || strings.HasPrefix(secret, path+"/")) {
				found.Invalid(key, path, "would publish %s", secret)
				break
			}
		}
	}
}

// checkSecrets reports secrets that the stack cannot run without and has not.
func (s *Stack) checkSecrets(found *config.Mistakes) {
	for _, secret := range catalog.Secrets() {
		if s.required(secret) && s.Source(secret) == config.SourceNone {
			found.Required(field.NewPath("nova:secrets").Child(secret.Key), "must be set in this stack: %s Supply it encrypted, or set nova:secretSources.keys.%s to external", secret.Doc, secret.Key)
		}
	}
	key, set := s.Variables[config.PublicKeyVariable]
	switch path := field.NewPath("nova:variables").Child(config.PublicKeyVariable); {
	case set && !s.signsElsewhere():
		v, _ := catalog.FindVariable(config.PublicKeyVariable)
		found.Invalid(path, key, "is derived from other facts and cannot be set: %s", v.Doc)
	case s.signsElsewhere() && !config.IsPublicKey(key):
		found.Invalid(path, key, "is not the PEM of an RSA public key, which is required when JWT_PRIVATE_KEY_PEM is external: the program never sees the private half")
	}
}

// checkRequired reports empty variables of services that exit without a value.
// What the stack takes from a service's lists is its own decision: another
// version of the code may do without.
func (s *Stack) checkRequired(found *config.Mistakes) {
	values := s.VariableValues()
	for _, each := range s.Services {
		required := each.Required
		if s.Environment == config.Production {
			required = slices.Concat(required, each.RequiredInProduction)
		}
		for _, name := range required {
			path := field.NewPath("nova:variables").Child(name)
			value, own := each.Env[name]
			if own {
				path = field.NewPath("nova:services").Child(each.Name, "env", name)
			} else if name == config.PublicKeyVariable || !slices.Contains(each.Variables, name) {
				continue // The public key is checked with the private one.
			} else {
				value = values[name]
			}
			if value == "" {
				found.Invalid(path, value, "must not be empty: %s exits without it", each.Name)
			}
		}
	}
}

// checkAnyOrigin refuses what the code refuses at boot in production; where the
// buckets are in AWS, every stack refuses it.
func (s *Stack) checkAnyOrigin(found *config.Mistakes) {
	if s.Environment == config.Production && s.Storage.Mode != config.StorageAWS && slices.Contains(s.BrowserOrigins(), "*") {
		found.Invalid(field.NewPath("nova:variables").Child(originsVariable), "*", "is refused in production: user and content exit with it")
	}
}

// The lengths of names that IAM allows.
const maxRoleName, maxUserName = 64, 64

// checkCDNHost checks that services hand out URLs of the host that the stack's
// distribution answers for.
func (s *Stack) checkCDNHost(found *config.Mistakes) {
	if !s.AWS.CDN.Create {
		return
	}
	values := s.VariableValues()
	host := values[cdnHostVariable]
	if !config.IsHost(host) || !strings.Contains(host, ".") {
		found.Invalid(field.NewPath("nova:variables").Child(cdnHostVariable), host, "is not a host; nova:aws.cdn.create declares a distribution for it")
	}
	if want := "https://" + host; strings.TrimSuffix(values[cdnURLVariable], "/") != want {
		found.Invalid(field.NewPath("nova:variables").Child(cdnURLVariable), values[cdnURLVariable], "must be %s, the host of the distribution that nova:aws.cdn.create declares", want)
	}
}

// checkNamesInAWS checks what the buckets and roles take from elsewhere.
func (s *Stack) checkNamesInAWS(found *config.Mistakes) {
	for _, each := range s.Services {
		if name := s.RoleName(each.Name); len(each.Buckets) > 0 && len(name) > maxRoleName {
			found.Invalid(field.NewPath("nova:storage.mode"), s.Storage.Mode, "needs a shorter name of the stack: role %s has %d characters, IAM allows %d", name, len(name), maxRoleName)
		}
	}
	if name := s.UserName(); len(name)+len("-a") > maxUserName {
		found.Invalid(field.NewPath("nova:storage.mode"), s.Storage.Mode, "needs a shorter name of the stack: user %s-a has more than the %d characters that IAM allows", name, maxUserName)
	}
	id, _ := catalog.FindSecret(config.AccessKeyID)
	secret, _ := catalog.FindSecret(config.SecretAccessKey)
	if one, other := s.Source(id), s.Source(secret); one != other {
		found.Invalid(field.NewPath("nova:secretSources.keys").Child(secret.Key), string(other), "must be the source of %s, too (%s): the two are made together", id.Key, one)
	}
	s.checkCDNHost(found)
	for _, origin := range s.BrowserOrigins() {
		page, err := url.Parse(origin)
		if err != nil || page.Scheme != "https" && page.Scheme != "http" || !config.IsHost(page.Hostname()) || origin != page.Scheme+"://"+page.Host {
			found.Invalid(field.NewPath("nova:variables").Child(originsVariable), origin, "is not an origin; expected https:// and a host, without a path or wildcard, since the buckets let its pages upload")
		}
	}
}

func (s *Stack) checkReceivers(found *config.Mistakes) {
	teams := rule.Teams()
	for _, watching := range s.Monitoring.Services {
		if watching.Team != "" {
			teams = append(teams, watching.Team)
		}
	}
	for i, r := range s.Monitoring.Receivers {
		key := field.NewPath("nova:monitoring.receivers").Index(i)
		found.Joined(key, receiver(r).Validate())
		if r.Team != "" && !slices.Contains(teams, r.Team) {
			found.Invalid(key.Child("team"), r.Team, "is the team of no alert%s", config.DidYouMean(r.Team, teams))
		}
	}
}
