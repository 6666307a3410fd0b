package vfs

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/engine/userland"
)

// machine is a ProcSource with a shell of user 0 and a sleeper of user 10.
type machine struct{ info SystemInfo }

func (m *machine) System() SystemInfo { return m.info }

func (m *machine) Processes() []ProcInfo {
	return []ProcInfo{
		{Process: userland.Process{PID: 1, PGID: 1, SID: 1, State: 'S', Name: "sh", Args: []string{"sh", "-c", "sleep 9"}, TTY: "pts/0",
			Start: 2 * time.Second, CPU: 30 * time.Millisecond, VSZ: 8 << 20, RSS: 2 << 20}, Cwd: "/work", Exe: "/bin/learn",
			Env: []string{"A=b", "HOME=/root"}, Umask: 0o022, Threads: 1, Bound: standard.DefaultMask, Filter: true, Files: map[int]string{0: "/dev/pts/0", 1: "pipe:[17]"}, Caught: 1 << 1},
		{Process: userland.Process{PID: 7, PPID: 1, PGID: 7, SID: 1, UID: 10, State: 'R', Name: "a-very-long-program-name", TTY: "?"}, GID: 20,
			Groups: []int{20, 30}, Cwd: "/", Exe: "/bin/learn", Threads: 1, Bound: standard.DefaultMask, Filter: true},
	}
}

func (m *machine) Process(pid int) (ProcInfo, bool) {
	for _, p := range m.Processes() {
		if p.PID == pid {
			return p, true
		}
	}
	return ProcInfo{}, false
}

func newMachine() *machine {
	return &machine{SystemInfo{Uname: userland.Uname{Sysname: "Linux", Nodename: "box", Release: "6.12.0-learn", Version: "#1 SMP", Machine: "x86_64"},
		Boot: time.Unix(1000, 0), Uptime: 12340 * time.Millisecond, Idle: 20 * time.Second, CPUs: 2, LastPID: 7, Load: [3]float64{0.5, 0.25, 1},
		Memory: userland.Usage{Total: 4 << 30, Free: 3 << 30, Available: 3 << 30, Buffers: 1 << 20}, Used: 5 << 20, CPU: time.Second, OOMKills: 1,
		Limits: driver.Limits{MemoryBytes: 64 << 20, Pids: 50, CPUQuota: 50 * time.Millisecond}, Links: []Interface{{Name: "lo", MTU: 65536}},
		Namespaces: map[string]uint64{"pid": 4026532180}}}
}

// procWorld has /proc and /sys and views of both processes.
func procWorld(t *testing.T) (shell, other *View, streams map[int]Stream) {
	t.Helper()
	n, k := world(t)
	build(t, k, "/proc/", "/sys/", "/bin/", "/bin/learn", "/work/", "/work/file")
	src := newMachine()
	if err := n.Mount("/proc", Mount{FS: NewProc(src), Source: "proc", Type: "proc", Options: []string{"nosuid", "nodev", "noexec"}}); err != nil {
		t.Fatal(err)
	}
	if err := n.Mount("/sys", Mount{FS: NewSys(src), Source: "sysfs", Type: "sysfs", Options: []string{"ro"}}); err != nil {
		t.Fatal(err)
	}
	streams = map[int]Stream{}
	return n.View(root, &proc{pid: 1, streams: streams}), n.View(Cred{UID: 10, GID: 20}, &proc{pid: 7}), streams
}

