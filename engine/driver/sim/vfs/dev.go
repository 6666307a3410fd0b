package vfs

import (
	"path"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/standard"
)

const (
	devBytes = 64 << 20
	ttyGroup = 5 // as devpts is told on most systems
)

// NewDev is a /dev in one piece, for a machine that mounts no device by itself: the standard devices and links, and folders for what is
// mounted below. console is the number of the terminal that is /dev/console, 0 for none.
func NewDev(now func() time.Time, console uint64) *Tmpfs {
	t := NewTmpfs(devBytes, 0o755, now, nil)
	for _, d := range standard.Devices() {
		t.mustMake(d.Name, fsys.New{Kind: fsys.CharDevice, Mode: 0o666, Rdev: fsys.MakeDev(d.Major, d.Minor)})
	}
	for _, l := range standard.Links() {
		t.mustMake(l.Name, fsys.New{Kind: fsys.Symlink, Mode: 0o777, Target: l.Target})
	}
	for _, m := range standard.UnderDev() {
		t.mustMake(path.Base(m.Target), fsys.New{Kind: fsys.Dir, Mode: 0o755})
	}
	if console != 0 {
		t.mustMake("console", fsys.New{Kind: fsys.CharDevice, Mode: 0o620, GID: ttyGroup, Rdev: console})
	}
	return t
}

// NewPts is /dev/pts with its ptmx; whoever has terminals makes and removes their nodes in it, devices of major 136.
func NewPts(now func() time.Time) *Tmpfs {
	t := NewTmpfs(0, 0o755, now, nil)
	t.mustMake("ptmx", fsys.New{Kind: fsys.CharDevice, Mode: 0o666, Rdev: fsys.MakeDev(ttyMajor, 2)})
	return t
}

// mustMake makes a fixed name in a new file system; that cannot fail unless the program itself is wrong.
func (t *Tmpfs) mustMake(name string, n fsys.New) {
	if err := t.Make(name, n); err != nil {
		panic("make " + name + ": " + err.Error())
	}
}
