//go:build linux

package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	configFile = "config.json"
	// maxConfig bounds a config.json: podman's are 100 kB, most of it the system call filter.
	maxConfig = 8 << 20
	// maxEntries bounds each list in it.
	maxEntries = 16384
)

// loadConfig reads the config.json in dir and checks it.
func loadConfig(dir string) (*specs.Spec, error) {
	name := filepath.Join(dir, configFile)
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read config %s: %w", name, err)
	}
	spec, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("read config %s: %w", name, err)
	}
	return spec, nil
}

// ParseConfig reads a config.json. What it gives can be acted on: versions, paths, names and counts are in bounds.
func ParseConfig(data []byte) (*specs.Spec, error) {
	if len(data) > maxConfig {
		return nil, fmt.Errorf("more than %d bytes", maxConfig)
	}
	var spec specs.Spec
	if err := decodeOne(data, &spec); err != nil {
		return nil, err
	}
	for _, check := range []func(*specs.Spec) error{checkVersion, checkRoot, checkCounts, checkMounts, checkNamespaces, checkLinux, checkUnsupported, checkHooks} {
		if err := check(&spec); err != nil {
			return nil, err
		}
	}
	if spec.Process != nil {
		if err := checkProcess(spec.Process); err != nil {
			return nil, err
		}
	}
	return &spec, nil
}

// decodeOne reads one JSON value and nothing after it.
func decodeOne(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("decode JSON: more than one value")
	}
	return nil
}

// checkVersion takes every version 1: minor ones only add.
func checkVersion(s *specs.Spec) error {
	major, rest, ok := strings.Cut(s.Version, ".")
	if !ok || major != "1" || rest == "" || strings.Trim(rest, "0123456789.-+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fmt.Errorf("ociVersion %q: this runtime carries out version 1 of the specification, up to %s", s.Version, specs.Version)
	}
	return nil
}

func checkRoot(s *specs.Spec) error {
	if s.Root == nil || s.Root.Path == "" {
		return errors.New("root.path is missing")
	}
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	return plain("root.path", s.Root.Path)
}

func checkCounts(s *specs.Spec) error {
	l := s.Linux
	n := map[string]int{"mounts": len(s.Mounts), "linux.devices": len(l.Devices), "linux.namespaces": len(l.Namespaces), "linux.uidMappings": len(l.UIDMappings),
		"linux.gidMappings": len(l.GIDMappings), "linux.maskedPaths": len(l.MaskedPaths), "linux.readonlyPaths": len(l.ReadonlyPaths), "linux.sysctl": len(l.Sysctl)}
	if l.Seccomp != nil {
		n["linux.seccomp.syscalls"] = len(l.Seccomp.Syscalls)
	}
	if s.Process != nil {
		n["process.args"], n["process.env"] = len(s.Process.Args), len(s.Process.Env)
		n["process.rlimits"], n["process.user.additionalGids"] = len(s.Process.Rlimits), len(s.Process.User.AdditionalGids)
	}
	for what, count := range n {
		if count > maxEntries {
			return fmt.Errorf("%s has %d entries: at most %d", what, count, maxEntries)
		}
	}
	return nil
}

// plain refuses what the kernel would cut: a zero byte ends every string.
func plain(what string, values ...string) error {
	for _, v := range values {
		if strings.ContainsRune(v, 0) {
			return fmt.Errorf("%s holds a zero byte", what)
		}
	}
	return nil
}

func checkMounts(s *specs.Spec) error {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		what := fmt.Sprintf("mounts[%d]", i)
		if err := plain(what, append([]string{m.Destination, m.Type, m.Source}, m.Options...)...); err != nil {
			return err
		}
		if m.Destination == "" {
			return fmt.Errorf("%s: the destination is missing", what)
		}
		if !filepath.IsAbs(m.Destination) { // allowed for versions before 1.0.2, relative to /
			m.Destination = "/" + m.Destination
		}
		if len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0 {
			return fmt.Errorf("%s (%s): mounts with id maps of their own are not supported", what, m.Destination)
		}
		if _, err := parseOptions(m.Options); err != nil {
			return fmt.Errorf("%s (%s): %w", what, m.Destination, err)
		}
	}
	return nil
}

