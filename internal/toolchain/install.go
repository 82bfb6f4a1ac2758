package toolchain

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nova.dev/infra/internal/toolchain/dirlock"
)

// Install puts the tools with the given names into bin/ of the repository at
// root, or all tools that are not optional and the custom resource definitions,
// and writes what it does to progress. A tool that is there as pinned, or on PATH in a suitable
// version, is left alone, so a second call takes milliseconds. Concurrent calls
// wait for one another, and a call that is interrupted leaves only complete
// programs behind; its error then wraps that of ctx.
func Install(ctx context.Context, root string, progress io.Writer, names ...string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	tools, err := choose(root, names)
	if err != nil {
		return err
	}
	version, err := goVersion(ctx, root)
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	i := installation{root: root, tools: tools, crds: len(names) == 0, goSeries: goSeries(version), progress: progress}

	if i.inPlace() {
		i.say("%s in place in bin/", plural(len(tools), "tool is", "tools are"))
		return nil
	}
	if err := os.MkdirAll(binDir(root), 0o755); err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	release, err := dirlock.Acquire(ctx, binDir(root), func(elapsed time.Duration) {
		i.say("waiting for another installation in bin/ to finish (%s)", elapsed.Round(time.Second))
	})
	if err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	defer release()
	return i.run(ctx)
}

type installation struct {
	root  string
	tools []Tool
	// crds is set when the custom resource definitions are wanted, too.
	crds     bool
	goSeries string
	progress io.Writer
}

func (i installation) say(format string, args ...any) {
	fmt.Fprintf(i.progress, format+"\n", args...)
}

// inPlace reports whether bin/ holds every tool as pinned.
func (i installation) inPlace() bool {
	for _, t := range i.tools {
		if checkBin(i.root, t, i.goSeries) != nil {
			return false
		}
	}
	if i.crds {
		_, err := FindCRDs(i.root)
		return err == nil
	}
	return true
}

// run builds what is missing, one go build for each module, and expects the
// lock to be held.
func (i installation) run(ctx context.Context) error {
	if err := removeLeftovers(i.root); err != nil {
		return fmt.Errorf("toolchain: %w", err)
	}
	if i.crds {
		if err := i.installCRDs(ctx); err != nil {
			return err
		}
	}
	groups := i.plan(ctx)
	if len(groups) > 0 {
		i.say("building from source: all tools take about ten minutes on two cores, once; afterwards this takes milliseconds")
	}
	for _, g := range groups {
		if err := i.build(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// group is the tools of one module that are to be built together, with the
// label that progress lines about them carry.
type group struct {
	tools []Tool
	label string
}

// plan reports which tools need nothing and groups the others by module.
func (i installation) plan(ctx context.Context) []group {
	var groups []group
	var positions []string
	for n, t := range i.tools {
		label := fmt.Sprintf("[%d/%d] %s", n+1, len(i.tools), t.Name)
		if checkBin(i.root, t, i.goSeries) == nil {
			i.say("%s %s: in place", label, t.Version)
			continue
		}
		if c, err := onPath(ctx, i.root, t); err == nil {
			i.say("%s: using %s of version %s", label, c.path, c.version)
			continue
		}
		last := len(groups) - 1
		if last < 0 || groups[last].tools[0].ModuleDir != t.ModuleDir {
			groups = append(groups, group{})
			positions = nil
			last++
		}
		positions = append(positions, strconv.Itoa(n+1))
		groups[last].tools = append(groups[last].tools, t)
		groups[last].label = fmt.Sprintf("[%s/%d] %s %s",
			strings.Join(positions, ","), len(i.tools), strings.Join(toolNames(groups[last].tools), ", "), t.Version)
	}
	return groups
}

func toolNames(tools []Tool) []string {
	var names []string
	for _, t := range tools {
		names = append(names, t.Name)
	}
	return names
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
