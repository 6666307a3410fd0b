//go:build linux

package linux

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

// store is a home with everything of this driver that keeps trees.
type store struct {
	t         testing.TB
	home      *home.Home
	mode      Mode
	layers    *Layers
	snapshots *Snapshots
}

// newStore makes a store, or skips where overlay can't be mounted: outside of root's powers.
func newStore(t testing.TB) *store {
	t.Helper()
	mode := Detect()
	if mode.NeedsReexec {
		lacks(t, "needs root or a user namespace; TestInUserNamespace makes one")
	}
	h, err := home.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := NewLayers(h, mode)
	return &store{t, h, mode, l, NewSnapshots(h, mode, l)}
}

// apply unpacks an archive onto parent and returns its chain.
func (s *store) apply(parent digest.Digest, archive []byte) digest.Digest {
	s.t.Helper()
	chain, err := s.tryApply(parent, archive)
	if err != nil {
		s.t.Fatal(err)
	}
	return chain
}

func (s *store) tryApply(parent digest.Digest, archive []byte) (digest.Digest, error) {
	diffID := digest.FromBytes(archive)
	chain := diffID
	if parent != "" {
		chain = digest.FromString(parent.String() + " " + diffID.String())
	}
	return chain, s.layers.Apply(context.Background(), chain, parent, diffID, bytes.NewReader(archive))
}

// mount mounts the root of key as a container's is, until the test ends or unmount is called.
func (s *store) mount(key string) (dir string, unmount func()) {
	s.t.Helper()
	lowers, upper, work, _, err := s.snapshots.RootMount(key)
	if err != nil {
		s.t.Fatal(err)
	}
	dir = s.t.TempDir()
	options := "lowerdir=" + strings.Join(lowers, ":") + ",upperdir=" + upper + ",workdir=" + work
	if s.mode.UserXattr {
		options += ",userxattr"
	}
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		s.t.Fatalf("mount overlay (%s): %v", options, err)
	}
	mounted := true
	unmount = func() {
		if mounted {
			mounted = false
			if err := unix.Unmount(dir, 0); err != nil {
				s.t.Errorf("unmount: %v", err)
				_ = unix.Unmount(dir, unix.MNT_DETACH)
			}
		}
	}
	s.t.Cleanup(unmount)
	return dir, unmount
}

func (s *store) prepare(key string, chain digest.Digest) {
	s.t.Helper()
	if err := s.snapshots.Prepare(context.Background(), key, chain); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) diff(key string) []byte {
	s.t.Helper()
	var buf bytes.Buffer
	if _, err := s.snapshots.Diff(context.Background(), key, &buf); err != nil {
		s.t.Fatal(err)
	}
	return buf.Bytes()
}

