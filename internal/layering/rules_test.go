package layering

// A rule says which other packages of this module a package may import. Names are
// relative to the module; "." is its root, and name/... stands for a package and
// all below it.
type rule struct {
	packages string
	imports  []string
}

// rules has one line for each package; of several that fit the longest counts.
// Arrows point down: a package imports only what stands above it.
var rules = []rule{
	{"catalog", nil},
	{"migrations", nil},
	{"migrations/lint", []string{"migrations"}},
	{"migrations/runner", []string{"migrations", "migrations/lint"}},
	{"internal/yamltext", nil},
	{"internal/envfile", nil},
	{"internal/iampolicy", nil},
	{"internal/kubeconfig", nil},
	{"internal/redact", nil},
	{"internal/jobs", nil},
	{"internal/podwatch", []string{"internal/jobs", "internal/redact"}},
	{"internal/change", []string{"internal/redact"}},
	{"internal/comment", nil},
	{"internal/podtemplate", nil},
	{"internal/policy", []string{"internal/podtemplate"}},
	{"internal/review", []string{"internal/change", "internal/redact"}},

	{"monitoring/metric", nil},
	{"monitoring/promql", nil},
	{"monitoring/slo", nil},
	{"monitoring/rule", []string{"catalog", "monitoring/metric", "monitoring/promql", "monitoring/slo", "internal/yamltext"}},
	{"monitoring/analysis", []string{"monitoring/metric", "monitoring/promql", "monitoring/slo"}},
	{"monitoring/alertmanager", []string{"catalog", "monitoring/rule", "internal/yamltext"}},
	{"monitoring/dashboard", []string{"catalog", "monitoring/metric", "monitoring/promql", "monitoring/slo"}},
	{"monitoring/scrape", []string{"catalog", "monitoring/metric", "internal/yamltext"}},
	{"release/stage", nil},
	{"release/gate", []string{"monitoring/metric", "monitoring/promql", "monitoring/slo"}},
	{"release", []string{"catalog", "monitoring/slo", "release/gate", "release/stage"}},
	{"release/report", []string{"monitoring/slo", "release", "release/gate", "release/stage"}},
	{"monitoring", []string{"catalog", "monitoring/...", "internal/yamltext"}},

	{"internal/config", []string{"catalog", "migrations", "monitoring/slo"}},
	{"internal/stackfile", []string{"internal/config", "internal/yamltext"}},
	{"internal/stack", []string{"catalog", "monitoring/...", "internal/config"}},
	{"internal/image", []string{"catalog", "internal/config", "internal/stack"}},
	{"internal/workload", []string{"catalog", "monitoring/...", "internal/config", "internal/stack", "internal/yamltext"}},
	{"internal/compose", []string{"catalog", "monitoring/...", "internal/config", "internal/envfile", "internal/stack", "internal/workload", "internal/yamltext"}},

	{"components", []string{"catalog", "monitoring", "monitoring/analysis", "release/stage", "internal/config", "internal/iampolicy", "internal/workload"}},
	{"internal/program", []string{"catalog", "monitoring/analysis", "components", "internal/config", "internal/iampolicy", "internal/image", "internal/kubeconfig", "internal/stack", "internal/workload"}},
	{".", []string{"internal/program"}},

	{"internal/evaluate", []string{"catalog", "internal/config", "internal/policy", "internal/program", "internal/stack"}},
	{"internal/render", []string{
		"catalog", "monitoring/...", "internal/compose", "internal/config", "internal/evaluate", "internal/image", "internal/stack",
		"internal/workload", "internal/yamltext",
	}},
	{"internal/preflight", []string{"internal/podtemplate", "internal/redact"}},

	{"internal/toolchain/dirlock", nil},
	{"internal/toolchain", []string{"internal/toolchain/dirlock"}},
	{"internal/cluster", []string{"internal/toolchain/..."}},
	{"internal/realpods/machine", nil},
	{"internal/realpods/podimage", []string{"catalog", "internal/workload"}},
	{"internal/realpods", []string{"internal/cluster", "internal/realpods/...", "internal/toolchain/..."}},
	{"internal/plugin/...", []string{"internal/plugin/..."}},
	{"internal/engine", []string{
		"internal/change", "internal/config", "internal/evaluate", "internal/jobs", "internal/kubeconfig", "internal/plugin",
		"internal/policy", "internal/preflight",
		"internal/program", "internal/redact", "internal/stack", "internal/stackfile", "internal/toolchain/...",
	}},

	{"internal/releasing", []string{
		"catalog", "monitoring/metric", "monitoring/promql", "monitoring/rule", "internal/change", "internal/config", "internal/engine", "internal/image",
		"internal/stack", "internal/stackfile", "release/...",
	}},

	{"internal/rehearsal/traffic", nil},
	{"internal/rehearsal", []string{
		"catalog", "monitoring", "monitoring/metric", "monitoring/promql", "monitoring/rule", "monitoring/scrape", "internal/cluster",
		"internal/config", "internal/engine", "internal/rehearsal/traffic", "internal/releasing", "internal/stack", "internal/stackfile",
		"internal/toolchain", "release", "release/gate",
	}},

	{"cmd/nova", []string{
		"catalog", "internal/change", "internal/cluster", "internal/comment", "internal/compose", "internal/config", "internal/engine", "internal/envfile",
		"internal/evaluate", "internal/image", "internal/jobs", "internal/kubeconfig", "internal/podwatch", "internal/policy", "internal/realpods/...",
		"internal/redact", "internal/rehearsal", "internal/releasing", "internal/render", "internal/review", "internal/stack", "internal/stackfile",
		"internal/terminal", "internal/toolchain", "internal/workload", "migrations/...", "release/...",
	}},
	{"internal/terminal", nil},
	{"internal/testing/...", []string{"monitoring/metric", "internal/config", "internal/stack", "internal/stackfile", "internal/testing/freeport", "internal/testing/pulumihome", "internal/toolchain"}}, // For tests: no other rule allows it.
	{"tests/languagehost", nil},
	{"tools/install", []string{"internal/toolchain"}},
	{"tools/contract-service", []string{"internal/testing/contract"}},
	{"tools/realpods-machine", []string{"internal/realpods/machine"}},
}

// libraries says which packages may import a library directly: the path of a
// module or package, which stands for all below it.
var libraries = map[string][]string{
	"github.com/pulumi": {
		".", "components", "internal/program", "internal/evaluate", "internal/render", "internal/preflight",
		"internal/engine", "internal/plugin/...", "internal/stackfile", "internal/toolchain", "tests/languagehost",
	},
	"github.com/pulumi/pulumi/sdk/v3/go/auto": {"internal/engine"},
	"github.com/spf13/cobra":                  {"cmd/nova"},
	"k8s.io/client-go": {
		"cmd/nova", "internal/cluster", "internal/engine", "internal/jobs", "internal/kubeconfig", "internal/podwatch",
		"internal/preflight", "internal/realpods/...", "internal/rehearsal", "internal/releasing",
	},
	"github.com/google/go-github":    {"internal/comment"},
	"gitlab.com/gitlab-org/api":      {"internal/comment"},
	"github.com/wasilibs/go-pgquery": {"migrations/lint"},
	"github.com/jackc/pgx/v5":        {"migrations/runner", "internal/testing/contract"},
}

// exceptions are imports that break a rule today, each as "package -> imported";
// a package that should not be there stands by itself. One that is not needed any more fails the test, too.
var exceptions = []string{}
