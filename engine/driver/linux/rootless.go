//go:build linux

package linux

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// Reexec puts an ordinary user's command into a new user and mount namespace, in which it is root, and ends the process
// with the command's exit code. It returns nil at once where there is no need (root, or inside such a namespace already), and an
// error that says how to mend it where it is impossible. It must be called before anything is opened.
//
// Subordinate ids are mapped when /etc/subuid and /etc/subgid give the user some and newuidmap and newgidmap are installed;
// otherwise the user's own id alone. A supervisor stays in the namespace it was started in; a later command has another one with
// the same map, and speaks to it through its socket.
func Reexec() error {
	if !Detect().NeedsReexec {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("enter user namespace: %w", err)
	}
	// Interrupts that come before the command can take them must not leave it behind.
	forward := make(chan os.Signal, 16)
	signal.Notify(forward, forwarded()...)
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), shim.StageVariable+"="+shim.StageUserNS),
		Files: []uintptr{0, 1, 2, r.Fd()},
		Sys:   &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS},
	})
	_ = r.Close()
	if err != nil {
		return fmt.Errorf("enter user namespace: %w", namespaceHint(err))
	}
	if err := mapIDs(pid); err != nil {
		_ = w.Close() // the child ends
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		return err
	}
	if _, err := w.Write([]byte{1}); err != nil {
		return fmt.Errorf("enter user namespace: %w", err)
	}
	_ = w.Close()
	go func() {
		for sig := range forward {
			_ = syscall.Kill(pid, sig.(syscall.Signal))
		}
	}()
	os.Exit(await(pid))
	return nil
}

// forwarded lists the signals to pass on. Those that a terminal sends go to the whole group, so the command has them already.
func forwarded() []os.Signal {
	sigs := []os.Signal{syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return append(sigs, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP)
	}
	_ = tty.Close()
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT)
	return append(sigs, syscall.SIGHUP)
}

func await(pid int) int {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &ws, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// idRange is a row of /etc/subuid or /etc/subgid.
type idRange struct{ first, count int64 }

// mapIDs gives the new namespace its ids.
func mapIDs(pid int) error {
	uids, gids := subordinate("/etc/subuid"), subordinate("/etc/subgid")
	newuidmap, err1 := exec.LookPath("newuidmap")
	newgidmap, err2 := exec.LookPath("newgidmap")
	if len(uids) == 0 || len(gids) == 0 || err1 != nil || err2 != nil {
		return mapOne(pid)
	}
	if err := mapRange(newuidmap, pid, os.Getuid(), uids); err != nil {
		return err
	}
	return mapRange(newgidmap, pid, os.Getgid(), gids)
}

func mapRange(tool string, pid, own int, ranges []idRange) error {
	args := []string{strconv.Itoa(pid), "0", strconv.Itoa(own), "1"}
	next := int64(1)
	for _, r := range ranges {
		args = append(args, strconv.FormatInt(next, 10), strconv.FormatInt(r.first, 10), strconv.FormatInt(r.count, 10))
		next += r.count
	}
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("map user ids: %s: %w: %s (is it installed set-user-id root, and does /etc/subuid allow the range?)",
			tool, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// mapOne maps the user's own ids to root. Supplementary groups are given up for that, which the kernel demands.
func mapOne(pid int) error {
	dir := "/proc/" + strconv.Itoa(pid)
	for _, f := range [][2]string{{"setgroups", "deny"}, {"uid_map", fmt.Sprintf("0 %d 1", os.Getuid())}, {"gid_map", fmt.Sprintf("0 %d 1", os.Getgid())}} {
		if err := os.WriteFile(dir+"/"+f[0], []byte(f[1]), 0); err != nil {
			return fmt.Errorf("map user ids: %w", namespaceHint(err))
		}
	}
	return nil
}

// subordinate reads the ranges that a file of subordinate ids (subuid(5)) gives the user.
func subordinate(path string) []idRange {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	uid := strconv.Itoa(os.Getuid())
	name := uid
	if u, err := user.LookupId(uid); err == nil {
		name = u.Username
	}
	var found []idRange
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if r, ok := parseRange(lines.Text(), name, uid); ok {
			found = append(found, r)
		}
	}
	return found
}

func parseRange(line, name, uid string) (idRange, bool) {
	f := strings.Split(strings.TrimSpace(line), ":")
	if len(f) != 3 || f[0] != name && f[0] != uid {
		return idRange{}, false
	}
	first, err1 := strconv.ParseInt(f[1], 10, 64)
	count, err2 := strconv.ParseInt(f[2], 10, 64)
	return idRange{first, count}, err1 == nil && err2 == nil && count > 0
}

// namespaceHint says which of the usual switches forbids a namespace, and how to turn it.
func namespaceHint(err error) error {
	value := func(name string) string {
		data, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	switch {
	case value("user/max_user_namespaces") == "0":
		return fmt.Errorf("%w: this machine allows no user namespaces; as root: sysctl -w user.max_user_namespaces=15000", err)
	case value("kernel/unprivileged_userns_clone") == "0":
		return fmt.Errorf("%w: ordinary users may make no namespaces here; as root: sysctl -w kernel.unprivileged_userns_clone=1", err)
	case value("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return fmt.Errorf("%w: AppArmor keeps ordinary users from namespaces here; as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: namespaces are forbidden here, perhaps by the filter of a container around this one; run as root, or outside it", err)
	}
	return err
}
