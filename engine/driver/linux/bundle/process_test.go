//go:build linux

package bundle_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestProcess(t *testing.T) {
	umask, score, uid := uint32(0o27), 300, uint32(1000)
	cases := []struct {
		name   string
		change func(*specs.Spec)
		script string
		want   string
	}{
		{"namespaces", func(*specs.Spec) {}, "echo $$; hostname; ls /sys/class/net; ls /proc >/tmp/all; grep -c '^[0-9]' /tmp/all", "1\nlearn\nlo\n2"},
		{"names", func(s *specs.Spec) { s.Domainname = "field" }, "cat /proc/sys/kernel/domainname", "field"},
		{"five sets", func(s *specs.Spec) {
			s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"}, Permitted: []string{"CAP_CHOWN", "CAP_KILL"},
				Effective: []string{"CAP_CHOWN"}, Inheritable: []string{"CAP_KILL"}, Ambient: []string{"CAP_KILL"}}
			s.Process.User.UID = 5
		}, "grep Cap /proc/self/status | tr -d '\\t'", "CapInh:0000000000000020\nCapPrm:0000000000000020\nCapEff:0000000000000020\nCapBnd:0000000000002021\nCapAmb:0000000000000020"},
		{"no sets", func(s *specs.Spec) { s.Process.Capabilities = nil }, "grep -c 'Cap.*0000000000000000' /proc/self/status", "5"},
		{"user", func(s *specs.Spec) {
			s.Process.User = specs.User{UID: 7, GID: 8, Umask: &umask, AdditionalGids: []uint32{9, 10}}
		}, "id -u; id -g; grep Groups /proc/self/status | tr -d '\\t'; umask", "7\n8\nGroups:9 10 \n0027"},
		{"environment and folder", func(s *specs.Spec) { s.Process.Env, s.Process.Cwd = []string{"PATH=/bin", "X=a b"}, "/made/here" },
			"env | grep -v -e PWD -e SHLVL -e OLDPWD; readlink /proc/self/cwd", "X=a b\nPATH=/bin\n/made/here"},
		{"limits", func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}, {Type: "RLIMIT_CORE", Soft: 0, Hard: 0}}
		}, "ulimit -n; ulimit -Hn; ulimit -c", "100\n200\n0"},
		{"memory score", func(s *specs.Spec) { s.Process.OOMScoreAdj = &score }, "cat /proc/self/oom_score_adj", "300"},
		{"no new privileges", func(s *specs.Spec) { s.Process.NoNewPrivileges = true }, "grep NoNew /proc/self/status | tr -d '\\t'", "NoNewPrivs:1"},
		{"new privileges", func(s *specs.Spec) { s.Process.NoNewPrivileges = false }, "grep NoNew /proc/self/status | tr -d '\\t'", "NoNewPrivs:0"},
		{"settings", func(s *specs.Spec) {
			s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}
		}, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced", "1\n1"},
		{"read-only root", func(s *specs.Spec) { s.Root.Readonly = true }, "touch /x 2>/dev/null || echo no; touch /dev/shm/x && echo yes", "no\nyes"},
		{"32 bit personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} }, "uname -m | grep -c -e i.86 -e arm", "1"},
		{"scheduler", func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 3} }, "cut -d' ' -f19,41 /proc/self/stat", "3 3"},
		{"devices", func(s *specs.Spec) {
			mode := os.FileMode(0o640)
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/mine", Type: "c", Major: 1, Minor: 5, FileMode: &mode, UID: &uid}, {Path: "/dev/pipe", Type: "p"}}
		}, "stat -c '%F %a %u %t:%T' /dev/mine; stat -c %F /dev/pipe /dev/null; readlink /dev/fd; readlink /dev/ptmx", "character special file 640 1000 1:5\nfifo\ncharacter special file\n/proc/self/fd\npts/ptmx"},
		{"hidden and sealed", func(s *specs.Spec) {
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = []string{"/etc/secret", "/etc/folder", "/nosuch"}, []string{"/tmp", "/nosuch"}
		}, "cat /etc/secret; ls /etc/folder; touch /tmp/x 2>/dev/null || echo sealed", "sealed"},
		{"clocks", func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 10_000_000}}
		}, "test $(cut -d. -f1 /proc/uptime) -gt 10000000 && echo later", "later"},
		{"descriptors", func(*specs.Spec) {}, "ls /proc/self/fd", "0\n1\n2\n3"}, // the last is the folder that ls reads
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.file("etc/secret", "secret", 0o644)
			l.file("etc/folder/x", "x", 0o644)
			c.change(l.spec)
			if got := l.run(c.script); strings.TrimSpace(got) != strings.TrimSpace(c.want) {
				t.Errorf("%s:\n%s\nwant:\n%s", c.script, got, c.want)
			}
		})
	}
}

