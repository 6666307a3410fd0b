package vfs

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

func TestMay(t *testing.T) {
	owner, member, extra, other := Cred{UID: 10, GID: 1}, Cred{UID: 11, GID: 20}, Cred{UID: 12, GID: 1, Groups: []int{7, 20}}, Cred{UID: 13, GID: 1}
	for _, c := range []struct {
		cred Cred
		kind fsys.Kind
		mode uint32
		want uint32
		ok   bool
	}{
		{owner, fsys.File, 0o400, mayRead, true}, {owner, fsys.File, 0o400, mayWrite, false}, {owner, fsys.File, 0o077, mayRead, false},
		{member, fsys.File, 0o040, mayRead, true}, {member, fsys.File, 0o707, mayRead, false}, {extra, fsys.File, 0o020, mayWrite, true},
		{extra, fsys.File, 0o707, mayExec, false}, {other, fsys.File, 0o004, mayRead, true}, {other, fsys.File, 0o770, mayRead, false},
		{other, fsys.File, 0o005, mayRead | mayExec, true}, {other, fsys.File, 0o004, mayRead | mayExec, false},
		{root, fsys.File, 0, mayRead | mayWrite, true}, {root, fsys.File, 0o666, mayExec, false}, {root, fsys.File, 0o001, mayExec, true},
		{root, fsys.Dir, 0, mayRead | mayWrite | mayExec, true},
	} {
		a := fsys.Attr{Kind: c.kind, Mode: c.mode, UID: 10, GID: 20}
		if got := c.cred.may(&a, c.want); got != c.ok {
			t.Errorf("%+v on %c%04o wants %o: %t", c.cred, c.kind, c.mode, c.want, got)
		}
	}
}

