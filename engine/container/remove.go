package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Remove removes a container, its writable layer and its log. A running one is killed first if force is set, else it is a
// *ConflictError. With force, a full id that is gone already is no error. A container whose record is broken can be removed by its id. If the process dies half-way, the next one
// that opens the home finishes the work.
func (m *Manager) Remove(ctx context.Context, ref string, force bool) error {
	return m.RemoveWith(ctx, ref, RemoveOptions{Force: force})
}

// RemoveOptions say how a container is removed.
type RemoveOptions struct {
	Force   bool // kill it first if it runs
	Volumes bool // its anonymous volumes go too, those that no other container has; as always with one that removes itself
}

// RemoveWith is Remove with more to say.
func (m *Manager) RemoveWith(ctx context.Context, ref string, o RemoveOptions) error {
	force := o.Force
	c, err := m.own(ctx, ref)
	if force && isID(ref) && errors.As(err, new(*NotFoundError)) {
		return nil // an id is never given twice: it has been removed
	}
	if err != nil {
		return err
	}
	if !force {
		if c.State.Active() {
			return removeConflict(c)
		}
		return m.remove(ctx, c.ID, false, o.Volumes)
	}
	err = m.forceRemove(ctx, c, o.Volumes)
	if errors.As(err, new(*NotFoundError)) { // another process was faster
		return nil
	}
	return err
}

// forceRemove kills and removes. Somebody may start the container again in between, but hardly three times.
func (m *Manager) forceRemove(ctx context.Context, c *Container, volumes bool) error {
	for try := 0; ; try++ {
		if c.State.Live() {
			if err := m.killFor(ctx, c); err != nil {
				return fmt.Errorf("cannot remove container \"/%s\": could not kill: %w", c.Name, err)
			}
		}
		err := m.remove(ctx, c.ID, true, volumes)
		if try == 3 || !errors.As(err, new(*ConflictError)) {
			return err
		}
		if c, err = m.Find(ctx, c.ID); err != nil {
			return err
		}
	}
}

func (m *Manager) killFor(ctx context.Context, c *Container) error {
	if restarts(c.HostConfig) {
		if _, err := m.stayDown(ctx, c.ID, true); err != nil {
			return err
		}
	}
	if err := m.signal(ctx, c, sigKill, "remove"); err != nil {
		return err
	}
	return m.awaitKilled(ctx, c.ID)
}

func removeConflict(c *Container) error {
	if c.State.Paused {
		return conflict("cannot remove container \"/%s\": container is paused and must be unpaused first", c.Name)
	}
	return conflict("cannot remove container \"/%s\": container is %s: stop the container before removing or force remove", c.Name, c.State.Status)
}

// remove removes what does not run, as one operation. One that is restarting is removed by force only: whoever is to start it finds it gone.
func (m *Manager) remove(ctx context.Context, id string, force, volumes bool) (err error) {
	op, err := m.home.Begin("remove container")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	var leave []string
	err = m.locked(ctx, id, func(c *Container) error {
		if c.State.Live() || c.State.Active() && !force {
			return removeConflict(c) // somebody started it again
		}
		if volumes || m.ephemeral(c) {
			leave = c.anonymous()
		}
		if err := claimVolumes(op, leave); err != nil {
			return err
		}
		return m.discard(ctx, op, c)
	})
	if err != nil {
		return err
	}
	m.connect(id, nil)
	err = m.launched(id)
	trace.Fact(ctx, vocab.ContainerRemove, trace.String("container", id))
	return errors.Join(err, m.dropVolumes(ctx, leave))
}

