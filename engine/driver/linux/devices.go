//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// devices looks up the devices that the container gets and what it may do with them.
func (t *task) devices(cfg *shim.Config) error {
	spec := t.spec
	if spec.Process.Privileged {
		cfg.Devices, cfg.Root.Nodes = allDevices(), true
		return t.namedDevices(cfg)
	}
	if len(spec.Devices) == 0 && len(spec.DeviceRules) == 0 {
		return nil
	}
	if err := t.namedDevices(cfg); err != nil {
		return err
	}
	if t.runtime.mode.Rootless {
		return rootlessDevices(spec)
	}
	cfg.Root.Nodes, cfg.DeviceRules = true, standard.DeviceRules()
	for _, d := range cfg.Devices {
		kind := "c"
		if d.Block {
			kind = "b"
		}
		cfg.DeviceRules = append(cfg.DeviceRules, fmt.Sprintf("%s %d:%d %s", kind, d.Major, d.Minor, d.Access))
	}
	cfg.DeviceRules = append(cfg.DeviceRules, spec.DeviceRules...)
	return nil
}

// rootlessDevices refuses what takes a control group of devices.
func rootlessDevices(spec *driver.Spec) error {
	const why = "a rootless engine can't have a control group for devices"
	if len(spec.DeviceRules) > 0 {
		return fmt.Errorf("device rule %q: %s; run it as root", spec.DeviceRules[0], why)
	}
	for _, d := range spec.Devices {
		if d.Access != "rwm" {
			return fmt.Errorf("device %s with access %s: %s, so what may be done with it is up to its permissions; ask for rwm, or run it as root", d.Source, d.Access, why)
		}
	}
	return nil
}

// namedDevices adds those that the container's owner named.
func (t *task) namedDevices(cfg *shim.Config) error {
	for _, d := range t.spec.Devices {
		found, err := devicesAt(d)
		if err != nil {
			return deviceError(d.Source, err)
		}
		for _, f := range found {
			if i := slices.IndexFunc(cfg.Devices, func(o shim.Device) bool { return o.Target == f.Target }); i >= 0 {
				cfg.Devices[i] = f
				continue
			}
			cfg.Devices = append(cfg.Devices, f)
		}
	}
	return nil
}

// deviceError uses docker's words, and its exit code for what is not there.
func deviceError(source string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		err = unix.ENOENT
	}
	msg := fmt.Sprintf("error gathering device information while adding custom device %q: %v", source, err)
	if errors.Is(err, unix.ENOENT) {
		return &driver.CommandError{Code: 127, Msg: msg}
	}
	return errors.New(msg)
}

var errNoDevice = errors.New("not a device node")

// devicesAt finds the device at a path, or those in the folder there.
func devicesAt(d driver.Device) ([]shim.Device, error) {
	source, err := filepath.EvalSymlinks(d.Source)
	if err != nil {
		return nil, err
	}
	if one, err := deviceAt(source, d.Target, d.Access); !errors.Is(err, errNoDevice) {
		return []shim.Device{one}, err
	}
	var found []shim.Device
	err = filepath.WalkDir(source, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went meanwhile
		}
		rel, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		if one, err := deviceAt(name, path.Join(d.Target, rel), d.Access); err == nil {
			found = append(found, one)
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errNoDevice
	}
	return found, err
}

// deviceAt describes the device node at a path, links not followed.
func deviceAt(source, target, access string) (shim.Device, error) {
	var st unix.Stat_t
	if err := unix.Lstat(source, &st); err != nil {
		return shim.Device{}, err
	}
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFCHR && kind != unix.S_IFBLK {
		return shim.Device{}, errNoDevice
	}
	return shim.Device{Source: source, Target: target, Block: kind == unix.S_IFBLK, Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev),
		Mode: st.Mode & 0o777, UID: st.Uid, GID: st.Gid, Access: access}, nil
}

// allDevices are those of the host's /dev, without what a container has of its own there.
func allDevices() []shim.Device {
	own := []string{"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/console", "/dev/ptmx", "/dev/.udev", "/dev/.lxc", "/dev/.lxd-mounts"}
	for _, d := range standard.Devices() {
		own = append(own, "/dev/"+d.Name)
	}
	var found []shim.Device
	_ = filepath.WalkDir("/dev", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case slices.Contains(own, name) && e.IsDir():
			return fs.SkipDir
		case slices.Contains(own, name) || e.Type()&os.ModeDevice == 0:
			return nil
		}
		if d, err := deviceAt(name, name, ""); err == nil {
			found = append(found, d)
		}
		return nil
	})
	return found
}
