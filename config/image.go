package config

import (
	"fmt"
	"regexp"
	"strings"

	"nova.dev/infra/catalog"
)

// The grammar of image references, as the distribution specification has it.
var (
	validTag        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	validDigest     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	validRepository = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
)

// developmentTag is the tag of images that a developer built.
const developmentTag = "dev"

// Registry is the registry and path of the services' images: the configured
// one, or that of the repositories that the stack declares. Empty means local
// images.
func (c *Config) Registry() string {
	if c.Images.Registry == "" && c.CreatesRepositories() {
		return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", c.AWS.Account, c.Storage.Region, c.RepositoryPrefix())
	}
	return strings.TrimSuffix(c.Images.Registry, "/")
}

// image composes the reference of a service's image and reports what is wrong
// with its parts.
func (c *Config) image(record catalog.Service, own ImageOverride, found *mistakes) string {
	key := "nova:services." + record.Name + ".image"
	repository := own.Repository
	switch {
	case repository != "":
		if !validRepository.MatchString(repository) {
			found.add(key+".repository", repository, "is not a repository; expected registry/path/name without tag or scheme")
		}
	case c.Registry() != "":
		repository = c.Registry() + "/" + record.ImageName()
	default:
		repository = record.LocalImageName()
		if c.Guarded() {
			found.missing("nova:images.registry", "is required in %s: without it nodes would look for the images in a public registry", c.Environment)
		}
	}

	tag := own.Tag
	tagKey := key + ".tag"
	if tag == "" {
		tag, tagKey = c.Images.Version, "nova:images.version"
	}
	if own.Digest != "" && !validDigest.MatchString(own.Digest) {
		found.add(key+".digest", own.Digest, "is not a digest; expected sha256: and 64 hexadecimal digits")
	}
	switch {
	case tag == "" && own.Digest == "" && c.Guarded():
		found.missing("nova:images.version", "is required in %s, or a digest for each service", c.Environment)
	case tag == "" && own.Digest == "":
		tag = developmentTag
	case tag != "" && !validTag.MatchString(tag):
		found.add(tagKey, tag, "is not a tag; allowed: letters, digits, _, . and -, at most 128")
	case tag == "latest" && c.Guarded():
		found.add(tagKey, tag, "is refused in %s: it names another image tomorrow; use a version or a digest", c.Environment)
	}

	reference := repository
	if tag != "" {
		reference += ":" + tag
	}
	if own.Digest != "" {
		reference += "@" + own.Digest
	}
	return reference
}
