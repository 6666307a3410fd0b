package standard

import (
	"strconv"
	"strings"
)

// Flags are the attributes of a mount (mount_setattr(2)).
type Flags uint8

// The attributes. StrictAtime is not among the words of Options: mounts are described without it.
const (
	ReadOnly Flags = 1 << iota
	NoSuid
	NoDev
	NoExec
	StrictAtime
)

// Plain are the attributes of nearly every mount in a container. Devices work only where a device node itself is mounted, so a program
// that may make nodes gains nothing by it.
const Plain = NoSuid | NoDev | NoExec

// Option is one key and value of a file system's own options; a key without value is a flag.
type Option struct{ Key, Value string }

// Mount is a file system of its own at one place in a container.
type Mount struct {
	Target  string // absolute, inside
	Type    string // as in /proc/filesystems; it is also the source
	Flags   Flags
	Options []Option
}

// Describe gives flags and options as the mount's event has them, separated by commas.
func (m Mount) Describe() string {
	words := m.Flags.Words()
	for _, o := range m.Options {
		if o.Value != "" {
			words = append(words, o.Key+"="+o.Value)
		} else {
			words = append(words, o.Key)
		}
	}
	return strings.Join(words, ",")
}

// Words names the flags in the order of mount(8)'s table.
func (f Flags) Words() []string {
	var words []string
	for _, w := range [...]struct {
		flag Flags
		name string
	}{{ReadOnly, "ro"}, {NoSuid, "nosuid"}, {NoDev, "nodev"}, {NoExec, "noexec"}} {
		if f&w.flag != 0 {
			words = append(words, w.name)
		}
	}
	return words
}

// Proc is the first mount after the root.
func Proc() Mount { return Mount{Target: "/proc", Type: "proc", Flags: Plain} }

// Dev is the folder of devices, mounted after Proc; Devices, Links and then UnderDev go into it.
func Dev() Mount {
	return Mount{Target: "/dev", Type: "tmpfs", Flags: NoSuid | NoDev | StrictAtime,
		Options: []Option{{"mode", "755"}, {"size", "65536k"}, {"source", "tmpfs"}}}
}

// UnderDev are the mounts inside Dev, in order. The first is that of terminals, whose last option names the group tty: it is left out where
// that group does not exist. shmBytes is the size of /dev/shm; 0 is the usual one.
func UnderDev(shmBytes int64) []Mount {
	size := "65536k"
	if shmBytes > 0 {
		size = strconv.FormatInt((shmBytes+1023)/1024, 10) + "k"
	}
	return []Mount{
		{Target: "/dev/pts", Type: "devpts", Flags: NoSuid | NoExec,
			Options: []Option{{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}},
		{Target: "/dev/shm", Type: "tmpfs", Flags: Plain, Options: []Option{{"mode", "1777"}, {"size", size}}},
		{Target: "/dev/mqueue", Type: "mqueue", Flags: Plain},
	}
}

// Sys comes after all of /dev. Only a privileged container may write there.
func Sys(privileged bool) Mount {
	if privileged {
		return Mount{Target: "/sys", Type: "sysfs", Flags: Plain}
	}
	return Mount{Target: "/sys", Type: "sysfs", Flags: Plain | ReadOnly}
}

// Cgroup is the container's view of its own control group where version 2 is all there is. A container without a group has none.
func Cgroup() Mount {
	return Mount{Target: "/sys/fs/cgroup", Type: "cgroup2", Flags: Plain | ReadOnly}
}

// Tmpfs is a tmpfs that the container's owner asked for: options are mount(8)'s flags, of which exec, suid, dev and ro count, and the file system's own.
func Tmpfs(target string, readOnly bool, options []string) Mount {
	m := Mount{Target: target, Type: "tmpfs", Flags: Plain, Options: []Option{}}
	if readOnly {
		m.Flags |= ReadOnly
	}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "exec":
			m.Flags &^= NoExec
		case "suid":
			m.Flags &^= NoSuid
		case "dev":
			m.Flags &^= NoDev
		case "ro":
			m.Flags |= ReadOnly
		case "rw", "noexec", "nosuid", "nodev":
		case "defaults", "sync", "async", "dirsync", "remount", "mand", "nomand", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
			"strictatime", "nostrictatime", "bind", "rbind", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
			// which change nothing that can be seen in memory of one's own
		default:
			m.Options = append(m.Options, Option{key, value})
		}
	}
	return m
}

// BindOptions describes a bind mount that the container's owner asked for.
func BindOptions(readOnly bool) string {
	if readOnly {
		return "rbind,ro"
	}
	return "rbind,rw"
}

// BindOptionsOf is BindOptions for one whose owner said more.
func BindOptionsOf(readOnly, flat bool, propagation string) string {
	o := BindOptions(readOnly)
	if flat {
		o = strings.TrimPrefix(o, "r")
	}
	if propagation != "" && propagation != "rprivate" {
		o += "," + propagation
	}
	return o
}

// FolderOptions describes the mount of a persistent folder.
func FolderOptions(readOnly bool) string { return strings.TrimPrefix(BindOptions(readOnly), "r") }

// TreeOptions are what the mount of a tree has besides its layers.
func TreeOptions(readOnly bool) string {
	if readOnly {
		return "ro,nodev"
	}
	return "rw,nodev"
}

// File is the mount of a file that is in memory only. It can be executed if its permissions say so: a program may be given that way.
func File(readOnly bool, mode, uid, gid uint32) Mount {
	m := Mount{Type: "tmpfs", Flags: Plain, Options: []Option{{"mode", "0" + number(mode, 8)}, {"uid", number(uid, 10)}, {"gid", number(gid, 10)}}}
	if mode&0o111 != 0 {
		m.Flags &^= NoExec
	}
	if readOnly {
		m.Flags |= ReadOnly
	}
	return m
}

// number writes n in a base of up to ten. A whole package for that would be loaded by every first stage.
func number(n, base uint32) string {
	digit := string(rune('0' + n%base))
	if n < base {
		return digit
	}
	return number(n/base, base) + digit
}

// Refusal is an error that both drivers give in the same words.
type Refusal string

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// What is refused of mounts.
const (
	CoversRoot Refusal = "the root can't be mounted on"
	InsideProc Refusal = "cannot be mounted because it is inside /proc"
)

// NotInTree says that a mount's source is missing.
func NotInTree(source, tree string) error {
	return Refusal("source path does not exist: " + source + " in " + tree)
}

// MaskedPaths are kernel files that tell about, or reach, the machine outside: nothing can be read there. What is not there is left out.
func MaskedPaths() []string {
	return []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware"}
}

// ReadOnlyPaths are kernel files that may be read but not set.
func ReadOnlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}

// MountPoints are the folders and empty files that something is mounted on in every container; they lie below all layers.
func MountPoints() (folders, files []string) {
	return []string{"dev", "etc", "proc", "sys"}, []string{"etc/hostname", "etc/hosts", "etc/resolv.conf"}
}
