package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// CommitOptions describe the image that a container's changes become.
type CommitOptions struct {
	Refs    []oci.Ref // its names; none: the image has only an id
	Author  string
	Message string
	Changes []string  // Dockerfile instructions that change the configuration, such as CMD ["sh"]
	NoPause bool      // do not freeze a running container meanwhile
	Created time.Time // the date of the image, and the latest one of a file in its new layer; zero: now, and no bound
}

// Commit makes an image of a container's image and its writable layer. The container stays as it is; a running one is paused
// while its changes are read. A container without changes gives an empty layer. Errors: *InvalidError for a bad change.
func (m *Manager) Commit(ctx context.Context, ref string, opts CommitOptions) (image.Image, error) {
	c, err := m.own(ctx, ref)
	if err != nil {
		return image.Image{}, err
	}
	if c.Problem != nil {
		return image.Image{}, c.Problem
	}
	if c.State.Removing {
		return image.Image{}, conflict("You cannot commit container %s which is being removed", c.ID)
	}
	config := imageConfig(c.Config)
	if err := ApplyChanges(&config, opts.Changes); err != nil {
		return image.Image{}, err
	}
	ctx, end := trace.Step(ctx, vocab.ContainerCommit, trace.String("container", c.ID))
	img, err := m.commit(ctx, c, config, opts)
	end(err, trace.String("image", img.ID.String()))
	return img, err
}

func (m *Manager) commit(ctx context.Context, c *Container, config oci.ImageConfig, opts CommitOptions) (img image.Image, err error) {
	unlock, err := m.home.Lock(ctx, "gc", false)
	if err != nil {
		return img, err
	}
	defer unlock()
	op, err := m.home.Begin("commit container")
	if err != nil {
		return img, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	layer, err := m.readChanges(ctx, op, c, opts)
	if err != nil {
		return img, err
	}
	failpoint.Hit("container.commit.after-blob")
	next, err := m.successor(ctx, c)
	if err != nil {
		return img, err
	}
	now := opts.Created.UTC()
	if now.IsZero() {
		now = m.now().UTC()
	}
	next.Created, next.Author, next.Config = &now, opts.Author, config
	next.History = append(slices.Clone(next.History), v1.History{Created: &now, CreatedBy: strings.Join(append([]string{c.Path}, c.Args...), " "), Author: opts.Author, Comment: opts.Message})
	failpoint.Hit("container.commit.before-image")
	img, err = m.images.Create(ctx, op, next, append(slices.Clone(c.Layers), layer), opts.Refs, "commit")
	if err == nil {
		m.tellCommit(c, img, opts)
	}
	failpoint.Hit("container.commit.after-image")
	return img, err
}

// successor is the configuration of the container's image, or what is known of it when the image is gone.
func (m *Manager) successor(ctx context.Context, c *Container) (oci.Image, error) {
	img, err := m.images.Resolve(ctx, c.Image.String())
	if err == nil {
		return img.Config, nil
	}
	if !errors.As(err, new(*image.NotFoundError)) {
		return oci.Image{}, err
	}
	known := oci.Image{Architecture: oci.Architecture(), OS: "linux"}
	for range c.Layers {
		known.History = append(known.History, v1.History{Comment: "of " + c.ImageName + ", which was removed"})
	}
	return known, nil
}

// readChanges writes the container's changes as a layer into the blob store, frozen if it runs.
func (m *Manager) readChanges(ctx context.Context, op *home.Operation, c *Container, opts CommitOptions) (layer image.Layer, err error) {
	if !opts.NoPause && c.State.Running && !c.State.Paused {
		err := m.Pause(ctx, c.ID)
		if err != nil && !errors.As(err, new(*ConflictError)) && !errors.Is(err, driver.ErrUnsupported) {
			return layer, err
		}
		if err == nil {
			defer func() { err = errors.Join(err, m.thaw(context.WithoutCancel(ctx), c.ID)) }()
		}
	}
	inner, end := trace.Step(ctx, vocab.LayerCommit, trace.String("key", c.ID), trace.String("parent", c.Chain().String()))
	layer, stats, err := m.writeLayer(inner, op, c, opts.Created)
	end(err, trace.String("diff_id", layer.DiffID.String()), trace.String("chain_id", layer.ChainID.String()), trace.Int("size_bytes", layer.Size),
		trace.Int("files", int64(stats.Files)), trace.Int("whiteouts", int64(stats.Whiteouts)))
	return layer, err
}

func (m *Manager) writeLayer(ctx context.Context, op *home.Operation, c *Container, latest time.Time) (image.Layer, driver.DiffStats, error) {
	var stats driver.DiffStats
	blobs, err := blob.Open(m.home.Images())
	if err != nil {
		return image.Layer{}, stats, err
	}
	w, err := blobs.NewWriter(op)
	if err != nil {
		return image.Layer{}, stats, err
	}
	defer w.Close()
	failpoint.Hit("container.commit.before-blob")
	err = layer.Dated(w, latest, func(w io.Writer) (err error) {
		stats, err = m.snapshots.Diff(ctx, c.ID, w)
		return err
	})
	if err != nil {
		return image.Layer{}, stats, fmt.Errorf("read changes of %s: %w", c.ID, err)
	}
	desc, err := w.Commit(ctx, "", v1.MediaTypeImageLayer)
	if err != nil {
		return image.Layer{}, stats, err
	}
	l := image.Layer{Descriptor: desc, DiffID: desc.Digest, Size: desc.Size}
	l.ChainID = chainOn(c, l)
	return l, stats, nil
}

// imageConfig is the part of a container's configuration that an image keeps.
func imageConfig(c *container.Config) oci.ImageConfig {
	out := oci.ImageConfig{User: c.User, Env: slices.Clone(c.Env), Entrypoint: slices.Clone(c.Entrypoint), Cmd: slices.Clone(c.Cmd),
		WorkingDir: c.WorkingDir, StopSignal: c.StopSignal, StopTimeout: c.StopTimeout, OnBuild: slices.Clone(c.OnBuild), Shell: slices.Clone(c.Shell)}
	if len(c.Labels) > 0 {
		out.Labels = mergeMaps(c.Labels, nil)
	}
	if len(c.Volumes) > 0 {
		out.Volumes = mergeMaps(c.Volumes, nil)
	}
	for p := range c.ExposedPorts {
		if out.ExposedPorts == nil {
			out.ExposedPorts = map[string]struct{}{}
		}
		out.ExposedPorts[p.String()] = struct{}{}
	}
	if h := c.Healthcheck; h != nil {
		out.Healthcheck = &oci.HealthConfig{Test: slices.Clone(h.Test), Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries}
	}
	return out
}
