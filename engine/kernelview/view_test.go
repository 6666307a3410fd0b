package kernelview

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

const mountTable = `40 1 0:41 / / rw,nodev,relatime - overlay overlay rw,lowerdir+=/l/2,lowerdir+=/l/1,upperdir=/u,workdir=/w,uuid=on
41 40 0:42 / /proc rw,nosuid master:3 shared:9 - proc none rw
43 40 0:44 / /dev rw - tmpfs tmpfs rw,size=65536k
42 41 0:42 /sys /proc/sys ro - proc none rw
44 43 0:45 /a\040b /dev/a\040b rw - tmpfs none rw
broken line
45 40 8:1 / /data rw,relatime - overlay overlay rw,lowerdir=/x\:y:/z,upperdir=/q
`

func TestMountsAreATree(t *testing.T) {
	want := []Mount{
		{ID: 40, Parent: 1, Target: "/", Root: "/", Type: "overlay", Source: "overlay", Options: "rw,nodev,relatime", Super: "rw,uuid=on", Lower: []string{"/l/2", "/l/1"}, Upper: "/u", Work: "/w"},
		{ID: 41, Parent: 40, Depth: 1, Target: "/proc", Root: "/", Type: "proc", Source: "none", Options: "rw,nosuid", Super: "rw", Propagation: "master:3 shared:9"},
		{ID: 42, Parent: 41, Depth: 2, Target: "/proc/sys", Root: "/sys", Type: "proc", Source: "none", Options: "ro", Super: "rw"},
		{ID: 43, Parent: 40, Depth: 1, Target: "/dev", Root: "/", Type: "tmpfs", Source: "tmpfs", Options: "rw", Super: "rw,size=65536k"},
		{ID: 44, Parent: 43, Depth: 2, Target: "/dev/a b", Root: "/a b", Type: "tmpfs", Source: "none", Options: "rw", Super: "rw"},
		{ID: 45, Parent: 40, Depth: 1, Target: "/data", Root: "/", Type: "overlay", Source: "overlay", Options: "rw,relatime", Super: "rw", Lower: []string{`/x\:y`, "/z"}, Upper: "/q"},
	}
	if diff := cmp.Diff(want, readMounts(mountTable)); diff != "" {
		t.Error(diff)
	}
}

func TestStatusIsDecoded(t *testing.T) {
	st := readStatus("Name:\tsleep\nState:\tS (sleeping)\nUid:\t0\t1\t2\t3\nGroups:\t10 20 \nNSpid:\t4711\t1\nSigIgn:\t0000000000000001\nSigCgt:\t0000000200004000\n" +
		"CapEff:\t00000000a80425fb\nCapBnd:\t000001ffffffffff\nCapInh:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n")
	if diff := cmp.Diff([]string{"SIGHUP"}, st.Ignored.Names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"SIGTERM", "SIGRTMIN+0"}, st.Caught.Names); diff != "" {
		t.Error(diff)
	}
	if len(st.Effective.Names) != 14 || st.Effective.All || !st.Bounding.All || len(st.Inherited.Names) != 0 || st.Effective.Names[0] != "CAP_CHOWN" {
		t.Errorf("%+v", st)
	}
	if !st.NoNewPrivs || st.Seccomp != "filter" || st.Filters != 3 || strings.Join(st.NSPid, " ") != "4711 1" || strings.Join(st.Groups, " ") != "10 20" {
		t.Errorf("%+v", st)
	}
	if names := powers("0000020000000000").Names; len(names) != 1 || names[0] != "CAP_41" {
		t.Errorf("a power that is not known yet: %q", names)
	}
}

func TestReadTakesInWhatIsThere(t *testing.T) {
	v := Read(driver.Reveal{Pid: 7, Proc: "/proc/7",
		Files: map[string]string{"cmdline": "sh\x00-c\x00a b\x00", "uid_map": "  0 1000 1\n 1 100000 65536\n", "cgroup": "4:memory:/x\n0::/\n",
			"limits": "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \nMax nice priority         0                    0                    \n"},
		Links:   map[string]string{"ns/pid": "pid:[12]", "ns/user": "user:[13]", "ns/pid_for_children": "pid:[12]", "fd/10": "/x", "fd/2": "pipe:[3]", "fd/x": "y", "cwd": "/w"},
		Machine: map[string]string{"pid": "pid:[1]", "user": "user:[13]"},
		Groups:  []driver.RevealedGroup{{Controllers: "memory", Dir: "/g", Files: map[string]string{"b": "2\n", "a": "1\n"}}}})
	want := View{Pid: 7, Proc: "/proc/7", Command: []string{"sh", "-c", "a b"}, Cwd: "/w", Namespaces: []Namespace{{"pid", 12, false}, {"user", 13, true}},
		UIDMap: []IDRange{{0, 1000, 1}, {1, 100000, 65536}}, GIDMap: []IDRange{}, Membership: []string{"4:memory:/x", "0::/"},
		Descriptors: []Descriptor{{2, "pipe:[3]"}, {10, "/x"}}, Limits: []Limit{{"Max open files", "1024", "4096", "files"}, {"Max nice priority", "0", "0", ""}},
		Groups: []Group{{"memory", "/g", []Value{{"a", "1"}, {"b", "2"}}}}}
	want.Status, want.Mounts = v.Status, v.Mounts
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(mountTable, "Uid:\t0\nCapEff:\tffffffffffffffff\nSigCgt:\tx\n", "Limit Soft Limit Hard Limit Units\nMax x", "0 0 1")
	f.Fuzz(func(t *testing.T, mounts, status, limits, ids string) {
		v := Read(driver.Reveal{Files: map[string]string{"mountinfo": mounts, "status": status, "limits": limits, "uid_map": ids, "cmdline": ids}})
		if n := strings.Count(mounts, "\n") + 1; len(v.Mounts) > n {
			t.Errorf("%d mounts in %d lines", len(v.Mounts), n)
		}
	})
}
