package config

import (
	"fmt"
	"net/url"
	"strings"
)

// maxRoleName is the length of a role's name that IAM allows.
const maxRoleName = 64

// RoleName is the name of the role of a service's pods.
func (c *Config) RoleName(service string) string {
	return fmt.Sprintf("nova-%s-%s", c.Stack, service)
}

// BrowserOrigins are the origins whose pages may reach object storage by URLs
// that a service signed: those that the API allows.
func (c *Config) BrowserOrigins() []string {
	var origins []string
	for origin := range strings.SplitSeq(c.VariableValues()[originsVariable], ",") {
		if origin = strings.TrimSpace(origin); origin != "" {
			origins = append(origins, origin)
		}
	}
	return origins
}

const originsVariable = "CORS_ALLOWED_ORIGINS"

// checkNamesInAWS checks what the buckets and roles take from elsewhere.
func (c *Config) checkNamesInAWS(found *mistakes) {
	for _, s := range c.Services {
		if name := c.RoleName(s.Name); len(s.Buckets) > 0 && len(name) > maxRoleName {
			found.invalid(at("nova:storage.mode"), c.Storage.Mode, "needs a shorter name of the stack: role %s has %d characters, IAM allows %d", name, len(name), maxRoleName)
		}
	}
	for _, origin := range c.BrowserOrigins() {
		page, err := url.Parse(origin)
		if err != nil || page.Scheme != "https" && page.Scheme != "http" || !isHost(page.Hostname()) || origin != page.Scheme+"://"+page.Host {
			found.invalid(at("nova:variables").Child(originsVariable), origin, "is not an origin; expected https:// and a host, without a path or wildcard, since the buckets let its pages upload")
		}
	}
}
