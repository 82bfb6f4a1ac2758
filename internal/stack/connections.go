package stack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
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

// checkConnections sums the maximum of connections: every pool full, in every
// pod, in the middle of an update of all services.
func (s *Stack) checkConnections(found *config.Mistakes) {
	values := s.VariableValues()
	var terms []string
	total := 0
	for _, service := range s.Services {
		pool, wrong := service.pool(values)
		if wrong != "" {
			found.Invalid(field.NewPath("nova:variables").Child(wrong), values[wrong], "is not a number of connections; allowed: 1 and more")
			return
		}
		if pool == 0 {
			continue
		}
		pods := service.PeakPods
		total += pool * pods
		terms = append(terms, fmt.Sprintf("%s %d × %d pods", service.Name, pool, pods))
	}
	total += exporterConnections + jobConnections + ReservedConnections
	terms = append(terms, fmt.Sprintf("exporter %d + jobs %d + reserved %d", exporterConnections, jobConnections, ReservedConnections))
	if limit := s.Dependencies.Postgres.MaxConnections; total > limit {
		found.Invalid(field.NewPath("nova:dependencies.postgres.maxConnections"), limit,
			"is below the %d connections that the stack may open during an update (%s); raise it, or lower nova:variables.DB_MAX_CONNECTIONS or the replicas",
			total, strings.Join(terms, " + "))
	}
}
