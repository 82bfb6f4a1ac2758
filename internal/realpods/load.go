package realpods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"nova.dev/infra/internal/realpods/machine"
	"nova.dev/infra/internal/realpods/podimage"
)

// Load makes images and loads them into every node.
func (c *Cluster) Load(ctx context.Context, images []podimage.Image, progress io.Writer) error {
	with := *c
	with.options.Images = images
	archive, _, err := with.prepare(ctx, progress)
	if err != nil {
		return err
	}
	return c.LoadArchive(ctx, archive)
}

// LoadArchive loads an archive into every node and gives its images their names.
func (c *Cluster) LoadArchive(ctx context.Context, archive podimage.Archive) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	inside, err := c.programs()
	if err != nil {
		return err
	}
	problems := make([]error, c.options.Nodes)
	var wait sync.WaitGroup
	for i, node := range c.NodeNames() {
		wait.Go(func() { problems[i] = c.loadNode(ctx, inside["ctr"], node, archive) })
	}
	wait.Wait()
	return errors.Join(problems...)
}

func (c *Cluster) loadNode(ctx context.Context, ctr, node string, archive podimage.Archive) error {
	run := func(args []string) error {
		_, err := c.Inside().Run(ctx, node, loadTimeout, append([]string{ctr}, args...)...)
		if err != nil {
			return fmt.Errorf("realpods: load images into %s: %w", node, err)
		}
		return nil
	}
	if err := run(machine.ImportArgs(archive.Path)); err != nil {
		return err
	}
	for archived, name := range archive.Names {
		if archived == name {
			continue
		}
		if err := run(machine.TagArgs(archived, name)); err != nil {
			return err
		}
	}
	return nil
}

// MakeImages makes images with the tools of the repository at root, for a cluster
// that something else runs.
func MakeImages(ctx context.Context, root string, images []podimage.Image, progress io.Writer) (podimage.Archive, error) {
	c, err := New(Options{Root: root, Images: images})
	if err != nil {
		return podimage.Archive{}, err
	}
	archive, _, err := c.prepare(ctx, progress)
	return archive, err
}
