package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"nova.dev/infra/catalog"
)

// The grammar of image references, as the distribution specification has it.
var (
	validTag        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	validDigest     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	validRepository = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
)

// Registry is the registry and path of the services' images: the configured
// one, or that of the repositories that the stack declares. Empty means local
// images.
func (c *Config) Registry() string {
	if c.Images.Registry == "" && c.CreatesRepositories() {
		return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", c.AWS.Account, c.Storage.Region, c.RepositoryPrefix())
	}
	return strings.TrimSuffix(c.Images.Registry, "/")
}

// Builds reports whether the stack builds the image of a service by itself.
func (c *Config) Builds(service string) bool {
	own := c.Overrides[service].Image
	return c.Enabled(service) && c.Images.Build.Context != "" && own.Tag == "" && own.Digest == ""
}

// BuildsImages reports whether the stack builds any image by itself.
func (c *Config) BuildsImages() bool { return slices.ContainsFunc(catalog.Names(), c.Builds) }

var platform = regexp.MustCompile(`^linux/[a-z0-9]+(/[a-z0-9]+)?$`)

// ValidPlatform reports whether a text names a platform of Linux, such as
// catalog.NodePlatform.
func ValidPlatform(text string) bool { return platform.MatchString(text) }

func (c *Config) checkImageBuild(found *mistakes) {
	key := at("nova:images.build")
	b := c.Images.Build
	switch {
	case b.Context == "":
	case c.Guarded():
		found.invalid(key.Child("context"), b.Context, "is refused in %s: an image is built once, by `nova images build --push`, and named by its digest", c.Environment)
	case filepath.IsAbs(b.Context):
		found.invalid(key.Child("context"), b.Context, "is a path of one machine; expected one relative to the project, such as ../nova")
	}
	if b.Context != "" && c.Images.Version != "" {
		found.invalid(at("nova:images.version"), c.Images.Version, "contradicts %s.context: images are tagged by their sources", key)
	}
	if !ValidPlatform(b.Platform) {
		found.invalid(key.Child("platform"), b.Platform, "is not a platform of Linux; expected for example %s", catalog.NodePlatform)
	}
	between(found, key.Child("concurrency"), b.Concurrency, 1, len(catalog.Names()))
	if u, err := url.Parse(b.Host); err != nil || !slices.Contains([]string{"unix", "tcp", "ssh", "npipe"}, u.Scheme) {
		found.invalid(key.Child("host"), b.Host, "is not the address of a Docker engine; expected for example unix:///var/run/docker.sock or ssh://user@host")
	}
}

// checkServiceImage reports what is wrong with the parts of the reference of a
// service's image.
func (c *Config) checkServiceImage(service string, found *mistakes) {
	own := c.Overrides[service].Image
	key := at("nova:services").Child(service, "image")
	switch {
	case own.Repository != "":
		if !validRepository.MatchString(own.Repository) {
			found.invalid(key.Child("repository"), own.Repository, "is not a repository; expected registry/path/name without tag or scheme")
		}
	case c.Registry() == "" && c.Guarded():
		found.required(at("nova:images.registry"), "must be set in %s: without it nodes would look for the images in a public registry", c.Environment)
	}

	tag := own.Tag
	tagKey := key.Child("tag")
	if tag == "" {
		tag, tagKey = c.Images.Version, at("nova:images.version")
	}
	if own.Digest != "" && !validDigest.MatchString(own.Digest) {
		found.invalid(key.Child("digest"), own.Digest, "is not a digest; expected sha256: and 64 hexadecimal digits")
	}
	switch {
	case tag == "" && own.Digest == "" && c.Guarded():
		found.required(at("nova:images.version"), "must be set in %s, or a digest for each service", c.Environment)
	case tag != "" && !validTag.MatchString(tag):
		found.invalid(tagKey, tag, "is not a tag; allowed: letters, digits, _, . and -, at most 128")
	case tag == "latest" && c.Guarded():
		found.invalid(tagKey, tag, "is refused in %s: the image that it names changes; use a version or a digest", c.Environment)
	}
}
