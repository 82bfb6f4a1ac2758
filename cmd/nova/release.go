package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/engine"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/releasing"
	"nova.dev/infra/internal/stackfile"
	"nova.dev/infra/release"
)

// releaseFlags are the flags of nova release.
type releaseFlags struct {
	version, digests, migrations, prometheus, format string
	dryRun, yes, allowDenied                         bool
	compress                                         float64
	stacks                                           []string
	bake                                             time.Duration
}

func newReleaseCommand(g *globals) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Release a version of the services as one unit",
		Long: `Release a version: verify, migrate, images, then canary 5 %, half 50 % and full
100 % of the traffic, confirm and watch. All services pass a stage before any enters the
next one, and what fails brings all of them back to their previous digests.

A gate counts the requests of the new version in Prometheus and goes on only when the
evidence is good enough. Undecided, the release waits and in the end asks: decide with
"nova release continue" or "nova release abort". Its state is in the cluster: when this
process ends, "nova release continue" goes on where it was. The stack file is written
when the release is complete; commit it then.

--digests reads what "nova images digests --format json" prints.
Exit code 3: refused, such as while another release is in flight; 5: rolled back; 6: it
waits for a decision.`,
		Example: "  nova release --stack prod --version v1.4.0 --dry-run\n" +
			"  nova release --stack prod --version v1.4.0 --yes\n" +
			"  nova release --stack prod --digests digests.json",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.version, "version", "", "tag of the images to release; their digests are read from the registry")
	flags.StringVar(&f.digests, "digests", "", "file with the images to release")
	flags.StringVar(&f.migrations, "migrations", "", "image with the migrations of this version, repository@sha256:digest; its Job runs before any service changes, and nova:migrations.image keeps it")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the plan and change nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.allowDenied, "allow-rolled-back", false, "release digests that were rolled back before")
	flags.Float64Var(&f.compress, "compress-time", 1, "for rehearsals: by how much faster the times of the phases pass; 1 in production")
	flags.StringSliceVar(&f.stacks, "stacks", nil, "stacks to release to one after another, such as prod-ap1,prod-eu1; stops at the first that fails")
	flags.DurationVar(&f.bake, "bake", 30*time.Minute, "with --stacks: how long a stack runs the new version before the next one gets it")
	completeFlag(cmd, "stacks", values(g.stackNames))
	prometheusFlag(cmd, &f.prometheus)
	completeFlag(cmd, "digests", files)
	check := formatFlag(cmd, &f.format, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		if len(f.stacks) > 0 {
			return g.releaseStacks(cmd.Context(), f)
		}
		return g.release(cmd.Context(), f)
	}
	cmd.AddCommand(newReleaseContinueCommand(g), newReleaseAbortCommand(g), newReleaseStatusCommand(g))
	return cmd
}

func (g *globals) release(ctx context.Context, f releaseFlags) error {
	switch {
	case (f.version == "") == (f.digests == ""):
		return usageError{errors.New("one of --version and --digests is required, and not both")}
	case f.compress < 1:
		return usageError{fmt.Errorf("--compress-time: %v is less than 1", f.compress)}
	}
	r, err := g.releases()
	if err != nil {
		return err
	}
	if f.compress > 1 && r.stack.Guarded() && !r.simulated {
		return usageError{fmt.Errorf("--compress-time: is for rehearsals; stack %s is %s on a real cluster", r.stack.Stack, r.stack.Environment)}
	}
	plan, err := r.plan(ctx, f)
	if err != nil {
		return err
	}
	if err := r.measure(ctx, f.prometheus); err != nil {
		return err
	}
	if f.format == "json" && f.dryRun {
		return g.printJSON(plan)
	}
	for _, line := range plan.Lines() {
		fmt.Fprintln(g.out, line)
	}
	if f.dryRun {
		return nil
	}
	if r.stack.Guarded() && !f.yes {
		if !isTerminal(g.in) {
			return usageError{fmt.Errorf("a release of %s needs a confirmation: add --yes, or run it on a terminal", g.stack)}
		}
		if err := g.confirm(fmt.Sprintf("Release this to %s?", g.stack)); err != nil {
			return err
		}
	}
	return r.follow(ctx, plan.ID, func(ctx context.Context) error {
		return r.store.Create(ctx, release.Begin(plan, time.Now().UTC()))
	})
}

