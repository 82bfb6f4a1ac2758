// Package release is the pure centre of releases: it plans a release of several
// services as one unit, moves it through its phases, judges it, and rolls it back as
// one unit. Clock, metrics, cluster, tasks and store are interfaces; the package
// imports neither Pulumi nor a Kubernetes client.
//
// # How it is used
//
//	plan, err := release.NewPlan(input)        // everything that is wrong, at once
//	err = store.Create(ctx, release.Begin(plan, clock.Now()))
//	record, err := (&release.Machine{...}).Run(ctx, plan.ID)
//	os.Exit(record.Outcome.ExitCode())
//
// Run returns when the release has ended, when it waits for a decision, or with an
// error. In the last two cases, and when the process dies, Run again goes on where
// it was: the record says which phase it is in, and the cluster what has been done.
// Every call of an interface may therefore happen twice, and must be idempotent.
//
// A decision (Decide) is written into the record by another process; a machine that
// runs takes it up at its next look. One machine runs a release at a time: whoever
// calls Run holds a lease, and cancels the context when it is lost.
//
// # The phases
//
// Verify, Migrate, Images, Canary, Half, Full, Confirm, Watch, Finish. All changed
// services pass a stage before any enters the next one; inside a stage callees go
// before callers, wave by wave. A stage is passed when every gate of every service
// passes and its least time is over. A gate that fails, a canary that the controller
// aborts or whose pods crash, and a check that fails after services were changed
// lead to Rollback: canaries are aborted, callers first, and the previous digests are
// applied. Undecided, a stage waits for twice its least time and then for a
// decision. Metrics that are out of reach are undecided, never healthy. Where a
// failure comes before anything was changed, the release is stopped instead.
//
// The controller holds a barrier before each stage and one behind the last, so that
// nothing moves unless the machine says so: see Cluster. The last barrier is left in
// Finish; until then the previous version is the stable one, and going back to it
// skips the stages.
//
// # Events
//
// Everything that a phase checks, does and finds is an Event with its figures and
// verdict: for printers (Printer), for the timeline in the record, and for reports.
package release
