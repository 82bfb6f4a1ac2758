package stack

import (
	"errors"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
)

// Stack is a configuration and everything that follows from it. Resolve makes
// it, and nothing changes it afterwards: who needs a variant changes a copy of
// the configuration and resolves that.
type Stack struct {
	config.Config
	// Compose is set when the stack runs under Docker Compose; Local returns
	// such a stack.
	Compose bool
	// Services are the enabled services, in the order of the catalogue.
	Services []Service
	// Stores are all stores, in the cluster and external, in their order of
	// start.
	Stores []Store

	pins map[string]Pin
}

// Pin is what the image of a service that the stack builds by itself is made of.
type Pin struct {
	// Inputs is the digest of the sources and the recipe.
	Inputs string
	// Tag is the image's tag, which follows from them.
	Tag string
}

// Resolve joins a configuration with the catalogue. pins are those of the images
// that the stack builds by itself, by service; without one such an image has
// the tag of images that a developer built. On mistakes the error is a
// *config.Error that lists all of them.
func Resolve(c *config.Config, pins map[string]Pin) (*Stack, error) {
	return resolve(c, pins, false)
}

func resolve(c *config.Config, pins map[string]Pin, compose bool) (*Stack, error) {
	s := &Stack{Config: *c, Compose: compose, pins: pins}
	s.Services = s.services()
	s.Stores = s.stores()
	found := &config.Mistakes{}
	s.check(found)
	if err := found.Err(c.Stack); err != nil {
		return nil, err
	}
	return s, nil
}

// Pinned returns the stack with other pins.
func (s *Stack) Pinned(pins map[string]Pin) (*Stack, error) { return Resolve(&s.Config, pins) }

// With returns the stack that follows from another configuration and the same
// pins.
func (s *Stack) With(c *config.Config) (*Stack, error) { return Resolve(c, s.pins) }

// Parse types an input and resolves it. On mistakes, in the configuration or in
// what follows from it, it returns a *config.Error that lists all of them.
func Parse(name string, input config.Input) (*Stack, error) { return whole(config.Parse(name, input)) }

// whole resolves a configuration that was just parsed, and adds the mistakes of
// both steps up.
func whole(c *config.Config, err error) (*Stack, error) {
	if c == nil {
		return nil, err
	}
	s, wrong := Resolve(c, nil)
	found := &config.Mistakes{}
	if other := errors.Join(found.Join(err), found.Join(wrong)); other != nil {
		return nil, other
	}
	if err == nil && wrong == nil {
		// Nothing is left unless the checks of the two packages disagree.
		found.Joined(field.NewPath("nova:monitoring"), s.MonitoringSettings().Validate())
	}
	if err := found.Err(c.Stack); err != nil {
		return nil, err
	}
	return s, nil
}

// CatalogServices are the enabled services' catalogue records with the stack's
// overrides.
func (s *Stack) CatalogServices() []catalog.Service {
	services := make([]catalog.Service, len(s.Services))
	for i, each := range s.Services {
		services[i] = each.Service
	}
	return services
}
