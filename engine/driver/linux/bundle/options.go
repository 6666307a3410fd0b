//go:build linux

package bundle

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mountOptions are a mount's options sorted by what they are for (runtime-spec, config.md, "Linux mount options").
type mountOptions struct {
	set, clear     uint64   // attributes of the mount (mount_setattr(2))
	rset, rclear   uint64   // the same, for all mounts below as well
	bind, rbind    bool     // rbind: with what is mounted below the source
	remount        bool     //
	readOnly       bool     // of the file system itself, where it is no bind
	propagation    []uint64 // in order, MS_REC among the flags
	copyUp         bool     // tmpcopyup: a tmpfs begins with what the root has there
	data           []string // for the file system
	superblockOnly []string // flags of the file system: sync, dirsync, mand, lazytime
}

// attrOptions are the attributes that a mount can have by themselves, and those that take one away.
func attrOptions() map[string][2]uint64 {
	return map[string][2]uint64{
		"ro": {unix.MOUNT_ATTR_RDONLY, 0}, "rw": {0, unix.MOUNT_ATTR_RDONLY},
		"nosuid": {unix.MOUNT_ATTR_NOSUID, 0}, "suid": {0, unix.MOUNT_ATTR_NOSUID},
		"nodev": {unix.MOUNT_ATTR_NODEV, 0}, "dev": {0, unix.MOUNT_ATTR_NODEV},
		"noexec": {unix.MOUNT_ATTR_NOEXEC, 0}, "exec": {0, unix.MOUNT_ATTR_NOEXEC},
		"nodiratime": {unix.MOUNT_ATTR_NODIRATIME, 0}, "diratime": {0, unix.MOUNT_ATTR_NODIRATIME},
		"nosymfollow": {unix.MOUNT_ATTR_NOSYMFOLLOW, 0}, "symfollow": {0, unix.MOUNT_ATTR_NOSYMFOLLOW},
		// The three ways of access times are one field, so each clears the others.
		"relatime": {0, unix.MOUNT_ATTR__ATIME}, "norelatime": {unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME},
		"noatime": {unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME}, "atime": {0, unix.MOUNT_ATTR__ATIME},
		"strictatime": {unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME}, "nostrictatime": {0, unix.MOUNT_ATTR__ATIME},
	}
}

// propagationOptions are the ways of mount_namespaces(7).
func propagationOptions() map[string]uint64 {
	return map[string]uint64{"private": unix.MS_PRIVATE, "shared": unix.MS_SHARED, "slave": unix.MS_SLAVE, "unbindable": unix.MS_UNBINDABLE,
		"rprivate": unix.MS_PRIVATE | unix.MS_REC, "rshared": unix.MS_SHARED | unix.MS_REC, "rslave": unix.MS_SLAVE | unix.MS_REC, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC}
}

// propagation gives the flags of linux.rootfsPropagation; 0 for none.
func propagation(name string) (uint64, error) {
	if name == "" {
		return 0, nil
	}
	if flags, ok := propagationOptions()[name]; ok {
		return flags, nil
	}
	return 0, fmt.Errorf("linux.rootfsPropagation: no such way: %q", name)
}

func parseOptions(words []string) (mountOptions, error) {
	var o mountOptions
	attrs, ways := attrOptions(), propagationOptions()
	for _, w := range words {
		if w == "" {
			continue
		}
		if flags, ok := ways[w]; ok {
			o.propagation = append(o.propagation, flags)
			continue
		}
		if a, ok := attrs[w]; ok {
			o.set, o.clear = o.set&^a[1]|a[0], o.clear&^a[0]|a[1]
			continue
		}
		if a, ok := attrs[strings.TrimPrefix(w, "r")]; ok && w[0] == 'r' {
			o.rset, o.rclear = o.rset&^a[1]|a[0], o.rclear&^a[0]|a[1]
			continue
		}
		if err := o.word(w); err != nil {
			return o, err
		}
	}
	o.readOnly = o.set&unix.MOUNT_ATTR_RDONLY != 0
	return o, nil
}

func (o *mountOptions) word(w string) error {
	switch w {
	case "bind":
		o.bind = true
	case "rbind":
		o.bind, o.rbind = true, true
	case "remount":
		o.remount = true
	case "tmpcopyup":
		o.copyUp = true
	case "defaults", "async", "nolazytime", "nomand", "loud", "noiversion", "nouser", "silent", "copy-symlink":
		// what is so without
	case "sync", "dirsync", "mand", "lazytime", "iversion":
		o.superblockOnly = append(o.superblockOnly, w)
	case "idmap", "ridmap":
		return fmt.Errorf("option %s: mounts with id maps of their own are not supported", w)
	default:
		o.data = append(o.data, w)
	}
	return nil
}

// mountOptionNames are the options that are not a file system's own, for features.
func mountOptionNames() []string {
	names := []string{"bind", "rbind", "remount", "tmpcopyup", "defaults", "sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand", "iversion", "noiversion"}
	for n := range attrOptions() {
		names = append(names, n, "r"+n)
	}
	for n := range propagationOptions() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
