package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/config"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stack"
	"nova.dev/infra/internal/stackfile"
)

func newImagesCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "images",
		Short: "Build the services' images, and pin those and all others by their digests",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImagesBuildCommand(g), newImagesDigestsCommand(g), newImagesOutdatedCommand(g), newImagesPinCommand(g))
	return cmd
}

// imageFlags are the flags that both image commands have.
type imageFlags struct {
	registry, version, platform string
	services                    []string
}

func (f *imageFlags) add(g *globals, cmd *cobra.Command, versionUsage string) {
	flags := cmd.Flags()
	flags.StringVar(&f.registry, "registry", "", "registry and path before /<name>-service (default: nova:images.registry of the stack)")
	flags.StringVar(&f.version, "version", "", versionUsage)
	flags.StringVar(&f.platform, "platform", catalog.NodePlatform, "platform of the images")
	flags.StringArrayVar(&f.services, "service", nil, "service to work on; repeat for several (default: all of the stack)")
	completeFlag(cmd, "service", values(g.serviceNames))
	completeFlag(cmd, "platform", cobra.FixedCompletions([]string{"linux/amd64", "linux/arm64"}, cobra.ShellCompDirectiveNoFileComp))
}

// targets are the images of the flags and the stack.
func (f *imageFlags) targets(c *stack.Stack, needRegistry bool) ([]image.Target, error) {
	var mistakes []error
	for _, wanted := range f.services {
		if !slices.ContainsFunc(c.Services, func(s stack.Service) bool { return s.Name == wanted }) {
			mistakes = append(mistakes, fmt.Errorf("--service: %q is not in stack %s; services are %s", wanted, c.Stack, strings.Join(serviceNames(c), ", ")))
		}
	}
	if !config.ValidPlatform(f.platform) {
		mistakes = append(mistakes, fmt.Errorf("--platform: %q is not a platform of Linux; expected for example %s", f.platform, catalog.NodePlatform))
	}
	var targets []image.Target
	for _, s := range c.Services {
		if len(f.services) > 0 && !slices.Contains(f.services, s.Name) {
			continue
		}
		recipe, err := image.NewRecipe(s.Name)
		if err != nil {
			return nil, err
		}
		recipe.Platform = f.platform
		target := image.Target{Recipe: recipe, Repository: s.Repository()}
		if f.registry != "" {
			target.Repository = strings.TrimSuffix(f.registry, "/") + "/" + s.ImageName()
		}
		targets = append(targets, target)
	}
	for _, target := range targets {
		if needRegistry && !strings.Contains(target.Repository, "/") {
			mistakes = append(mistakes, fmt.Errorf("--registry: is required, because stack %s sets no nova:images.registry", c.Stack))
			break
		}
		if _, err := name.NewRepository(target.Repository); err != nil || strings.Contains(target.Repository, "://") {
			mistakes = append(mistakes, fmt.Errorf("--registry: %q is not a repository; expected registry/path without scheme", target.Repository))
			break
		}
	}
	if f.version != "" {
		if _, err := name.NewTag("image:" + f.version); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--version: %q is not a tag; allowed: letters, digits, _, . and -, at most 128", f.version))
		}
	}
	if len(mistakes) > 0 {
		return nil, usageError{errors.Join(mistakes...)}
	}
	return targets, nil
}

func serviceNames(c *stack.Stack) []string {
	var names []string
	for _, s := range c.Services {
		names = append(names, s.Name)
	}
	return names
}

