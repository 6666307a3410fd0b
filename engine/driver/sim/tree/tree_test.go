package tree

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

func TestSnapshotChangesAndDiff(t *testing.T) {
	tests := []struct {
		name, script string
		changes      []string
		diff         []string // types and names in the archive
	}{
		{"nothing", "", nil, nil},
		{"append", ">> etc/passwd x", []string{"C /etc", "C /etc/passwd"}, []string{"5 etc/", "0 etc/passwd"}},
		{"open for writing", ">> etc/passwd", []string{"C /etc", "C /etc/passwd"}, []string{"5 etc/", "0 etc/passwd"}},
		{"create", "mkdir new; mkdir new/sub; > new/sub/f x", []string{"A /new", "A /new/sub", "A /new/sub/f"},
			[]string{"5 new/", "5 new/sub/", "0 new/sub/f"}},
		{"delete", "rm etc/hosts; rm plain", []string{"C /etc", "D /etc/hosts", "D /plain"}, []string{"5 etc/", "0 etc/.wh.hosts", "0 .wh.plain"}},
		{"delete a folder", "rm-r d", []string{"D /d"}, []string{"0 .wh.d"}},
		{"chmod a folder", "chmod600 etc", []string{"C /etc"}, []string{"5 etc/"}},
		{"replace a folder", "rm-r d; mkdir d; > d/one n; > d/new m", []string{"C /d", "D /d/deep", "A /d/new", "C /d/one", "D /d/three"},
			[]string{"5 d/", "0 d/.wh..wh..opq", "0 d/new", "0 d/one"}},
		{"create and delete", "> t x; rm t", nil, nil},
		{"hard link", "> t x; ln t u", []string{"A /t", "A /u"}, []string{"0 t", "1 u"}},
		{"file becomes folder", "rm plain; mkdir plain", []string{"C /plain"}, []string{"5 plain/"}},
		{"chmod the root", "chmod600 .", nil, []string{"5 ./"}},
		{"link to a lower file", "ln plain p2", []string{"A /p2", "C /plain"}, []string{"0 p2", "1 plain"}},
		{"move", "mv plain q", []string{"D /plain", "A /q"}, []string{"0 .wh.plain", "0 q"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			s.prepare("k", s.base())
			u := s.open("k", nil)
			shell(t, u, tt.script)
			live := s.diff("k")
			if diff := cmp.Diff(tt.changes, s.changes("k")); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			must(t, u.Sync())
			if other := s.again().diff("k"); !bytes.Equal(live, other) {
				t.Errorf("another process sees a difference:\n%s", cmp.Diff(listing(t, live), listing(t, other)))
			}
			must(t, u.Close())
			if later := s.again().diff("k"); !bytes.Equal(live, later) {
				t.Errorf("after the end the archive is another one:\n%s", cmp.Diff(listing(t, live), listing(t, later)))
			}
			names := map[string]bool{}
			for _, line := range listing(t, live) {
				f := strings.SplitN(line, "|", 3)
				names[f[0]+" "+f[1]] = true
			}
			want := map[string]bool{}
			for _, n := range tt.diff {
				want[n] = true
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
			s.noScratch()
		})
	}
}

func TestSnapshotLifecycle(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	base := s.base()
	s.prepare("k", base)
	if err := s.snapshots.Prepare(ctx, "k", base); !errors.Is(err, driver.ErrExists) {
		t.Errorf("prepare again: %v, want ErrExists", err)
	}
	if err := s.snapshots.Prepare(ctx, "l", digest.FromString("nowhere")); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("prepare on an unknown chain: %v, want ErrNotFound", err)
	}
	if err := s.snapshots.Prepare(ctx, "../k", base); err == nil {
		t.Error("prepare accepts a key that leads elsewhere")
	}
	u := s.open("k", nil)
	shell(t, u, "> made x; rm plain; chmod600 d; > a 1; > b 2; mv a c; mv b a; mv c b; mkdir e; > e/f f; mv e g; > e now-a-file")
	must(t, u.Close())
	before := s.exportKey("k")
	data := s.diff("k")
	chain, diffID := chainOf(base, data)
	must(t, s.snapshots.Commit(ctx, "k", chain, diffID))
	if keys, err := s.snapshots.List(ctx); err != nil || len(keys) != 0 {
		t.Errorf("keys after commit: %v, %v", keys, err)
	}
	if diff := cmp.Diff(listing(t, before), listing(t, s.exportChain(chain))); diff != "" {
		t.Errorf("tree after commit (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"a": "2", "b": "1", "e": "now-a-file", "g/f": "f", "made": "x"} {
		got, err := os.ReadFile(filepath.Join(s.layers.files(chain), filepath.FromSlash(name)))
		if err != nil || string(got) != want {
			t.Errorf("content of %s lies elsewhere: %q, %v", name, got, err)
		}
	}
	must(t, s.snapshots.Remove(ctx, "k"))
	s.prepare("m", chain)
	must(t, s.snapshots.Remove(ctx, "m"))
	s.noScratch()
}

// What was written before and is written again after the layer was opened anew is there, for the next process too.
func TestReopenedLayerKeepsWhatIsWritten(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	u := s.open("k", nil)
	shell(t, u, ">> etc/passwd more")
	must(t, u.Close())
	s.clock = s.clock.Add(time.Hour)
	s = s.again()
	u = s.open("k", nil)
	shell(t, u, ">> etc/passwd andmore")
	must(t, u.Close())
	u, err := s.again().snapshots.view("k")
	must(t, err)
	a, err := u.Lstat("etc/passwd")
	if got := read(t, u, "etc/passwd"); got != "root\nmoreandmore" || a.Size != 16 || !a.Mtime.Equal(s.clock) || err != nil {
		t.Errorf("content %q, %+v, %v", got, a, err)
	}
}

// The file that was made last is held open for who opens it next; nobody else gets it.
func TestNewFilesKeepApart(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	u := s.open("k", nil)
	for _, name := range []string{"m", "n"} {
		must(t, u.Make(name, fsys.New{Kind: fsys.File, Mode: 0o644}))
	}
	must(t, write(u, "m", "of m", false))
	must(t, write(u, "n", "of n", false))
	must(t, u.Make("o", fsys.New{Kind: fsys.File, Mode: 0o644}))
	must(t, u.Remove("o"))
	must(t, u.Make("o", fsys.New{Kind: fsys.File, Mode: 0o644}))
	must(t, u.Rename("o", "p"))
	must(t, write(u, "p", "of p", false))
	must(t, u.Make("q", fsys.New{Kind: fsys.File, Mode: 0o644}))
	must(t, u.Sync())
	must(t, write(u, "q", "of q", false))
	must(t, write(u, "q", " again", true))
	for name, want := range map[string]string{"m": "of m", "n": "of n", "p": "of p", "q": "of q again"} {
		if got := read(t, u, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
}

// Handles live longer than names.
func TestHandles(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	u := s.open("k", nil)
	low, err := u.Open("plain", fsys.How{})
	must(t, err)
	shell(t, u, ">> plain q")
	if text, err := io.ReadAll(&reader{h: low}); string(text) != "pq" || err != nil {
		t.Errorf("a reader of the lower file sees %q, %v after the copy", text, err)
	}
	must(t, low.Close())
	kept, err := u.Open("plain", fsys.How{Write: true})
	must(t, err)
	shell(t, u, "mv plain moved; rm moved; > moved other")
	_, err = kept.WriteAt([]byte("r"), -1)
	must(t, err)
	if a, err := kept.Attr(); err != nil || a.Links != 0 || a.Size != 3 {
		t.Errorf("unlinked: %+v, %v", a, err)
	}
	if text, err := io.ReadAll(&reader{h: kept}); string(text) != "pqr" || err != nil {
		t.Errorf("unlinked file has %q, %v", text, err)
	}
	must(t, kept.Truncate(1<<20))
	_, before, _, _ := u.Space()
	must(t, kept.Close())
	if _, after, _, _ := u.Space(); after-before != 1<<20 {
		t.Errorf("closing it gave %d bytes back", after-before)
	}
	if err := kept.Close(); err == nil {
		t.Error("closed twice")
	}
	readOnly, err := u.Open("moved", fsys.How{})
	must(t, err)
	if _, err := readOnly.WriteAt([]byte("x"), 0); err == nil {
		t.Error("written to what was opened for reading")
	}
	must(t, readOnly.Close())
	if _, err := u.Open("etc", fsys.How{}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("open a folder: %v", err)
	}
}

func TestRenameErrors(t *testing.T) {
	tests := []struct {
		script, from, to string
		want             error
	}{
		{"", "d", "e", syscall.EXDEV},
		{"chmod600 d", "d", "e", syscall.EXDEV},
		{"mkdir n", "n", "e", nil},
		{"mkdir n", "n", "n/sub", syscall.EINVAL},
		{"mkdir n", "n", "etc", syscall.ENOTEMPTY},
		{"mkdir n; mkdir m", "n", "m", nil},
		{"mkdir n", "n", "plain", syscall.ENOTDIR},
		{"", "plain", "d", syscall.EISDIR},
		{"", "plain", "ln", nil},
		{"", "plain", "plain", nil},
		{"ln plain p2", "plain", "p2", nil},
		{"", "none", "x", syscall.ENOENT},
		{"", "plain", "none/x", syscall.ENOENT},
		{"", "plain", "etc/hosts/x", syscall.ENOTDIR},
		{"rm-r d; mkdir d", "d", "e", nil},
	}
	for _, tt := range tests {
		s := newStore(t)
		s.prepare("k", s.base())
		u := s.open("k", nil)
		shell(t, u, tt.script)
		if err := u.Rename(tt.from, tt.to); err != tt.want {
			t.Errorf("%s; mv %s %s: %v, want %v", tt.script, tt.from, tt.to, err, tt.want)
		}
	}
}
