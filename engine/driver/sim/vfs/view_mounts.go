package vfs

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// List is the mount table.
func (v *View) List() ([]userland.MountEntry, error) {
	if err := v.enter(); err != nil {
		return nil, err
	}
	return v.ns.Mounts(), nil
}

// Space tells the size of the file system that name lies in; all zero if it has none.
func (v *View) Space(name string) (userland.Space, error) {
	var w walker
	if err := v.lookup(&w, name, true); err != nil {
		return userland.Space{}, pathError("statfs", name, err)
	}
	s, ok := w.fs.(fsys.Spacer)
	if !ok {
		return userland.Space{}, nil
	}
	total, free, files, filesFree := s.Space()
	return userland.Space{Total: total, Free: free, Available: free, Files: files, FilesFree: filesFree}, nil
}

// Mount mounts a tmpfs, the container's /proc or /sys once more, or a part of the tree (bind), or changes the options of a mount
// (remount). Only a privileged user 0 may: EPERM.
func (v *View) Mount(m userland.MountEntry) error {
	err := v.enter()
	if err == nil && !v.admin() {
		err = v.refuse("mount")
	}
	if err == nil {
		err = v.mount(m)
	}
	return pathError("mount", m.Target, err)
}

func (v *View) mount(m userland.MountEntry) error {
	options := strings.Split(m.Options, ",")
	plain := slices.DeleteFunc(slices.Clone(options), func(o string) bool {
		return slices.Contains([]string{"", "remount", "bind", "rbind", "defaults", "private", "rprivate", "slave", "rslave", "shared", "rshared"}, o)
	})
	var w walker
	if err := v.walk(&w, m.Target, true); err != nil {
		return err
	}
	switch {
	case w.missing:
		return syscall.ENOENT
	case slices.Contains(options, "remount"):
		return v.ns.Remount(m.Target, plain...)
	case slices.Contains(options, "bind"), slices.Contains(options, "rbind"):
		return v.bind(m, plain)
	case m.Type == "" && len(plain) == 0: // only a change of propagation: there are no other namespaces
		return nil
	}
	return v.mountNew(m, plain)
}

// bind mounts what is at the source a second time.
func (v *View) bind(m userland.MountEntry, options []string) error {
	var from walker
	if err := v.walk(&from, m.Source, true); err != nil {
		return err
	}
	if from.missing {
		return syscall.ENOENT
	}
	if len(options) == 0 {
		options = from.m.settings.Load().options
	}
	return v.ns.Mount(m.Target, Mount{FS: from.m.fs, File: from.rel, Source: from.m.source, Type: from.m.kind, Options: options})
}

func (v *View) mountNew(m userland.MountEntry, options []string) error {
	made := Mount{Source: m.Source, Type: m.Type, Options: options}
	switch m.Type {
	case "tmpfs", "ramfs":
		t, err := newTmpfsOptions(options, v.proc.Now)
		if err != nil {
			return err
		}
		made.FS = t
	case "proc", "sysfs":
		for _, x := range v.ns.mounts() {
			if x.kind == m.Type && x.root == "." {
				made.FS = x.fs
			}
		}
	}
	if made.FS == nil {
		return syscall.ENODEV
	}
	return v.ns.Mount(m.Target, made)
}

// newTmpfsOptions reads the options size= and mode=.
func newTmpfsOptions(options []string, now func() time.Time) (*Tmpfs, error) {
	limit, mode := int64(0), uint32(0o1777)
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "size":
			n, ok := parseSize(value)
			if !ok {
				return nil, syscall.EINVAL
			}
			limit = n
		case "mode":
			n, err := strconv.ParseUint(value, 8, 12)
			if err != nil {
				return nil, syscall.EINVAL
			}
			mode = uint32(n)
		}
	}
	return NewTmpfs(limit, mode, now, nil), nil
}

// parseSize reads a size as a tmpfs takes it: a number of bytes, perhaps with k, m or g after it.
func parseSize(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	shift := 0
	if i := strings.IndexByte("kmg", s[len(s)-1]|0x20); i >= 0 {
		shift = 10 * (i + 1)
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64-1-shift)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, false
	}
	return n << shift, true
}

// refuse is EPERM for a call that needs a privileged user 0. To a process that is not privileged it is the container that refuses.
func (v *View) refuse(call string) error {
	if r, ok := v.proc.(Refused); ok && !v.cred.Privileged {
		r.Refused(call)
	}
	return syscall.EPERM
}

// Unmount takes the uppermost mount at target away. Only a privileged user 0 may: EPERM.
func (v *View) Unmount(target string, lazy bool) error {
	err := v.enter()
	if err == nil && !v.admin() {
		err = v.refuse("umount2")
	}
	if err == nil {
		err = v.ns.Unmount(path.Clean(target), lazy)
	}
	return pathError("umount", target, err)
}
