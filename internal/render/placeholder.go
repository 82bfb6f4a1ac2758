package render

import (
	"fmt"
	"regexp"
	"strings"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/stack"
)

// publicKeyOutput is the public half of the signing key, which is generated
// together with the private one.
const publicKeyOutput = "publicKeyPem"

// While the program is evaluated a secret's value is a marker with its name. A
// marker consists of letters that URL encoding does not change, so it is found
// wherever the program puts it.
const (
	markerBefore = "nova-secret-"
	markerAfter  = "-value"
)

var marker = regexp.MustCompile(markerBefore + "([A-Z0-9_]+)" + markerAfter)

// placeholder is the text that replaces the value of a secret in a file.
var placeholder = regexp.MustCompile("<[A-Z0-9_]+>")

func mark(key string) string { return markerBefore + key + markerAfter }

// showPlaceholders turns the markers in a text into placeholders.
func showPlaceholders(text string) string {
	if !strings.Contains(text, markerBefore) {
		return text
	}
	return marker.ReplaceAllString(text, "<$1>")
}

// markers returns the values of generators: markers with the key of the secret,
// or with the key and a suffix for the values before its last rotation.
func markers(c *stack.Stack) func(resourceName, output string) string {
	keys := map[string]string{}
	for _, secret := range catalog.Secrets() {
		name := strings.ToLower(strings.ReplaceAll(secret.Key, "_", "-"))
		last := c.SecretSources.Rotation[secret.Key]
		for n := range last + 1 {
			generation := name
			if n > 0 {
				generation = fmt.Sprintf("%s-%d", name, n+1)
			}
			switch n {
			case last:
				keys[generation] = secret.Key
			case last - 1:
				keys[generation] = secret.Key + "_PREVIOUS"
			}
		}
	}
	return func(resourceName, output string) string {
		switch output {
		case publicKeyOutput:
			return mark(config.PublicKeyVariable)
		case "id":
			return mark(config.AccessKeyID)
		case "secret":
			return mark(config.SecretAccessKey)
		}
		if key, known := keys[resourceName]; known {
			return mark(key)
		}
		return mark(strings.ToUpper(strings.ReplaceAll(resourceName, "-", "_")))
	}
}