// plan reads which images shall run, and plans the release.
func (r *releases) plan(ctx context.Context, f releaseFlags) (release.Plan, error) {
	records, err := r.store.List(ctx)
	if err != nil {
		return release.Plan{}, err
	}
	if len(records) > 0 && !records[0].Outcome.Ended() {
		p := records[0].Plan
		return release.Plan{}, &engine.RefusedError{Reason: fmt.Sprintf("release %s of %s by %s is in phase %s; go on with it by `nova release continue`, or end it with `nova release abort`", p.ID, p.Version, p.By, records[0].Phase)}
	}
	order := releasing.Order{Version: f.version, By: actor(), At: time.Now(), AllowDenied: f.allowDenied}
	if f.migrations != "" {
		if err := r.checkMigrations(f.migrations); err != nil {
			return release.Plan{}, usageError{fmt.Errorf("--migrations: %w", err)}
		}
		order.Pending = []string{f.migrations}
	}
	if f.compress > 1 {
		order.Timing = release.DefaultTiming().Compressed(f.compress)
	}
	if f.version != "" {
		order.Images, err = r.ofVersion(ctx, f.version)
	} else {
		order.Images, order.Version, err = r.ofFile(f.digests)
	}
	if err != nil {
		return release.Plan{}, err
	}
	runs, err := r.cluster.Runs(ctx, r.stack, order.Images)
	if err != nil {
		return release.Plan{}, err
	}
	if runs && f.migrations == "" {
		return release.Plan{}, usageError{errReleased}
	}
	plan, err := r.cluster.Plan(ctx, r.stack, records, order)
	if err != nil {
		return plan, planError(err)
	}
	return plan, nil
}

// checkMigrations checks that the stack can run the Job of an image of migrations.
func (r *releases) checkMigrations(image string) error {
	if !strings.Contains(image, "@sha256:") {
		return fmt.Errorf("%q has no digest; expected repository@sha256:digest", image)
	}
	c, err := r.project.ConfigSet(r.stack.Stack, []stackfile.Setting{{Path: []string{"nova:migrations", "image"}, Value: image}})
	if err != nil {
		return err
	}
	if !c.Migrates() {
		return fmt.Errorf("stack %s runs no migrations: nova:migrations.mode is %s", c.Stack, c.Migrations.Mode)
	}
	return nil
}

// planError makes a plan that is only forbidden a refusal, and any other mistake one of
// the command line.
func planError(err error) error {
	var all utilerrors.Aggregate
	if !errors.As(err, &all) {
		return err
	}
	for _, each := range all.Errors() {
		var wrong *field.Error
		if !errors.As(each, &wrong) || wrong.Type != field.ErrorTypeForbidden {
			return usageError{err}
		}
	}
	return &engine.RefusedError{Reason: err.Error()}
}

// ofVersion are the images of a version by services, as the registry has them.
func (r *releases) ofVersion(ctx context.Context, version string) (map[string]string, error) {
	flags := imageFlags{version: version, platform: catalog.NodePlatform}
	targets, err := flags.targets(r.stack, true)
	if err != nil {
		return nil, err
	}
	results, err := image.Lookup(ctx, targets, version)
	if err != nil {
		return nil, usageError{fmt.Errorf("--version: %q is not complete:\n%w", version, err)}
	}
	images := map[string]string{}
	for _, result := range results {
		images[result.Service] = result.Reference + "@" + result.Digest
	}
	return images, nil
}

// ofFile are the images of a file by services, and their version: the tag that all
// have, or else the name of the file.
func (r *releases) ofFile(path string) (images map[string]string, version string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", usageError{fmt.Errorf("--digests: %w", err)}
	}
	var results []image.Result
	if err := json.Unmarshal(text, &results); err != nil {
		return nil, "", usageError{fmt.Errorf("--digests: %s is not what `nova images digests --format json` prints: %w", path, err)}
	}
	var mistakes []error
	images = map[string]string{}
	tags := map[string]bool{}
	names := serviceNames(r.stack)
	for _, result := range results {
		switch {
		case !slices.Contains(catalog.Names(), result.Service):
			mistakes = append(mistakes, fmt.Errorf("--digests: %q is no service of the catalogue; services are %s", result.Service, strings.Join(catalog.Names(), ", ")))
		case !slices.Contains(names, result.Service):
			mistakes = append(mistakes, fmt.Errorf("--digests: %q is not enabled in stack %s", result.Service, r.stack.Stack))
		case result.Digest == "":
			mistakes = append(mistakes, fmt.Errorf("--digests: %s has no digest; push it first with `nova images build --push`", result.Service))
		case images[result.Service] != "":
			mistakes = append(mistakes, fmt.Errorf("--digests: %s is there twice", result.Service))
		default:
			images[result.Service] = result.Reference + "@" + result.Digest
			_, tag, _ := strings.Cut(result.Reference[strings.LastIndex(result.Reference, "/")+1:], ":")
			tags[tag] = true
			version = tag
		}
	}
	if len(images) == 0 && len(mistakes) == 0 {
		mistakes = append(mistakes, fmt.Errorf("--digests: %s names no service", path))
	}
	if len(mistakes) > 0 {
		return nil, "", usageError{errors.Join(mistakes...)}
	}
	if len(tags) > 1 || version == "" {
		version = strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".json")
	}
	return images, version, nil
}