func newImagesBuildCommand(g *globals) *cobra.Command {
	var (
		flags    imageFlags
		format   string
		context  string
		network  string
		push     bool
		parallel int
	)
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the images, and with --push publish them and pin their digests",
		Long: `Build the container images of the services from Nova's Cargo workspace.

The tag is --version, or one derived from the sources. With --push the images are
pushed to the registry and their digests written into the stack file. An image
that the registry has from the same sources is not built again. A tag that holds
an image of other sources is never overwritten: exit code 3.

The full output of each build is in .nova/images.`,
		Example: "  nova images build --context ../nova --service auth\n" +
			"  nova images build --context ../nova --stack staging --version v1.4.0 --push",
		Args: cobra.NoArgs,
	}
	flags.add(g, cmd, "tag of the images (default: derived from each image's inputs)")
	cmd.Flags().StringVar(&context, "context", ".", "root of Nova's Cargo workspace")
	completeFlag(cmd, "context", folders)
	cmd.Flags().BoolVar(&push, "push", false, "push the images and write their digests into the stack file")
	cmd.Flags().IntVar(&parallel, "parallel", min(4, runtime.NumCPU()), "builds at once, at least 1")
	cmd.Flags().Lookup("parallel").DefValue = "one for each CPU, at most 4" // The same text on every machine.
	cmd.Flags().StringVar(&network, "network", "", "network of the steps of a build: host or none (default: that of the engine)")
	completeFlag(cmd, "network", cobra.FixedCompletions([]string{"host", "none"}, cobra.ShellCompDirectiveNoFileComp))
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		project, c, err := g.configuration()
		if err != nil {
			return err
		}
		targets, err := flags.targets(c, push)
		if err != nil {
			return err
		}
		if parallel < 1 {
			return usageError{fmt.Errorf("--parallel: %d is less than 1", parallel)}
		}
		if !slices.Contains([]string{"", "host", "none"}, network) {
			return usageError{fmt.Errorf("--network: %q is not known; allowed: host, none", network)}
		}
		if err := image.CheckContext(context); err != nil {
			return usageError{fmt.Errorf("--context: %w", err)}
		}
		results, err := image.Engine{Command: "docker", Network: network}.Publish(cmd.Context(), image.Order{
			Root: context, Targets: targets, Version: flags.version,
			Labels: image.SourceLabels(cmd.Context(), context),
			Push:   push, Parallel: parallel, Logs: filepath.Join(project.LocalDir(), "images"),
			Progress: func(service, event string) { fmt.Fprintf(g.err, "%s: %s\n", service, event) },
		})
		if printErr := g.printImages(results, format); err == nil {
			err = printErr
		}
		if err != nil || !push {
			return err
		}
		return g.pin(project.StackFile(g.stack), results)
	}
	return cmd
}

func newImagesDigestsCommand(g *globals) *cobra.Command {
	var (
		flags  imageFlags
		format string
		write  bool
	)
	cmd := &cobra.Command{
		Use:   "digests",
		Short: "Read the digests of a published version, and with --write pin them",
		Long: `Read the digests of images that are in the registry already.

With --write they are written into the stack file, if the registry has the version
of every service.`,
		Example: "  nova images digests --stack prod --version v1.4.0\n" +
			"  nova images digests --stack prod --version v1.4.0 --write",
		Args: cobra.NoArgs,
	}
	flags.add(g, cmd, "tag to read (default: nova:images.version of the stack)")
	cmd.Flags().BoolVar(&write, "write", false, "write the digests into the stack file")
	check := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := check(); err != nil {
			return err
		}
		project, c, err := g.configuration()
		if err != nil {
			return err
		}
		if flags.version == "" {
			flags.version = c.Images.Version
		}
		if flags.version == "" {
			return usageError{fmt.Errorf("--version: is required, because stack %s sets no nova:images.version", c.Stack)}
		}
		targets, err := flags.targets(c, true)
		if err != nil {
			return err
		}
		results, err := image.Lookup(cmd.Context(), targets, flags.version)
		if printErr := g.printImages(results, format); err == nil {
			err = printErr
		}
		if err != nil || !write {
			return err
		}
		return g.pin(project.StackFile(g.stack), results)
	}
	return cmd
}

// printImages prints the images that were built or found, as a table or JSON.
func (g *globals) printImages(results []image.Result, format string) error {
	if format == "json" {
		return g.printJSON(append([]image.Result{}, results...))
	}
	if len(results) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tIMAGE\tDIGEST")
	for _, r := range results {
		digest := r.Digest
		if digest == "" {
			digest = "not pushed"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Service, r.Reference, digest)
	}
	return table.Flush()
}

// pin writes digests into the stack file and prints the name of the file.
func (g *globals) pin(file string, results []image.Result) error {
	var settings []stackfile.Setting
	for _, r := range results {
		settings = append(settings, stackfile.Setting{Path: []string{"nova:services", r.Service, "image", "digest"}, Value: r.Digest})
	}
	changed, err := stackfile.Set(file, settings)
	if err != nil {
		return err
	}
	if !changed {
		fmt.Fprintf(g.err, "%s has these digests already\n", filepath.Base(file))
		return nil
	}
	fmt.Fprintf(g.err, "wrote the digests of %d services to %s\n", len(settings), filepath.Base(file))
	return nil
}
