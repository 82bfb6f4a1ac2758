// Package dashboard holds Nova's Grafana dashboards, built with Grafana's own
// types. Threshold lines come from the SLO record, series from the register.
package dashboard

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"nova.dev/infra/catalog"
	"nova.dev/infra/monitoring/metric"
	"nova.dev/infra/monitoring/promql"
	"nova.dev/infra/monitoring/slo"
)

// Service is the input of the panels about one service.
type Service struct {
	// Name is the value of its label app, such as "auth-service".
	Name string
	// Objective is the share of its requests that must succeed.
	Objective slo.Percent
}

// BoardInput is the input of all dashboards of a stack.
type BoardInput struct {
	// Namespace is that of the stack.
	Namespace string
	// Services are those that export metrics.
	Services []Service
	// SLO holds the values of threshold lines.
	SLO slo.Service
	// Limits are those of the dependencies.
	Limits slo.Dependencies
	// Dependencies are the systems that the services rely on.
	Dependencies []catalog.StoreKind
	// Kubernetes says that the series of a cluster exist.
	Kubernetes bool
}

// Dashboard is one dashboard in the form that Grafana provisions from files.
type Dashboard struct {
	// UID is stable, so that links to it are; the file is called after it.
	UID string
	// JSON is its definition.
	JSON []byte
}

// The uids of the dashboards.
const (
	Overview   = "nova-overview"
	PerService = "nova-service"
	DataStores = "nova-data-stores"
	SLO        = "nova-slo"
	Release    = "nova-release"
)

// All returns every dashboard. An error names the dashboard that Grafana's
// types refuse.
func All(in BoardInput) ([]Dashboard, error) {
	var all []Dashboard
	for _, b := range in.boards() {
		built, err := in.build(b)
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", b.uid, err)
		}
		content, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", b.uid, err)
		}
		all = append(all, Dashboard{UID: b.uid, JSON: append(content, '\n')})
	}
	return all, nil
}

// SidecarLabel is the label by which the sidecar of Grafana in
// kube-prometheus-stack finds dashboards.
const SidecarLabel = "grafana_dashboard"

// ConfigMaps returns a ConfigMap for each dashboard, named after it. labels
// are added to SidecarLabel.
func ConfigMaps(all []Dashboard, namespace string, labels map[string]string) []*corev1.ConfigMap {
	var maps []*corev1.ConfigMap
	for _, d := range all {
		own := map[string]string{SidecarLabel: "1"}
		for k, v := range labels {
			own[k] = v
		}
		maps = append(maps, &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Name: "dashboard-" + d.UID, Namespace: namespace, Labels: own},
			Data:       map[string]string{d.UID + ".json": string(d.JSON)},
		})
	}
	return maps
}

// Link is the address of the panel of an alert, below the address of Grafana;
// "" if there is no such panel. It contains the placeholder of an alert's
// service if the panel shows one service.
func Link(grafana, alert string) string {
	p, ok := panelOf[alert]
	if !ok {
		return ""
	}
	link := fmt.Sprintf("%s/d/%s?viewPanel=%d", strings.TrimSuffix(grafana, "/"), p.uid, p.panel)
	if p.uid == PerService || p.uid == SLO || p.uid == Release {
		link += "&var-service={{ $labels.service }}"
	}
	return link
}

// board is a dashboard before rendering.
type board struct {
	uid, title, description string
	rows                    []row
}

type row struct {
	title  string
	panels []panel
}

type panel struct {
	// id is stable: alerts link to it.
	id                       uint32
	title, description, unit string
	queries                  []query
	// thresholds are drawn as lines, the last of them in red.
	thresholds []float64
	// below says that values below a threshold are bad.
	below bool
	// negative says that values may be below 0.
	negative bool
	// max is the upper end of the axis; 0 leaves it to Grafana.
	max float64
}

type query struct {
	expr   promql.Expr
	legend string
}

