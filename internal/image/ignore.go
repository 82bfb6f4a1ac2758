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
// its binary, by service. The shared migrations are embedded by auth only.
var embeddedDirs = map[string][]string{"auth": {"migrations"}}

// neverInAnImage are patterns of files that must not be in a build context:
// keys, settings with passwords, and large files that no build needs.
var neverInAnImage = []string{
	"**/.git", "**/target", "**/node_modules",
	"**/.env", "**/.env.*",
	"**/*.pem", "**/*.key", "**/*.p8", "**/*.p12",
}

// Ignore returns the ignore patterns of one service: an allow-list of its own
// folder, of what services share, and of every manifest, which Cargo needs to
// read the workspace. Changes of other files change neither the service's build
// context nor its image nor its digest.
func Ignore(service catalog.Service) []string { return ignore(service) }

// IgnoreAll returns the ignore patterns of a context that serves every service.
func IgnoreAll() []string { return ignore(catalog.Services()...) }

func ignore(services ...catalog.Service) []string {
	patterns := []string{"*", "!Cargo.toml", "!Cargo.lock", "!.cargo/config.toml"}
	for _, s := range catalog.Services() {
		// Named one by one: clients before Docker 23 do not match patterns inside
		// an excluded folder.
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
