//go:build linux

package bundle

import (
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

func (c *creation) sendOrders(o *orders, listener int) error {
	o.State = c.state(specs.StateCreating)
	if h := c.spec.Hooks; h != nil {
		o.Hooks = len(prestart(h))+len(h.CreateRuntime) > 0
	}
	thin := *c.spec
	linux := *c.spec.Linux
	linux.Seccomp, thin.Linux = nil, &linux
	o.Spec = &thin
	mounts, err := c.openSources()
	if err != nil {
		return err
	}
	defer func() {
		for _, m := range mounts {
			unix.Close(m.fd)
		}
	}()
	o.Sources = len(mounts)
	fds, err := c.passed(o)
	if err != nil {
		return err
	}
	defer closeAll(fds)
	if listener >= 0 {
		fds = append(fds[:len(fds):len(fds)], listener)
	}
	if err := c.conn.Send(o, fds...); err != nil {
		return fmt.Errorf("send orders: %w", err)
	}
	for _, m := range mounts {
		if err := c.conn.Send(source{m.index}, m.fd); err != nil {
			return fmt.Errorf("send mounts: %w", err)
		}
	}
	return nil
}

// passed are the descriptors that every stage gets: the mount namespace to enter, if there is one, and the groups to join.
func (c *creation) passed(o *orders) ([]int, error) {
	var fds []int
	if o.Enter = c.mount >= 0; o.Enter {
		fds = append(fds, c.mount)
		c.mount = -1
	}
	tasks, err := groups(c.rec.Groups).tasks()
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	o.Tasks = len(tasks)
	return append(fds, tasks...), nil
}

type openedSource struct{ index, fd int }

// openSources opens root and bind sources for a stage in a user namespace, whose root may not be let into the folders above them.
func (c *creation) openSources() ([]openedSource, error) {
	users, mount := false, false
	for _, ns := range c.spec.Linux.Namespaces {
		users = users || ns.Type == specs.UserNamespace
		mount = mount || ns.Type == specs.MountNamespace && ns.Path == ""
	}
	if !users || !mount || !initialUsers() || os.Geteuid() != 0 {
		return nil, nil
	}
	root, err := shim.Clone(unix.AT_FDCWD, c.rec.Rootfs, true)
	if err != nil {
		return nil, fmt.Errorf("open root %s: %w", c.rec.Rootfs, err)
	}
	all := []openedSource{{rootSource, root}}
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		o, _ := parseOptions(m.Options)
		if o.remount || !o.bind && m.Type != "bind" {
			continue
		}
		fd, err := openSource(c.rec.Bundle, m, o)
		if err != nil {
			return all, fmt.Errorf("mount %s at %s: %w", m.Type, m.Destination, err)
		}
		all = append(all, openedSource{i, fd})
	}
	return all, nil
}
