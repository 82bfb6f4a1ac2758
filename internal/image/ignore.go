package image

import (
	"slices"

	"nova.dev/infra/catalog"
)

// servicesDir is the folder of the services in Nova's workspace, whose root is
// that of the repository.
const servicesDir = "backend"

// sharedDirs are the folders in servicesDir that every service compiles with:
// libraries and protocol definitions.
var sharedDirs = []string{"libs", "proto"}

// embeddedDirs are further folders in servicesDir that a service compiles into
// its binary, by service. The shared migrations are embedded by auth alone.
var embeddedDirs = map[string][]string{"auth": {"migrations"}}

// neverInAnImage are patterns of files that must not reach a builder: keys,
// settings with passwords, and what only makes the context large.
var neverInAnImage = []string{
	"**/.git", "**/target", "**/node_modules",
	"**/.env", "**/.env.*",
	"**/*.pem", "**/*.key", "**/*.p8", "**/*.p12",
}

// Ignore returns the ignore patterns of one service: an allow-list of its own
// folder, of what services share, and of every manifest, which Cargo needs to
// read the workspace. What changes outside leaves the service's build context,
// and so its image and its digest, as they were.
func Ignore(service catalog.Service) []string { return ignore(service) }

// IgnoreAll returns the ignore patterns of a context that serves every service.
func IgnoreAll() []string { return ignore(catalog.Services()...) }

func ignore(services ...catalog.Service) []string {
	patterns := []string{"*", "!Cargo.toml", "!Cargo.lock", "!.cargo/config.toml"}
	for _, s := range catalog.Services() {
		// Named one by one: clients before Docker 23 do not look for what a
		// pattern may match inside a folder that is left out.
		patterns = append(patterns, "!"+servicesDir+"/"+s.KubernetesName()+"/Cargo.toml")
	}
	dirs := slices.Clone(sharedDirs)
	for _, s := range services {
		dirs = append(append(dirs, embeddedDirs[s.Name]...), s.KubernetesName())
	}
	for _, dir := range dirs {
		patterns = append(patterns, "!"+servicesDir+"/"+dir)
	}
	return append(patterns, neverInAnImage...)
}
