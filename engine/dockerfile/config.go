package dockerfile

import (
	"fmt"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
)

// Configurator changes an image's config by the instructions that change nothing else. It serves a build as well as the
// --change of a commit or an import.
type Configurator struct {
	Config *oci.ImageConfig
	cmdSet bool // there was a CMD: ENTRYPOINT keeps it
}

// ConfigError is a value that an instruction can't take. Word is what is wrong in it.
type ConfigError struct{ Word, Msg string }

func (e *ConfigError) Error() string { return e.Msg }

// Apply carries out cmd, whose variables are expanded, and gives its text for the image's history (empty for none). ok is
// false if cmd is not an instruction for the config alone, or needs more than the config. Errors: *ConfigError.
func (c *Configurator) Apply(cmd Command) (history string, ok bool, err error) {
	cfg := c.Config
	switch cmd := cmd.(type) {
	case *Env:
		for _, kv := range cmd.Env {
			c.setEnv(kv.Key, kv.Value)
			history += " " + kv.String()
		}
		return "ENV" + history, true, nil
	case *Label:
		for _, kv := range cmd.Labels {
			c.SetLabel(kv.Key, kv.Value)
			history += " " + kv.String()
		}
		return "LABEL" + history, true, nil
	case *Cmd:
		cfg.Cmd, c.cmdSet = c.CommandLine(cmd.CmdLine, cmd.PrependShell), true
		return fmt.Sprintf("CMD %q", cfg.Cmd), true, nil
	case *Entrypoint:
		cfg.Entrypoint = c.CommandLine(cmd.CmdLine, cmd.PrependShell)
		if !c.cmdSet {
			cfg.Cmd = nil
		}
		return fmt.Sprintf("ENTRYPOINT %q", cfg.Entrypoint), true, nil
	case *User:
		cfg.User = cmd.User
		return "USER " + cmd.User, true, nil
	case *Workdir:
		cfg.WorkingDir = workdir(cfg.WorkingDir, cmd.Path)
		return "WORKDIR " + cfg.WorkingDir, true, nil
	}
	return c.applyRare(cmd)
}

func (c *Configurator) applyRare(cmd Command) (history string, ok bool, err error) {
	cfg := c.Config
	switch cmd := cmd.(type) {
	case *Shell:
		cfg.Shell = cmd.Shell
		return fmt.Sprintf("SHELL %v", cmd.Shell), true, nil
	case *Expose:
		ports, err := c.expose(cmd.Ports)
		return fmt.Sprintf("EXPOSE %v", ports), true, err
	case *Volume:
		if cfg.Volumes == nil {
			cfg.Volumes = map[string]struct{}{}
		}
		for _, v := range cmd.Volumes {
			if v == "" {
				return "", true, &ConfigError{"", "VOLUME specified can not be an empty string"}
			}
			cfg.Volumes[v] = struct{}{}
		}
		return fmt.Sprintf("VOLUME %v", cmd.Volumes), true, nil
	case *StopSignal:
		if !validSignal(cmd.Signal) {
			return "", true, &ConfigError{cmd.Signal, fmt.Sprintf("invalid signal %s: give a name such as SIGTERM, or a number from 1 to 64", cmd.Signal)}
		}
		cfg.StopSignal = cmd.Signal
		return "STOPSIGNAL " + cmd.Signal, true, nil
	case *Healthcheck:
		h := *cmd.Health
		cfg.Healthcheck = &oci.HealthConfig{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries}
		return fmt.Sprintf("HEALTHCHECK %+v", h), true, nil
	case *Onbuild:
		cfg.OnBuild = append(cfg.OnBuild, cmd.Expression)
		return "", true, nil
	}
	return "", false, nil
}

// workdir is where WORKDIR next leads from dir.
func workdir(dir, next string) string {
	if path.IsAbs(next) {
		return path.Clean(next)
	}
	return path.Join("/", dir, next)
}

// CommandLine is what a command is executed as: in shell form by the config's shell.
func (c *Configurator) CommandLine(words []string, shellForm bool) []string {
	if !shellForm {
		return words
	}
	shell := c.Config.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(append([]string(nil), shell...), strings.Join(words, " "))
}

// SetLabel gives the label k the value v.
func (c *Configurator) SetLabel(k, v string) {
	if c.Config.Labels == nil {
		c.Config.Labels = map[string]string{}
	}
	c.Config.Labels[k] = v
}

// setEnv changes the environment in place, so that names keep their order.
func (c *Configurator) setEnv(k, v string) {
	env := c.Config.Env
	for i, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); name == k {
			env[i] = k + "=" + v
			return
		}
	}
	c.Config.Env = append(env, k+"="+v)
}

// maxPorts bounds one EXPOSE: all ports of all protocols.
const maxPorts = 3 << 16

func (c *Configurator) expose(specs []string) ([]string, error) {
	var all []string
	for _, spec := range specs {
		ports, err := parsePorts(spec)
		if err != nil {
			return nil, &ConfigError{spec, fmt.Sprintf("invalid containerPort: %s: %v", spec, err)}
		}
		if all = append(all, ports...); len(all) > maxPorts {
			return nil, &ConfigError{spec, fmt.Sprintf("EXPOSE names more than %d ports: there are not that many", maxPorts)}
		}
	}
	if c.Config.ExposedPorts == nil {
		c.Config.ExposedPorts = map[string]struct{}{}
	}
	for _, p := range all {
		c.Config.ExposedPorts[p] = struct{}{}
	}
	return all, nil
}
