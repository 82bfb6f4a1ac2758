package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"nova.dev/infra/catalog"
)

// Connections that PostgreSQL must have left beside the pools of the services.
const (
	// ReservedConnections is PostgreSQL's default of
	// superuser_reserved_connections.
	ReservedConnections = 3
	// exporterConnections is what the exporter opens at most.
	exporterConnections = 3
	// jobConnections is room for the Jobs that set up roles and migrate.
	jobConnections = 5
)

// PeakPods is how many pods of a service run at the worst moment: all of its
// replicas and those that an update or a canary puts beside them.
func (c *Config) PeakPods(s Service) int {
	replicas := s.Replicas
	if s.Autoscaling.Enabled {
		replicas = max(replicas, s.Autoscaling.MaxReplicas)
	}
	surge, err := c.Rollout.Surge()
	if err != nil {
		return replicas
	}
	extra, err := intstr.GetScaledValueFromIntOrPercent(&surge, replicas, true)
	if err != nil {
		return replicas
	}
	return replicas + extra
}

// pool is the most connections to PostgreSQL that one pod of a service opens;
// wrong names a variable that is no number of connections.
func (s Service) pool(values map[string]string) (largest int, wrong string) {
	if !slices.Contains(s.Needs, catalog.Postgres) {
		return 0, ""
	}
	for _, variable := range s.PoolVariables {
		value, own := s.Env[variable]
		if !own {
			value = values[variable]
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return 0, variable
		}
		largest = max(largest, n)
	}
	return largest, ""
}

// checkConnections adds up the connections of the worst moment: every pool
// full, in every pod, in the middle of an update of all services.
func (c *Config) checkConnections(found *mistakes) {
	values := c.VariableValues()
	var terms []string
	total := 0
	for _, s := range c.Services {
		pool, wrong := s.pool(values)
		if wrong != "" {
			found.invalid(at("nova:variables").Child(wrong), values[wrong], "is not a number of connections; allowed: 1 and more")
			return
		}
		if pool == 0 {
			continue
		}
		pods := c.PeakPods(s)
		total += pool * pods
		terms = append(terms, fmt.Sprintf("%s %d × %d pods", s.Name, pool, pods))
	}
	total += exporterConnections + jobConnections + ReservedConnections
	terms = append(terms, fmt.Sprintf("exporter %d + jobs %d + reserved %d", exporterConnections, jobConnections, ReservedConnections))
	if limit := c.Dependencies.Postgres.MaxConnections; total > limit {
		found.invalid(at("nova:dependencies.postgres.maxConnections"), limit,
			"is below the %d connections that the stack may open during an update (%s); raise it, or lower nova:variables.DB_MAX_CONNECTIONS or the replicas",
			total, strings.Join(terms, " + "))
	}
}
