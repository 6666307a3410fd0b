//go:build linux

package linux

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

// Finding is one thing that Doctor looked at: whether it is as containers need it, and if not, what mends it.
type Finding struct {
	Name           string
	OK             bool
	Detail, Remedy string
}

// Doctor tells what this machine can do for containers in h. What can be tried is tried, not guessed from versions.
func Doctor(h *home.Home) []Finding {
	mode := Detect()
	return []Finding{kernelFinding(), userNamespaceFinding(), subordinateFinding(mode), networkNamespaceFinding(mode),
		mountAPIFinding(), overlayFinding(h, mode), cgroupFinding(mode), seccompFinding(), pidfdFinding(), networkFinding(mode)}
}

func kernelFinding() Finding {
	version := release()
	var major, minor int
	_, _ = fmt.Sscanf(version, "%d.%d", &major, &minor)
	return Finding{"kernel", major > 5 || major == 5 && minor >= 12, "Linux " + version + " on " + runtime.GOARCH,
		"Linux 5.12 or later (mount attributes)"}
}

// release is the kernel's version; empty if it does not say.
func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// tryNamespace runs a program in new namespaces and gives the kernel's refusal.
func tryNamespace(flags uintptr) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"learn-probe"}
	cmd.Env = []string{shim.StageVariable + "=" + shim.StageProbe}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	return cmd.Run()
}

func userNamespaceFinding() Finding {
	if err := tryNamespace(unix.CLONE_NEWUSER); err != nil {
		return Finding{"user namespaces", false, namespaceHint(err).Error(), "as root: sysctl -w user.max_user_namespaces=15000"}
	}
	return Finding{"user namespaces", true, "can be made", ""}
}

func subordinateFinding(mode Mode) Finding {
	const name = "subordinate ids"
	if !mode.Rootless {
		return Finding{name, true, "not needed by root", ""}
	}
	if !mode.NeedsReexec {
		ids, _ := mappedIDs("/proc/self/uid_map")
		return Finding{name, ids > 1, fmt.Sprintf("%d ids are mapped in this namespace", ids), "a range in /etc/subuid and /etc/subgid, and newuidmap (Debian: uidmap)"}
	}
	_, err1 := exec.LookPath("newuidmap")
	_, err2 := exec.LookPath("newgidmap")
	if errors.Join(err1, err2) != nil {
		return Finding{name, false, "newuidmap and newgidmap are not installed: containers have a single user id", "install them (Debian: apt install uidmap)"}
	}
	if len(subordinate("/etc/subuid")) == 0 || len(subordinate("/etc/subgid")) == 0 {
		return Finding{name, false, "none for this user: containers have a single user id", "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER"}
	}
	return Finding{name, true, "given in /etc/subuid and /etc/subgid", ""}
}

func networkNamespaceFinding(mode Mode) Finding {
	flags := uintptr(unix.CLONE_NEWNET)
	if mode.NeedsReexec {
		flags |= unix.CLONE_NEWUSER
	}
	if err := tryNamespace(flags); err != nil {
		return Finding{"network namespaces", false, err.Error(), "a kernel with CONFIG_NET_NS; see user namespaces"}
	}
	return Finding{"network namespaces", true, "can be made", ""}
}

// mountAPIFinding asks for a file system context and passes it an option that only new kernels know.
func mountAPIFinding() Finding {
	const name = "mounting layer by layer"
	fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENODEV) {
		return Finding{name, false, "this kernel has no fsopen, or no overlay file system", "Linux 5.2 or later with CONFIG_OVERLAY_FS (modprobe overlay)"}
	}
	if err != nil {
		return Finding{name, true, "not allowed before the user namespace is entered", ""}
	}
	defer unix.Close(fd)
	// An overlay that takes any word has none looked at before the mount: it is older than lowerdir+.
	if unix.FsconfigSetString(fd, "no-such-option", "/") == nil || unix.FsconfigSetString(fd, "lowerdir+", "/") != nil {
		return Finding{name, false, "no lowerdir+: images with very many layers can't be mounted", "Linux 6.7 or later"}
	}
	return Finding{name, true, "up to 500 layers (lowerdir+)", ""}
}

func overlayFinding(h *home.Home, mode Mode) Finding {
	const name = "overlay on this home"
	if err := tryOverlay(h, mode, unix.CLONE_NEWNS); err != nil {
		return Finding{name, false, err.Error(), "a home on ext4, xfs, btrfs or tmpfs (set LEARN_HOME), and Linux 5.11 or later when rootless"}
	}
	return Finding{name, true, "mounted and written to, in " + h.Root(), ""}
}

// tryOverlay mounts a small overlay in the home, in new namespaces, a mount namespace among them.
func tryOverlay(h *home.Home, mode Mode, flags uintptr) error {
	dir, err := os.MkdirTemp(h.Root(), ".doctor-")
	if err != nil {
		return fmt.Errorf("a home that can't be written: %w", err)
	}
	defer func() { _ = home.RemoveTree(dir) }() // overlay's work folder may not be searched by an ordinary user
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"learn-probe", dir}
	cmd.Env = []string{shim.StageVariable + "=" + shim.StageProbe}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if mode.Rootless {
		cmd.Args = append(cmd.Args, "userxattr")
	}
	if mode.NeedsReexec {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(strings.TrimSpace(string(out) + " " + err.Error()))
	}
	return nil
}

// Limits tells why containers can't be limited in memory, processes or processor time; nil if they can.
func Limits(mode Mode) error {
	if _, missing := limitable(mode); len(missing) > 0 {
		return fmt.Errorf("no limits for %s: these control groups are not this user's to write", strings.Join(missing, ", "))
	}
	return nil
}

// limitable are the controllers that may be used, with their versions, and those that may not.
func limitable(mode Mode) (usable, missing []string) {
	hs := shim.Hierarchies(mode.Rootless)
	for _, c := range []string{"memory", "pids", "cpu"} {
		where := ""
		for _, h := range hs {
			if h.Has(c) && unix.Access(filepath.Join(h.Base, "cgroup.procs"), unix.W_OK) == nil {
				where = fmt.Sprintf("%s (version %d)", c, h.Version)
			}
		}
		if where == "" {
			missing = append(missing, c)
		} else {
			usable = append(usable, where)
		}
	}
	return usable, missing
}

func cgroupFinding(mode Mode) Finding {
	const name = "control groups"
	usable, missing := limitable(mode)
	if len(missing) == 0 {
		return Finding{name, true, "limits: " + strings.Join(usable, ", "), ""}
	}
	detail := "no limits for " + strings.Join(missing, ", ")
	if mode.Rootless {
		return Finding{name, false, detail + ": these control groups are not this user's to write",
			"start learn in a group of your own (systemd-run --user --scope -p Delegate=yes learn ...), or run as root; containers without limits work as they are"}
	}
	return Finding{name, false, detail, "run as root; containers without limits work as they are"}
}

func seccompFinding() Finding {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	if err := shim.SeccompAvailable(action); err != nil {
		return Finding{"system call filter", false, err.Error(), "a kernel with CONFIG_SECCOMP_FILTER"}
	}
	return Finding{"system call filter", true, "can be loaded", ""}
}

func pidfdFinding() Finding {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return Finding{"process descriptors", false, err.Error(), "Linux 5.3 or later"}
	}
	_ = unix.Close(fd)
	return Finding{"process descriptors", true, "can be opened", ""}
}
