package vfs

import (
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

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
