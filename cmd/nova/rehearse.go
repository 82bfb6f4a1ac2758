package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nova.dev/infra/internal/rehearsal"
	"nova.dev/infra/internal/toolchain"
	"nova.dev/infra/release"
	"nova.dev/infra/release/report"
)

// rehearseFlags are the flags of nova rehearse.
type rehearseFlags struct {
	faults, services []string
	report           string
	compress         float64
}

// allFaults stands for all faults, one after another.
const allFaults = "all"

func newRehearseCommand(g *globals) *cobra.Command {
	var f rehearseFlags
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Rehearse a release on this machine, also one that goes wrong",
		Long: `Rehearse a release of a stack (default: prod): on an embedded control plane of its own,
with the real controller of Argo Rollouts, a real Prometheus and the engine. All of it
ends with the command; no cluster, state or file that the stack names is touched.

Pods are simulated, and so is what users ask of them: the model's counters are scraped
from the pods that really exist. The release is moved by the same code as by "nova
release", with time compressed. Images are digests that no registry has.

` + faultTexts() + `
The timeline is printed, and the report is kept as a page. A rehearsal is passed when the
release ended as it must with the fault, found by the intended gate, and when a preview
afterwards shows no change.
Exit code 5: passed, and every service runs its previous image; 6: passed, and the
release waits for a decision; 1: not passed. Several faults together: 0 if all passed.`,
		Example: "  nova rehearse\n  nova rehearse --fault errors --services auth,user,feed\n  nova rehearse --fault all",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.faults, "fault", []string{rehearsal.None}, "what goes wrong; several, or all, are rehearsed one after another")
	flags.StringSliceVar(&f.services, "services", nil, "services that the release changes (default: all of the stack)")
	flags.StringVar(&f.report, "report", "", "file of the report, .html or .md (default: .nova/rehearsals/<stack>-<fault>.html)")
	flags.Float64Var(&f.compress, "compress-time", rehearsal.DefaultFactor, "by how much faster the times of the phases pass; 1 to 120")
	completeFlag(cmd, "fault", cobra.FixedCompletions(append(rehearsal.FaultNames(), allFaults), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "services", values(g.serviceNames))
	completeFlag(cmd, "report", files)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("stack") {
			g.stack = "prod"
		}
		return g.rehearse(cmd.Context(), f)
	}
	return cmd
}

// faultTexts is a line for each fault.
func faultTexts() string {
	var text strings.Builder
	for _, f := range rehearsal.Faults() {
		fmt.Fprintf(&text, "  %-13s %s\n", f.Name, f.About)
	}
	return text.String()
}

// chosen are the faults that the flags name.
func (f rehearseFlags) chosen() ([]rehearsal.Fault, error) {
	if slices.Contains(f.faults, allFaults) {
		return rehearsal.Faults(), nil
	}
	var (
		faults   []rehearsal.Fault
		mistakes []error
	)
	for _, name := range f.faults {
		fault, err := rehearsal.FindFault(name)
		mistakes = append(mistakes, err)
		faults = append(faults, fault)
	}
	if len(faults) == 0 {
		mistakes = append(mistakes, errors.New("--fault: names no fault"))
	}
	return faults, errors.Join(mistakes...)
}

// check finds mistakes in the flags.
func (f rehearseFlags) check() error {
	var mistakes []error
	if ext := filepath.Ext(f.report); f.report != "" && ext != ".html" && ext != ".md" {
		mistakes = append(mistakes, fmt.Errorf("--report: %q is neither .html nor .md", f.report))
	}
	if f.compress < 1 || f.compress > 120 {
		mistakes = append(mistakes, fmt.Errorf("--compress-time: %v; allowed: 1 to 120", f.compress))
	}
	return errors.Join(mistakes...)
}

