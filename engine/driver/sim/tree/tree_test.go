package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/home"
)

// store is a home with everything of this package, and a clock that stands still unless it is told to move.
type store struct {
	t         testing.TB
	home      *home.Home
	layers    *Layers
	snapshots *Snapshots
	clock     time.Time
}

func newStore(t testing.TB) *store {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"))
	must(t, err)
	s := &store{t: t, home: h, clock: time.Unix(1_800_000_000, 5000)}
	now := func() time.Time { return s.clock }
	s.layers = NewLayers(h, now)
	s.snapshots = NewSnapshots(h, s.layers, now)
	return s
}

// again is the same home as another process sees it.
func (s *store) again() *store {
	c := *s
	now := func() time.Time { return s.clock }
	c.layers = NewLayers(s.home, now)
	c.snapshots = NewSnapshots(s.home, c.layers, now)
	return &c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func chainOf(parent digest.Digest, archive []byte) (chain, diffID digest.Digest) {
	diffID = digest.FromBytes(archive)
	if parent == "" {
		return diffID, diffID
	}
	return digest.FromString(parent.String() + " " + diffID.String()), diffID
}

func (s *store) apply(parent digest.Digest, archive []byte) digest.Digest {
	s.t.Helper()
	chain, diffID := chainOf(parent, archive)
	must(s.t, s.layers.Apply(context.Background(), chain, parent, diffID, bytes.NewReader(archive)))
	return chain
}

func (s *store) prepare(key string, chain digest.Digest) {
	s.t.Helper()
	must(s.t, s.snapshots.Prepare(context.Background(), key, chain))
}

// open opens the union of key until the test ends or it is closed.
func (s *store) open(key string, report Report) *Union {
	s.t.Helper()
	u, err := s.snapshots.Open(context.Background(), key, report)
	must(s.t, err)
	s.t.Cleanup(func() { _ = u.Close() })
	return u
}

func (s *store) diff(key string) []byte {
	s.t.Helper()
	var buf bytes.Buffer
	_, err := s.snapshots.Diff(context.Background(), key, &buf)
	must(s.t, err)
	return buf.Bytes()
}

func (s *store) changes(key string) []string {
	s.t.Helper()
	changes, err := s.snapshots.Changes(context.Background(), key)
	must(s.t, err)
	var lines []string
	for _, c := range changes {
		lines = append(lines, string(c.Kind)+" "+c.Path)
	}
	return lines
}

func (s *store) exportChain(chain digest.Digest) []byte {
	s.t.Helper()
	tree, err := s.snapshots.OpenChain(context.Background(), chain)
	must(s.t, err)
	return s.export(tree)
}

func (s *store) exportKey(key string) []byte {
	s.t.Helper()
	tree, err := s.snapshots.OpenKey(context.Background(), key)
	must(s.t, err)
	return s.export(tree)
}

func (s *store) export(tree driver.Tree) []byte {
	s.t.Helper()
	defer tree.Close()
	var buf bytes.Buffer
	must(s.t, tree.Export(context.Background(), &buf))
	return buf.Bytes()
}

// noScratch fails the test if an operation left something in the home's scratch space.
func (s *store) noScratch() {
	s.t.Helper()
	left, err := os.ReadDir(filepath.Join(s.home.Root(), "tmp"))
	if err != nil || len(left) > 0 {
		s.t.Errorf("scratch space: %v, %v; want it empty", left, err)
	}
}

var when = time.Unix(1_700_000_000, 123_456_789)

// header is one archive entry; text is a file's content.
type header struct {
	tar.Header
	text string
}

func file(name, text string) header {
	return header{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: when, Size: int64(len(text)), Format: tar.FormatPAX}, text}
}

func folder(name string) header {
	return header{tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: when, Format: tar.FormatPAX}, ""}
}

func link(kind byte, name, target string) header {
	return header{tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777, ModTime: when, Format: tar.FormatPAX}, ""}
}

func archive(t testing.TB, entries ...header) []byte {
	t.Helper()
	data, err := pack(entries...)
	must(t, err)
	return data
}

