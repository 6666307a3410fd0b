package vfs

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bound is a world with a folder of the host at /host.
func bound(t *testing.T, readOnly bool) (dir string, v *View) {
	t.Helper()
	dir = t.TempDir()
	fs, err := NewBind(dir, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	n, v := world(t)
	if err := n.Mount("/host", Mount{FS: fs, Source: dir, Type: "bind"}); err != nil {
		t.Fatal(err)
	}
	return dir, v
}

func TestBind(t *testing.T) {
	dir, v := bound(t, false)
	build(t, v, "/host/d/", "/host/d/f", "/host/l -> d/f")
	data, err := os.ReadFile(filepath.Join(dir, "d", "f"))
	if string(data) != "/host/d/f" || err != nil {
		t.Errorf("the host sees %q, %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "theirs"), []byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := read(v, "/host/theirs"); got != "x" || err != nil {
		t.Errorf("the container sees %q, %v", got, err)
	}
	if got, err := read(v, "/host/l"); got != "/host/d/f" || err != nil {
		t.Errorf("through a link: %q, %v", got, err)
	}
	a := attr(t, v, "/host/theirs")
	if a.UID != 0 || a.GID != 0 || a.Links != 1 || a.Inode == 0 || a.Mode != 0o640 && runtime.GOOS != "windows" {
		t.Errorf("attributes are %+v", a)
	}
	for _, c := range []struct {
		what string
		err  error
		want syscall.Errno
	}{
		{"mkdir again", v.Mkdir("/host/d", 0o755), syscall.EEXIST},
		{"remove a full folder", v.Remove("/host/d"), syscall.ENOTEMPTY},
		{"remove nothing", v.Remove("/host/none"), syscall.ENOENT},
		{"make a device", v.Mknod("/host/dev", os.ModeDevice|os.ModeCharDevice, 3), syscall.EPERM},
		{"rename", v.Rename("/host/d/f", "/host/g"), 0},
		{"rename out", v.Rename("/host/g", "/g"), syscall.EXDEV},
		{"link", v.Link("/host/g", "/host/h"), 0},
		{"chmod", v.Chmod("/host/g", 0o751|os.ModeSticky), 0},
		{"chtimes", v.Chtimes("/host/g", time.Unix(5, 0), time.Unix(6, 7000)), 0},
		{"set an attribute", v.SetXattr("/host/g", "user.a", "b"), syscall.ENOTSUP},
		{"remove a link", v.Remove("/host/l"), 0},
		{"remove the empty folder", v.Remove("/host/d"), 0},
	} {
		is(t, c.what, c.err, c.want)
	}
	a = attr(t, v, "/host/h")
	if !a.Mtime.Equal(time.Unix(6, 7000)) || !a.Atime.Equal(time.Unix(5, 0)) || a.Links != 2 || a.Mode != 0o1751 && runtime.GOOS != "windows" {
		t.Errorf("attributes are %+v", a)
	}
}

func TestBindAppends(t *testing.T) {
	_, v := bound(t, false)
	var files [2]*File
	for i := range files {
		f, err := v.OpenFile("/host/log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f.(*File)
	}
	for i, text := range []string{"a", "b", "c"} {
		if _, err := files[i%2].Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := read(v, "/host/log"); got != "abc" || err != nil {
		t.Errorf("log is %q, %v", got, err)
	}
}

// TestBindDoesNotEscape has links that lead out of the folder on the host: inside they lead into the container's own tree.
func TestBindDoesNotEscape(t *testing.T) {
	dir, v := bound(t, false)
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	if err := os.WriteFile(canary, []byte("host"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"abs": canary, "folder": outside, "up": "../../../../../../../../.." + canary} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, name := range []string{"/host/abs", "/host/folder/canary", "/host/up", "/host/../" + canary} {
		if got, err := read(v, name); err == nil {
			t.Errorf("%s gives %q", name, got)
		}
	}
	fs, err := NewBind(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	// Even one who asks the file system itself, as a race between the walk and the host could, does not get out.
	if a, err := fs.Lstat("folder/canary"); err == nil {
		t.Errorf("lstat through a link gives %+v", a)
	}
	if h, err := fs.Open("abs", writeTruncate); err == nil {
		h.Close()
		t.Error("open followed a link out")
	}
	if data, _ := os.ReadFile(canary); string(data) != "host" {
		t.Errorf("the canary is %q", data)
	}
}

func TestBindReadOnly(t *testing.T) {
	dir, v := bound(t, true)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"write": write(v, "/host/f", "y"), "create": write(v, "/host/g", "y"), "mkdir": v.Mkdir("/host/d", 0o755),
		"remove": v.Remove("/host/f"), "rename": v.Rename("/host/f", "/host/g"), "chmod": v.Chmod("/host/f", 0), "link": v.Link("/host/f", "/host/g")} {
		is(t, what, err, syscall.EROFS)
	}
}

func TestBindFile(t *testing.T) {
	dir := t.TempDir()
	host := filepath.Join(dir, "hosts")
	if err := os.WriteFile(host, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	fs, err := NewBind(host, false)
	if err != nil {
		t.Fatal(err)
	}
	n, v := world(t)
	build(t, v, "/etc/", "/etc/hosts")
	if err := n.Mount("/etc/hosts", Mount{FS: fs, Type: "bind"}); err != nil {
		t.Fatal(err)
	}
	if err := write(v, "/etc/hosts", "two"); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(host); string(data) != "two" {
		t.Errorf("the host has %q", data)
	}
	if err := os.WriteFile(filepath.Join(dir, "neighbour"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Lstat("neighbour"); err != syscall.ENOENT {
		t.Errorf("the neighbour is shown: %v", err)
	}
	is(t, "remove", v.Remove("/etc/hosts"), syscall.EBUSY)
	if _, err := NewBind(filepath.Join(dir, "none"), false); !os.IsNotExist(err) || !strings.Contains(err.Error(), "none") {
		t.Errorf("bind of nothing: %v", err)
	}
}
