package container

import (
	"context"
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/storage"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// Inspect gives everything that is known about a container, in docker's shape.
func (m *Manager) Inspect(ctx context.Context, ref string) (container.InspectResponse, error) {
	c, err := m.Find(ctx, ref)
	if err != nil {
		return container.InspectResponse{}, err
	}
	if c.Problem != nil {
		return container.InspectResponse{}, c.Problem
	}
	state, logPath := c.State.State, c.LogPath
	if c.HostConfig.LogConfig.Type == logLocal {
		logPath = "" // docker names that of json-file only
	}
	networks, err := m.networkView(ctx, c)
	if err != nil {
		return container.InspectResponse{}, err
	}
	return container.InspectResponse{
		ID: c.ID, Created: c.Created.Format(time.RFC3339Nano), Path: c.Path, Args: notNil(c.Args),
		State: &state, Image: c.Image.String(), LogPath: logPath, RestartCount: c.State.RestartCount, Name: "/" + c.Name,
		Driver: c.Driver, Platform: "linux",
		HostConfig:      hostView(c.HostConfig),
		GraphDriver:     &storage.DriverData{Name: c.Driver, Data: map[string]string{"ID": c.ID, "ChainID": c.Chain().String()}},
		Mounts:          m.mountView(c),
		Config:          configView(c.Config),
		NetworkSettings: networks,
	}, nil
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// hostView fills in the defaults that docker shows.
func hostView(h *container.HostConfig) *container.HostConfig {
	v := *h
	if v.NetworkMode == "" {
		v.NetworkMode = "none"
	}
	if v.RestartPolicy.Name == "" {
		v.RestartPolicy.Name = container.RestartPolicyDisabled
	}
	if v.IpcMode == "" {
		v.IpcMode = container.IPCModePrivate
	}
	if v.CgroupnsMode == "" {
		v.CgroupnsMode = container.CgroupnsModePrivate
	}
	if v.MaskedPaths == nil && !v.Privileged {
		v.MaskedPaths = standard.MaskedPaths()
	}
	if v.ReadonlyPaths == nil && !v.Privileged {
		v.ReadonlyPaths = standard.ReadOnlyPaths()
	}
	if v.ShmSize == 0 {
		v.ShmSize = 64 << 20
	}
	if v.PortBindings == nil {
		v.PortBindings = network.PortMap{}
	}
	if v.LogConfig.Config == nil {
		v.LogConfig.Config = map[string]string{}
	}
	return &v
}

func configView(c *container.Config) *container.Config {
	v := *c
	v.Env = slices.Clone(c.Env)
	if !hasKey(v.Env, "PATH") {
		v.Env = append(v.Env, defaultPath)
	}
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	return &v
}
