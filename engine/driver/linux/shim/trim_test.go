//go:build linux

package shim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUntouched(t *testing.T) {
	smaps := `00400000-00401000 r--p 00000000 fe:00 12 /bin/learn
Rss:                   4 kB
Anonymous:             0 kB
00401000-00a01000 r-xp 00001000 fe:00 12 /bin/learn
Rss:                 400 kB
Anonymous:             0 kB
00b01000-00b02000 r--p 00701000 fe:00 12 /bin/learn
Anonymous:             4 kB
00c01000-00c02000 rw-p 00801000 fe:00 12 /bin/learn
Anonymous:             0 kB
c000000000-c004000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7ffff000-7ffff800 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x401000}, {0x401000, 0xa01000}}
	if d := cmp.Diff(want, untouched(smaps), cmp.AllowUnexported(mapping{})); d != "" {
		t.Error(d)
	}
}
