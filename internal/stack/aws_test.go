package stack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"nova.dev/infra/internal/config"
)

func TestBrowserOrigins_are_origins(t *testing.T) {
	for value, wrong := range map[string]string{
		"https://nova.dev":                       "",
		"https://nova.dev,http://localhost:3000": "",
		"":                                       `nova:variables.CORS_ALLOWED_ORIGINS: Invalid value: "": must not be empty: user exits without it`,
		"*":                                      `nova:variables.CORS_ALLOWED_ORIGINS: Invalid value: "*": is not an origin`,
		"https://*.nova.dev":                     `"https://*.nova.dev": is not an origin`,
		"https://nova.dev/":                      `"https://nova.dev/": is not an origin`,
		"nova.dev":                               `"nova.dev": is not an origin`,
		"ftp://nova.dev":                         `"ftp://nova.dev": is not an origin`,
		"https://nova.dev, https://x/y":          `"https://x/y": is not an origin`,
	} {
		_, err := parse(t, "prod", released+"  nova:variables: {CORS_ALLOWED_ORIGINS: \""+value+"\"}\n")
		if wrong == "" {
			assert.NoError(t, err, value)
		} else {
			assert.ErrorContains(t, err, wrong)
		}
	}
	_, err := parse(t, "dev", "  nova:variables: {CORS_ALLOWED_ORIGINS: \"*\"}\n")
	assert.NoError(t, err, "outside of AWS no bucket depends on it")
	_, err = parse(t, "staging", "  nova:environment: staging\n  nova:images: {registry: registry.example.com/nova, version: v1.4.0}\n  nova:storage: {mode: inCluster}\n  nova:variables: {CORS_ALLOWED_ORIGINS: \"\"}\n")
	assert.NoError(t, err, "no page may upload, and no service exits")
	_, err = parse(t, "prod", released+"  nova:storage: {mode: external, endpoint: 's3.internal:443'}\n  nova:variables: {CORS_ALLOWED_ORIGINS: \"https://nova.dev, *\"}\n")
	assert.ErrorContains(t, err, `"*": is refused in production: user and content exit`)
}

func TestRoleName_fits_IAM(t *testing.T) {
	const longest = 64 - len("nova-") - len("-messaging")
	_, err := parse(t, strings.Repeat("s", longest), released)
	require.NoError(t, err)
	_, err = parse(t, strings.Repeat("s", longest+1), released)
	assert.ErrorContains(t, err, "nova:storage.mode: Invalid value: \"aws\": needs a shorter name of the stack: role nova-")
	assert.ErrorContains(t, err, "has 65 characters, IAM allows 64")
}

func TestBrowserOrigins_are_split_and_trimmed(t *testing.T) {
	c, err := parse(t, "prod", released+"  nova:variables: {CORS_ALLOWED_ORIGINS: \"https://a.dev , https://b.dev,\"}\n")
	require.NoError(t, err)
	assert.Equal(t, []string{"https://a.dev", "https://b.dev"}, c.BrowserOrigins())
	assert.Equal(t, "nova-prod-media", (&config.Config{Stack: "prod"}).RoleName("media"))
}
