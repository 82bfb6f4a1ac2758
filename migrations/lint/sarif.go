package lint

import (
	"path"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// SARIF is the result in the Static Analysis Results Interchange Format 2.1.0, which
// code hosts show beside the lines. dir is put before the files' names, and should be
// relative to the root of the repository.
func (r Result) SARIF(dir, version string) *sarif.Report {
	report := sarif.NewReport()
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(sarif.NewToolComponent().WithName("nova migrations lint").WithVersion(version)))
	for _, rule := range rules {
		run.AddRule(rule.ID).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(rule.Why)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(rule.Fix)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(rule.level()))
	}
	for _, f := range r.Findings {
		rule, _ := ruleOf(f.Rule)
		run.AddResult(sarif.NewRuleResult(f.Rule).
			WithLevel(rule.level()).
			WithMessage(sarif.NewTextMessage(f.Message + ". " + f.Why + " " + f.Fix)).
			AddLocation(sarif.NewLocation().WithPhysicalLocation(sarif.NewPhysicalLocation().
				WithArtifactLocation(sarif.NewArtifactLocation().WithURI(path.Join(dir, f.File))).
				WithRegion(sarif.NewRegion().WithStartLine(f.Line)))))
	}
	if len(r.Findings) == 0 {
		run.Results = []*sarif.Result{} // An empty list says that the tool has run.
	}
	report.AddRun(run)
	return report
}

// level is how a code host shows findings of a rule.
func (r Rule) level() string {
	if r.Group == Types {
		return "warning"
	}
	return "error"
}
