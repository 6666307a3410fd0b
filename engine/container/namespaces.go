package container

import (
	"context"
	"os"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// checkModes refuses words that name no way to share a namespace.
func checkModes(h *container.HostConfig) error {
	switch {
	case !h.PidMode.Valid():
		return invalid("Invalid PID mode: %s", h.PidMode)
	case !h.IpcMode.Valid():
		return invalid("Invalid IPC mode: %s", h.IpcMode)
	case !h.UTSMode.Valid():
		return invalid("invalid UTS mode: %s", h.UTSMode)
	case !h.UsernsMode.Valid():
		return invalid("invalid user namespace mode: %s", h.UsernsMode)
	case !h.CgroupnsMode.Valid():
		return invalid("invalid cgroup namespace mode: %s", h.CgroupnsMode)
	case h.NetworkMode.IsContainer() && h.NetworkMode.ConnectedContainer() == "":
		return invalid("Invalid network mode: invalid container format container:<name|id>")
	}
	return nil
}

// checkNames refuses names for a machine whose names are not the container's own.
func checkNames(cfg *container.Config, h *container.HostConfig) error {
	switch {
	case h.UTSMode.IsHost() && cfg.Hostname != "":
		return conflictingOptions("hostname and the UTS mode")
	case h.UTSMode.IsHost() && cfg.Domainname != "":
		return conflictingOptions("domainname and the UTS mode")
	case h.NetworkMode.IsContainer() && cfg.Hostname != "":
		return conflictingOptions("hostname and the network mode")
	case len(cfg.Hostname) > 64:
		return invalid("invalid hostname %q: the kernel takes 64 bytes", cfg.Hostname)
	case len(cfg.Domainname) > 64:
		return invalid("invalid domainname %q: the kernel takes 64 bytes", cfg.Domainname)
	}
	return nil
}

func conflictingOptions(what string) error { return invalid("conflicting options: %s", what) }

// resolveShared finds the containers whose namespaces are to be shared, and takes over what follows from that.
func (m *Manager) resolveShared(ctx context.Context, cfg *container.Config, h *container.HostConfig) error {
	for _, ref := range []string{h.PidMode.Container(), h.IpcMode.Container()} {
		if ref != "" {
			if _, err := m.own(ctx, ref); err != nil {
				return err
			}
		}
	}
	switch ref := h.NetworkMode.ConnectedContainer(); {
	case h.NetworkMode == driver.NetworkHost && cfg.Hostname == "":
		name, err := os.Hostname()
		if err == nil {
			cfg.Hostname = name[:min(len(name), 64)]
		}
	case ref != "":
		other, err := m.own(ctx, ref)
		if err != nil {
			return err
		}
		h.NetworkMode = container.NetworkMode(driver.Of(other.ID))
		cfg.Hostname, cfg.Domainname = other.Config.Hostname, other.Config.Domainname
	}
	return nil
}

// share says whose the namespaces are. Only those of a container that runs can be shared.
func (m *Manager) share(ctx context.Context, c *Container, s *driver.Spec) error {
	h := c.HostConfig
	var err error
	switch ref := h.NetworkMode.ConnectedContainer(); {
	case ref != "":
		s.Network, err = m.sharedWith(ctx, ref, "cannot join network of a non running container: %s")
	case h.NetworkMode == driver.NetworkHost:
		s.Network = driver.NetworkHost
	}
	if err == nil && h.PidMode.IsContainer() {
		s.Shared.PID, err = m.sharedWith(ctx, h.PidMode.Container(), "container %s is not running")
	} else if h.PidMode.IsHost() {
		s.Shared.PID = driver.NamespaceHost
	}
	if err != nil {
		return err
	}
	if h.UTSMode.IsHost() {
		s.Shared.UTS = driver.NamespaceHost
	}
	if h.CgroupnsMode.IsHost() {
		s.Shared.Cgroup = driver.NamespaceHost
	}
	s.Shared.IPC, err = m.shareIPC(ctx, h.IpcMode)
	return err
}

func (m *Manager) shareIPC(ctx context.Context, mode container.IpcMode) (string, error) {
	switch {
	case mode.IsHost():
		return driver.NamespaceHost, nil
	case mode.IsNone():
		return driver.NamespaceNone, nil
	case !mode.IsContainer():
		return "", nil
	}
	word, err := m.sharedWith(ctx, mode.Container(), "container %s is not running")
	if err != nil {
		return "", err
	}
	id, _ := driver.OwnerOf(word)
	if other, err := m.read(id); err != nil || !other.HostConfig.IpcMode.IsShareable() {
		return "", invalid("can't join IPC of container %s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)", id)
	}
	return word, nil
}

// sharedWith names the namespace of a container that runs; otherwise is the error when it does not.
func (m *Manager) sharedWith(ctx context.Context, ref, otherwise string) (string, error) {
	other, err := m.own(ctx, ref)
	if err != nil {
		return "", err
	}
	if !other.State.Running {
		return "", conflict(otherwise, other.ID)
	}
	return driver.Of(other.ID), nil
}