func (in BoardInput) build(b board) (dashboard.Dashboard, error) {
	builder := dashboard.NewDashboardBuilder(b.title).
		Uid(b.uid).Description(b.description).Tags([]string{"nova"}).
		Readonly().Refresh("30s").Time("now-1h", "now").Timezone(common.TimeZoneBrowser).
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").
			Label("Data source").Description("The Prometheus that scrapes Nova").Type("prometheus")).
		WithVariable(in.serviceVariable()).
		Link(dashboard.NewDashboardLinkBuilder("Nova").
			Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"nova"}).
			AsDropdown(true).IncludeVars(true).KeepTime(true))
	for i, r := range b.rows {
		if r.title != "" {
			builder.WithRow(dashboard.NewRowBuilder(r.title).Id(firstRow + uint32(i)))
		}
		for _, p := range r.panels {
			builder.WithPanel(p.builder())
		}
	}
	return builder.Build()
}

// firstRow is the id of the first row, above those of panels.
const firstRow = 1000

// source is the data source that the user selects.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func (in BoardInput) serviceVariable() *dashboard.QueryVariableBuilder {
	services := fmt.Sprintf("label_values(%s, %s)", in.series(metric.Targets), metric.ServiceLabel)
	return dashboard.NewQueryVariableBuilder("service").
		Label("Service").Description("One service, several, or all").
		Datasource(source()).Query(dashboard.StringOrMap{String: &services}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".+").
		Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true),
			Text:     dashboard.StringOrArrayOfString{String: cog.ToPtr("All")},
			Value:    dashboard.StringOrArrayOfString{String: cog.ToPtr("$__all")},
		})
}

func (p panel) builder() *timeseries.PanelBuilder {
	b := timeseries.NewPanelBuilder().
		Id(p.id).Title(p.title).Description(p.description).Unit(p.unit).
		Datasource(source()).Height(8).Span(12).
		LineWidth(1).FillOpacity(5).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementBottom).
			ShowLegend(true).Calcs([]string{"lastNotNull", "max"})).
		Tooltip(common.NewVizTooltipOptionsBuilder().
			Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if !p.negative {
		b.Min(0)
	}
	if p.max != 0 {
		b.Max(p.max)
	}
	if len(p.thresholds) > 0 {
		b.Thresholds(p.lines()).ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().
			Mode(common.GraphThresholdsStyleModeDashed))
	}
	for i, q := range p.queries {
		b.WithTarget(prometheus.NewDataqueryBuilder().
			RefId(string(rune('A' + i))).Datasource(source()).
			Expr(q.expr.Dashboard()).LegendFormat(q.legend).Range())
	}
	return b
}

// lines are the thresholds in rising order, as Grafana wants them: first what
// holds from the bottom on, then what holds from each threshold on.
func (p panel) lines() *dashboard.ThresholdsConfigBuilder {
	const good, worse, bad = "green", "orange", "red"
	steps := []dashboard.Threshold{{Color: good}}
	if p.below {
		steps[0].Color = bad
	}
	for i, v := range p.thresholds {
		color := worse
		switch last := i == len(p.thresholds)-1; {
		case last && p.below:
			color = good
		case last:
			color = bad
		}
		steps = append(steps, dashboard.Threshold{Value: &v, Color: color})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

// series selects the series of this stack.
func (in BoardInput) series(name string, matchers ...promql.Matcher) promql.Expr {
	return promql.Series(name, append(matchers, promql.Eq(metric.Namespace, in.Namespace))...)
}

// recorded selects recorded series of the chosen services.
func (in BoardInput) recorded(name string, matchers ...promql.Matcher) promql.Expr {
	return in.series(name, append(matchers, promql.Match(metric.ServiceLabel, "$service"))...)
}

// job selects the series of one kind of target.
func (in BoardInput) job(job, name string, matchers ...promql.Matcher) promql.Expr {
	return in.series(name, append(matchers, promql.Eq("job", job))...)
}
