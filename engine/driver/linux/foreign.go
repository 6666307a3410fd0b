//go:build linux

package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	profile "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// foreignVersion is the version of the specification that bundles for other runtimes say: the oldest that has all that is in them.
const foreignVersion = "1.0.2"

// FindRuntime finds another OCI runtime: runc or crun where the machine has its programs, or one by its absolute path.
func (r *Runtime) FindRuntime(name string) (program string, err error) {
	if filepath.IsAbs(name) {
		return name, executableFile(name)
	}
	if name != "runc" && name != "crun" {
		return "", driver.ErrNotFound
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if program = filepath.Join(dir, name); executableFile(program) == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("runtime %s is not installed: %w", name, driver.ErrNotFound)
}

// Runtimes lists the names of the runtimes that are there, besides the driver's own.
func (r *Runtime) Runtimes() []string {
	var names []string
	for _, n := range []string{"crun", "runc"} {
		if _, err := r.FindRuntime(n); err == nil {
			names = append(names, n)
		}
	}
	return names
}

func executableFile(name string) error {
	st, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("%w: %w", driver.ErrNotFound, err)
	}
	if !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", name)
	}
	return nil
}

// foreign writes the container down as a bundle for another runtime.
func (t *task) foreign(cfg *shim.Config) (*shim.Foreign, error) {
	name := t.spec.Runtime
	program, err := t.runtime.FindRuntime(name)
	if err != nil {
		return nil, fmt.Errorf("runtime %s: %w", name, err)
	}
	spec, err := t.bundle(cfg)
	if err != nil {
		return nil, fmt.Errorf("write bundle for %s: %w", name, err)
	}
	data, err := json.Marshal(spec)
	return &shim.Foreign{Name: name, Program: program, Bundle: data}, err
}

// foreignBundle is a config.json with the process as shim writes it.
type foreignBundle struct {
	*specs.Spec
	Process any `json:"process"`
}

func (t *task) bundle(cfg *shim.Config) (*foreignBundle, error) {
	spec := t.spec
	if spec.Init {
		return nil, errors.New("an init process of ours can't be put into a container of another runtime; leave --init out")
	}
	b := &specs.Spec{Version: foreignVersion, Hostname: cfg.Hostname, Domainname: cfg.Domain,
		Root:  &specs.Root{Path: filepath.Join(spec.Dir, shim.RootFolder), Readonly: spec.ReadOnly},
		Linux: &specs.Linux{CgroupsPath: shim.GroupPath(cfg.Owner, spec.ID), Resources: &specs.LinuxResources{}, Sysctl: map[string]string{}}}
	var err error
	if b.Linux.Namespaces, err = foreignSpaces(spec); err != nil {
		return nil, err
	}
	if b.Mounts, err = t.foreignMounts(); err != nil {
		return nil, err
	}
	if spec.Network == driver.NetworkPrivate {
		b.Linux.Sysctl["net.ipv4.ip_unprivileged_port_start"] = "0"
	}
	for _, s := range cfg.Sysctls {
		b.Linux.Sysctl[strings.ReplaceAll(s.Name, "/", ".")] = s.Value
	}
	foreignDevices(b, cfg)
	return &foreignBundle{b, shim.SpecProcess(&cfg.Process)}, confine(b, cfg, spec)
}

func foreignSpaces(spec *driver.Spec) ([]specs.LinuxNamespace, error) {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for _, ns := range []struct {
		kind specs.LinuxNamespaceType
		word string
	}{{specs.PIDNamespace, spec.Shared.PID}, {specs.IPCNamespace, spec.Shared.IPC}, {specs.UTSNamespace, spec.Shared.UTS}, {specs.NetworkNamespace, spec.Network},
		{specs.CgroupNamespace, spec.Shared.Cgroup}} {
		if _, shared := driver.OwnerOf(ns.word); shared {
			return nil, fmt.Errorf("share the %s namespace of another container: only the runtime learn can", ns.kind)
		}
		if ns.word != driver.NamespaceHost {
			list = append(list, specs.LinuxNamespace{Type: ns.kind})
		}
	}
	return list, nil
}