func pack(entries ...header) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return buf.Bytes(), err
}

// listing describes an archive for comparing and reading.
func listing(t testing.TB, data []byte) []string {
	t.Helper()
	var lines []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return lines
		}
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		lines = append(lines, strings.Join([]string{string(h.Typeflag), h.Name, h.Linkname, h.FileInfo().Mode().String(), string(text)}, "|"))
	}
}

// base is a chain of two layers to work on.
func (s *store) base() digest.Digest {
	low := s.apply("", archive(s.t, folder("etc"), file("etc/passwd", "root\n"), file("etc/group", "g\n"), folder("d"), file("d/one", "1"),
		folder("d/deep"), file("d/deep/two", "2"), file("plain", "p")))
	return s.apply(low, archive(s.t, file("etc/hosts", "h\n"), file("d/three", "3"), link(tar.TypeSymlink, "ln", "etc/passwd")))
}

// shell does to a union what a shell's commands do to files: >, >>, rm, mkdir, mv and the like, separated by semicolons.
func shell(t testing.TB, u *Union, script string) {
	t.Helper()
	for _, cmd := range strings.Split(script, ";") {
		if f := strings.Fields(cmd); len(f) > 0 {
			if err := run(u, f[0], f[1:]); err != nil {
				t.Fatalf("%s: %v", cmd, err)
			}
		}
	}
}

func run(u *Union, name string, args []string) error {
	mode, owner := uint32(0o600), 7
	switch name {
	case ">": // > FILE TEXT
		return write(u, args[0], strings.Join(args[1:], " "), false)
	case ">>":
		return write(u, args[0], strings.Join(args[1:], " "), true)
	case "mkdir":
		return u.Make(args[0], fsys.New{Kind: fsys.Dir, Mode: 0o755})
	case "symlink":
		return u.Make(args[1], fsys.New{Kind: fsys.Symlink, Target: args[0]})
	case "mkfifo":
		return u.Make(args[0], fsys.New{Kind: fsys.Pipe, Mode: 0o644})
	case "mknod":
		return u.Make(args[0], fsys.New{Kind: fsys.CharDevice, Mode: 0o644, Rdev: fsys.MakeDev(1, 3)})
	case "rm":
		return u.Remove(args[0])
	case "rmdir":
		return u.RemoveDir(args[0])
	case "rm-r":
		return removeAll(u, args[0])
	case "mv":
		return u.Rename(args[0], args[1])
	case "ln":
		return u.Link(args[0], args[1])
	case "chmod600":
		return u.Set(args[0], fsys.Change{Mode: &mode})
	case "chown7":
		return u.Set(args[0], fsys.Change{UID: &owner, GID: &owner})
	case "xattr":
		return u.SetXattr(args[0], "user.x", "v")
	}
	return fmt.Errorf("no command %s", name)
}

func write(u *Union, name, text string, add bool) error {
	if _, err := u.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		if err := u.Make(name, fsys.New{Kind: fsys.File, Mode: 0o644}); err != nil {
			return err
		}
	}
	h, err := u.Open(name, fsys.How{Write: true, Truncate: !add})
	if err != nil {
		return err
	}
	if text != "" {
		_, err = h.WriteAt([]byte(text), -1)
	}
	return errors.Join(err, h.Close())
}

func removeAll(u *Union, name string) error {
	a, err := u.Lstat(name)
	if err != nil || a.Kind != fsys.Dir {
		return errors.Join(err, u.Remove(name))
	}
	names, err := u.ReadDir(name)
	for _, d := range names {
		err = errors.Join(err, removeAll(u, path.Join(name, d.Name)))
	}
	return errors.Join(err, u.RemoveDir(name))
}

func read(t testing.TB, u *Union, name string) string {
	t.Helper()
	h, err := u.Open(name, fsys.How{})
	must(t, err)
	defer h.Close()
	text, err := io.ReadAll(&reader{h: h})
	must(t, err)
	return string(text)
}

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