func checkNamespaces(s *specs.Spec) error {
	seen := map[specs.LinuxNamespaceType]bool{}
	for _, ns := range s.Linux.Namespaces {
		if _, ok := namespaceFlag(ns.Type); !ok {
			return fmt.Errorf("linux.namespaces: no such type: %q", ns.Type)
		}
		if seen[ns.Type] {
			return fmt.Errorf("linux.namespaces: type %q comes twice", ns.Type)
		}
		seen[ns.Type] = true
		if ns.Path != "" && !filepath.IsAbs(ns.Path) {
			return fmt.Errorf("linux.namespaces: the path of %s must be absolute, not %q", ns.Type, ns.Path)
		}
		if err := plain("linux.namespaces", ns.Path); err != nil {
			return err
		}
	}
	if (s.Hostname != "" || s.Domainname != "") && !seen[specs.UTSNamespace] {
		return errors.New("hostname and domainname need a uts namespace: without one they would change the machine's")
	}
	if len(s.Linux.TimeOffsets) > 0 && !seen[specs.TimeNamespace] {
		return errors.New("linux.timeOffsets need a time namespace")
	}
	if len(s.Linux.UIDMappings)+len(s.Linux.GIDMappings) > 0 && !seen[specs.UserNamespace] {
		return errors.New("linux.uidMappings and gidMappings need a user namespace")
	}
	return plain("hostname", s.Hostname, s.Domainname)
}

func checkLinux(s *specs.Spec) error {
	l := s.Linux
	if _, err := propagation(l.RootfsPropagation); err != nil {
		return err
	}
	if err := plain("linux", append(append([]string{l.CgroupsPath, l.MountLabel}, l.MaskedPaths...), l.ReadonlyPaths...)...); err != nil {
		return err
	}
	for _, p := range append(append([]string(nil), l.MaskedPaths...), l.ReadonlyPaths...) {
		if !filepath.IsAbs(p) {
			return fmt.Errorf("masked and read-only paths must be absolute, not %q", p)
		}
	}
	for _, d := range l.Devices {
		if !filepath.IsAbs(d.Path) || plain("path", d.Path) != nil {
			return fmt.Errorf("linux.devices: the path must be absolute, not %q", d.Path)
		}
		if _, err := deviceMode(&d); err != nil {
			return err
		}
	}
	return checkSysctls(s)
}

// checkUnsupported refuses what would otherwise be left out silently.
func checkUnsupported(s *specs.Spec) error {
	l := s.Linux
	switch {
	case l.IntelRdt != nil:
		return errors.New("linux.intelRdt is not supported")
	case l.MemoryPolicy != nil && l.MemoryPolicy.Mode != "":
		return errors.New("linux.memoryPolicy is not supported")
	case len(l.NetDevices) > 0:
		return errors.New("linux.netDevices are not supported: move them into the container's network namespace in a createRuntime hook")
	}
	return nil
}

func enabled(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func checkHooks(s *specs.Spec) error {
	if s.Hooks == nil {
		return nil
	}
	h := s.Hooks
	for name, list := range map[string][]specs.Hook{"prestart": prestart(h), "createRuntime": h.CreateRuntime, "createContainer": h.CreateContainer,
		"startContainer": h.StartContainer, "poststart": h.Poststart, "poststop": h.Poststop} {
		if len(list) > maxEntries {
			return fmt.Errorf("hooks.%s has %d entries: at most %d", name, len(list), maxEntries)
		}
		for _, k := range list {
			if !filepath.IsAbs(k.Path) {
				return fmt.Errorf("hooks.%s: the path must be absolute, not %q", name, k.Path)
			}
			if k.Timeout != nil && *k.Timeout <= 0 {
				return fmt.Errorf("hooks.%s: the timeout of %s must be more than zero", name, k.Path)
			}
			if err := plain("hooks."+name, append(append([]string{k.Path}, k.Args...), k.Env...)...); err != nil {
				return err
			}
		}
	}
	return nil
}
