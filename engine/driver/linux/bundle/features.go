//go:build linux

package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/filter"
)

// SpecVersion is the version of the runtime specification that is carried out.
const SpecVersion = "1.3.0"

// IsNotFound reports whether an error says that there is no such container.
func IsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// Discard removes what a create that was killed may have left under an id.
func (r *Runtime) Discard(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(r.Root, id))
}

// ParseSignal reads a signal: a number, or a name with or without SIG.
func ParseSignal(text string) (unix.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > 64 {
			return 0, fmt.Errorf("signal %d: there are 1 to 64", n)
		}
		return unix.Signal(n), nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("no such signal: %q", text)
}

// Features is what the runtime can do, in the specification's form (features.md).
func Features() features.Features {
	yes, no := true, false
	v1, v2 := true, true
	return features.Features{OCIVersionMin: "1.0.0", OCIVersionMax: SpecVersion, MountOptions: mountOptionNames(),
		Hooks: []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		Linux: &features.Linux{Namespaces: []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}, Capabilities: capabilityNames(),
			Cgroup:   &features.Cgroup{V1: &v1, V2: &v2, Systemd: &no, SystemdUser: &no, Rdma: &yes},
			Seccomp:  &features.Seccomp{Enabled: &yes, Actions: filter.Actions(), Operators: filter.Operators(), Archs: filter.Architectures(), KnownFlags: filter.Flags(), SupportedFlags: filter.Flags()},
			Apparmor: &features.Apparmor{Enabled: &yes}, Selinux: &features.Selinux{Enabled: &yes}, IntelRdt: &features.IntelRdt{Enabled: &no},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &no}}}}
}

// WriteExample writes a config.json that runs a shell. One that is there stays.
func WriteExample(dir string, rootless bool, uid, gid int) error {
	data, err := json.MarshalIndent(Example(rootless, uid, gid), "", "\t")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, configFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	return errors.Join(err, f.Close())
}

// Example is a config to begin with: a shell with few powers in namespaces of its own.
func Example(rootless bool, uid, gid int) *specs.Spec {
	caps := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	plain := []string{"nosuid", "noexec", "nodev"}
	s := &specs.Spec{Version: SpecVersion, Root: &specs.Root{Path: "rootfs", Readonly: true}, Hostname: "learn",
		Process: &specs.Process{Terminal: true, Args: []string{"sh"}, Cwd: "/", NoNewPrivileges: true,
			Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
			Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}}},
		Mounts: []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: append(plain[:3:3], "mode=1777", "size=65536k")},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: plain},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: append(plain[:3:3], "ro")},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: append(plain[:3:3], "relatime", "ro")}},
		Linux: &specs.Linux{Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.MountNamespace}, {Type: specs.CgroupNamespace}},
			MaskedPaths: []string{"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
				"/proc/sched_debug", "/sys/firmware", "/proc/scsi"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}
	if rootless {
		s.Linux.Resources = nil
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: uint32(uid), Size: 1}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: uint32(gid), Size: 1}}
		s.Mounts[2].Options = s.Mounts[2].Options[:5] // gid 5 is not mapped
	}
	return s
}
