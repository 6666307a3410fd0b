package container

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/oci"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// merge gives the configuration of a container: what the user said, and the image's answer to all else. A user's entry point
// drops the image's command, and an empty one drops the image's entry point too.
func merge(user *container.Config, img *oci.ImageConfig) (*container.Config, error) {
	c := *user
	if len(c.Entrypoint) == 0 {
		if len(c.Cmd) == 0 {
			c.Cmd, c.ArgsEscaped = slices.Clone(img.Cmd), img.ArgsEscaped
		}
		if c.Entrypoint == nil {
			c.Entrypoint = slices.Clone(img.Entrypoint)
		}
	}
	if len(c.Entrypoint) == 1 && c.Entrypoint[0] == "" {
		c.Entrypoint = nil
	}
	if len(c.Entrypoint) == 0 && len(c.Cmd) == 0 {
		return nil, invalid("no command specified")
	}
	c.User = or(c.User, img.User)
	c.WorkingDir = or(c.WorkingDir, img.WorkingDir)
	if c.WorkingDir != "" && !strings.HasPrefix(c.WorkingDir, "/") {
		return nil, invalid("the working directory '%s' is invalid, it needs to be an absolute path", c.WorkingDir)
	}
	c.StopSignal = or(c.StopSignal, img.StopSignal)
	if c.StopTimeout == nil {
		c.StopTimeout = img.StopTimeout
	}
	c.Env = mergeEnv(img.Env, c.Env)
	c.Labels = mergeMaps(img.Labels, c.Labels)
	c.Volumes = mergeMaps(img.Volumes, c.Volumes)
	c.OnBuild = slices.Clone(img.OnBuild)
	if len(c.Shell) == 0 {
		c.Shell = slices.Clone(img.Shell)
	}
	mergeHealth(&c, img.Healthcheck)
	return &c, mergePorts(&c, img.ExposedPorts)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func mergeMaps[V any](low, high map[string]V) map[string]V {
	out := make(map[string]V, len(low)+len(high))
	maps.Copy(out, low)
	maps.Copy(out, high)
	return out
}

// mergeEnv replaces entries of low by those of high with the same key and adds the others. An entry of high without = takes
// the key away.
func mergeEnv(low, high []string) []string {
	out := slices.Clone(low)
	for _, entry := range high {
		key, _, set := strings.Cut(entry, "=")
		i := slices.IndexFunc(out, func(s string) bool {
			k, _, _ := strings.Cut(s, "=")
			return k == key
		})
		switch {
		case i >= 0 && set:
			out[i] = entry
		case i >= 0:
			out = slices.Delete(out, i, i+1)
		case set:
			out = append(out, entry)
		}
	}
	return out
}

func hasKey(env []string, key string) bool {
	return slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, key+"=") })
}

func mergePorts(c *container.Config, exposed map[string]struct{}) error {
	if len(exposed) == 0 && len(c.ExposedPorts) == 0 {
		return nil
	}
	all := maps.Clone(c.ExposedPorts)
	if all == nil {
		all = network.PortSet{}
	}
	for text := range exposed {
		p, err := network.ParsePort(text)
		if err != nil {
			return invalid("invalid port %q in the image's configuration: %v", text, err)
		}
		all[p] = struct{}{}
	}
	c.ExposedPorts = all
	return nil
}

// mergeHealth fills in from the image what the user left out; a test of the user's keeps the image's times.
func mergeHealth(c *container.Config, img *oci.HealthConfig) {
	if img == nil {
		return
	}
	h := container.HealthConfig{}
	if c.Healthcheck != nil {
		h = *c.Healthcheck
	}
	if len(h.Test) == 0 {
		h.Test = slices.Clone(img.Test)
	}
	h.Interval, h.Timeout, h.Retries = cmp.Or(h.Interval, img.Interval), cmp.Or(h.Timeout, img.Timeout), cmp.Or(h.Retries, img.Retries)
	h.StartPeriod, h.StartInterval = cmp.Or(h.StartPeriod, img.StartPeriod), cmp.Or(h.StartInterval, img.StartInterval)
	c.Healthcheck = &h
}
