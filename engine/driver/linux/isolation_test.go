//go:build linux

package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

func TestNamespacesDiffer(t *testing.T) {
	l := newLab(t)
	out, _ := l.sh(t, "for n in mnt pid uts ipc net cgroup; do echo $n $(readlink /proc/self/ns/$n); done; hostname; echo $$")
	for _, n := range []string{"mnt", "pid", "uts", "ipc", "net", "cgroup"} {
		own, err := os.Readlink("/proc/self/ns/" + n)
		must(t, err)
		if strings.Contains(out, n+" "+own) || !strings.Contains(out, n+" "+n+":[") {
			t.Errorf("namespace %s is not its own in %q", n, out)
		}
	}
	if !strings.HasSuffix(out, "lab\n1\n") {
		t.Errorf("hostname and pid: %q", out)
	}
}

func TestCapabilitiesAreDockers(t *testing.T) {
	l := newLab(t)
	for _, tc := range []struct {
		uid  uint32
		want map[string]string
	}{
		{0, map[string]string{"CapInh": "0000000000000000", "CapPrm": "00000000a80425fb", "CapEff": "00000000a80425fb", "CapBnd": "00000000a80425fb", "CapAmb": "0000000000000000"}},
		{1, map[string]string{"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "00000000a80425fb", "CapAmb": "0000000000000000"}},
	} {
		if tc.uid != 0 && l.mode.SquashOwners {
			continue
		}
		spec := l.spec(t, "grep", "^Cap", "/proc/self/status")
		spec.Process.UID, spec.Process.GID = tc.uid, tc.uid
		out, _ := l.run(t, spec)
		for name, want := range tc.want {
			if !strings.Contains(out, name+":\t"+want) {
				t.Errorf("uid %d: %s is not %s in\n%s", tc.uid, name, want, out)
			}
		}
	}
}

func TestOnlyStandardDescriptors(t *testing.T) {
	l := newLab(t)
	// The shell opens one descriptor for the listing itself.
	out, _ := l.run(t, l.spec(t, "ls", "/proc/self/fd"))
	if got := strings.Fields(out); strings.Join(got, " ") != "0 1 2 3" {
		t.Errorf("descriptors = %q", got)
	}
}

func TestMaskedAndReadOnlyPaths(t *testing.T) {
	l := newLab(t)
	out, _ := l.sh(t, `for p in acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats; do
	[ -e /proc/$p ] || continue
	if [ -d /proc/$p ]; then [ -z "$(ls /proc/$p)" ] || echo open $p
	else [ "$(stat -c %t:%T /proc/$p)" = 1:3 ] || echo open $p; fi; done
	for p in /sys/firmware /sys/devices/virtual/powercap; do [ -z "$(ls $p 2>/dev/null)" ] || echo open $p; done
	for p in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/uevent_seqnum /sys/fs/cgroup/x; do
	(echo x >$p) 2>/dev/null && echo written $p; done; echo end`)
	if out != "end\n" {
		t.Errorf("masks: %s", out)
	}
}

func TestDevicesOfTheHostAreOutOfReach(t *testing.T) {
	l := newLab(t)
	out, _ := l.sh(t, `mknod /tmp/d b 254 0 2>/dev/null && cat /tmp/d 2>&1 >/dev/null | grep -q . && echo refused
	mknod /dev/d c 1 1 2>/dev/null && head -c 1 /dev/d >/dev/null 2>&1 && echo open
	echo x >/dev/null && head -c 2 /dev/zero | wc -c; chmod 600 /dev/null 2>/dev/null; ls -l /dev/null | cut -c1-10`)
	if strings.Contains(out, "open") || !strings.Contains(out, "2\n") {
		t.Errorf("devices: %q", out)
	}
	st, err := os.Stat("/dev/null")
	must(t, err)
	if st.Mode().Perm() != 0o666 {
		t.Errorf("the host's /dev/null has mode %v", st.Mode())
	}
}

func TestWorkingFolderStaysInside(t *testing.T) {
	l := newLab(t)
	for _, n := range []string{"3", "4", "5", "6", "7", "8", "9", "10", "64", "65"} {
		spec := l.spec(t, "pwd", "-P")
		spec.Process.Cwd = "/proc/self/fd/" + n
		tk := l.create(t, spec)
		err := tk.Start(t.Context(), streamsTo(t))
		if err == nil {
			exit, werr := tk.Wait(t.Context())
			must(t, werr)
			t.Errorf("cwd fd %s: started and exited with %d", n, exit.Code)
		}
	}
	spec := l.spec(t, "pwd")
	spec.Process.Cwd = "/made/for/this"
	if out, _ := l.run(t, spec); out != "/made/for/this\n" {
		t.Errorf("pwd = %q", out)
	}
}

func TestLinkInPlaceOfProcIsRefused(t *testing.T) {
	for _, name := range []string{"proc", "sys", "dev"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			canary := filepath.Join(t.TempDir(), "canary")
			must(t, os.MkdirAll(canary, 0o755))
			must(t, os.WriteFile(canary+"/ptmx", []byte("mine"), 0o644))
			must(t, os.Symlink(canary, filepath.Join(l.lower, name)))
			err := l.create(t, l.spec(t, "true")).Start(t.Context(), streamsTo(t))
			if err == nil || !strings.Contains(err.Error(), "/"+name) {
				t.Errorf("error = %v", err)
			}
			if data, err := os.ReadFile(canary + "/ptmx"); err != nil || string(data) != "mine" {
				t.Errorf("canary: %q, %v", data, err)
			}
		})
	}
}

