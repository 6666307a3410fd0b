package sim

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// machineName is the name of the simulated machine itself.
const machineName = "host"

// checkSecurity refuses what the simulated machine does not have.
func checkSecurity(spec *driver.Spec) error {
	if err := checkFilter(&spec.Process); err != nil {
		return err
	}
	const apart = "each container of the simulated machine is one of its own; use the linux driver"
	if _, of := driver.OwnerOf(spec.Network); of {
		return fmt.Errorf("network %s: another container's network is %w: %s", spec.Network, driver.ErrUnsupported, apart)
	}
	if spec.Shared.PID != "" {
		return fmt.Errorf("pid %s: sharing processes is %w: %s", spec.Shared.PID, driver.ErrUnsupported, apart)
	}
	if w := spec.Shared.IPC; w != "" && w != driver.NamespaceNone {
		return fmt.Errorf("ipc %s: sharing memory is %w: %s", w, driver.ErrUnsupported, apart)
	}
	if len(spec.DeviceRules) > 0 {
		return fmt.Errorf("device rule %q: control groups for devices are %w: the simulated machine has no devices that they could matter for; use the linux driver", spec.DeviceRules[0], driver.ErrUnsupported)
	}
	for _, d := range spec.Devices {
		if d.Access != "rwm" {
			return fmt.Errorf("device %s with access %s: less than rwm is %w: the simulated machine has no control group for devices; use the linux driver", d.Source, d.Access, driver.ErrUnsupported)
		}
	}
	return nil
}

// checkFilter refuses profiles for calls that the programs of the simulated machine do not make.
func checkFilter(p *driver.Process) error {
	if p.Seccomp != "" && p.Seccomp != driver.Unconfined {
		return fmt.Errorf("seccomp profile: filters for system calls are %w: the programs of the simulated machine call its kernel in another way; use the linux driver", driver.ErrUnsupported)
	}
	if _, unknown := standard.CapabilityMask(p.Powers); unknown != "" {
		return fmt.Errorf("unknown capability: %q", unknown)
	}
	return nil
}

// tune checks the settings that the container's owner asked for against what the machine has, and tells of them.
func (b *builder) tune() error {
	for _, name := range slices.Sorted(maps.Keys(b.spec.Sysctls)) {
		file := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
		if _, err := b.view.Lstat(file); err != nil {
			return fmt.Errorf("set %s: open %s: %s", name, file, "no such file or directory")
		}
		b.log.Fact(vocab.SysctlSet, trace.String("container", b.spec.ID), trace.String("name", name), trace.String("value", b.spec.Sysctls[name]))
	}
	return nil
}

// addDevices makes the nodes of the devices that the container's owner gave it: the machine has the standard ones.
func (b *builder) addDevices() error {
	for _, d := range b.spec.Devices {
		if err := b.addDevice(&d); err != nil {
			return err
		}
		b.log.Fact(vocab.DeviceAdd, trace.String("container", b.spec.ID), trace.String("path", d.Target), trace.String("source", d.Source), trace.String("access", d.Access))
	}
	if b.spec.Process.Privileged { // which finds the machine's devices in /dev anyway
		b.log.Fact(vocab.DeviceAdd, trace.String("container", b.spec.ID), trace.String("path", "/dev"), trace.String("source", "/dev"), trace.String("access", "rwm"))
	}
	return nil
}

func (b *builder) addDevice(d *driver.Device) error {
	all := standard.Devices()
	i := slices.IndexFunc(all, func(s standard.Device) bool { return "/dev/"+s.Name == path.Clean(d.Source) })
	if i < 0 {
		return &driver.CommandError{Code: 127, Msg: fmt.Sprintf("error gathering device information while adding custom device %q: no such file or directory", d.Source)}
	}
	if err := b.ensure(d.Target, false); err != nil {
		return fmt.Errorf("add device %s: %w", d.Target, err)
	}
	return b.attach(d.Target, vfs.Mount{FS: b.dev, Source: "tmpfs", Type: "tmpfs", Options: []string{"rw", "nosuid", "noexec"}, File: all[i].Name})
}

// maskedPaths and unwrittenPaths are the kernel files that are hidden, and those that can't be written.
func (b *builder) maskedPaths() []string {
	if b.spec.Masked != nil || b.spec.Process.Privileged {
		return b.spec.Masked
	}
	return standard.MaskedPaths()
}

func (b *builder) unwrittenPaths() []string {
	if b.spec.Unwritten != nil || b.spec.Process.Privileged {
		return b.spec.Unwritten
	}
	return standard.ReadOnlyPaths()
}

// protect mounts a kernel file or folder again, read-only.
func (b *builder) protect(p string) error {
	var of fsys.FS
	file := ""
	switch {
	case strings.HasPrefix(p, "/proc/"):
		of, file = b.proc, strings.TrimPrefix(p, "/proc/")
	case strings.HasPrefix(p, "/sys/"):
		of, file = b.sys, strings.TrimPrefix(p, "/sys/")
	default:
		return fmt.Errorf("make %s read-only: %w", p, syscall.EINVAL)
	}
	m := vfs.Mount{FS: of, Source: "proc", Type: "proc", Options: []string{"ro", "nosuid", "nodev", "noexec"}, File: file}
	if err := b.attach(p, m); err != nil {
		return fmt.Errorf("make %s read-only: %w", p, err)
	}
	b.mounted(p, "bind", p, "ro")
	return nil
}
