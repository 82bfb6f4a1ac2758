// Package monitoring makes everything that watches a stack of Nova, from one
// record of its services and objectives: alert rules, scraping, dashboards and
// the delivery of alerts, as objects for the operators of a cluster and as
// plain files.
//
// It is pure: it reads no environment, and imports nothing of Pulumi.
//
//   - slo: objectives and limits
//   - metric: the register of exported and recorded metrics
//   - promql: expressions as a syntax tree
//   - rule: recording and alerting rules
//   - scrape: PodMonitors, ServiceMonitors, prometheus.yml
//   - dashboard: dashboards of Grafana
//   - alertmanager: routes and receivers
package monitoring
