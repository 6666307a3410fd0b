package vfs

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

func openFileT(t *testing.T, v *View, name string, flag int) *File {
	t.Helper()
	f, err := v.OpenFile(name, flag, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f.(*File)
}

func TestFileOffset(t *testing.T) {
	_, v := world(t)
	f := openFileT(t, v, "/f", os.O_RDWR|os.O_CREATE)
	io.WriteString(f, "hello world")
	if n, err := f.Seek(-5, io.SeekEnd); n != 6 || err != nil {
		t.Errorf("seek: %d, %v", n, err)
	}
	p := make([]byte, 3)
	if n, _ := f.Read(p); string(p[:n]) != "wor" {
		t.Errorf("read %q", p[:n])
	}
	if n, _ := f.ReadAt(p, 0); string(p[:n]) != "hel" {
		t.Errorf("read at 0 %q", p[:n])
	}
	if rest, err := io.ReadAll(f); string(rest) != "ld" || err != nil {
		t.Errorf("rest is %q, %v", rest, err)
	}
	if _, err := f.Seek(-1, io.SeekStart); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("seek before the start: %v", err)
	}
	if err := f.Truncate(2); err != nil {
		t.Error(err)
	}
	io.WriteString(f, "!")
	if got, _ := read(v, "/f"); got != "he\x00\x00\x00\x00\x00\x00\x00\x00\x00!" {
		t.Errorf("after truncate: %q", got)
	}
}

func TestFileFlags(t *testing.T) {
	_, v := world(t)
	build(t, v, "/f", "/d/")
	a, b := openFileT(t, v, "/f", os.O_WRONLY|os.O_APPEND), openFileT(t, v, "/f", os.O_RDWR|os.O_APPEND)
	io.WriteString(a, "1")
	io.WriteString(b, "2")
	io.WriteString(a, "3")
	if n, _ := b.Seek(0, io.SeekCurrent); n != 4 {
		t.Errorf("offset after an append is %d", n)
	}
	if got, _ := read(v, "/f"); got != "/f123" {
		t.Errorf("appended %q", got)
	}
	_, err := a.Read(make([]byte, 1))
	is(t, "read from a file for writing", err, syscall.EBADF)
	_, err = openFileT(t, v, "/f", os.O_RDONLY).Write([]byte("x"))
	is(t, "write to a file for reading", err, syscall.EBADF)
	d := openFileT(t, v, "/d", os.O_RDONLY)
	_, err = d.Read(make([]byte, 1))
	is(t, "read from a folder", err, syscall.EISDIR)
	if fi, err := d.Stat(); err != nil || !fi.IsDir() || fi.Name() != "d" {
		t.Errorf("stat of an open folder: %v, %v", fi, err)
	}
	openFileT(t, v, "/f", os.O_RDONLY|os.O_TRUNC)
	if fi, _ := v.Stat("/f"); fi.Size() != 0 {
		t.Errorf("truncated to %d", fi.Size())
	}
	is(t, "remove", v.Remove("/f"), 0)
	if _, err := io.WriteString(a, "late"); err != nil {
		t.Error(err)
	}
	if fi, err := a.Stat(); err != nil || fi.Size() != 4 {
		t.Errorf("a file without a name: %v, %v", fi, err)
	}
}

// TestInherit shares an open file with another process, which outlives the first.
func TestInherit(t *testing.T) {
	n, v := world(t)
	dying, heir := &proc{pid: 2}, &proc{pid: 3}
	f := openFileT(t, n.View(root, dying), "/f", os.O_WRONLY|os.O_CREATE)
	io.WriteString(f, "one ")
	g, err := f.Inherit(n.View(root, heir))
	if err != nil {
		t.Fatal(err)
	}
	dying.dead = syscall.EINTR
	_, err = io.WriteString(f, "dead ")
	is(t, "write of a dead process", err, syscall.EINTR)
	if err := f.Close(); err != nil {
		t.Errorf("close of a dead process: %v", err)
	}
	if _, err := io.WriteString(g, "two"); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := g.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second close: %v", err)
	}
	if _, err := g.Inherit(v); !errors.Is(err, os.ErrClosed) {
		t.Errorf("inherit a closed file: %v", err)
	}
	if got, _ := read(v, "/f"); got != "one two" {
		t.Errorf("the file holds %q", got)
	}
}

func TestDevices(t *testing.T) {
	n, v := world(t)
	dev := NewTmpfs(0, 0o755, clock, nil)
	for name, rdev := range map[string]uint64{"null": fsys.MakeDev(1, 3), "zero": fsys.MakeDev(1, 5), "full": fsys.MakeDev(1, 7),
		"random": fsys.MakeDev(1, 8), "urandom": fsys.MakeDev(1, 9), "console": fsys.MakeDev(136, 0)} {
		dev.mustMake(name, fsys.New{Kind: fsys.CharDevice, Mode: 0o666, Rdev: rdev})
	}
	if err := n.Mount("/dev", Mount{FS: dev, Type: "tmpfs", Options: []string{"nosuid"}}); err != nil {
		t.Fatal(err)
	}
	zero := make([]byte, 8)
	random := make([]byte, 32)
	for name, p := range map[string][]byte{"/dev/zero": zero, "/dev/full": zero, "/dev/urandom": random, "/dev/random": random} {
		f, err := v.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		clear(p)
		if n, err := f.Read(p); n != len(p) || err != nil {
			t.Errorf("read %s: %d, %v", name, n, err)
		}
		if fi, err := f.Stat(); err != nil || fi.Mode().Type() != os.ModeDevice|os.ModeCharDevice || v.Attr(fi).Rdev == 0 {
			t.Errorf("stat %s: %v, %v", name, fi, err)
		}
	}
	if string(zero) != string(make([]byte, 8)) || string(random) == string(make([]byte, 32)) {
		t.Errorf("zero gives %x, random %x", zero, random)
	}
	if got, err := read(v, "/dev/null"); got != "" || err != nil {
		t.Errorf("null gives %q, %v", got, err)
	}
	if err := write(v, "/dev/null", "x"); err != nil {
		t.Errorf("write to null: %v", err)
	}
	if err := write(v, "/dev/full", "x"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write to full: %v", err)
	}
	_, err := read(v, "/dev/console")
	is(t, "a terminal that is not there", err, syscall.ENXIO)
	if err := n.Remount("/dev", "nodev"); err != nil {
		t.Fatal(err)
	}
	_, err = read(v, "/dev/null")
	is(t, "a device on a mount without devices", err, syscall.EACCES)
}

func TestPipes(t *testing.T) {
	n, k := world(t)
	p := &proc{pid: 2, pipes: map[uint64]Stream{}}
	v := n.View(root, p)
	is(t, "mkfifo", k.Mknod("/p", os.ModeNamedPipe|0o644, 0), 0)
	b := &buffer{}
	p.pipes[attr(t, k, "/p").Inode] = b
	if err := write(v, "/p", "through"); err != nil || b.String() != "through" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestKilled(t *testing.T) {
	n, _ := world(t)
	p := &proc{pid: 2, dead: syscall.EINTR}
	v := n.View(root, p)
	_, err := v.Stat("/")
	is(t, "stat", err, syscall.EINTR)
	is(t, "mkdir", v.Mkdir("/d", 0o755), syscall.EINTR)
	is(t, "rename", v.Rename("/d", "/e"), syscall.EINTR)
	is(t, "open", write(v, "/f", "x"), syscall.EINTR)
	if p.entered != 4 {
		t.Errorf("%d calls were counted", p.entered)
	}
}