// claimVolumes: after a crash they go all the same, once the container is gone.
func claimVolumes(op *home.Operation, names []string) error {
	for _, n := range names {
		if err := op.Claim(volume.ClaimUnused, n); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) dropVolumes(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return m.Volumes.RemoveUnused(ctx, names...)
}

// discard takes a container apart under its lock. From the claim on there is no way back: whoever comes later goes on.
func (m *Manager) discard(ctx context.Context, op *home.Operation, c *Container) error {
	if err := op.Claim("container", c.ID); err != nil {
		return err
	}
	if c.Problem == nil && !m.ephemeral(c) { // after a power cut the claim may be gone, the mark is not
		gone := c.State
		gone.Running, gone.Restarting, gone.Pid = false, false, 0
		gone.Removing, gone.Status = true, container.StateRemoving
		if err := m.writeState(c, gone); err != nil {
			return err
		}
	}
	failpoint.Hit("container.remove.marked")
	if err := m.deleteTask(ctx, c.ID); err != nil {
		return err
	}
	if err := m.releaseNetworks(ctx, c.ID); err != nil {
		return err
	}
	if err := m.snapshots.Remove(ctx, c.ID); err != nil {
		return err
	}
	failpoint.Hit("container.remove.after-snapshot")
	if err := m.unlink(c); err != nil {
		return err
	}
	if err := os.Rename(m.dir(c.ID), filepath.Join(op.Dir(), c.ID)); err != nil {
		return fmt.Errorf("remove record of %s: %w", c.ID, err)
	}
	m.tell(c, events.ActionDestroy)
	failpoint.Hit("container.remove.after-record")
	return nil
}

func (m *Manager) deleteTask(ctx context.Context, id string) error {
	task, err := m.runtime.Load(ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	importEvents(ctx, task) // the last chance
	if err := task.Delete(ctx); err != nil && !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return nil
}

// Cleanup removes a container that removes itself, after it ended: the work of CleanupCommand. One that is gone already, runs
// again or does not remove itself is left alone.
func (m *Manager) Cleanup(ctx context.Context, id string) error {
	unlock, err := m.lock(ctx, id)
	if err == nil {
		unlock() // whoever started it has written down that it ran: a short program can be faster
	}
	c, err := m.Find(ctx, id)
	if errors.As(err, new(*NotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	if !m.ephemeral(c) || c.State.Active() || c.State.Status == container.StateCreated {
		return nil
	}
	err = m.remove(ctx, c.ID, false, true)
	if errors.As(err, new(*NotFoundError)) || errors.As(err, new(*ConflictError)) {
		return nil
	}
	return err
}

// settleEphemeral removes a container that removes itself if it has ended. A supervisor leaves that to whoever waits for the end.
func (m *Manager) settleEphemeral(ctx context.Context, c *Container) error {
	if !m.ephemeral(c) || c.State.Status != container.StateExited {
		return nil
	}
	return m.Cleanup(ctx, c.ID)
}

// UndoClaim removes what a dead process claimed: a container that it was making or removing (with whatever runs in it and its
// writable layer), or a writable layer. Claims of other kinds are not ours and do nothing.
func (m *Manager) UndoClaim(ctx context.Context, claim home.Claim) error {
	switch claim.What {
	case "snapshot":
		return m.snapshots.Remove(ctx, claim.ID)
	case "container":
		if !isID(claim.ID) {
			return nil
		}
	default:
		return nil
	}
	err := m.finish(ctx, claim.ID)
	if !errors.As(err, new(*NotFoundError)) {
		return err
	}
	// No record: it never came to be, or it is gone already. The parts may be there.
	return errors.Join(m.deleteTask(ctx, claim.ID), m.releaseNetworks(ctx, claim.ID), m.snapshots.Remove(ctx, claim.ID))
}

// finish removes a container in whatever state it is.
func (m *Manager) finish(ctx context.Context, id string) (err error) {
	op, err := m.home.Begin("remove container")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	var leave []string
	err = m.locked(ctx, id, func(c *Container) error {
		if m.ephemeral(c) {
			leave = c.anonymous()
		}
		if err := claimVolumes(op, leave); err != nil {
			return err
		}
		return m.discard(ctx, op, c)
	})
	if err != nil {
		return err
	}
	trace.Fact(ctx, vocab.ContainerRemove, trace.String("container", id))
	return m.dropVolumes(ctx, leave)
}

// ResumeRemovals puts every record right after the machine was restarted or a process died: removals that were cut short are
// finished, containers that are said to run but do not are said to have exited, those that remove themselves go, and names
// that lead nowhere are freed. It looks at every container. What cannot be mended is in the error; the rest is done.
func (m *Manager) ResumeRemovals(ctx context.Context) error {
	ids, err := m.ids()
	if err != nil {
		return err
	}
	var problems []error
	for _, id := range ids {
		if err := m.resume(ctx, id); err != nil && !errors.As(err, new(*NotFoundError)) {
			problems = append(problems, err)
		}
	}
	return errors.Join(append(problems, m.freeNames(ctx))...)
}

func (m *Manager) resume(ctx context.Context, id string) error {
	c, err := m.read(id)
	if err != nil || c.Problem != nil {
		return err
	}
	if m.foreign(c) != nil {
		return nil
	}
	if c.State.Removing {
		if m.busy(id) {
			return nil
		}
		return m.finish(ctx, id)
	}
	if c, err = m.refresh(ctx, c); err != nil {
		return err
	}
	return m.settleEphemeral(ctx, c)
}

// freeNames removes links whose container is gone.
func (m *Manager) freeNames(ctx context.Context) error {
	unlock, err := m.home.Lock(ctx, "names", true)
	if err != nil {
		return err
	}
	defer unlock()
	links, err := filepath.Glob(filepath.Join(m.home.Containers(), "@*"))
	if err != nil {
		return fmt.Errorf("look for stale names: %w", err)
	}
	var problems []error
	for _, l := range links {
		if m.owner(filepath.Base(l)[1:]) != "" {
			continue
		}
		if err := os.Remove(l); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("free name: %w", err))
		}
	}
	return errors.Join(problems...)
}