// TestPermissions has one row per rule. The tree: /open 0777, /sticky 01777, /shut 0700 root, /ro 0555, /mine 0755 of user 10; each
// with the files root, ten and eleven of those users, mode 0644.
func TestPermissions(t *testing.T) {
	ten := Cred{UID: 10, GID: 10, Groups: []int{50}}
	for _, c := range []struct {
		name string
		cred Cred
		do   func(v *View) error
		want syscall.Errno
	}{
		{"read", ten, reads("/open/root"), 0},
		{"read in a shut folder", ten, reads("/shut/ten"), syscall.EACCES},
		{"stat in a shut folder", ten, func(v *View) error { _, err := v.Stat("/shut/ten"); return err }, syscall.EACCES},
		{"list a shut folder", ten, func(v *View) error { _, err := v.ReadDir("/shut"); return err }, syscall.EACCES},
		{"enter a shut folder", ten, func(v *View) error { return v.CheckDir("/shut") }, syscall.EACCES},
		{"write another's file", ten, opens("/open/root", os.O_WRONLY), syscall.EACCES},
		{"truncate another's file", ten, opens("/open/root", os.O_RDONLY|os.O_TRUNC), syscall.EACCES},
		{"write one's own file", ten, opens("/ro/ten", os.O_RDWR), 0},
		{"create in a folder that is read-only", ten, opens("/ro/new", os.O_CREATE|os.O_WRONLY), syscall.EACCES},
		{"create in an open folder", ten, opens("/open/new", os.O_CREATE|os.O_WRONLY), 0},
		{"mkdir in a folder that is read-only", ten, func(v *View) error { return v.Mkdir("/ro/d", 0o755) }, syscall.EACCES},
		{"mkdir on a name that is there", ten, func(v *View) error { return v.Mkdir("/ro/ten", 0o755) }, syscall.EEXIST},
		{"symlink in a folder that is read-only", ten, func(v *View) error { return v.Symlink("x", "/ro/l") }, syscall.EACCES},
		{"remove another's file from an open folder", ten, func(v *View) error { return v.Remove("/open/root") }, 0},
		{"remove another's file from one's own folder", ten, func(v *View) error { return v.Remove("/mine/root") }, 0},
		{"remove one's own file from a read-only folder", ten, func(v *View) error { return v.Remove("/ro/ten") }, syscall.EACCES},
		{"remove another's file from a sticky folder", ten, func(v *View) error { return v.Remove("/sticky/eleven") }, syscall.EPERM},
		{"remove one's own file from a sticky folder", ten, func(v *View) error { return v.Remove("/sticky/ten") }, 0},
		{"rename another's file in a sticky folder", ten, func(v *View) error { return v.Rename("/sticky/eleven", "/open/x") }, syscall.EPERM},
		{"rename over another's file in a sticky folder", ten, func(v *View) error { return v.Rename("/open/ten", "/sticky/eleven") }, syscall.EPERM},
		{"rename one's own file in a sticky folder", ten, func(v *View) error { return v.Rename("/sticky/ten", "/sticky/x") }, 0},
		{"rename into a read-only folder", ten, func(v *View) error { return v.Rename("/open/ten", "/ro/x") }, syscall.EACCES},
		{"move a folder that one may not write to", ten, func(v *View) error { return v.Rename("/open/dir", "/mine/dir") }, syscall.EACCES},
		{"rename it in its place", ten, func(v *View) error { return v.Rename("/open/dir", "/open/dir2") }, 0},
		{"chmod one's own", ten, func(v *View) error { return v.Chmod("/open/ten", 0o600) }, 0},
		{"chmod another's", ten, func(v *View) error { return v.Chmod("/open/eleven", 0o600) }, syscall.EPERM},
		{"give one's file away", ten, func(v *View) error { return v.Lchown("/open/ten", 11, -1) }, syscall.EPERM},
		{"give one's file to oneself", ten, func(v *View) error { return v.Lchown("/open/ten", 10, -1) }, 0},
		{"give one's file to a group of one's own", ten, func(v *View) error { return v.Lchown("/open/ten", -1, 50) }, 0},
		{"give one's file to another group", ten, func(v *View) error { return v.Lchown("/open/ten", -1, 51) }, syscall.EPERM},
		{"chown another's", ten, func(v *View) error { return v.Lchown("/open/eleven", -1, 50) }, syscall.EPERM},
		{"set the times of one's own", ten, func(v *View) error { return v.Chtimes("/open/ten", time.Unix(1, 0), time.Unix(1, 0)) }, 0},
		{"set the times of another's", ten, func(v *View) error { return v.Chtimes("/open/root", time.Unix(1, 0), time.Unix(1, 0)) }, syscall.EPERM},
		{"make a device", ten, func(v *View) error { return v.Mknod("/open/n", os.ModeDevice|os.ModeCharDevice|0o666, 3) }, syscall.EPERM},
		{"make a fifo", ten, func(v *View) error { return v.Mknod("/open/n", os.ModeNamedPipe|0o666, 0) }, 0},
		{"link one's own", ten, func(v *View) error { return v.Link("/open/ten", "/open/n") }, 0},
		{"link another's", ten, func(v *View) error { return v.Link("/open/root", "/open/n") }, syscall.EPERM},
		{"link a folder", root, func(v *View) error { return v.Link("/open", "/n") }, syscall.EPERM},
		{"execute without x", ten, func(v *View) error { return v.CheckExec("/open/ten") }, syscall.EACCES},
		{"execute without x as root", root, func(v *View) error { return v.CheckExec("/open/ten") }, syscall.EACCES},
		{"execute a folder", root, func(v *View) error { return v.CheckExec("/open") }, syscall.EACCES},
		{"execute", ten, func(v *View) error { return v.CheckExec("/prog") }, 0},
		{"set user attributes of another's", ten, func(v *View) error { return v.SetXattr("/open/root", "user.a", "b") }, syscall.EACCES},
		{"set security attributes", root, func(v *View) error { return v.SetXattr("/open/root", "security.x", "b") }, syscall.EPERM},
		{"set capabilities", root, func(v *View) error { return v.SetXattr("/open/root", capability, "b") }, 0},
		{"set odd attributes", root, func(v *View) error { return v.SetXattr("/open/root", "plain", "b") }, syscall.ENOTSUP},
		{"root in a shut folder", root, opens("/shut/new", os.O_CREATE|os.O_WRONLY), 0},
		{"write to a folder", root, opens("/open", os.O_WRONLY), syscall.EISDIR},
		{"create with a slash", root, opens("/open/n/", os.O_CREATE|os.O_WRONLY), syscall.EISDIR},
		{"create below a file", root, opens("/open/ten/n", os.O_CREATE|os.O_WRONLY), syscall.ENOTDIR},
		{"rename into itself", root, func(v *View) error { return v.Rename("/open", "/open/dir/x") }, syscall.EINVAL},
		{"rename onto one's parent", root, func(v *View) error { return v.Rename("/open/dir", "/open") }, syscall.ENOTEMPTY},
		{"rename a folder onto a file", root, func(v *View) error { return v.Rename("/open/dir", "/open/ten") }, syscall.ENOTDIR},
		{"rename a file onto a folder", root, func(v *View) error { return v.Rename("/open/ten", "/open/dir") }, syscall.EISDIR},
		{"remove a full folder", root, func(v *View) error { return v.Remove("/open") }, syscall.ENOTEMPTY},
		{"remove the root", root, func(v *View) error { return v.Remove("/") }, syscall.EBUSY},
		{"mount", root, func(v *View) error { return v.Unmount("/", false) }, syscall.EPERM},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, k := world(t)
			permissionTree(t, k)
			is(t, c.name, c.do(n.View(c.cred, &proc{pid: 2})), c.want)
		})
	}
}