// The program that is first in a container may be the engine's own binary, reached through /proc; it must not be writable.
func TestEngineBinaryCannotBeOverwritten(t *testing.T) {
	l := newLab(t)
	before, err := os.Stat("/proc/self/exe")
	must(t, err)
	tk := l.create(t, l.spec(t, "sh", "-c", `while :; do for e in /proc/[0-9]*/exe; do
		case $(readlink $e) in *test*|*learn*) (echo x >>$e) 2>/dev/null && echo WRITTEN;; esac; done; done`))
	var out syncBuffer
	must(t, tk.Start(t.Context(), streamsWith(&out)))
	for range 20 {
		_, err := tk.(interface {
			Exec(ctx ctxT, p procT, s streamsT) (exitT, error)
		}).Exec(t.Context(), procT{Args: []string{"true"}, Env: []string{"PATH=/bin"}}, streamsT{})
		must(t, err)
	}
	must(t, tk.Delete(t.Context()))
	after, err := os.Stat("/proc/self/exe")
	must(t, err)
	if strings.Contains(out.String(), "WRITTEN") || before.Size() != after.Size() || before.ModTime() != after.ModTime() {
		t.Errorf("the engine's binary changed: %v, %s", after, out.String())
	}
}

func TestHugeUserIDIsRefused(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "id")
	spec.Process.UID = 1 << 31
	if err := l.create(t, spec).Start(t.Context(), streamsTo(t)); err == nil || !strings.Contains(err.Error(), "ids must be") {
		t.Errorf("error = %v", err)
	}
}

func TestSupplementaryGroups(t *testing.T) {
	l := newLab(t)
	if l.mode.SquashOwners {
		t.Skip("needs more than one user id (a range in /etc/subuid)")
	}
	spec := l.spec(t, "id")
	spec.Process.UID, spec.Process.GID, spec.Process.Groups = 5, 6, []uint32{6, 77}
	out, _ := l.run(t, spec)
	if !regexp.MustCompile(`uid=5 gid=6 groups=6.*77`).MatchString(out) {
		t.Errorf("id = %q", out)
	}
}

func TestNothingOfTheHostIsMounted(t *testing.T) {
	l := newLab(t)
	out, _ := l.run(t, l.spec(t, "cat", "/proc/self/mountinfo"))
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		f := strings.Fields(line)
		if len(f) > 4 && !regexp.MustCompile(`^(/|/proc(/.*)?|/dev(/.*)?|/sys(/.*)?|/etc/(hosts|hostname|resolv.conf))$`).MatchString(f[4]) {
			t.Errorf("mounted: %s", line)
		}
	}
}

