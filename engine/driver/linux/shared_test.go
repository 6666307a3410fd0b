//go:build linux

package linux

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// donor starts a container whose namespaces others may share. A rootless engine can join only what the same command made.
func (l *lab) donor(t *testing.T) driver.Task {
	t.Helper()
	tk := l.create(t, l.spec(t, "sh", "-c", "hostname donor 2>/dev/null; echo mark >/dev/shm/donor; echo up; busybox nc -ll -p 47119 -e echo reached & sleep 1000"))
	var out syncBuffer
	must(t, tk.Start(t.Context(), streamsWith(&out)))
	eventually(t, "the donor", func() bool { return strings.Contains(out.String(), "up") })
	return tk
}

func TestSharedNamespaces(t *testing.T) {
	l := newLab(t)
	donor := l.donor(t)
	pid := strconv.Itoa(mustStatus(t, donor).Pid)
	for _, tc := range []struct {
		kind   string
		change func(*driver.Spec, string)
		script string
		want   string
	}{
		{"pid", func(s *driver.Spec, w string) { s.Shared.PID = w }, "ps | grep -q '[s]leep 1000' && echo seen", "seen\n"},
		{"ipc", func(s *driver.Spec, w string) { s.Shared.IPC = w }, "cat /dev/shm/donor; echo back >/dev/shm/back", "mark\n"},
		{"net", func(s *driver.Spec, w string) { s.Network = w }, "busybox nc 127.0.0.1 47119", "reached\n"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			spec := l.spec(t, "sh", "-c", "readlink /proc/self/ns/"+tc.kind+"; "+tc.script)
			tc.change(&spec, driver.Of(tkID(donor)))
			out, _ := l.run(t, spec)
			want, err := os.Readlink("/proc/" + pid + "/ns/" + tc.kind)
			must(t, err)
			if out != want+"\n"+tc.want {
				t.Errorf("%q, want %q", out, want+"\n"+tc.want)
			}
		})
	}
	var out syncBuffer
	_, err := donor.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"cat", "/dev/shm/back"}, Env: []string{"PATH=/bin"}}, streamsWith(&out))
	if err != nil || out.String() != "back\n" {
		t.Errorf("%v: %q", err, out.String())
	}
}

func mustStatus(t *testing.T, tk driver.Task) driver.Status {
	t.Helper()
	st, err := tk.Status(t.Context())
	must(t, err)
	return st
}

// With processes that others share, the end of the first process is the end of all that it left behind, and of nobody else; and everybody is found
// before.
func TestSharedProcessesAreFoundAndEnded(t *testing.T) {
	l := newLab(t)
	donor := l.donor(t)
	words := []string{driver.NamespaceHost, driver.Of(tkID(donor))}
	for _, word := range words {
		t.Run(strings.SplitN(word, ":", 2)[0], func(t *testing.T) {
			spec := l.spec(t, "sh", "-c", "busybox setsid sleep 4711 & (busybox setsid sh -c 'sleep 4712 & sleep 4713' &) ; echo up; exec sleep 4714")
			spec.Shared.PID = word
			tk := l.create(t, spec)
			var out syncBuffer
			must(t, tk.Start(t.Context(), streamsWith(&out)))
			eventually(t, "the first process", func() bool { return strings.Contains(out.String(), "up") })
			var pids []int
			eventually(t, "all processes", func() bool {
				all, err := tk.(driver.Lister).Processes(t.Context())
				must(t, err)
				pids = pids[:0]
				for _, p := range all {
					if strings.HasPrefix(strings.Join(p.Argv, " "), "sleep 471") {
						pids = append(pids, p.Pid)
					}
				}
				return len(pids) == 4
			})
			must(t, tk.(driver.Execer).(interface {
				Signal(ctxT, driver.Signal) error
			}).Signal(t.Context(), 9))
			_, err := tk.Wait(t.Context())
			must(t, err)
			for _, pid := range pids {
				if cmd, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil && strings.HasPrefix(string(cmd), "sleep") {
					t.Errorf("process %d lives on", pid)
				}
			}
		})
	}
	if mustStatus(t, donor).State != driver.Running {
		t.Error("the other container ended, too")
	}
}

// What a killed supervisor leaves in the host's process namespace ends when somebody looks.
func TestSharedProcessesOfADeadSupervisor(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "busybox setsid sleep 4721 & echo up; exec sleep 4722")
	spec.Shared.PID = driver.NamespaceHost
	tk := l.create(t, spec)
	var out syncBuffer
	must(t, tk.Start(t.Context(), streamsWith(&out)))
	eventually(t, "the first process", func() bool { return strings.Contains(out.String(), "up") })
	rec, ok := shim.ReadRecord(spec.Dir)
	if !ok || rec.Mounts == 0 {
		t.Fatalf("record %+v", rec)
	}
	must(t, unix.Kill(rec.ShimPid, unix.SIGKILL))
	eventually(t, "the end", func() bool { return mustStatus(t, tk).State == driver.Lost })
	entries, err := os.ReadDir("/proc")
	must(t, err)
	for _, e := range entries {
		var st unix.Stat_t
		if unix.Stat(filepath.Join("/proc", e.Name(), "ns/mnt"), &st) == nil && st.Ino == rec.Mounts {
			t.Errorf("process %s lives on", e.Name())
		}
	}
}

func TestHostNamespaces(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "for n in pid ipc uts net cgroup mnt; do readlink /proc/self/ns/$n; done; hostname; grep -c ' /dev/shm ' /proc/self/mountinfo")
	spec.Shared = driver.Namespaces{PID: "host", IPC: "host", UTS: "host", Cgroup: "host"}
	spec.Network = driver.NetworkHost
	out, _ := l.run(t, spec)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	name, err := os.Hostname()
	must(t, err)
	if len(lines) != 8 || lines[6] != name || lines[7] != "1" {
		t.Fatalf("%q", lines)
	}
	for i, n := range []string{"pid", "ipc", "uts", "net", "cgroup", "mnt"} {
		own, err := os.Readlink("/proc/self/ns/" + n)
		must(t, err)
		if (lines[i] == own) != (n != "mnt") {
			t.Errorf("%s: %s, the host's is %s", n, lines[i], own)
		}
	}
	// A further process is in the same ones.
	spec = l.spec(t, "sleep", "1000")
	spec.Shared = driver.Namespaces{PID: "host", IPC: "host", UTS: "host", Cgroup: "host"}
	spec.Network = driver.NetworkHost
	tk := l.create(t, spec)
	must(t, tk.Start(t.Context(), driver.Streams{}))
	var inside syncBuffer
	_, err = tk.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"sh", "-c", "for n in pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done"}, Env: []string{"PATH=/bin"}}, streamsWith(&inside))
	must(t, err)
	if got := strings.Split(strings.TrimSpace(inside.String()), "\n"); strings.Join(got, " ") != strings.Join(lines[:5], " ") {
		t.Errorf("a further process is in %q, the first in %q", got, lines[:5])
	}
}
