package layer

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRewriteChangesOnlyWhatItIsAskedTo(t *testing.T) {
	write := func(at time.Time) []byte {
		var buf bytes.Buffer
		w := NewWriter(&buf)
		for _, e := range []Entry{
			{Path: "d", Kind: Dir, Mode: 0o755, ModTime: at},
			{Path: "d/f", Kind: File, Mode: 0o4711, UID: 5, Size: 3, ModTime: at, Xattrs: map[string]string{"user.a": "v"}},
			{Path: "d/h", Kind: HardLink, Link: "d/f", ModTime: at},
			{Path: "d/l", Kind: Symlink, Link: "../x", ModTime: at},
		} {
			if err := w.WriteEntry(e, bytes.NewReader([]byte("abc"))); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range []error{w.Opaque("d"), w.Whiteout("d/gone"), w.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return buf.Bytes()
	}
	epoch := time.Unix(1700000000, 0)
	var got bytes.Buffer
	if err := Rewrite(&got, bytes.NewReader(write(time.Unix(1800000000, 123))), func(e *Entry) { e.ModTime = epoch }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(write(epoch), got.Bytes()); d != "" {
		t.Error(d)
	}
	if err := Rewrite(&got, bytes.NewReader([]byte("no archive at all, but long enough to be looked at"+string(make([]byte, 600)))), func(*Entry) {}); err == nil {
		t.Error("something that is no archive was taken for one")
	}
}