func foreignDevices(b *specs.Spec, cfg *shim.Config) {
	b.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: cfg.Privileged, Access: "rwm"}}
	for _, d := range cfg.Devices {
		kind, mode, uid, gid := "c", os.FileMode(d.Mode), d.UID, d.GID
		if d.Block {
			kind = "b"
		}
		major, minor := int64(d.Major), int64(d.Minor)
		b.Linux.Devices = append(b.Linux.Devices, specs.LinuxDevice{Path: d.Target, Type: kind, Major: major, Minor: minor, FileMode: &mode, UID: &uid, GID: &gid})
		if d.Access != "" {
			b.Linux.Resources.Devices = append(b.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: kind, Major: &major, Minor: &minor, Access: d.Access})
		}
	}
}

// confine adds what keeps a container in: filter and hidden files. A privileged one has none of it.
func confine(b *specs.Spec, cfg *shim.Config, spec *driver.Spec) error {
	b.Linux.MaskedPaths, b.Linux.ReadonlyPaths = cfg.Masked, cfg.Unwritten
	if spec.Process.Privileged && spec.Process.Seccomp == "" {
		return nil
	}
	// A profile adds calls for the powers that the process can have.
	bounding := standard.NamesOf(^uint64(0))
	if p := cfg.Process.Powers; p != nil {
		bounding = standard.NamesOf(p.Bounding)
	}
	like := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: bounding}}}
	var err error
	switch spec.Process.Seccomp {
	case driver.Unconfined:
	case "":
		b.Linux.Seccomp, err = profile.GetDefaultProfile(like)
	default:
		b.Linux.Seccomp, err = profile.LoadProfile(spec.Process.Seccomp, like)
	}
	return err
}

// foreignMounts are the standard mounts, the files with names, and the container's own.
func (t *task) foreignMounts() ([]specs.Mount, error) {
	spec := t.spec
	var all []specs.Mount
	add := func(m standard.Mount) {
		out := specs.Mount{Destination: m.Target, Type: m.Type, Source: m.Type}
		for _, o := range strings.Split(m.Describe(), ",") {
			if source, ok := strings.CutPrefix(o, "source="); ok {
				out.Source = source
				continue
			}
			out.Options = append(out.Options, o)
		}
		all = append(all, out)
	}
	add(standard.Proc())
	dev := standard.Dev()
	dev.Flags &^= standard.NoDev // the runtime makes the devices in it
	add(dev)
	for _, m := range standard.UnderDev(spec.ShmBytes) {
		add(m)
	}
	add(standard.Sys(spec.Process.Privileged))
	add(standard.Cgroup())
	for _, f := range standard.NameFiles(spec.Hostname) {
		all = append(all, specs.Mount{Destination: "/etc/" + f.Name, Type: "bind", Source: filepath.Join(spec.Dir, f.Name), Options: []string{"rbind", "rprivate"}})
	}
	for i := range spec.Mounts {
		m, err := t.foreignMount(&spec.Mounts[i])
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (t *task) foreignMount(m *driver.Mount) (specs.Mount, error) {
	out := specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: []string{"rbind", "nodev"}}
	if m.Flat {
		out.Options[0] = "bind"
	}
	if m.ReadOnly {
		out.Options = append(out.Options, "ro")
	}
	if m.Propagation != "" {
		out.Options = append(out.Options, m.Propagation)
	} else {
		out.Options = append(out.Options, "rprivate")
	}
	switch m.Type {
	case "bind":
		return out, nil
	case "folder":
		dir, err := t.runtime.snapshots.FolderPath(m.Source)
		if m.Subpath != "" {
			return out, fmt.Errorf("mount %s: a part of a volume can't be mounted by another runtime", m.Target)
		}
		out.Source = dir
		return out, err
	case "tmpfs":
		fs := standard.Tmpfs(m.Target, m.ReadOnly, m.Options)
		return specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: strings.Split(fs.Describe(), ",")}, nil
	}
	return out, fmt.Errorf("mount %s: a mount of type %s can't be made by another runtime", m.Target, m.Type)
}
