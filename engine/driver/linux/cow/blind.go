//go:build linux

package cow

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// blind tells whether the kernel keeps quiet about files of the upper folder that are written to. Before Linux 6.7 a file that overlay has
// open counts as the one of the mount, where nobody watches (fs: store real path instead of fake path in backing file f_path).
func blind() bool {
	var u unix.Utsname
	return unix.Uname(&u) == nil && before(unix.ByteSliceToString(u.Release[:]), 6, 7)
}

// before compares a kernel's release, as uname(2) has it, with a version. What can't be read is not before it.
func before(release string, major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(release, "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a < major || a == major && b < minor
}

// lookAgain reports the files that have been written to since they were last reported. It costs a look at each of them.
func (w *Watcher) lookAgain(n *node) {
	if !n.waits && (n.kind == created || n.kind == copied) {
		w.written(n)
	}
	for _, c := range n.sorted() {
		w.lookAgain(c)
	}
}