func (g *globals) rehearse(ctx context.Context, f rehearseFlags) error {
	faults, err := f.chosen()
	if err := errors.Join(err, f.check()); err != nil {
		return usageError{err}
	}
	project, c, err := g.configuration()
	if err != nil {
		return err
	}
	for _, name := range f.services {
		if names := serviceNames(c); !slices.Contains(names, name) {
			return usageError{fmt.Errorf("--services: %q is no service of stack %s; services are %s", name, g.stack, strings.Join(names, ", "))}
		}
	}
	if err := toolchain.Install(ctx, project.Root, g.err); err != nil {
		return err
	}
	if err := toolchain.Install(ctx, project.Root, g.err, rehearsal.Tools(project.Root)...); err != nil {
		return err
	}
	command, err := os.Executable()
	if err != nil {
		return err
	}
	environment, err := rehearsal.Start(ctx, rehearsal.Options{
		Project: project, Stack: g.stack, Services: f.services, Factor: f.compress, Command: command, Progress: g.err,
	})
	if err != nil {
		return err
	}
	results, err := g.rehearseAll(ctx, environment, faults, func(r rehearsal.Result) (string, error) {
		return f.keep(filepath.Join(project.LocalDir(), "rehearsals"), g.stack, r, len(faults) > 1)
	})
	if err := errors.Join(err, environment.Close()); err != nil {
		return err
	}
	return concluded(results)
}

// rehearseAll rehearses faults one after another. An error ends that.
func (g *globals) rehearseAll(ctx context.Context, e *rehearsal.Environment, faults []rehearsal.Fault, keep func(rehearsal.Result) (string, error)) ([]rehearsal.Result, error) {
	var results []rehearsal.Result
	for i, fault := range faults {
		// A verdict that does not change is not told again.
		show := release.Printer(g.out, time.Hour)
		result, err := e.Run(ctx, fault, show)
		if err != nil {
			return results, fmt.Errorf("rehearsal of fault %s: %w", fault.Name, err)
		}
		results = append(results, result)
		path, err := keep(result)
		if err != nil {
			return results, err
		}
		fmt.Fprintln(g.out, verdictOf(result))
		for _, wrong := range result.Wrong {
			fmt.Fprintln(g.out, "  "+wrong)
		}
		fmt.Fprintf(g.out, "  report: %s\n", path)
		if result.Record.Outcome == release.Waiting && i+1 < len(faults) {
			if err := e.Abort(ctx, result, show); err != nil {
				return results, err
			}
		}
	}
	return results, nil
}

// verdictOf says how a rehearsal went.
func verdictOf(r rehearsal.Result) string {
	how := "passed"
	if len(r.Wrong) > 0 {
		how = "NOT passed"
	}
	text := fmt.Sprintf("rehearsal of fault %s: %s in %.0f s: the release ended as %s", r.Fault.Name, how, r.Took.Seconds(), r.Record.Outcome)
	if w := r.Record.Waiting; w != nil && r.Record.Outcome == release.Waiting {
		text += fmt.Sprintf(" for a decision, in phase %s: %s", r.Record.Phase, w.Reason)
	}
	if r.Record.Cause != "" {
		text += fmt.Sprintf(", after phase %s: %s", r.Record.Failed, r.Record.Cause)
	}
	return text
}

// keep writes the report of a rehearsal and returns its path.
func (f rehearseFlags) keep(folder, stack string, r rehearsal.Result, several bool) (string, error) {
	path := f.report
	switch {
	case path == "":
		path = filepath.Join(folder, stack+"-"+r.Fault.Name+".html")
	case several:
		ext := filepath.Ext(path)
		path = strings.TrimSuffix(path, ext) + "-" + r.Fault.Name + ext
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, writeReport(path, r.Record)
}

// writeReport writes the report of a release into a file, as a page or, where its name
// ends in .md, as a summary in Markdown.
func writeReport(path string, record release.Record) error {
	if filepath.Ext(path) == ".md" {
		return os.WriteFile(path, []byte(report.Markdown(record)), 0o644)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(report.HTML(file, record), file.Close())
}

// concluded is the end of the command: its exit code.
func concluded(results []rehearsal.Result) error {
	for _, r := range results {
		if len(r.Wrong) > 0 {
			return silent{}
		}
	}
	if len(results) > 1 {
		return nil
	}
	switch outcome := results[0].Record.Outcome; outcome {
	case release.Released:
		return nil
	case release.Waiting:
		return endedError{outcome: outcome}
	default:
		// Stopped before anything was changed, every service runs its previous image,
		// too.
		return endedError{outcome: release.RolledBack}
	}
}
