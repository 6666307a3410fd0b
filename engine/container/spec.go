package container

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// checkHost refuses, before anything is made, what a host config can't ask for.
func checkHost(h *container.HostConfig) error {
	for _, check := range []func(*container.HostConfig) error{checkLimits, checkSecurity, checkStorage, checkLifecycle, checkLog} {
		if err := check(h); err != nil {
			return err
		}
	}
	return nil
}

// spec turns a record into everything that a runtime needs.
func (m *Manager) spec(ctx context.Context, c *Container) (driver.Spec, error) {
	who, err := m.identify(ctx, c.ID, c.Config.User, c.HostConfig.GroupAdd)
	if err != nil {
		return driver.Spec{}, err
	}
	s := driver.Spec{
		ID: c.ID, Dir: m.dir(c.ID), Key: c.ID,
		Hostname: c.Config.Hostname,
		Process: driver.Process{
			Args: append([]string{c.Path}, c.Args...), Env: environment(c, c.Config.Tty, who.home, nil), Cwd: or(c.Config.WorkingDir, "/"),
			UID: who.uid, GID: who.gid, Groups: who.groups,
			Terminal: c.Config.Tty,
		},
		OpenStdin: c.Config.OpenStdin, StdinOnce: c.Config.StdinOnce, Ephemeral: m.ephemeral(c),
	}
	for _, add := range []func(context.Context, *Container, *driver.Spec) error{m.specLimits, m.specSecurity, m.specStorage, m.specLifecycle, m.specLog, m.specRuntime} {
		if err := add(ctx, c, &s); err != nil {
			return driver.Spec{}, err
		}
	}
	return s, nil
}

// environment is what docker gives a process: defaults, then the container's own, then extra for an exec.
func environment(c *Container, tty bool, home string, extra []string) []string {
	env := []string{defaultPath, "HOSTNAME=" + c.Config.Hostname}
	if tty {
		env = append(env, "TERM=xterm")
	}
	env = mergeEnv(mergeEnv(env, c.Config.Env), extra)
	if !hasKey(env, "HOME") {
		env = append(env, "HOME="+home)
	}
	return env
}
