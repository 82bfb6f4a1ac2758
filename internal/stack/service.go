package stack

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// Service is a service as a stack runs it: its catalogue record with the
// stack's overrides, and everything the stack decides about it.
type Service struct {
	catalog.Service
	// Replicas is the number of pods; the lower bound where Autoscaling is on.
	Replicas int
	// Image is the full image reference.
	Image string
	// Built is set when the stack builds the image by itself.
	Built bool
	// Inputs is the digest of what a built image is made of; empty until the
	// stack is pinned.
	Inputs string
	// Resources has no empty field.
	Resources config.Resources
	// Disruption has exactly one field set.
	Disruption config.Disruption
	// Autoscaling has MinReplicas filled in.
	Autoscaling config.Autoscaling
	// Rollout is how it is updated, by its own strategy or the stack's.
	Rollout config.Rollout
	// PeakPods is the maximum number of its pods, with those of an update.
	PeakPods int
}

// Repository is the image reference without tag and digest.
func (s Service) Repository() string {
	name, _, _ := strings.Cut(s.Image, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		return name[:i]
	}
	return name
}

// services are the enabled services of the catalogue with what the stack decides
// about them.
func (s *Stack) services() []Service {
	var all []Service
	for _, record := range catalog.ServicesOf(catalog.Profile(s.Profile)) {
		if !s.Enabled(record.Name) {
			continue
		}
		override := s.Overrides[record.Name]
		record = apply(override, record)
		if s.Storage.Mode != config.StorageAWS && len(record.Buckets) > 0 {
			// Outside of AWS a service account is no identity: who writes to
			// a bucket needs the keys.
			record.Secrets = append(record.Secrets, storageKeys...)
			slices.Sort(record.Secrets)
			record.Secrets = slices.Compact(record.Secrets)
		}
		service := Service{
			Service:     record,
			Replicas:    s.Replicas,
			Resources:   over(override.Resources, over(class(s.Resources, record.Class), s.Resources.Default)),
			Disruption:  override.Disruption,
			Autoscaling: s.Autoscaling,
			Rollout:     s.Rollout,
			Image:       s.image(record),
			Built:       s.Builds(record.Name),
			Inputs:      s.pins[record.Name].Inputs,
		}
		if override.Replicas != nil {
			service.Replicas = *override.Replicas
		}
		if d := service.Disruption; d.MinAvailable == nil && d.MaxUnavailable == nil {
			service.Disruption = s.Disruption
		}
		setText(&service.Rollout.Strategy, override.Rollout.Strategy)
		if override.Autoscaling != nil {
			service.Autoscaling = *override.Autoscaling
		}
		if service.Autoscaling.MinReplicas == 0 {
			service.Autoscaling.MinReplicas = service.Replicas
		}
		service.PeakPods = s.peakPods(service)
		all = append(all, service)
	}
	return all
}

// peakPods is the maximum number of pods of a service: all of its replicas and
// those that an update or a canary puts beside them.
func (s *Stack) peakPods(service Service) int {
	replicas := service.Replicas
	if service.Autoscaling.Enabled {
		replicas = max(replicas, service.Autoscaling.MaxReplicas)
	}
	surge, err := s.Rollout.Surge()
	if err != nil {
		return replicas
	}
	extra, err := intstr.GetScaledValueFromIntOrPercent(&surge, replicas, true)
	if err != nil {
		return replicas
	}
	return replicas + extra
}

// developmentTag is the tag of images that a developer built.
const developmentTag = "dev"

// image is the reference of a service's image.
func (s *Stack) image(record catalog.Service) string {
	own := s.Overrides[record.Name].Image
	reference := own.Repository
	switch {
	case reference != "":
	case s.Registry() != "":
		reference = s.Registry() + "/" + record.ImageName()
	default:
		reference = record.LocalImageName()
	}
	tag := cmp.Or(own.Tag, s.pins[record.Name].Tag, s.Images.Version)
	if tag == "" && own.Digest == "" {
		tag = developmentTag
	}
	if tag != "" {
		reference += ":" + tag
	}
	if own.Digest != "" {
		reference += "@" + own.Digest
	}
	return reference
}

// storageKeys open object storage outside of AWS.
var storageKeys = []string{config.AccessKeyID, config.SecretAccessKey}

// apply returns a record with the stack's overrides.
func apply(o config.Override, record catalog.Service) catalog.Service {
	record = record.Clone()
	set(&record.HTTPPort, o.HTTPPort)
	set(&record.MetricsPath, o.MetricsPath)
	set(&record.Unmeasured, o.Unmeasured)
	setText(&record.Health.Startup, o.Health.Startup)
	setText(&record.Health.Live, o.Health.Live)
	setText(&record.Health.Ready, o.Health.Ready)
	if o.Needs != nil {
		record.Needs = nil
		for _, need := range o.Needs {
			record.Needs = append(record.Needs, catalog.StoreKind(need))
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
	if o.PublicPaths != nil {
		record.Limits = slices.DeleteFunc(record.Limits, func(limit catalog.PathLimit) bool { return !record.Publishes(limit.Path) })
	}
	if o.Limits != nil {
		record.Limits = nil
		for _, own := range o.Limits {
			record.Limits = append(record.Limits, catalog.PathLimit{
				Path: own.Path, Limit: catalog.Limit{BodyMebibytes: own.BodyMebibytes, TimeoutSeconds: own.TimeoutSeconds},
			})
		}
	}
	setList(&record.InternetPorts, o.Internet)
	if o.Class != "" {
		record.Class = catalog.Class(o.Class)
	}
	if len(o.Aliases) > 0 {
		if record.Aliases == nil {
			record.Aliases = map[string]string{}
		}
		maps.Copy(record.Aliases, o.Aliases)
	}
	if len(o.Env) > 0 {
		if record.Env == nil {
			record.Env = map[string]string{}
		}
		maps.Copy(record.Env, o.Env)
	}
	return record
}

// over returns r with its empty fields filled in from base.
func over(r, base config.Resources) config.Resources {
	fill := func(q, base config.Quantities) config.Quantities {
		setText(&base.CPU, q.CPU)
		setText(&base.Memory, q.Memory)
		setText(&base.EphemeralStorage, q.EphemeralStorage)
		return base
	}
	return config.Resources{Requests: fill(r.Requests, base.Requests), Limits: fill(r.Limits, base.Limits)}
}

func class(r config.ClassResources, c catalog.Class) config.Resources {
	switch c {
	case catalog.ClassMedia:
		return r.Media
	case catalog.ClassWorker:
		return r.Worker
	default:
		return r.API
	}
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
