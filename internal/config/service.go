package config

import (
	"maps"
	"slices"
	"strings"

	"nova.dev/infra/catalog"
)

// Service is a service as a stack runs it: its catalogue record with the
// stack's overrides, and everything the stack decides about it.
type Service struct {
	catalog.Service
	// Replicas is the number of pods; the lower bound where Autoscaling is on.
	Replicas int
	// Image is the full image reference.
	Image string
	// Built says that the stack builds the image. Its tag follows from the
	// sources, which image.Pin reads.
	Built bool
	// Inputs is the digest of what a built image is made from.
	Inputs string
	// Resources has no empty field.
	Resources Resources
	// Disruption has exactly one field set.
	Disruption Disruption
	// Autoscaling has MinReplicas filled in.
	Autoscaling Autoscaling
}

// Repository is the image reference without tag and digest.
func (s Service) Repository() string {
	name, _, _ := strings.Cut(s.Image, "@")
	repository, _, _ := cutTag(name)
	return repository
}

// resolve joins the catalogue with the stack's configuration. Mistakes in
// names are reported; the numbers are checked afterwards.
func (c *Config) resolve(found *mistakes) {
	for _, record := range catalog.Services() {
		override := c.Overrides[record.Name]
		if override.Enabled != nil && !*override.Enabled {
			continue
		}
		record = override.apply(record)
		if c.Storage.Mode != StorageAWS && len(record.Buckets) > 0 {
			// Outside of AWS a service account is no identity: who writes to
			// a bucket needs the keys.
			record.Secrets = append(record.Secrets, storageKeys...)
			slices.Sort(record.Secrets)
			record.Secrets = slices.Compact(record.Secrets)
		}
		service := Service{
			Service:     record,
			Replicas:    c.Replicas,
			Resources:   override.Resources.over(c.Resources.class(record.Class)).over(c.Resources.Default),
			Disruption:  override.Disruption.or(c.Disruption),
			Autoscaling: c.Autoscaling,
			Image:       c.image(record, override.Image, found),
			Built:       c.builds(override.Image),
		}
		if override.Replicas != nil {
			service.Replicas = *override.Replicas
		}
		if override.Autoscaling != nil {
			service.Autoscaling = *override.Autoscaling
		}
		if service.Autoscaling.MinReplicas == 0 {
			service.Autoscaling.MinReplicas = service.Replicas
		}
		c.Services = append(c.Services, service)
	}
}

// storageKeys open object storage outside of AWS.
var storageKeys = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

func (o Override) apply(record catalog.Service) catalog.Service {
	record = record.Clone()
	set(&record.HTTPPort, o.HTTPPort)
	set(&record.MetricsPath, o.MetricsPath)
	setText(&record.Health.Startup, o.Health.Startup)
	setText(&record.Health.Live, o.Health.Live)
	setText(&record.Health.Ready, o.Health.Ready)
	if o.Needs != nil {
		record.Needs = nil
		for _, need := range o.Needs {
			record.Needs = append(record.Needs, catalog.Dependency(need))
		}
	}
	setList(&record.Calls, o.Calls)
	setList(&record.Variables, o.Variables)
	setList(&record.Secrets, o.Secrets)
	if o.Buckets != nil {
		record.Buckets = nil
		for _, use := range o.Buckets {
			actions := use.Actions
			if actions == nil {
				actions = catalog.PutObjects()
			}
			record.Buckets = append(record.Buckets, catalog.BucketUse{Bucket: catalog.Bucket(use.Bucket), Variable: use.Variable, Actions: actions})
		}
	}
	setList(&record.PublicPaths, o.PublicPaths)
	setList(&record.InternetPorts, o.Internet)
	if o.Class != "" {
		record.Class = catalog.Class(o.Class)
	}
	if len(o.Env) > 0 {
		if record.Env == nil {
			record.Env = map[string]string{}
		}
		maps.Copy(record.Env, o.Env)
	}
	return record
}

// over returns r with what it leaves empty taken from base.
func (r Resources) over(base Resources) Resources {
	return Resources{Requests: r.Requests.over(base.Requests), Limits: r.Limits.over(base.Limits)}
}

func (q Quantities) over(base Quantities) Quantities {
	setText(&base.CPU, q.CPU)
	setText(&base.Memory, q.Memory)
	setText(&base.EphemeralStorage, q.EphemeralStorage)
	return base
}

func (r ClassResources) class(c catalog.Class) Resources {
	switch c {
	case catalog.ClassMedia:
		return r.Media
	case catalog.ClassWorker:
		return r.Worker
	default:
		return r.API
	}
}

// or returns d where it says anything, otherwise base.
func (d Disruption) or(base Disruption) Disruption {
	if d.MinAvailable != nil || d.MaxUnavailable != nil {
		return d
	}
	return base
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func setText(field *string, value string) {
	if value != "" {
		*field = value
	}
}

func setList[T any](field *[]T, value []T) {
	if value != nil {
		*field = value
	}
}
