package recorded

import (
	"log/slog"
	"strings"
)

// DockerVersion is the version of the pulumi-docker SDK whose plugin the
// stand-in takes the place of.
const DockerVersion = "4.11.2"

// NewDocker makes a provider for the package docker. The logger may be nil.
func NewDocker(logger *slog.Logger) *Provider {
	return newProvider(DockerVersion, logger, service{
		name:   "docker",
		notice: "docker: recorded only: no image is built, pulled or pushed",
		kinds: map[string]kind{
			"docker:index/container:Container": {name: "name"},
			"docker:index/network:Network":     {name: "name"},
			"docker:index/volume:Volume":       {name: "name"},
		},
		fill: fillDocker,
	})
}

func fillDocker(r *record) {
	switch string(r.urn.Type()) {
	case "docker:index/image:Image":
		name := r.text("imageName")
		if name == "" {
			return
		}
		digest := "sha256:" + contentDigest(name, r.state["build"].String())
		r.id = digest
		r.add("baseImageName", name)
		r.add("repoDigest", repository(name)+"@"+digest)
		r.add("registryServer", registry(name))
	case "docker:index/remoteImage:RemoteImage":
		if name := r.text("name"); name != "" {
			digest := "sha256:" + contentDigest(name)
			r.id = digest + name
			r.add("imageId", digest)
			r.add("repoDigest", repository(name)+"@"+digest)
		}
	}
}

// repository is an image name without tag and digest.
func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	return name
}

// registry is the server of an image name, Docker Hub if it has none.
func registry(name string) string {
	server, _, ok := strings.Cut(name, "/")
	if ok && (strings.ContainsAny(server, ".:") || server == "localhost") {
		return server
	}
	return "docker.io"
}
