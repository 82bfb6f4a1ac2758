package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"nova.dev/infra/catalog"
	"nova.dev/infra/internal/image"
	"nova.dev/infra/internal/stackfile"
)

// registryFlag adds the flag of a registry to ask in place of the images' own.
// The returned function checks its value.
func registryFlag(cmd *cobra.Command, registry *string) func() error {
	cmd.Flags().StringVar(registry, "registry", "", "mirror to ask in place of each image's own registry, as host or host/path")
	return func() error {
		if *registry == "" {
			return nil
		}
		if _, err := name.NewRepository(*registry + "/image"); err != nil || strings.Contains(*registry, "://") {
			return usageError{fmt.Errorf("--registry: %q is not a registry; expected host or host/path without scheme", *registry)}
		}
		return nil
	}
}

func newImagesOutdatedCommand(g *globals) *cobra.Command {
	var registry, format string
	cmd := &cobra.Command{
		Use:   "outdated",
		Short: "Ask registries for newer tags and digests of third-party images",
		Long: `Ask registries for the images that are not Nova's: stores, exporters, monitoring,
and the bases of the services' images.

Shown are the digest of the tag in the catalogue, and the newest tag of the same
line of releases and the same base, with its digest. The catalogue (catalog/images.go)
is the only place where tags are changed. Credentials are those of docker login.
Exit code 1: a registry did not answer for an image; the others are shown.`,
		Example: "  nova images outdated\n  nova images outdated --registry mirror.example.com/docker --format json",
		Args:    cobra.NoArgs,
	}
	checkRegistry := registryFlag(cmd, &registry)
	checkFormat := formatFlag(cmd, &format, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := errors.Join(checkRegistry(), checkFormat()); err != nil {
			return err
		}
		found, err := image.Upstreams(cmd.Context(), catalog.Images(), registry, true)
		if printErr := g.printUpstreams(found, format); printErr != nil {
			return printErr
		}
		return err
	}
	return cmd
}

func (g *globals) printUpstreams(found []image.Upstream, format string) error {
	if format == "json" {
		return g.printJSON(append([]image.Upstream{}, found...))
	}
	table := tabwriter.NewWriter(g.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "IMAGE\tRUNS\tDIGEST\tNEWEST\tDIGEST OF THE NEWEST")
	for _, u := range found {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", u.Name, u.Reference, u.Digest, cmp.Or(u.Newest, "-"), cmp.Or(u.NewestDigest, "-"))
	}
	return table.Flush()
}

func newImagesPinCommand(g *globals) *cobra.Command {
	var registry string
	cmd := &cobra.Command{
		Use:   "pin",
		Short: "Write the digests of third-party images into the stack file",
		Long: `Read the digests of the images of stores, exporters and monitoring, in the versions
of the catalogue, and write them into nova:images.pins of the stack file. The stack
then runs exactly these images, whatever becomes of the tags. Nothing is written
unless the registries answer for every image.`,
		Example: "  nova images pin --stack prod",
		Args:    cobra.NoArgs,
	}
	checkRegistry := registryFlag(cmd, &registry)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkRegistry(); err != nil {
			return err
		}
		// Not the configuration: digests of the tags before are refused in it.
		project, err := g.project()
		if err != nil {
			return err
		}
		images := slices.DeleteFunc(catalog.Images(), func(i catalog.Image) bool { return i.Base })
		found, err := image.Upstreams(cmd.Context(), images, registry, false)
		if err != nil {
			return err
		}
		var settings []stackfile.Setting
		for i, u := range found {
			settings = append(settings, stackfile.Setting{Path: []string{"nova:images", "pins", u.Name}, Value: images[i].Tag + "@" + u.Digest})
		}
		file := project.StackFile(g.stack)
		changed, err := stackfile.Set(file, settings)
		switch {
		case err != nil:
			return err
		case !changed:
			fmt.Fprintf(g.err, "%s has these digests already\n", filepath.Base(file))
		default:
			fmt.Fprintf(g.err, "wrote the digests of %d images to %s\n", len(settings), filepath.Base(file))
		}
		return nil
	}
	return cmd
}
