package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Order lists the images to build and where to publish them.
type Order struct {
	// Root is the root of Nova's Cargo workspace.
	Root string
	// Targets are the images.
	Targets []Target
	// Version is the tag of all images. Empty means that each is tagged by its
	// inputs.
	Version string
	// Labels are set on all images; Version and Inputs are filled in.
	Labels Labels
	// Push sends the images to their registry.
	Push bool
	// Parallel is the number of builds that run at once; at least 1.
	Parallel int
	// Logs is the folder of the builds' full output, one file for each service.
	Logs string
	// Progress receives progress messages, one call at a time.
	Progress func(service, event string)
}

// Target is one image of an order.
type Target struct {
	Recipe Recipe
	// Repository is the reference without tag and digest.
	Repository string
}

// Result is the outcome for one target.
type Result struct {
	Service string `json:"service"`
	// Reference is the repository with its tag.
	Reference string `json:"reference"`
	// Inputs is the digest of the inputs; empty where it was not made by this
	// program.
	Inputs string `json:"inputs,omitempty"`
	// ID is the image's id in the engine; empty where it was not built because
	// the registry has it.
	ID string `json:"id,omitempty"`
	// Digest is the digest in the registry; empty where it was not pushed.
	Digest string `json:"digest,omitempty"`
}

// Publish builds the images of an order and pushes them if Push is set. An
// image that the registry has from the same inputs is not built again. A tag
// that holds anything else is refused with an *ExistsError before the first
// build.
//
// Where some images cannot be built the others are; the error holds all
// failures, and the results those that succeeded.
func (e Engine) Publish(ctx context.Context, order Order) ([]Result, error) {
	run := &run{engine: e, order: order, results: make([]Result, len(order.Targets))}
	if err := run.prepare(ctx); err != nil {
		return nil, err
	}
	if len(run.missing()) > 0 {
		if err := e.Check(ctx); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(order.Logs, 0o755); err != nil {
			return nil, err
		}
	}
	if len(run.missing()) > 1 {
		// Without this, builds that start at once would compile the same crates.
		if err := run.dependencies(ctx); err != nil {
			return nil, err
		}
	}
	group := errgroup.Group{}
	group.SetLimit(order.Parallel)
	failures := make([]error, len(order.Targets))
	for _, i := range run.missing() {
		group.Go(func() error {
			failures[i] = run.make(ctx, i)
			return nil
		})
	}
	_ = group.Wait()
	var done []Result
	for i, result := range run.results {
		if failures[i] == nil {
			done = append(done, result)
		}
	}
	return done, errors.Join(failures...)
}

// run is one execution of an order.
type run struct {
	engine  Engine
	order   Order
	results []Result
	told    sync.Mutex
}

// prepare computes digests and references and looks them up in the registry.
func (r *run) prepare(ctx context.Context) error {
	refused := &ExistsError{}
	for i, target := range r.order.Targets {
		inputs, err := target.Recipe.Digest(r.order.Root)
		if err != nil {
			return err
		}
		tag := r.order.Version
		if tag == "" {
			tag = Tag(inputs)
		}
		r.results[i] = Result{Service: target.Recipe.Service.Name, Reference: target.Repository + ":" + tag, Inputs: inputs}
		if !r.order.Push {
			continue
		}
		switch err := r.look(ctx, i); {
		case errors.As(err, new(*ExistsError)):
			refused.References = append(refused.References, r.results[i].Reference)
		case err != nil:
			return err
		case r.results[i].Digest != "":
			r.tell(i, "in the registry: "+r.results[i].Digest)
		}
	}
	if len(refused.References) > 0 {
		return refused
	}
	return nil
}

// look fills in the digest of an image that the registry has from the same
// inputs.
func (r *run) look(ctx context.Context, i int) error {
	found, err := Find(ctx, r.results[i].Reference, r.order.Targets[i].Recipe.Platform)
	switch {
	case err != nil:
		return err
	case found == nil:
		return nil
	case found.Inputs != r.results[i].Inputs:
		return &ExistsError{References: []string{r.results[i].Reference}}
	}
	r.results[i].Digest = found.Digest
	return nil
}

// missing are the indexes of the images that the registry does not have.
func (r *run) missing() []int {
	var missing []int
	for i, result := range r.results {
		if result.Digest == "" {
			missing = append(missing, i)
		}
	}
	return missing
}

func (r *run) dependencies(ctx context.Context) error {
	log, err := os.Create(filepath.Join(r.order.Logs, "dependencies.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	start := time.Now()
	r.order.Progress("all services", "compiling their crates")
	if err := r.engine.BuildDependencies(ctx, r.order.Targets[0].Recipe, r.order.Root, log); err != nil {
		return fmt.Errorf("compile the crates: %w\nfull output: %s", err, log.Name())
	}
	r.order.Progress("all services", "crates ready after "+since(start))
	return nil
}

func (r *run) make(ctx context.Context, i int) error {
	target, result := r.order.Targets[i], &r.results[i]
	log, err := os.Create(filepath.Join(r.order.Logs, result.Service+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	fail := func(what string, err error) error {
		r.tell(i, what+" failed")
		return fmt.Errorf("%s: %s: %w\nfull output: %s", result.Service, what, err, log.Name())
	}

	start := time.Now()
	r.tell(i, "building")
	labels := r.order.Labels
	labels.Version, labels.Inputs = r.order.Version, result.Inputs
	if labels.Version == "" {
		labels.Version = Tag(result.Inputs)
	}
	if result.ID, err = r.engine.Build(ctx, target.Recipe, r.order.Root, result.Reference, labels, log); err != nil {
		return fail("build", err)
	}
	r.tell(i, "built "+result.Reference+" in "+since(start))
	if !r.order.Push {
		return nil
	}

	// A build takes minutes: the tag may have been pushed from elsewhere
	// meanwhile.
	if err := r.look(ctx, i); err != nil || result.Digest != "" {
		return err
	}
	if err := r.engine.Push(ctx, result.Reference, log); err != nil {
		return fail("push", err)
	}
	if err := r.look(ctx, i); err != nil {
		return err
	}
	if result.Digest == "" {
		return fail("push", fmt.Errorf("the registry does not have %s afterwards", result.Reference))
	}
	r.tell(i, "pushed "+result.Digest)
	return nil
}

func (r *run) tell(i int, event string) {
	r.told.Lock()
	defer r.told.Unlock()
	r.order.Progress(r.results[i].Service, event)
}

func since(start time.Time) string { return time.Since(start).Round(time.Second).String() }

// Lookup reads what the registry has of a version. Where images are missing the
// error names all of them, and the results hold the others.
func Lookup(ctx context.Context, targets []Target, version string) ([]Result, error) {
	var results []Result
	var missing []error
	for _, target := range targets {
		result := Result{Service: target.Recipe.Service.Name, Reference: target.Repository + ":" + version}
		found, err := Find(ctx, result.Reference, target.Recipe.Platform)
		switch {
		case err != nil:
			missing = append(missing, err)
		case found == nil:
			missing = append(missing, fmt.Errorf("%s is not in the registry", result.Reference))
		default:
			result.Inputs, result.Digest = found.Inputs, found.Digest
			results = append(results, result)
		}
	}
	return results, errors.Join(missing...)
}