// A container whose program is the engine's own binary, by /proc/self/exe, and one that stays and looks at it from inside: the
// file must have the same content afterwards (CVE-2019-5736).
func TestEngineBinaryKeepsItsHash(t *testing.T) {
	l := newLab(t)
	before := hashOf(t, "/proc/self/exe")
	spec := l.spec(t, "/proc/self/exe", "-test.run=^$")
	tk := l.create(t, spec)
	if err := tk.Start(t.Context(), streamsTo(t)); err == nil {
		_, err = tk.Wait(t.Context())
		must(t, err)
	}
	l.sh(t, `for e in /proc/1/exe /proc/self/exe; do (echo x >$e) 2>/dev/null; (dd if=/dev/zero of=$e bs=1 count=4 conv=notrunc) 2>/dev/null; done
		exec 5</proc/1/exe; (echo x >/proc/self/fd/5) 2>/dev/null`)
	if after := hashOf(t, "/proc/self/exe"); after != before {
		t.Error("the engine's binary changed")
	}
}

func hashOf(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	return digest.FromBytes(data).String()
}

// No descriptor of the host's may serve as a working folder, at start or in a further process (CVE-2024-21626).
func TestNamesExecCannotUseLeakedDescriptors(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	for n := range 31 {
		for _, dir := range []string{"/proc/self/fd/%d", "/proc/self/fd/%d/../..", "/proc/thread-self/fd/%d", "/dev/fd/%d"} {
			cwd := fmt.Sprintf(dir, n)
			var out syncBuffer
			_, err := tk.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"ls"}, Env: []string{"PATH=/bin"}, Cwd: cwd}, streamsWith(&out))
			if err == nil && !strings.HasSuffix(cwd, "..") {
				t.Errorf("exec in %s: started, and listed %q", cwd, out.String())
			}
			if strings.Contains(out.String(), "home") || strings.Contains(out.String(), "root") {
				t.Errorf("exec in %s lists the host: %q", cwd, out.String())
			}
		}
		spec := l.spec(t, "ls")
		spec.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", n)
		if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil {
			t.Errorf("run in %s: started", spec.Process.Cwd)
		}
	}
}

func TestMaskedControlGroupsAreNoWayOut(t *testing.T) {
	l := newLab(t)
	out, _ := l.sh(t, `mkdir /tmp/c
	mount -t cgroup -o memory x /tmp/c 2>/dev/null && echo mounted v1
	mount -t cgroup2 x /tmp/c 2>/dev/null && echo mounted v2
	unshare -UrmC true 2>/dev/null && echo unshared all
	unshare -Ur true 2>/dev/null && echo unshared user
	unshare -m true 2>/dev/null && echo unshared mounts
	for f in $(ls -d /sys/fs/cgroup/* /sys/fs/cgroup/*/* 2>/dev/null); do case $f in */release_agent|*/cgroup.procs|*/tasks|*/notify_on_release|*/devices.allow)
	(echo 0 >$f) 2>/dev/null && echo written $f;; esac; done
	mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo remounted; echo end`)
	if out != "end\n" {
		t.Errorf("control groups: %s", out)
	}
}

func TestMaskedPathsStayMasked(t *testing.T) {
	l := newLab(t)
	out, _ := l.sh(t, `umount /proc/kcore 2>/dev/null && echo unmounted
	mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
	mount -t proc p /tmp 2>/dev/null && echo new proc
	head -c 1 /proc/kcore 2>/dev/null | wc -c; cat /proc/keys /proc/timer_list 2>/dev/null | wc -c
	ls /sys/firmware | wc -l; (echo 1 >/proc/sys/kernel/panic) 2>/dev/null && echo set; echo end`)
	if out != "0\n0\n0\nend\n" {
		t.Errorf("masks: %s", out)
	}
}

// An id that wraps around in 32 bits would be root.
func TestUserIDsDoNotWrap(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	for _, id := range []uint32{1 << 31, 1<<32 - 1, 1<<32 - 2} {
		for _, p := range []driver.Process{{UID: id}, {GID: id}} {
			p.Args, p.Env = []string{"id"}, []string{"PATH=/bin"}
			if _, err := tk.(driver.Execer).Exec(t.Context(), p, streamsTo(t)); err == nil || !strings.Contains(err.Error(), "ids must be") {
				t.Errorf("exec as %d:%d: %v", p.UID, p.GID, err)
			}
			spec := l.spec(t, "id")
			spec.Process.UID, spec.Process.GID = p.UID, p.GID
			if err := l.create(t, spec).Start(t.Context(), streamsTo(t)); err == nil || !strings.Contains(err.Error(), "ids must be") {
				t.Errorf("run as %d:%d: %v", p.UID, p.GID, err)
			}
		}
	}
}