func permissionTree(t *testing.T, k *View) {
	t.Helper()
	k.Umask(0)
	for name, mode := range map[string]os.FileMode{"/open": 0o777, "/sticky": 0o777 | os.ModeSticky, "/shut": 0o700, "/ro": 0o555, "/mine": 0o755} {
		if err := k.Mkdir(name, mode); err != nil {
			t.Fatal(err)
		}
		for file, uid := range map[string]int{"/root": 0, "/ten": 10, "/eleven": 11} {
			if err := write(k, name+file, "x"); err != nil {
				t.Fatal(err)
			}
			if err := k.Lchown(name+file, uid, uid); err != nil {
				t.Fatal(err)
			}
		}
	}
	build(t, k, "/open/dir/", "/prog")
	if err := k.Chmod("/prog", 0o711); err != nil {
		t.Fatal(err)
	}
	if err := k.Lchown("/mine", 10, 10); err != nil {
		t.Fatal(err)
	}
}

func reads(name string) func(*View) error {
	return func(v *View) error { _, err := read(v, name); return err }
}

func opens(name string, flag int) func(*View) error {
	return func(v *View) error {
		f, err := v.OpenFile(name, flag, 0o644)
		if err == nil {
			f.Close()
		}
		return err
	}
}

func attr(t *testing.T, v *View, name string) fsys.Attr {
	t.Helper()
	fi, err := v.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Sys().(*Stat).Attr
}

func TestOwnerAndModeOfNewFiles(t *testing.T) {
	n, k := world(t)
	build(t, k, "/g/")
	if err := k.Lchown("/g", 0, 77); err != nil {
		t.Fatal(err)
	}
	if err := k.Chmod("/g", 0o777|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	v := n.View(Cred{UID: 10, GID: 11}, &proc{pid: 2})
	if old := v.Umask(0o027); old != 0o022 {
		t.Errorf("first umask is %o", old)
	}
	is(t, "mkdir", v.Mkdir("/g/d", 0o777), 0)
	is(t, "create", opens("/g/f", os.O_CREATE|os.O_WRONLY)(v), 0)
	is(t, "mknod", v.Mknod("/g/p", os.ModeNamedPipe|0o666, 0), 0)
	for name, want := range map[string][3]int{"/g/d": {10, 77, 0o2750}, "/g/f": {10, 77, 0o640}, "/g/p": {10, 77, 0o640}} {
		a := attr(t, k, name)
		if got := [3]int{a.UID, a.GID, int(a.Mode)}; got != want {
			t.Errorf("%s is %d:%d %o", name, got[0], got[1], got[2])
		}
	}
}

func TestPrivilegeIsLost(t *testing.T) {
	for _, c := range []struct {
		name string
		cred Cred
		do   func(v *View) error
		want uint32
		caps bool
	}{
		{"chown by root", root, func(v *View) error { return v.Lchown("/f", 10, 10) }, 0o777, false},
		{"chmod", root, func(v *View) error { return v.Chmod("/f", 0o777|os.ModeSetuid) }, 0o4777, true},
		{"write by another", Cred{UID: 5}, func(v *View) error { return write(v, "/f", "x") }, 0o777, false},
		{"write by root", root, func(v *View) error { return write(v, "/f", "x") }, 0o6777, false},
		{"open", Cred{UID: 5}, opens("/f", os.O_RDWR), 0o6777, true},
	} {
		n, k := world(t)
		build(t, k, "/f")
		is(t, "chmod", k.Chmod("/f", 0o777|os.ModeSetuid|os.ModeSetgid), 0)
		is(t, "setxattr", k.SetXattr("/f", capability, "all"), 0)
		is(t, c.name, c.do(n.View(c.cred, &proc{pid: 2})), 0)
		if got := attr(t, k, "/f").Mode; got != c.want {
			t.Errorf("after %s the mode is %o, want %o", c.name, got, c.want)
		}
		all, err := k.Xattrs("/f")
		if _, ok := all[capability]; ok != c.caps || err != nil {
			t.Errorf("after %s the capabilities are there: %t, %v", c.name, ok, err)
		}
	}
}
