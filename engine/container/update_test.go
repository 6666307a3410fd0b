package container_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
)

// Update implements driver.Updater for the fake task: limits of 13 processes are more than it can do.
func (t *task) Update(_ context.Context, l driver.Limits) error {
	if l.Pids == 13 {
		return errors.New("the machine refuses")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spec.Limits = l
	return nil
}

// Stats implements driver.Stater for the fake machine: every task has used two seconds.
func (m runtime) Stats(_ context.Context, ids []string) ([]driver.Usage, error) {
	all := make([]driver.Usage, len(ids))
	for i, id := range ids {
		if t := m.task(id); t != nil && t.st.State == driver.Running {
			all[i] = driver.Usage{At: time.Unix(100, 0), CPU: 2 * time.Second, SystemCPU: 8 * time.Second, CPUs: 4, MemoryBytes: 500, InactiveBytes: 100, LimitBytes: 1000, Pids: 3}
		}
	}
	return all, nil
}

func pids(n int64) api.UpdateConfig {
	return api.UpdateConfig{Resources: api.Resources{PidsLimit: &n}}
}

func TestUpdate(t *testing.T) {
	for _, state := range []string{"created", "running", "paused", "exited"} {
		t.Run(state, func(t *testing.T) {
			b := newBench(t, oci.ImageConfig{})
			id := b.bring(state)
			if _, err := b.Update(b.ctx, "web", pids(9)); err != nil {
				t.Error(err)
			}
			c, err := b.Find(b.ctx, "web")
			if err != nil || *c.HostConfig.PidsLimit != 9 || string(c.State.Status) != state {
				t.Errorf("%v, %+v, %s", err, c.HostConfig.PidsLimit, c.State.Status)
			}
			if live := state == "running" || state == "paused"; live && b.task(id).spec.Limits.Pids != 9 {
				t.Errorf("the task has %+v", b.task(id).spec.Limits)
			}
			if n := len(b.events.kinds("container.update")); n != 1 {
				t.Errorf("announced %d times", n)
			}
		})
	}
}

// Where the machine refuses, the record stays as it was, and nothing is announced.
func TestUpdateRefused(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.create("web", "sleep")
	b.start("web")
	if _, err := b.Update(b.ctx, "web", pids(5)); err != nil {
		t.Fatal(err)
	}
	_, err := b.Update(b.ctx, "web", pids(13))
	if err == nil || !strings.HasPrefix(err.Error(), "Cannot update container ") || !strings.Contains(err.Error(), "the machine refuses") {
		t.Errorf("%v", err)
	}
	if c, err := b.Find(b.ctx, "web"); err != nil || *c.HostConfig.PidsLimit != 5 {
		t.Errorf("%v, %v", err, *c.HostConfig.PidsLimit)
	}
	if n := len(b.events.kinds("container.update")); n != 1 {
		t.Errorf("announced %d times", n)
	}
	for name, want := range map[string]api.UpdateConfig{
		"memory":   {Resources: api.Resources{Memory: 5}},
		"policy":   {RestartPolicy: api.RestartPolicy{Name: "sometimes"}},
		"counting": {RestartPolicy: api.RestartPolicy{Name: "always", MaximumRetryCount: 3}},
	} {
		if _, err := b.Update(b.ctx, "web", want); !errors.As(err, new(*container.InvalidError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Update(b.ctx, "nosuch", pids(5)); !errors.As(err, new(*container.NotFoundError)) {
		t.Errorf("%v", err)
	}
}

func TestStatsOfContainers(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.create("idle", "sleep")
	b.create("busy", "sleep")
	b.start("busy")
	list, err := b.List(b.ctx, true)
	b.must(err)
	all, err := b.Stats(b.ctx, list)
	b.must(err)
	if len(all) != 2 || all[0].Name != "/busy" || all[1].Name != "/idle" || !all[1].Read.IsZero() || all[1].MemoryStats.Limit != 0 {
		t.Fatalf("%+v", all)
	}
	busy := all[0]
	if busy.CPUStats.CPUUsage.TotalUsage != 2e9 || busy.CPUStats.SystemUsage != 8e9 || busy.CPUStats.OnlineCPUs != 4 || busy.MemoryStats.Usage != 500 ||
		busy.MemoryStats.Stats["inactive_file"] != 100 || busy.PidsStats.Current != 3 {
		t.Errorf("%+v", busy)
	}
}
