package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// CreateOptions say what to create. What Config leaves empty comes from the image.
type CreateOptions struct {
	Name       string // empty: one is made up
	Image      string // a name or an id, as the user gave it
	Config     container.Config
	HostConfig container.HostConfig
	// Networks are what the container is to be connected to, by names or ids, and what it wants there. HostConfig.NetworkMode is one of them
	// in any case, and the first; nil settings want nothing in particular.
	Networks map[string]*network.EndpointSettings
	// Run says that this process starts the container next. One that removes itself is then gone also if the process dies before.
	Run bool
}

// Create makes a container of an image; nothing runs yet. Errors: what image.Store.Resolve gives for the image,
// *ConflictError when the name is taken, *InvalidError for options that make no sense. After an error, or a crash, nothing
// of the container is left.
func (m *Manager) Create(ctx context.Context, opts CreateOptions) (*Container, error) {
	c, err := m.plan(&opts)
	if err != nil {
		return nil, err
	}
	if c.Warnings, err = m.fitLimits(ctx, c.HostConfig); err != nil {
		return nil, err
	}
	c.Warnings = append(c.Warnings, m.securityWarnings(c.HostConfig)...)
	if err := m.chooseNetworks(ctx, c, opts.Networks); err != nil {
		return nil, err
	}
	if err := m.create(ctx, c, &opts); err != nil {
		return nil, err
	}
	m.tell(c, events.ActionCreate)
	trace.Fact(ctx, vocab.ContainerCreate, trace.String("container", c.ID), trace.String("name", c.Name),
		trace.String("image", c.Image.String()), trace.Strings("command", append([]string{c.Path}, c.Args...)))
	return c, nil
}

// create fills in what comes from the image and makes the container, while no image can be collected.
func (m *Manager) create(ctx context.Context, c *Container, opts *CreateOptions) error {
	unlock, err := m.home.Lock(ctx, "gc", false)
	if err != nil {
		return err
	}
	defer unlock()
	img, err := m.images.Resolve(ctx, opts.Image)
	if err != nil {
		return err
	}
	if err := m.resolveShared(ctx, &opts.Config, &opts.HostConfig); err != nil {
		return err
	}
	if c.Config, err = merge(&opts.Config, &img.Config.Config); err != nil {
		return err
	}
	complete(c, opts.Image)
	c.Image, c.Layers = img.ID, img.Layers
	if _, err = m.images.Unpack(ctx, img); err != nil {
		return err
	}
	return m.make(ctx, c, opts.Run && m.ephemeral(c))
}

// plan decides what does not depend on the image, and refuses early what cannot work.
func (m *Manager) plan(opts *CreateOptions) (*Container, error) {
	name := strings.TrimPrefix(opts.Name, "/")
	var err error
	if name == "" {
		name, err = m.freeName()
	} else if err = checkName(name); err == nil {
		if id := m.owner(name); id != "" {
			err = nameTaken(name, id)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkHost(&opts.HostConfig), checkNames(&opts.Config, &opts.HostConfig), checkNetworking(opts)); err != nil {
		return nil, err
	}
	if err := m.checkRuntime(&opts.HostConfig); err != nil {
		return nil, err
	}
	if err := checkHealth(opts.Config.Healthcheck); err != nil {
		return nil, err
	}
	if s := opts.Config.StopSignal; s != "" {
		if _, err := ParseSignal(s); err != nil {
			return nil, err
		}
	}
	id, err := m.newID()
	if err != nil {
		return nil, err
	}
	c := &Container{ID: id, Name: name, Created: m.now().UTC(), HostConfig: &opts.HostConfig, Driver: m.Driver, State: createdState()}
	return c, nil
}

// complete fills in what follows from the merged configuration.
func complete(c *Container, imageName string) {
	c.ImageName = imageName
	c.Config.Image = imageName
	if c.Config.Hostname == "" {
		c.Config.Hostname = c.ID[:12]
	}
	words := append(append([]string{}, c.Config.Entrypoint...), c.Config.Cmd...)
	c.Path, c.Args = words[0], words[1:]
}

// make prepares the writable layer and publishes the record, as one operation. With open the operation goes on until launched.
func (m *Manager) make(ctx context.Context, c *Container, open bool) (err error) {
	if c.HostConfig.LogConfig.Type == "" {
		c.HostConfig.LogConfig.Type = logDriver
	}
	c.LogPath = m.logFile(c)
	op, err := m.home.Begin("create container")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil && open {
			m.keepOpen(c.ID, op)
			return
		}
		err = errors.Join(err, op.End())
	}()
	mounting, err := m.makeMounts(ctx, op, c)
	defer func() { err = mounting.end(ctx, err) }()
	if err != nil {
		return err
	}
	if err := op.Claim("snapshot", c.ID); err != nil {
		return err
	}
	failpoint.Hit("container.create.before-snapshot")
	if err := op.Claim("container", c.ID); err != nil { // undone first: what runs by then stands on the snapshot
		return err
	}
	prepare := m.snapshots.Prepare
	if c.HostConfig.AutoRemove { // its record is not waited for either
		prepare = func(ctx context.Context, key string, chain digest.Digest) error {
			return driver.PrepareVolatile(ctx, m.snapshots, key, chain)
		}
	}
	// Both wait for the disk; together they wait once.
	prepared := make(chan error, 1)
	go func() { prepared <- prepare(ctx, c.ID, c.Chain()) }()
	draft, err := m.draft(op, c)
	if perr := <-prepared; perr != nil {
		return errors.Join(err, perr)
	}
	failpoint.Hit("container.create.after-snapshot")
	if err == nil {
		err = m.place(ctx, draft, c)
	}
	if err != nil {
		return errors.Join(err, m.snapshots.Remove(context.WithoutCancel(ctx), c.ID))
	}
	failpoint.Hit("container.create.after-record")
	return nil
}

// draft writes the record in the operation's scratch folder and returns its folder. Of a container that removes itself nothing is
// synced: after a power cut there is nothing left to run.
func (m *Manager) draft(op *home.Operation, c *Container) (string, error) {
	dir := filepath.Join(op.Dir(), "container")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make record of %s: %w", c.ID, err)
	}
	return dir, m.writeConfig(dir, c)
}

// place publishes the drafted record whole.
func (m *Manager) place(ctx context.Context, dir string, c *Container) error {
	failpoint.Hit("container.create.before-record")
	if err := m.publish(ctx, dir, c.ID, c.Name); err != nil {
		return err
	}
	if m.ephemeral(c) {
		return nil
	}
	return home.SyncDir(m.home.Containers())
}

func (m *Manager) writeConfig(dir string, c *Container) error {
	path := filepath.Join(dir, "config.json")
	if !m.ephemeral(c) {
		return home.WriteJSON(path, c, 0o600)
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}
