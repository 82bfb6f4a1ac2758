package config

import (
	"maps"
	"slices"
	"strings"

	"nova.dev/infra/catalog"
)

// ImageReference is the reference of an image of the catalogue, with its digest
// where the stack pins it.
func (c *Config) ImageReference(name string) string {
	image, _ := catalog.FindImage(name)
	return c.pinned(image.Reference())
}

// pinned adds the pinned digest to a reference of the catalogue; any other
// reference is the stack's own and stays as it is.
func (c *Config) pinned(reference string) string {
	for _, image := range catalog.Images() {
		if tag, digest, pinned := strings.Cut(c.Images.Pins[image.Name], "@"); pinned && tag == image.Tag && reference == image.Reference() {
			return reference + "@" + digest
		}
	}
	return reference
}

// resolvePins adds the pinned digests to the images of stores.
func (c *Config) resolvePins() {
	d := &c.Dependencies
	for _, reference := range []*string{
		&d.Postgres.Image, &d.Redis.Image, &d.ClickHouse.Image, &d.Kafka.Image, &d.Elasticsearch.Image, &c.Storage.Image,
	} {
		*reference = c.pinned(*reference)
	}
}

// checkPins refuses a digest of another tag: of a reference with both, the
// digest is what runs, so an old one would go on running unnoticed.
func (c *Config) checkPins(found *mistakes) {
	for _, name := range slices.Sorted(maps.Keys(c.Images.Pins)) {
		key, value := at("nova:images.pins").Child(name), c.Images.Pins[name]
		image, known := catalog.FindImage(name)
		if !known || image.Base {
			found.invalid(key, value, "is no image that can be pinned%s", didYouMean(name, PinnableImages()))
			continue
		}
		tag, digest, _ := strings.Cut(value, "@")
		switch {
		case !validDigest.MatchString(digest):
			found.invalid(key, value, "is not a pin; expected %s@sha256: and 64 hexadecimal digits", image.Tag)
		case tag != image.Tag:
			found.invalid(key, value, "pins another version than this program runs, %s; `nova images pin` reads its digest", image.Reference())
		}
	}
}

// PinnableImages are the names of the images whose digests a stack can pin.
func PinnableImages() []string {
	var names []string
	for _, image := range catalog.Images() {
		if !image.Base {
			names = append(names, image.Name)
		}
	}
	return names
}
