package vfs

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

func TestWalk(t *testing.T) {
	n, v := world(t)
	build(t, v, "/a/", "/a/b/", "/a/b/c", "/a/up -> ../x", "/x/", "/x/file", "/abs -> /a/b", "/twice -> abs", "/slash -> a/b/",
		"/loop -> loop", "/dangling -> nowhere", "/m/", "/m/hidden", "/tofile -> x/file", "/toroot -> ../../..", "/deep -> /m/in/..")
	inner := NewTmpfs(0, 0o755, clock, nil)
	if err := n.Mount("/m", Mount{FS: inner, Type: "tmpfs", Source: "tmpfs"}); err != nil {
		t.Fatal(err)
	}
	build(t, v, "/m/in/", "/m/in/file", "/m/out -> ../x/file")
	for i := range 41 {
		build(t, v, "/l"+strconv.Itoa(i)+" -> l"+strconv.Itoa(i+1))
	}
	build(t, v, "/l41/")
	for _, c := range []struct {
		name, want string // the content, or / for a folder
		err        syscall.Errno
	}{
		{name: "/", want: "/"}, {name: "//", want: "/"}, {name: "/..", want: "/"}, {name: "/../..//a/./b/../b/c", want: "/a/b/c"},
		{name: "/a/b/c", want: "/a/b/c"}, {name: "//a//b//c", want: "/a/b/c"}, {name: "/a/b/c/", err: syscall.ENOTDIR},
		{name: "/a/b/c/d", err: syscall.ENOTDIR}, {name: "/a/b/c/..", err: syscall.ENOTDIR}, {name: "/a/b/", want: "/"},
		{name: "/a/nothing", err: syscall.ENOENT}, {name: "/a/nothing/..", err: syscall.ENOENT}, {name: "/a/nothing/", err: syscall.ENOENT},
		{name: "", err: syscall.ENOENT},
		{name: "/a/up/file", want: "/x/file"}, {name: "/a/up/../a/b/c", want: "/a/b/c"}, {name: "/abs/c", want: "/a/b/c"},
		{name: "/twice/c", want: "/a/b/c"}, {name: "/twice/../b/c", want: "/a/b/c"}, {name: "/slash", want: "/"}, {name: "/slash/c", want: "/a/b/c"},
		{name: "/loop", err: syscall.ELOOP}, {name: "/dangling", err: syscall.ENOENT}, {name: "/tofile", want: "/x/file"},
		{name: "/tofile/", err: syscall.ENOTDIR}, {name: "/toroot/x/file", want: "/x/file"}, {name: "/dangling/x", err: syscall.ENOENT},
		{name: "/m/in/file", want: "/m/in/file"}, {name: "/m/hidden", err: syscall.ENOENT}, {name: "/m/../x/file", want: "/x/file"},
		{name: "/m/in/../../x/file", want: "/x/file"}, {name: "/m/out", want: "/x/file"}, {name: "/deep/in/file", want: "/m/in/file"},
		{name: "/l1", err: 0, want: "/"}, {name: "/l0", err: syscall.ELOOP},
		{name: "/" + strings.Repeat("n", 255), err: syscall.ENOENT}, {name: "/" + strings.Repeat("n", 256), err: syscall.ENAMETOOLONG},
		{name: strings.Repeat("/a/..", 819), want: "/"}, {name: strings.Repeat("/a/..", 820), err: syscall.ENAMETOOLONG},
	} {
		fi, err := v.Stat(c.name)
		is(t, "stat "+c.name, err, c.err)
		if err != nil {
			continue
		}
		got := "/"
		if !fi.IsDir() {
			if got, err = read(v, c.name); err != nil {
				t.Error(err)
			}
		}
		if got != c.want {
			t.Errorf("%s leads to %s, want %s", c.name, got, c.want)
		}
	}
}