func TestProcContents(t *testing.T) {
	v, _, _ := procWorld(t)
	for name, want := range map[string]string{
		"/proc/uptime":                              "12.34 20.00\n",
		"/proc/loadavg":                             "0.50 0.25 1.00 1/2 7\n",
		"/proc/self/cmdline":                        "sh\x00-c\x00sleep 9\x00",
		"/proc/1/environ":                           "A=b\x00HOME=/root\x00",
		"/proc/7/comm":                              "a-very-long-pro\n",
		"/proc/7/task/7/comm":                       "a-very-long-pro\n",
		"/proc/thread-self/comm":                    "sh\n",
		"/proc/self/statm":                          "2048 512 0 0 0 512 0\n",
		"/proc/self/cgroup":                         "0::/\n",
		"/proc/self/uid_map":                        "         0          0 4294967295\n",
		"/proc/self/loginuid":                       "4294967295",
		"/proc/self/cwd/file":                       "/work/file",
		"/proc/self/root/work/file":                 "/work/file",
		"/proc/self/exe":                            "/bin/learn",
		"/proc/sys/kernel/hostname":                 "box\n",
		"/proc/sys/kernel/osrelease":                "6.12.0-learn\n",
		"/proc/version":                             "Linux version 6.12.0-learn (learn@localhost) (gc) #1 SMP\n",
		"/proc/mounts":                              "overlay / overlay rw,nodev,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec 0 0\nsysfs /sys sysfs ro 0 0\n",
		"/sys/fs/cgroup/memory.max":                 "67108864\n",
		"/sys/fs/cgroup/memory.current":             "5242880\n",
		"/sys/fs/cgroup/pids.max":                   "50\n",
		"/sys/fs/cgroup/pids.current":               "2\n",
		"/sys/fs/cgroup/cpu.max":                    "50000 100000\n",
		"/sys/fs/cgroup/cgroup.procs":               "1\n7\n",
		"/sys/class/net/lo/mtu":                     "65536\n",
		"/sys/class/net/lo/address":                 "00:00:00:00:00:00\n",
		"/sys/devices/system/cpu/online":            "0-1\n",
		"/proc/sys/net/ipv4/ip_local_port_range":    "32768\t60999\n",
		"/sys/devices/virtual/net/lo/../lo/ifindex": "1\n",
	} {
		if got, err := read(v, name); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestProcStat reads stat, status, meminfo and mountinfo as programs do.
func TestProcStat(t *testing.T) {
	v, _, _ := procWorld(t)
	stat, err := read(v, "/proc/1/stat")
	f := strings.Fields(stat)
	if err != nil || len(f) != 52 || f[1] != "(sh)" || f[2] != "S" || f[6] != fmt.Sprint(136<<8) || f[13] != "3" || f[21] != "200" || f[22] != fmt.Sprint(8<<20) {
		t.Errorf("stat has %d fields: %s, %v", len(f), stat, err)
	}
	status, err := read(v, "/proc/7/status")
	if err != nil {
		t.Error(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(status) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":\t")
		if !ok {
			t.Errorf("status has the line %q", line)
		}
		rows[key] = value
	}
	want := map[string]string{"Uid": "10\t10\t10\t10", "Gid": "20\t20\t20\t20", "Groups": "20 30 ", "PPid": "1", "State": "R (running)", "CapEff": "0000000000000000",
		"CapBnd": "00000000a80425fb", "Umask": "0000", "Cpus_allowed_list": "0-1"}
	for key, value := range want {
		if rows[key] != value {
			t.Errorf("status has %s %q, want %q", key, rows[key], value)
		}
	}
	meminfo, _ := read(v, "/proc/meminfo")
	if !strings.HasPrefix(meminfo, "MemTotal:        4194304 kB\nMemFree:         3145728 kB\n") {
		t.Errorf("meminfo begins %q", meminfo[:60])
	}
	info, _ := read(v, "/proc/self/mountinfo")
	for line := range strings.Lines(info) {
		before, after, ok := strings.Cut(line, " - ")
		if !ok || len(strings.Fields(before)) != 6 || len(strings.Fields(after)) != 3 {
			t.Errorf("mountinfo has the line %q", line)
		}
	}
	cpuinfo, _ := read(v, "/proc/cpuinfo")
	if strings.Count(cpuinfo, "processor\t: ") != 2 {
		t.Errorf("cpuinfo is %q", cpuinfo)
	}
}

// A mount's own options stand before the dash of mountinfo, those of the file system after it.
func TestMountInfoPartsOptions(t *testing.T) {
	n := New(NewTmpfs(0, 0o755, clock, nil))
	if err := n.Remount("/", "ro", "lowerdir=/a b", "upperdir=/c"); err != nil {
		t.Fatal(err)
	}
	want := "71 43 0:40 / / ro,nodev,relatime - overlay overlay rw,lowerdir=/a\\040b,upperdir=/c\n"
	if got := n.mountInfo(); got != want {
		t.Errorf("mountinfo is %q, want %q", got, want)
	}
}

func TestProcLinksAndRights(t *testing.T) {
	shell, other, streams := procWorld(t)
	for name, want := range map[string]string{"/proc/self": "1", "/proc/1/cwd": "/work", "/proc/1/fd/1": "pipe:[17]", "/proc/1/ns/pid": "pid:[4026532180]",
		"/proc/self/ns/user": "user:[4026531837]", "/proc/net": "self/net", "/sys/class/net/lo": "../../devices/virtual/net/lo"} {
		if got, err := shell.Readlink(name); got != want || err != nil {
			t.Errorf("%s leads to %q, %v", name, got, err)
		}
	}
	if got, _ := other.Readlink("/proc/self"); got != "7" {
		t.Errorf("for process 7 self is %s", got)
	}
	for name, want := range map[string]syscall.Errno{"/proc/1/environ": syscall.EACCES, "/proc/1/exe": syscall.EACCES, "/proc/1/fd/0": syscall.EACCES,
		"/proc/1/cmdline": 0, "/proc/7/environ": 0, "/proc/3": syscall.ENOENT, "/proc/01": syscall.ENOENT, "/proc/7/task/1/stat": syscall.ENOENT,
		"/proc/7/task/7/task": syscall.ENOENT, "/proc/7/nothing": syscall.ENOENT, "/proc/self/cwd/nothing": syscall.ENOENT} {
		_, err := read(other, name)
		is(t, name, err, want)
	}
	is(t, "write", write(shell, "/proc/sys/kernel/hostname", "x"), syscall.EROFS)
	is(t, "remove", shell.Remove("/proc/1"), syscall.EPERM)
	is(t, "create", write(shell, "/sys/x", "x"), syscall.EROFS)
	list, err := shell.ReadDir("/proc/1/fd")
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	if d := cmp.Diff([]string{"0", "1"}, names); d != "" || err != nil {
		t.Error(d, err)
	}
	b := &buffer{}
	streams[1] = b
	if err := write(shell, "/proc/self/fd/1", "out"); err != nil || b.String() != "out" {
		t.Errorf("through fd/1: %q, %v", b.String(), err)
	}
	if fi, err := shell.Stat("/proc/self/fd/1"); err != nil || fi.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("fd/1 is %v, %v", fi, err)
	}
	if a := attr(t, shell, "/proc/7/stat"); a.UID != 10 || a.GID != 20 || !a.Mtime.Equal(time.Unix(1000, 0)) {
		t.Errorf("owner and time of process 7 are %+v", a)
	}
}

func TestEveryNameOfProcCanBeRead(t *testing.T) {
	v, _, _ := procWorld(t)
	count := 0
	var walk func(dir string)
	walk = func(dir string) {
		list, err := v.ReadDir(dir)
		if err != nil {
			t.Errorf("read %s: %v", dir, err)
		}
		for _, e := range list {
			name := dir + "/" + e.Name()
			count++
			switch {
			case e.IsDir():
				walk(name)
			case e.Type() == os.ModeSymlink:
				if _, err := v.Readlink(name); err != nil && !strings.HasPrefix(name, "/proc/7/") {
					t.Error(err)
				}
			default:
				if _, err := read(v, name); err != nil {
					t.Error(err)
				}
			}
		}
	}
	walk("/proc/1")
	walk("/proc/sys")
	walk("/sys")
	if count < 120 {
		t.Errorf("there are only %d names", count)
	}
}

func TestMountByProgram(t *testing.T) {
	n, k := world(t)
	build(t, k, "/m/", "/a/", "/a/f")
	plain, v := n.View(root, &proc{pid: 2}), n.View(Cred{Privileged: true}, &proc{pid: 3})
	tmpfs := userland.MountEntry{Source: "tmpfs", Target: "/m", Type: "tmpfs", Options: "size=8k,mode=700"}
	is(t, "mount without the right", plain.Mount(tmpfs), syscall.EPERM)
	is(t, "mount", v.Mount(tmpfs), 0)
	if s, err := v.Space("/m"); err != nil || s.Total != 8192 || attr(t, v, "/m").Mode != 0o700 {
		t.Errorf("the new tmpfs has %+v, %v", s, err)
	}
	is(t, "remount", v.Mount(userland.MountEntry{Target: "/m", Options: "remount,ro"}), 0)
	is(t, "write", write(v, "/m/x", "x"), syscall.EROFS)
	if all, _ := v.List(); all[1].Options != "size=8k,mode=700,ro" && all[1].Options != "ro,size=8k,mode=700" {
		t.Errorf("options are %s", all[1].Options)
	}
	is(t, "unmount without the right", plain.Unmount("/m", false), syscall.EPERM)
	is(t, "unmount", v.Unmount("/m", false), 0)
	is(t, "bind", v.Mount(userland.MountEntry{Source: "/a", Target: "/m", Options: "bind"}), 0)
	if got, err := read(v, "/m/f"); got != "/a/f" || err != nil {
		t.Errorf("through a bind mount: %q, %v", got, err)
	}
	is(t, "an unknown type", v.Mount(userland.MountEntry{Source: "x", Target: "/m", Type: "ext4"}), syscall.ENODEV)
	is(t, "a bad size", v.Mount(userland.MountEntry{Source: "x", Target: "/m", Type: "tmpfs", Options: "size=many"}), syscall.EINVAL)
	is(t, "no mount point", v.Mount(userland.MountEntry{Source: "x", Target: "/none", Type: "tmpfs"}), syscall.ENOENT)
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "0", "64k", "1G", "65536k", "-1", "9223372036854775807g", "k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseSize(s); ok && n < 0 {
			t.Errorf("%q is %d", s, n)
		}
	})
}

func FuzzParseProc(f *testing.F) {
	for _, s := range []string{".", "1", "1/fd/0", "1/task/1/stat", "1/task/1/task/1", "01/fd/-1", "self/fd/99999999999999999999"} {
		f.Add(s)
	}
	p := NewProc(newMachine())
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseProc(s); err == nil && (n.pid < 0 || n.fd < -1) {
			t.Errorf("%q is %+v", s, n)
		}
		_, _ = p.Lstat(s)
		_, _ = p.ReadDir(s)
	})
}