func TestMounts(t *testing.T) {
	host := t.TempDir()
	must(t, os.Chmod(host, 0o755))
	must(t, os.WriteFile(filepath.Join(host, "f"), []byte("of the host"), 0o644))
	for name, c := range map[string]struct {
		mount        specs.Mount
		script, want string
	}{
		"bind":           {specs.Mount{Destination: "/m", Type: "bind", Source: host, Options: []string{"rbind", "ro"}}, "cat /m/f; touch /m/x 2>/dev/null || echo ro", "of the hostro"},
		"bind of a file": {specs.Mount{Destination: "/deep/er/f", Source: filepath.Join(host, "f"), Options: []string{"bind"}}, "cat /deep/er/f", "of the host"},
		"attributes":     {specs.Mount{Destination: "/m", Type: "tmpfs", Source: "here", Options: []string{"nosuid", "noexec", "noatime", "size=64k", "mode=711"}}, "grep ' /m ' /proc/mounts; stat -c %a /m", "here /m tmpfs rw,nosuid,noexec,noatime,size=64k,mode=711,inode64 0 0\n711"},
		"all below":      {specs.Mount{Destination: "/m", Type: "bind", Source: "/dev", Options: []string{"rbind", "rro"}}, "grep ' /m' /proc/mounts | grep -v -c ' ro,'", "0"},
		"copied up":      {specs.Mount{Destination: "/etc", Type: "tmpfs", Options: []string{"tmpcopyup"}}, "cat /etc/have; stat -c %a:%u /etc/have; touch /etc/new && echo new", "content640:0\nnew"},
		"shared":         {specs.Mount{Destination: "/m", Type: "tmpfs", Options: []string{"shared"}}, "grep -c ' /m .* shared:' /proc/self/mountinfo", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.file("etc/have", "content", 0o640)
			l.mountAt(c.mount)
			l.config(c.script)
			out, _ := l.try("run", "c")
			if name == "attributes" {
				out = strings.Replace(out, ",inode64", "", 1)
				c.want = strings.Replace(c.want, ",inode64", "", 1)
			}
			if strings.TrimSpace(out) != c.want {
				t.Errorf("%q, want %q", out, c.want)
			}
		})
	}
}

// Ids of the container are others outside; a folder that only root may enter is no hindrance.
func TestUserNamespace(t *testing.T) {
	l := newLab(t)
	private := t.TempDir()
	must(t, os.Chmod(private, 0o700))
	must(t, os.WriteFile(filepath.Join(private, "f"), []byte("seen"), 0o644))
	l.spec.Linux.Namespaces = append(l.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	l.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 1000}}
	l.spec.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 1000}}
	l.mountAt(specs.Mount{Destination: "/f", Type: "bind", Source: filepath.Join(private, "f"), Options: []string{"bind"}})
	l.file("f", "", 0o644) // the container's root may not make it: the root belongs to the host's
	l.config("echo x >/dev/null && exec sleep 1000")
	l.ok("create", "c")
	l.ok("start", "c")
	pid := l.runtimeState("c").Pid
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	must(t, err)
	if !strings.Contains(string(status), "Uid:\t100000\t") {
		t.Errorf("outside it is not user 100000:\n%s", status)
	}
	if got := l.ok("exec", "c", "sh", "-c", "id -u; cat /f"); got != "0\nseen" {
		t.Errorf("exec: %q", got)
	}
}

// A container can be put into the namespaces of another.
func TestJoinedNamespaces(t *testing.T) {
	l := newLab(t)
	l.config("sleep 1000")
	l.ok("run", "-d", "first")
	pid := l.runtimeState("first").Pid
	proc := filepath.Join("/proc", strconv.Itoa(pid), "ns")
	for i, ns := range l.spec.Linux.Namespaces {
		switch ns.Type {
		case specs.PIDNamespace:
			l.spec.Linux.Namespaces[i].Path = filepath.Join(proc, "pid")
		case specs.NetworkNamespace:
			l.spec.Linux.Namespaces[i].Path = filepath.Join(proc, "net")
		case specs.IPCNamespace:
			l.spec.Linux.Namespaces[i].Path = filepath.Join(proc, "ipc")
		}
	}
	want := ""
	for _, n := range []string{"pid", "net", "ipc"} {
		link, err := os.Readlink(filepath.Join(proc, n))
		must(t, err)
		want += link + "\n"
	}
	got := l.run("for n in pid net ipc; do readlink /proc/self/ns/$n; done")
	if got+"\n" != want {
		t.Errorf("namespaces:\n%s\nwant\n%s", got, want)
	}
	l.spec.Linux.Namespaces[0].Path = filepath.Join(proc, "uts") // of another kind
	l.config("true")
	l.fails("not a namespace of that type", "create", "c")
}