func (s *store) changes(key string) []string {
	s.t.Helper()
	changes, err := s.snapshots.Changes(context.Background(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, string(c.Kind)+" "+c.Path)
	}
	return lines
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
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// export gives the whole tree of a chain as archive bytes: two equal exports are equal trees, metadata and all.
func (s *store) export(open func(context.Context) (driver.Tree, error)) []byte {
	s.t.Helper()
	tree, err := open(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	defer tree.Close()
	var buf bytes.Buffer
	if err := tree.Export(context.Background(), &buf); err != nil {
		s.t.Fatal(err)
	}
	return buf.Bytes()
}

func (s *store) exportChain(chain digest.Digest) []byte {
	return s.export(func(ctx context.Context) (driver.Tree, error) { return s.snapshots.OpenChain(ctx, chain) })
}

func (s *store) exportKey(key string) []byte {
	return s.export(func(ctx context.Context) (driver.Tree, error) { return s.snapshots.OpenKey(ctx, key) })
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
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join([]string{string(h.Typeflag), h.Name, h.Linkname, h.FileInfo().Mode().String(), string(text)}, "|")
		lines = append(lines, line)
	}
}

func TestApplyKeepsMetadata(t *testing.T) {
	s := newStore(t)
	suid := file("bin/su", "program")
	suid.Mode = 0o4755
	owned := file("home/u/f", "mine")
	owned.Uid, owned.Gid = 1000, 1001
	tagged := file("tagged", "x")
	tagged.PAXRecords = map[string]string{"SCHILY.xattr.user.note": "hello", "SCHILY.xattr.user.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.opaque": "y"}
	sticky := folder("tmp")
	sticky.Mode = 0o1777
	chain := s.apply("", archive(t, suid, owned, tagged, sticky, folder("locked"), file("locked/in", "in"),
		link(tar.TypeSymlink, "abs", "/etc/passwd"), link(tar.TypeLink, "hard", "bin/su")))
	root := s.layers.fs(chain)
	stat := func(name string) (st unix.Stat_t) {
		t.Helper()
		if err := unix.Lstat(filepath.Join(root, name), &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	if st := stat("bin/su"); st.Mode != unix.S_IFREG|0o4755 || st.Nlink != 2 {
		t.Errorf("bin/su: mode %o, %d links", st.Mode, st.Nlink)
	}
	if st := stat("home/u/f"); !s.mode.SquashOwners && (st.Uid != 1000 || st.Gid != 1001) {
		t.Errorf("home/u/f: owner %d:%d, want 1000:1001", st.Uid, st.Gid)
	}
	for _, name := range []string{"bin/su", "abs", "tmp", "locked", "home/u"} {
		if st := stat(name); time.Unix(st.Mtim.Unix()) != when.Local() {
			t.Errorf("%s: time %v, want %v", name, time.Unix(st.Mtim.Unix()), when)
		}
	}
	if st := stat("tmp"); st.Mode&0o7777 != 0o1777 {
		t.Errorf("tmp: mode %o", st.Mode)
	}
	attrs, err := readXattrs(filepath.Join(root, "tagged"))
	if diff := cmp.Diff(map[string]string{"user.note": "hello"}, attrs); err != nil || diff != "" {
		t.Errorf("tagged: %v %s", err, diff)
	}
	if n, err := unix.Lgetxattr(filepath.Join(root, "tagged"), overlayXattr("opaque", s.mode.UserXattr), nil); err == nil {
		t.Errorf("an archive brought in a mark of overlay (%d bytes)", n)
	}
	s.noScratch()
}

func TestApplyTwiceIsReuse(t *testing.T) {
	s := newStore(t)
	data := archive(t, file("a", "1"))
	chain := s.apply("", data)
	if _, err := s.tryApply("", data); !errors.Is(err, driver.ErrExists) {
		t.Errorf("second apply: %v, want ErrExists", err)
	}
	if got, err := s.layers.List(context.Background()); err != nil || !cmp.Equal(got, []digest.Digest{chain}) {
		t.Errorf("list: %v, %v", got, err)
	}
	if err := s.layers.Drop(context.Background(), chain); err != nil || s.layers.Has(chain) {
		t.Errorf("drop: %v, still there: %v", err, s.layers.Has(chain))
	}
	if err := s.layers.Drop(context.Background(), chain); err != nil {
		t.Errorf("drop again: %v", err)
	}
	s.noScratch()
}

func TestApplyRefusesOtherDigest(t *testing.T) {
	s := newStore(t)
	data := archive(t, file("a", "1"))
	other := digest.FromString("other")
	err := s.layers.Apply(context.Background(), other, "", other, bytes.NewReader(data))
	if err == nil || !strings.Contains(err.Error(), other.String()) || !strings.Contains(err.Error(), digest.FromBytes(data).String()) {
		t.Errorf("apply: %v, want both digests named", err)
	}
	if s.layers.Has(other) {
		t.Error("the layer is there")
	}
	s.noScratch()
}

func TestApplyWhiteouts(t *testing.T) {
	s := newStore(t)
	base := s.apply("", archive(t, folder("d"), file("d/a", "a"), file("d/b", "b"), folder("o"), file("o/old", "old"),
		folder("r"), file("r/below", "below"), file("gone", "gone"), link(tar.TypeSymlink, "lib", "usr/lib"), folder("usr"), folder("usr/lib")))
	top := s.apply(base, archive(t, file(".wh.gone", ""), file("d/.wh.a", ""), file("o/new", "new"), file("o/.wh..wh..opq", ""),
		file(".wh.r", ""), folder("r"), file("r/fresh", "fresh"), file("lib/through", "link")))
	want := []string{"5|d/||drwxr-xr-x|", "0|d/b||-rw-r--r--|b", "2|lib|usr/lib|Lrwxrwxrwx|", "5|o/||drwxr-xr-x|", "0|o/new||-rw-r--r--|new",
		"5|r/||drwxr-xr-x|", "0|r/fresh||-rw-r--r--|fresh", "5|usr/||drwxr-xr-x|", "5|usr/lib/||drwxr-xr-x|", "0|usr/lib/through||-rw-r--r--|link"}
	if diff := cmp.Diff(want, listing(t, s.exportChain(top))); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// TestInUserNamespace runs the tests of this package again as root of a user namespace with one id, the poorest case.
func TestInUserNamespace(t *testing.T) {
	if os.Getenv("LEARN_TEST_INNER") != "" {
		t.Skip("already inside")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^(TestApply|TestSnapshot|TestTree|TestDiff|TestHostile|TestRandom)", "-test.count=1", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "LEARN_TEST_INNER=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		lacks(t, "user namespaces are not allowed here: "+err.Error())
	}
	if err != nil {
		t.Errorf("inside a user namespace: %v\n%s", err, out)
	}
}
