package image

import (
	_ "embed"
	"fmt"
	"strings"
)

// dockerfile is the text of the Dockerfile of every service. Its build argument
// SERVICE_NAME names the service; all others have defaults.
//
//go:embed Dockerfile
var dockerfile string

// The names of the files that a build needs beside Nova's workspace. BuildKit
// reads the ignore file named after the Dockerfile, from the same folder, so
// neither has to be in the workspace.
const (
	dockerfileName = "Dockerfile"
	ignoreName     = dockerfileName + ".dockerignore"
)

// Files are the files that a user needs to build any service without this
// program, by name: the Dockerfile and its ignore file. Both go into one folder.
func Files() map[string]string {
	return buildFiles(IgnoreAll())
}

func buildFiles(ignore []string) map[string]string {
	return map[string]string{dockerfileName: dockerfile, ignoreName: ignoreText(ignore)}
}

func ignoreText(patterns []string) string {
	return "# Nothing enters the build but what is named here; secrets never do.\n" + strings.Join(patterns, "\n") + "\n"
}

// argument is the default of a build argument in the Dockerfile, the only place
// of these defaults.
func argument(name string) string {
	for line := range strings.Lines(dockerfile) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "ARG "+name+"="); found {
			return strings.Trim(value, `"`)
		}
	}
	panic(fmt.Sprintf("image: the Dockerfile has no argument %s with a default", name))
}
