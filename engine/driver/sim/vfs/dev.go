package vfs

import (
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

const (
	devBytes = 64 << 20
	ttyGroup = 5 // as devpts is told on most systems
)

// NewDev is /dev as every container has it: the standard devices and links, and folders for what is mounted below. console is the
// number of the terminal that is /dev/console, 0 for none.
func NewDev(now func() time.Time, console uint64) *Tmpfs {
	t := NewTmpfs(devBytes, 0o755, now, nil)
	node := func(name string, rdev uint64, mode uint32, group int) {
		t.mustMake(name, fsys.New{Kind: fsys.CharDevice, Mode: mode, GID: group, Rdev: rdev})
	}
	node("null", fsys.MakeDev(memMajor, 3), 0o666, 0)
	node("zero", fsys.MakeDev(memMajor, 5), 0o666, 0)
	node("full", fsys.MakeDev(memMajor, 7), 0o666, 0)
	node("random", fsys.MakeDev(memMajor, 8), 0o666, 0)
	node("urandom", fsys.MakeDev(memMajor, 9), 0o666, 0)
	node("tty", fsys.MakeDev(ttyMajor, 0), 0o666, 0)
	if console != 0 {
		node("console", console, 0o620, ttyGroup)
	}
	for _, l := range [][2]string{{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}, {"ptmx", "pts/ptmx"}} {
		t.mustMake(l[0], fsys.New{Kind: fsys.Symlink, Mode: 0o777, Target: l[1]})
	}
	for _, name := range []string{"pts", "shm", "mqueue"} {
		t.mustMake(name, fsys.New{Kind: fsys.Dir, Mode: 0o755})
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
