package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Rename gives a container another name, in whatever state it is. Errors: *ConflictError when the name is taken or the container is being
// removed; *InvalidError for what is no name, or its own. After a crash it has one of the two names, and the other is free.
func (m *Manager) Rename(ctx context.Context, ref, name string) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		return invalid("Neither old nor new names may be empty")
	}
	before := ""
	err = m.locked(ctx, c.ID, func(c *Container) error {
		switch {
		case c.Problem != nil:
			return c.Problem
		case c.State.Removing:
			return conflict("container is marked for removal and cannot be renamed")
		case c.Name == name:
			return invalid("Renaming a container with the same name as its current name")
		}
		before = c.Name
		if err := m.rename(ctx, c, name); err != nil {
			return err
		}
		return m.renameInNetworks(ctx, c)
	})
	if err != nil {
		return err
	}
	trace.Fact(ctx, vocab.ContainerRename, trace.String("container", c.ID), trace.String("name", name), trace.String("previous", before))
	return nil
}

// rename moves the name under both locks. The new link first, then the record, which decides; the old link last. A link to a container of
// another name means nothing, so that whatever a crash leaves is right.
func (m *Manager) rename(ctx context.Context, c *Container, name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("Error when allocating new name: %w", err) //nolint:staticcheck // docker's words
	}
	unlock, err := m.home.Lock(ctx, "names", true)
	if err != nil {
		return err
	}
	defer unlock()
	if taken := m.owner(name); taken != "" {
		return fmt.Errorf("Error when allocating new name: %w", nameTaken(name, taken))
	}
	if err := os.Remove(m.link(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take name %s: %w", name, err)
	}
	if err := makeLink(c.ID, m.link(name)); err != nil {
		return fmt.Errorf("take name %s: %w", name, err)
	}
	failpoint.Hit("container.rename.linked")
	before := c.Name
	c.Name = name
	if err := m.rewrite(c); err != nil {
		c.Name = before
		return errors.Join(err, os.Remove(m.link(name)))
	}
	failpoint.Hit("container.rename.recorded")
	m.tell(c, events.ActionRename, "oldName", "/"+before)
	if readLink(m.link(before)) != c.ID {
		return nil
	}
	if err := os.Remove(m.link(before)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("free name %s: %w", before, err)
	}
	if m.ephemeral(c) {
		return nil
	}
	return home.SyncDir(m.home.Containers())
}