func TestReal(t *testing.T) {
	n, v := world(t)
	build(t, v, "/a/", "/a/b/", "/a/b/c", "/abs -> /a/b", "/m/")
	if err := n.Mount("/m", Mount{FS: v.ns.root.fs, File: "a", Type: "bind"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"/": "/", "/abs/../b/c": "/a/b/c", "/m": "/m", "/m/b/c": "/m/b/c", "/m/..": "/", "/m/b/../..": "/"} {
		if got, err := v.Real(name); got != want || err != nil {
			t.Errorf("%s is %s, %v, want %s", name, got, err, want)
		}
	}
}

func TestLastLinkIsNotFollowed(t *testing.T) {
	_, v := world(t)
	build(t, v, "/d/", "/d/f", "/l -> d", "/f -> d/f", "/dangling -> d/new")
	if fi, err := v.Lstat("/l"); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("lstat of a link: %v, %v", fi, err)
	}
	if fi, err := v.Lstat("/l/"); err != nil || !fi.IsDir() {
		t.Errorf("lstat of a link with a slash: %v, %v", fi, err)
	}
	_, err := v.OpenFile("/dangling", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	is(t, "open a dangling link exclusively", err, syscall.EEXIST)
	is(t, "write to a dangling link", write(v, "/dangling", "x"), 0)
	if got, _ := read(v, "/d/new"); got != "x" {
		t.Errorf("the link's target holds %q", got)
	}
	is(t, "mkdir on a link", v.Mkdir("/l", 0o755), syscall.EEXIST)
	is(t, "mkdir on a link with a slash", v.Mkdir("/l/", 0o755), syscall.EEXIST)
	is(t, "remove a link", v.Remove("/l"), 0)
	is(t, "stat what it led to", func() error { _, err := v.Stat("/d/f"); return err }(), 0)
	_, err = v.Readlink("/d")
	is(t, "readlink of a folder", err, syscall.EINVAL)
}

func TestMounts(t *testing.T) {
	n, v := world(t)
	build(t, v, "/a/", "/a/b/", "/f")
	is2 := func(what string, err error, want error) {
		t.Helper()
		if err != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	tmp := func() Mount { return Mount{FS: NewTmpfs(0, 0o755, clock, nil), Type: "tmpfs", Source: "tmpfs"} }
	inner := tmp()
	is2("mount /a/b", n.Mount("/a/b", inner), nil)
	build(t, v, "/a/b/inner")
	is2("mount on a file", n.Mount("/f", tmp()), syscall.ENOTDIR)
	is2("mount a file on a folder", n.Mount("/a", Mount{FS: inner.FS, File: "inner"}), syscall.ENOTDIR)
	is2("mount a file on a file", n.Mount("/f", Mount{FS: inner.FS, File: "inner"}), nil)
	if got, _ := read(v, "/f"); got != "/a/b/inner" {
		t.Errorf("a bound file holds %q", got)
	}
	is(t, "rename a mount point", v.Rename("/a/b", "/x"), syscall.EBUSY)
	is(t, "rename a file mount point", v.Rename("/f", "/x"), syscall.EBUSY)
	is(t, "rename over a mount point", v.Rename("/a", "/f"), syscall.EBUSY)
	is(t, "rename a folder above one", v.Rename("/a", "/x"), syscall.EBUSY)
	is(t, "remove a mount point", v.Remove("/a/b"), syscall.EBUSY)
	is(t, "rename across", v.Rename("/a/b/inner", "/x"), syscall.EXDEV)
	is(t, "link across", v.Link("/a/b/inner", "/x"), syscall.EXDEV)
	is2("mount over", n.Mount("/a", tmp()), nil)
	if _, err := v.Stat("/a/b"); err == nil {
		t.Error("a mount does not hide what is below it")
	}
	is2("unmount", n.Unmount("/a", false), nil)
	is2("mount twice", n.Mount("/a/b", tmp()), nil)
	is2("unmount one", n.Unmount("/a/b", false), nil)
	if got, _ := read(v, "/a/b/inner"); got != "/a/b/inner" {
		t.Errorf("below the uppermost mount: %q", got)
	}
	is2("unmount no mount point", n.Unmount("/a", false), syscall.EINVAL)
	is2("unmount the root", n.Unmount("/", false), syscall.EINVAL)
	is2("mount below", n.Mount("/a/b/in", tmp()), nil)
	is2("unmount a busy one", n.Unmount("/a/b", false), syscall.EBUSY)
	is2("unmount lazily", n.Unmount("/a/b", true), nil)
	var targets []string
	for _, m := range n.Mounts() {
		targets = append(targets, m.Target)
	}
	if got := strings.Join(targets, " "); got != "/ /f" {
		t.Errorf("mounts are %s", got)
	}
}

// TestMountPointsLeaveNoTrace mounts where the image has nothing.
func TestMountPointsLeaveNoTrace(t *testing.T) {
	n, v := world(t)
	build(t, v, "/etc/")
	m := Mount{FS: NewTmpfs(0, 0o1777, clock, nil), Type: "tmpfs", Source: "tmpfs", Options: []string{"ro", "nosuid", "size=4k"}}
	if err := n.Mount("/proc", m); err != nil {
		t.Fatal(err)
	}
	if err := n.Mount("/data/deep/er", m); err != nil {
		t.Fatal(err)
	}
	list, err := v.ReadDir("/")
	names := ""
	for _, e := range list {
		names += e.Name() + " "
		if fi, err := e.Info(); err != nil || !fi.IsDir() || !e.IsDir() {
			t.Errorf("%s: %v, %v", e.Name(), fi, err)
		}
	}
	if names != "data etc proc " || err != nil {
		t.Errorf("the root holds %s, %v", names, err)
	}
	if fi, err := v.Stat("/data/deep/er"); err != nil || fi.Mode().Perm() != 0o777 {
		t.Errorf("mounted folder: %v, %v", fi, err)
	}
	if got := n.Mounts(); len(got) != 3 || got[2].Target != "/data/deep/er" || got[2].Options != "ro,nosuid,size=4k" {
		t.Errorf("mounts are %+v", got)
	}
	below, _ := v.ns.root.fs.ReadDir(".")
	if len(below) != 1 || below[0] != (fsys.Dirent{Name: "etc", Kind: fsys.Dir}) {
		t.Errorf("the file system below holds %v", below)
	}
	is(t, "write to ro", v.Mkdir("/proc/x", 0o755), syscall.EROFS)
	if err := n.Remount("/proc", "rw"); err != nil {
		t.Fatal(err)
	}
	is(t, "write after remount", v.Mkdir("/proc/x", 0o755), 0)
}

func BenchmarkWalk(b *testing.B) {
	n := New(NewTmpfs(0, 0o755, clock, nil))
	v := n.View(Cred{UID: 5}, &proc{pid: 1})
	k := n.View(root, &proc{pid: 1})
	for _, d := range []string{"/a", "/a/b", "/a/b/c", "/m"} {
		if err := k.Mkdir(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	if err := n.Mount("/m", Mount{FS: NewTmpfs(0, 0o755, clock, nil)}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Stat("/a/b/c"); err != nil {
			b.Fatal(err)
		}
	}
}
