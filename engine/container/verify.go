package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/learn-containers/learn/engine/driver"
)

// Problem is one thing that is wrong with the containers of a home.
type Problem struct {
	What string // container, snapshot, task or name
	ID   string
	Text string // a sentence
}

func (p Problem) String() string { return fmt.Sprintf("%s %.12s: %s", p.What, p.ID, p.Text) }

// Verify holds records, writable layers, tasks and names against each other. It changes nothing but records that are behind
// their task. Operations under way are waited for, so that what they have made so far is not taken for garbage.
func (m *Manager) Verify(ctx context.Context) []Problem {
	unlock, err := m.home.Lock(ctx, "gc", true)
	if err != nil {
		return []Problem{{"container", "", err.Error()}}
	}
	defer unlock()
	ids, err := m.ids()
	if err != nil {
		return []Problem{{"container", "", err.Error()}}
	}
	keys, err := m.snapshots.List(ctx)
	if err != nil {
		return []Problem{{"snapshot", "", err.Error()}}
	}
	var found []Problem
	for _, id := range ids {
		found = append(found, m.verify(ctx, id, keys)...)
	}
	found = append(found, m.verifyKeys(ctx, keys)...)
	return append(found, m.verifyNames()...)
}

// verifyKeys looks for writable layers without a container. One that is gone a moment later was just being removed.
func (m *Manager) verifyKeys(ctx context.Context, keys []string) []Problem {
	lost := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		_, err := os.Lstat(m.dir(key))
		return !isID(key) || err == nil
	})
	if len(lost) == 0 {
		return nil
	}
	still, err := m.snapshots.List(ctx)
	if err != nil {
		return []Problem{{"snapshot", "", err.Error()}}
	}
	var found []Problem
	for _, key := range lost {
		if slices.Contains(still, key) {
			found = append(found, Problem{"snapshot", key, "a writable layer of no container"})
		}
	}
	return found
}

func (m *Manager) verify(ctx context.Context, id string, keys []string) []Problem {
	c, err := m.read(id)
	if err != nil {
		return nil // removed meanwhile
	}
	if c.Problem != nil {
		return []Problem{{"container", id, c.Problem.Error()}}
	}
	if c.State.Removing {
		if m.busy(id) {
			return nil
		}
		return []Problem{{"container", id, "its removal was cut short; finish it with: docker rm " + id[:12]}}
	}
	var found []Problem
	if !slices.Contains(keys, id) {
		found = append(found, Problem{"container", id, "its writable layer is missing"})
	}
	if owner := m.owner(c.Name); owner != id {
		found = append(found, Problem{"name", id, fmt.Sprintf("the name %s does not lead to it", c.Name)})
	}
	if c, err = m.refresh(ctx, c); err != nil {
		return append(found, Problem{"task", id, err.Error()})
	}
	return append(found, m.verifyTask(ctx, c)...)
}

// verifyTask looks for a task that runs although the record says that it does not.
func (m *Manager) verifyTask(ctx context.Context, c *Container) []Problem {
	if c.State.Active() || c.State.Starting {
		return nil
	}
	_, st, err := m.ask(ctx, c.ID)
	switch {
	case err != nil && !errors.Is(err, driver.ErrNotFound):
		return []Problem{{"task", c.ID, err.Error()}}
	case st.State == driver.Running || st.State == driver.Paused:
		return []Problem{{"task", c.ID, fmt.Sprintf("process %d runs although the container is %s", st.Pid, c.State.Status)}}
	}
	return nil
}

func (m *Manager) verifyNames() []Problem {
	links, err := filepath.Glob(filepath.Join(m.home.Containers(), "@*"))
	if err != nil {
		return nil
	}
	var found []Problem
	for _, l := range links {
		if name := filepath.Base(l)[1:]; m.owner(name) == "" {
			found = append(found, Problem{"name", name, "it leads to no container; the next container of that name takes it"})
		}
	}
	return found
}
