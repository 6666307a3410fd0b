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
	"testing"
	"time"

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

// prepare makes a writable layer. A test of what survives a power cut makes its own: syncing takes longer than all the rest.
func (s *store) prepare(key string, chain digest.Digest) {
	s.t.Helper()
	must(s.t, s.snapshots.PrepareVolatile(context.Background(), key, chain))
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
