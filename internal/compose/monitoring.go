package compose

import (
	"maps"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"

	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/workload"
	"nova.dev/infra/internal/yamltext"
	"nova.dev/infra/monitoring"
)

func itoa(n int) string { return strconv.Itoa(n) }

// The programs of the monitoring profile. uid and gid are those of the images.
const (
	prometheusPort   = 9090
	alertmanagerPort = 9093
	grafanaPort      = 3000

	prometheusUser = 65534
	grafanaUser    = 472
)

// addMonitoring adds Prometheus, Alertmanager and Grafana.
func (b *builder) addMonitoring() error {
	files, err := monitoring.Files(b.monitoringSettings())
	if err != nil {
		return err
	}
	maps.Copy(b.files, files)
	provisioning, err := grafanaProvisioning()
	if err != nil {
		return err
	}
	maps.Copy(b.files, provisioning)

	b.addTool("prometheus", prometheusPort, prometheusUser, "/prometheus", func(s *types.ServiceConfig) {
		s.Image = b.s.ImageReference("prometheus")
		s.Command = types.ShellCommand{
			"--config.file=/etc/prometheus/prometheus.yml",
			"--storage.tsdb.path=/prometheus",
			"--storage.tsdb.retention.time=15d",
		}
		s.HealthCheck.Test = types.HealthCheckTest{"CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/-/ready"}
		s.Volumes = append(s.Volumes, mount("prometheus/prometheus.yml", "/etc/prometheus/prometheus.yml"), mount("prometheus/rules", "/etc/prometheus/rules"))
	})
	b.addTool("alertmanager", alertmanagerPort, prometheusUser, "/alertmanager", func(s *types.ServiceConfig) {
		s.Image = b.s.ImageReference("alertmanager")
		s.Command = types.ShellCommand{"--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager", "--cluster.listen-address="}
		s.HealthCheck.Test = types.HealthCheckTest{"CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9093/-/ready"}
		s.Volumes = append(s.Volumes, mount("alertmanager/alertmanager.yml", "/etc/alertmanager/alertmanager.yml"))
	})
	b.addTool("grafana", grafanaPort, grafanaUser, "/var/lib/grafana", func(s *types.ServiceConfig) {
		s.Image = b.s.ImageReference("grafana")
		s.Environment = types.MappingWithEquals{
			// Anonymous access, read-only: there is no account, so there is no
			// password.
			"GF_AUTH_ANONYMOUS_ENABLED":                  text("true"),
			"GF_AUTH_ANONYMOUS_ORG_ROLE":                 text("Viewer"),
			"GF_AUTH_BASIC_ENABLED":                      text("false"),
			"GF_AUTH_DISABLE_LOGIN_FORM":                 text("true"),
			"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": text("true"),
			"GF_ANALYTICS_REPORTING_ENABLED":             text("false"),
			"GF_ANALYTICS_CHECK_FOR_UPDATES":             text("false"),
			"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES":      text("false"),
			"GF_PLUGINS_PREINSTALL_DISABLED":             text("true"),
		}
		s.HealthCheck.Test = types.HealthCheckTest{"CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3000/api/health"}
		s.Tmpfs = types.StringList{"/tmp:mode=1777,size=64m"}
		s.Volumes = append(s.Volumes, mount("grafana/provisioning", "/etc/grafana/provisioning"), mount("grafana/dashboards", dashboardFolder))
	})
	return nil
}

// addTool adds a program with a web interface that is published on the machine.
func (b *builder) addTool(name string, port, user int, data string, complete func(*types.ServiceConfig)) {
	tool := confined(sameUserAndGroup(user), config.Quantities{CPU: "500m", Memory: "512Mi"})
	tool.Profiles = []string{profileMonitoring}
	tool.Networks = networks(networkBackend, networkEdge)
	tool.Ports = []types.ServicePortConfig{publish(port, itoa(port))}
	tool.DependsOn = types.DependsOnConfig{volumeOwners: after(types.ServiceConditionCompletedSuccessfully)}
	tool.HealthCheck = check(nil, b.s.Probes.Readiness, b.startupTime())
	tool.Volumes = []types.ServiceVolumeConfig{b.volume(name, sameUserAndGroup(user), data)}
	complete(&tool)
	b.project.Services[name] = tool
}

// monitoringSettings are those of a stack that runs without a cluster, with one
// member of each store and no receivers.
func (b *builder) monitoringSettings() monitoring.Settings {
	settings := workload.Monitoring(b.s, b.workloads)
	settings.Kubernetes, settings.Rollouts = false, false
	settings.Receivers = nil
	settings.SingleNodeSearch, settings.Limits.KafkaBrokers = true, 1
	return settings
}

const dashboardFolder = "/var/lib/grafana/dashboards"

// The part of Grafana's provisioning format that is used.
type (
	datasources struct {
		Version     int          `json:"apiVersion"`
		Datasources []datasource `json:"datasources"`
	}
	datasource struct {
		Name      string `json:"name"`
		Type      string `json:"type"`
		UID       string `json:"uid"`
		Access    string `json:"access"`
		URL       string `json:"url"`
		IsDefault bool   `json:"isDefault"`
		Editable  bool   `json:"editable"`
	}
	dashboards struct {
		Version   int                 `json:"apiVersion"`
		Providers []dashboardProvider `json:"providers"`
	}
	dashboardProvider struct {
		Name            string            `json:"name"`
		Folder          string            `json:"folder"`
		Type            string            `json:"type"`
		DisableDeletion bool              `json:"disableDeletion"`
		AllowUIUpdates  bool              `json:"allowUiUpdates"`
		Options         map[string]string `json:"options"`
	}
)

// grafanaProvisioning registers Prometheus and the dashboards in Grafana.
func grafanaProvisioning() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, content := range map[string]any{
		"datasources/prometheus.yaml": datasources{1, []datasource{{
			Name: "Prometheus", Type: "prometheus", UID: "prometheus", Access: "proxy", URL: "http://prometheus:9090", IsDefault: true,
		}}},
		"dashboards/nova.yaml": dashboards{1, []dashboardProvider{{
			Name: "nova", Folder: "Nova", Type: "file", DisableDeletion: true, Options: map[string]string{"path": dashboardFolder},
		}}},
	} {
		text, err := yamltext.Marshal(content)
		if err != nil {
			return nil, err
		}
		files["grafana/provisioning/"+name] = text
	}
	return files, nil
}
