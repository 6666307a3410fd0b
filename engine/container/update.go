package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Update changes the limits and the restart policy of a container, of a running one at once. What want leaves zero stays as it is. The
// warnings say what was left out because the machine can't do it. Errors: *InvalidError for limits that make no sense, *ConflictError for
// what contradicts limits that it has already. After an error its record is as it was.
func (m *Manager) Update(ctx context.Context, ref string, want container.UpdateConfig) (warnings []string, err error) {
	c, err := m.own(ctx, ref)
	if err != nil {
		return nil, err
	}
	if c.Problem != nil {
		return nil, c.Problem
	}
	if warnings, err = m.checkUpdate(ctx, &want); err != nil {
		return warnings, err
	}
	err = m.locked(ctx, c.ID, func(c *Container) error {
		if err := m.update(ctx, c, &want); err != nil {
			//lint:ignore ST1005 these are docker's words
			return fmt.Errorf("Cannot update container %s: %w", c.ID, err)
		}
		return nil
	})
	if err == nil {
		trace.Fact(ctx, vocab.ContainerUpdate, trace.String("container", c.ID), trace.Strings("settings", settingsOf(&want)))
	}
	return warnings, err
}

// checkUpdate holds what is wanted to docker's rules and to the machine.
func (m *Manager) checkUpdate(ctx context.Context, want *container.UpdateConfig) ([]string, error) {
	for _, check := range []func(*container.Resources) error{checkMemory, checkCPU, checkUlimits} {
		if err := check(&want.Resources); err != nil {
			return nil, err
		}
	}
	if err := checkPolicy(want.RestartPolicy); err != nil {
		return nil, err
	}
	swap := want.MemorySwap // left out, it stays as it is: nothing is filled in
	warnings, err := m.fitResources(ctx, &want.Resources)
	if want.MemorySwap != -1 {
		want.MemorySwap = swap
	}
	return warnings, err
}

// update writes the record first: where the process dies before the machine follows, the next start, or the same update again, brings them
// together.
func (m *Manager) update(ctx context.Context, c *Container, want *container.UpdateConfig) error {
	if c.Problem != nil {
		return c.Problem
	}
	if c.State.Removing {
		return conflict("container is marked for removal and cannot be \"update\"")
	}
	before := *c.HostConfig
	if err := mergeUpdate(c.HostConfig, want); err != nil {
		return err
	}
	if err := m.rewrite(c); err != nil {
		return err
	}
	failpoint.Hit("container.update.recorded")
	if c.State.Live() {
		err := m.updateTask(ctx, c)
		if err == nil && before.RestartPolicy != c.HostConfig.RestartPolicy {
			err = m.policyChanged(ctx, c)
		}
		if err != nil {
			c.HostConfig = &before
			return errors.Join(err, m.rewrite(c))
		}
		failpoint.Hit("container.update.applied")
	}
	m.tell(c, events.ActionUpdate)
	return nil
}

// updateTask changes a running container. One that has ended meanwhile has its limits at the next start.
func (m *Manager) updateTask(ctx context.Context, c *Container) error {
	task, err := m.runtime.Load(ctx, c.ID)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	u, ok := task.(driver.Updater)
	if !ok {
		return unsupported("change the limits of a running container")
	}
	if err := u.Update(ctx, limits(&c.HostConfig.Resources)); !errors.Is(err, driver.ErrNotRunning) {
		return err
	}
	return nil
}

// rewrite replaces the record's part that does not change by itself.
func (m *Manager) rewrite(c *Container) error {
	path := filepath.Join(m.dir(c.ID), "config.json")
	if !m.ephemeral(c) {
		return home.WriteJSON(path, c, 0o600)
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return home.WriteVolatile(path, append(data, '\n'), 0o600)
}

// mergeUpdate puts what is wanted into h, unless it contradicts what is there.
func mergeUpdate(h *container.HostConfig, want *container.UpdateConfig) error {
	if err := contradiction(&h.Resources, &want.Resources); err != nil {
		return err
	}
	r := &h.Resources
	set(&r.BlkioWeight, want.BlkioWeight)
	set(&r.CPUShares, min(max(want.CPUShares, 0), maxShares))
	set(&r.NanoCPUs, want.NanoCPUs)
	set(&r.CPUPeriod, want.CPUPeriod)
	set(&r.CPUQuota, want.CPUQuota)
	set(&r.CpusetCpus, want.CpusetCpus)
	set(&r.CpusetMems, want.CpusetMems)
	set(&r.Memory, want.Memory)
	set(&r.MemorySwap, want.MemorySwap)
	set(&r.MemoryReservation, want.MemoryReservation)
	set(&r.PidsLimit, want.PidsLimit)
	if want.RestartPolicy.Name == "" {
		return nil
	}
	if h.AutoRemove && want.RestartPolicy.Name != container.RestartPolicyDisabled {
		return conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
	}
	h.RestartPolicy = want.RestartPolicy
	return nil
}

func set[T comparable](to *T, value T) {
	var none T
	if value != none {
		*to = value
	}
}

func contradiction(has, want *container.Resources) error {
	switch {
	case want.NanoCPUs > 0 && has.CPUPeriod > 0:
		return conflict("Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set")
	case want.NanoCPUs > 0 && has.CPUQuota > 0:
		return conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
	case want.CPUPeriod > 0 && has.NanoCPUs > 0:
		return conflict("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")
	case want.CPUQuota > 0 && has.NanoCPUs > 0:
		return conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
	case want.Memory != 0 && want.Memory > has.MemorySwap && want.MemorySwap == 0:
		return conflict("Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")
	case want.MemorySwap > 0 && want.Memory == 0 && has.Memory == 0:
		return conflict("You should always set the Memory limit when using Memoryswap limit, see usage")
	case want.MemorySwap > 0 && want.Memory == 0 && want.MemorySwap < has.Memory:
		return conflict("Minimum memoryswap limit should be larger than memory limit, see usage")
	}
	return nil
}

// settingsOf lists what an update sets, in docker's field names.
func settingsOf(want *container.UpdateConfig) []string {
	var words []string
	add := func(name string, there bool, value any) {
		if there {
			words = append(words, fmt.Sprintf("%s=%v", name, value))
		}
	}
	r := &want.Resources
	add("BlkioWeight", r.BlkioWeight != 0, r.BlkioWeight)
	add("CpuShares", r.CPUShares != 0, r.CPUShares)
	add("NanoCpus", r.NanoCPUs != 0, r.NanoCPUs)
	add("CpuPeriod", r.CPUPeriod != 0, r.CPUPeriod)
	add("CpuQuota", r.CPUQuota != 0, r.CPUQuota)
	add("CpusetCpus", r.CpusetCpus != "", r.CpusetCpus)
	add("CpusetMems", r.CpusetMems != "", r.CpusetMems)
	add("Memory", r.Memory != 0, r.Memory)
	add("MemorySwap", r.MemorySwap != 0, r.MemorySwap)
	add("MemoryReservation", r.MemoryReservation != 0, r.MemoryReservation)
	if r.PidsLimit != nil {
		add("PidsLimit", true, *r.PidsLimit)
	}
	add("RestartPolicy", want.RestartPolicy.Name != "", want.RestartPolicy.Name)
	return words
}
