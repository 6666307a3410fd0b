//go:build linux

package shim

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// trimDelay is how long a supervisor waits after it did something before it makes itself small: a short container is gone by then.
const trimDelay = 300 * time.Millisecond

// trim gives back the pages of the program's own file: they stay in the page cache and come back one by one when they are needed, and
// an idle supervisor needs few.
func trim() {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range untouched(string(smaps)) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

type mapping struct{ start, end uintptr }

// untouched finds, in the form of proc_pid_smaps(5), the mappings of files that can't be written and of which no page is the process's
// own. A loader writes to pages that it then protects; to give those back would lose what it wrote.
func untouched(smaps string) []mapping {
	var found []mapping
	var m mapping
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if from, to, ok := strings.Cut(f[0], "-"); ok {
			m = mapping{}
			if len(f) >= 6 && f[4] != "0" && (f[1] == "r-xp" || f[1] == "r--p") {
				m = mapping{address(from), address(to)}
			}
			continue
		}
		if f[0] == "Anonymous:" && f[1] == "0" && m.end > m.start {
			found = append(found, m)
		}
	}
	return found
}

// address is 0 for what is none, which makes the mapping an empty one.
func address(hexa string) uintptr {
	n, err := strconv.ParseUint(hexa, 16, 64)
	if err != nil {
		return 0
	}
	return uintptr(n)
}
