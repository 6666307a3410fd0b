package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/learn-containers/learn/engine/layer"
)

// item is an entry of an archive: name, and what it is.
type item struct {
	name string
	typ  byte
	link string
	text string
	mode int64
}

func file(name, text string) item { return item{name: name, typ: tar.TypeReg, text: text, mode: 0o644} }
func dir(name string) item        { return item{name: name, typ: tar.TypeDir, mode: 0o755} }
func symlink(name, to string) item {
	return item{name: name, typ: tar.TypeSymlink, link: to, mode: 0o777}
}
func hardlink(name, to string) item { return item{name: name, typ: tar.TypeLink, link: to} }

var testTime = time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)

func tarOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Typeflag: i.typ, Linkname: i.link, Size: int64(len(i.text)), Mode: i.mode, ModTime: testTime}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// yard is a folder to unpack into, with things outside that must stay as they are.
type yard struct{ dir, canary string }

func newYard(t testing.TB) yard {
	t.Helper()
	top := t.TempDir()
	y := yard{dir: filepath.Join(top, "context"), canary: filepath.Join(top, "canary")}
	for _, d := range []string{y.dir, y.canary} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(y.canary, "file"), []byte("canary"), 0o640); err != nil {
		t.Fatal(err)
	}
	return y
}

// check fails if anything outside has changed.
func (y yard) check(t testing.TB) {
	t.Helper()
	top, err := os.ReadDir(filepath.Dir(y.dir))
	if err != nil || len(top) != 2 {
		t.Fatalf("names beside the context: %v, %v", top, err)
	}
	inside, err := os.ReadDir(y.canary)
	if err != nil || len(inside) != 1 {
		t.Fatalf("names in the canary folder: %v, %v", inside, err)
	}
	fi, err := os.Lstat(filepath.Join(y.canary, "file"))
	if err != nil || fi.Mode() != 0o640 {
		t.Fatalf("the canary: %v, %v", fi, err)
	}
	if text, err := os.ReadFile(filepath.Join(y.canary, "file")); err != nil || string(text) != "canary" {
		t.Fatalf("the canary: %q, %v", text, err)
	}
	if nlink(fi) > 1 {
		t.Fatal("the canary has another name")
	}
	if di, err := os.Lstat(y.canary); err != nil || di.Mode().Perm() != 0o755 {
		t.Fatalf("the canary folder: %v, %v", di, err)
	}
}

// list is the tree in dir, a line each.
func list(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, p)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case rel == ".":
		case d.IsDir():
			fmt.Fprintf(&b, "%s/\n", rel)
		case d.Type() == fs.ModeSymlink:
			to, _ := os.Readlink(p)
			fmt.Fprintf(&b, "%s -> %s\n", rel, to)
		default:
			text, _ := os.ReadFile(p)
			fmt.Fprintf(&b, "%s: %s\n", rel, bytes.TrimSuffix(text, []byte("\n")))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A name of the canary in a link is its absolute path.
func TestUnpackHostile(t *testing.T) {
	for _, c := range []struct {
		name  string
		items func(canary string) []item
		err   string // "": accepted
		tree  string // of an accepted one, CANARY for its path
	}{
		{"file above", func(string) []item { return []item{file("../x", "no")} }, "leads out", ""},
		{"file above, by way of a folder", func(string) []item { return []item{dir("a"), file("a/../../x", "no")} }, "leads out", ""},
		{"absolute name", func(c string) []item { return []item{file("/x", "in")} }, "", "x: in\n"},
		{"symlink, then a file through it", func(c string) []item { return []item{symlink("l", c), file("l/file", "no")} }, "nothing is written through links", ""},
		{"symlink, then a folder through it", func(c string) []item { return []item{symlink("l", c), dir("l/sub")} }, "nothing is written through links", ""},
		{"symlink within, then a file through it", func(c string) []item { return []item{dir("a"), symlink("l", "a"), file("l/x", "no")} }, "nothing is written through links", ""},
		{"symlink, then a file of its name", func(c string) []item { return []item{symlink("Dockerfile", c+"/file"), file("Dockerfile", "FROM a")} }, "", "Dockerfile: FROM a\n"},
		{"symlink, then a folder of its name", func(c string) []item {
			return []item{symlink("l", c), item{name: "l", typ: tar.TypeDir, mode: 0o700}, file("l/new", "in")}
		}, "", "l/\nl/new: in\n"},
		{"Dockerfile is a symlink", func(c string) []item { return []item{symlink("Dockerfile", c+"/file")} }, "", "Dockerfile -> CANARY/file\n"},
		{"folder replaced by a symlink, then a child", func(c string) []item {
			return []item{dir("d"), file("d/a", "a"), symlink("d", c), file("d/file", "no")}
		}, "nothing is written through links", ""},
		{"nested folder replaced by a symlink, then a grandchild", func(c string) []item {
			return []item{file("d/e/f", "a"), symlink("d/e", c), dir("d/e/x"), file("d/e/x/y", "no")}
		}, "nothing is written through links", ""},
		{"folder replaced by a file", func(c string) []item { return []item{file("d/a", "a"), file("d", "now")} }, "", "d: now\n"},
		{"file replaced by a folder", func(c string) []item { return []item{file("d", "a"), dir("d"), file("d/x", "now")} }, "", "d/\nd/x: now\n"},
		{"below a file", func(c string) []item { return []item{file("d", "a"), file("d/x", "no")} }, "is a file", ""},
		{"the context as a symlink", func(c string) []item { return []item{symlink(".", c), file("file", "no")} }, "must be a folder", ""},
		{"the context as a file", func(string) []item { return []item{file("a/..", "")} }, "must be a folder", ""},
		{"hard link to an absolute name", func(c string) []item { return []item{hardlink("h", "/etc/passwd")} }, "in no folder of the archive", ""},
		{"hard link to the canary", func(c string) []item { return []item{hardlink("h", c+"/file")} }, "in no folder of the archive", ""},
		{"hard link above", func(c string) []item { return []item{hardlink("h", "../canary/file")} }, "leads out", ""},
		{"hard link to the folder above", func(c string) []item { return []item{hardlink("h", "../")} }, "leads out", ""},
		{"hard link through a symlink", func(c string) []item { return []item{symlink("l", c), hardlink("h", "l/file")} }, "in no folder of the archive", ""},
		{"hard link to a symlink, then a file through it", func(c string) []item {
			return []item{symlink("l", c+"/file"), hardlink("h", "l"), file("h", "in")}
		}, "", "h: in\nl -> CANARY/file\n"},
		{"hard link to a symlink", func(c string) []item { return []item{symlink("l", c+"/file"), hardlink("h", "l")} }, "", "h -> CANARY/file\nl -> CANARY/file\n"},
		{"hard link to what is missing", func(c string) []item { return []item{hardlink("h", "missing")} }, "not in the archive before it", ""},
		{"hard link to a folder", func(c string) []item { return []item{dir("d"), hardlink("h", "d")} }, "is not a file", ""},
		{"hard link to itself", func(c string) []item { return []item{file("a", "x"), hardlink("a", "a")} }, "not in the archive before it", ""},
		{"hard link to what is below it", func(c string) []item { return []item{file("d/a", "x"), hardlink("d", "d/a")} }, "in no folder of the archive", ""},
		{"hard link", func(c string) []item { return []item{file("a", "x"), hardlink("d/h", "a")} }, "", "a: x\nd/\nd/h: x\n"},
		{"hard link, then another file of its name", func(c string) []item { return []item{file("a", "x"), hardlink("h", "a"), file("h", "other")} }, "", "a: x\nh: other\n"},
		{"duplicates", func(c string) []item { return []item{file("a", "first"), file("a", "last")} }, "", "a: last\n"},
		{"duplicate folder", func(c string) []item { return []item{dir("d"), file("d/a", "kept"), dir("d")} }, "", "d/\nd/a: kept\n"},
		{"devices and pipes", func(c string) []item {
			return []item{{name: "dev/null", typ: tar.TypeChar}, {name: "dev/sda", typ: tar.TypeBlock}, {name: "p", typ: tar.TypeFifo}, file("a", "x")}
		}, "", "a: x\n"},
		{"device over a file", func(c string) []item { return []item{file("a", "x"), {name: "a", typ: tar.TypeChar}} }, "", "a: x\n"},
		{"whiteouts are names as all others", func(c string) []item { return []item{file("a", "x"), file(".wh.a", ""), file(".wh...", "")} }, "", ".wh...: \n.wh.a: \na: x\n"},
		{"unknown type", func(c string) []item { return []item{{name: "a", typ: 'Z'}} }, "not known", ""},
		{"symlink without a text", func(c string) []item { return []item{{name: "a", typ: tar.TypeSymlink}} }, "can't be", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t)
			_, err := Unpack(t.Context(), y.dir, bytes.NewReader(tarOf(t, c.items(y.canary)...)), Limits{})
			y.check(t)
			if c.err != "" {
				var refused *ArchiveError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("%v; want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := list(t, y.dir), strings.ReplaceAll(c.tree, "CANARY", y.canary); got != want {
				t.Errorf("the tree is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestUnpackSaysWhatItLeavesOut(t *testing.T) {
	got, err := Unpack(t.Context(), t.TempDir(), bytes.NewReader(tarOf(t, item{name: "./dev/null", typ: tar.TypeChar}, file("a", "abc"))), Limits{})
	if err != nil || got.Entries != 2 || got.Bytes != 3 || len(got.Skipped) != 1 || got.Skipped[0] != "dev/null (a character device)" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUnpackKeepsModesAndTimes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	d := t.TempDir()
	_, err := Unpack(t.Context(), d, bytes.NewReader(tarOf(t,
		item{name: "locked", typ: tar.TypeDir, mode: 0o555}, file("locked/inside", "x"), // the folder may not be written when the file comes
		item{name: "tmp", typ: tar.TypeDir, mode: 0o1777},
		item{name: "su", typ: tar.TypeReg, mode: 0o4755}, item{name: "sg", typ: tar.TypeReg, mode: 0o2755}, item{name: "none", typ: tar.TypeReg},
		file("implied/x", ""))), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(d, "locked"), 0o755)
	for name, want := range map[string]fs.FileMode{
		"locked": fs.ModeDir | 0o555, "tmp": fs.ModeDir | fs.ModeSticky | 0o777, "su": fs.ModeSetuid | 0o755, "sg": fs.ModeSetgid | 0o755, "none": 0, "implied": fs.ModeDir | 0o755, ".": fs.ModeDir | 0o755,
	} {
		fi, err := os.Lstat(filepath.Join(d, name))
		if err != nil || fi.Mode() != want || !fi.ModTime().Equal(testTime) {
			t.Errorf("%s: %v, %v; want %v, %v", name, fi.Mode(), fi.ModTime(), want, testTime)
		}
	}
}

func TestUnpackCompressed(t *testing.T) {
	plain := tarOf(t, file("a", "text"))
	var gz, zs, x bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, _ := zstd.NewWriter(&zs)
	xw, _ := xz.NewWriter(&x)
	for _, w := range []io.WriteCloser{g, z, xw} {
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	for name, packed := range map[string][]byte{"plain": plain, "gzip": gz.Bytes(), "zstd": zs.Bytes(), "xz": x.Bytes(), "plain, with rubbish after it": append(bytes.Clone(plain), "rubbish"...),
		"gzip, with rubbish after it": append(bytes.Clone(gz.Bytes()), "rubbish"...)} {
		d := t.TempDir()
		if _, err := Unpack(t.Context(), d, bytes.NewReader(packed), Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := list(t, d); got != "a: text\n" {
			t.Errorf("%s: %s", name, got)
		}
		if !IsArchive(packed[:min(len(packed), 1024)]) {
			t.Errorf("%s: not taken for an archive", name)
		}
	}
}

func TestUnpackNoticesACut(t *testing.T) {
	whole := tarOf(t, file("a", strings.Repeat("text", 500)))
	for _, n := range []int{100, 512, 700, 2000} {
		if _, err := Unpack(t.Context(), t.TempDir(), bytes.NewReader(whole[:n]), Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestUnpackBounds(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		items  []item
		err    string
	}{
		{Limits{Entries: 2}, []item{file("a", ""), file("b", ""), file("c", "")}, "more than 2 entries"},
		{Limits{Bytes: 5}, []item{file("a", "abc"), file("b", "abc")}, "more than 5 bytes"},
		{Limits{PathBytes: 10}, []item{file("a/b/c/d/e/f", "")}, "longer than 10 bytes"},
	} {
		_, err := Unpack(t.Context(), t.TempDir(), bytes.NewReader(tarOf(t, c.items...)), c.limits)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v; want %q", err, c.err)
		}
	}
}

// zeros is an archive of one endless file, compressed, without ever being in memory.
func zeros(t testing.TB, size int64) io.Reader {
	r, w := io.Pipe()
	go func() {
		z := gzip.NewWriter(w)
		tw := tar.NewWriter(z)
		err := tw.WriteHeader(&tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Size: size, Mode: 0o644})
		buf := make([]byte, 1<<20)
		for n := int64(0); err == nil && n < size; n += int64(len(buf)) {
			_, err = tw.Write(buf)
		}
		w.CloseWithError(errors.Join(err, z.Close()))
	}()
	t.Cleanup(func() { r.Close() })
	return r
}

func TestUnpackStopsAtABomb(t *testing.T) {
	const bomb = 10 << 30
	d := t.TempDir()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := Unpack(t.Context(), d, zeros(t, bomb), Limits{Growth: 1 << 20})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, layer.ErrBomb) {
		t.Fatalf("%+v, %v; want ErrBomb", got, err)
	}
	fi, err := os.Stat(filepath.Join(d, "zeros"))
	if err != nil || fi.Size() > 64<<20 {
		t.Errorf("%d bytes were written, %v", fi.Size(), err)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if _, err := Unpack(t.Context(), t.TempDir(), zeros(t, bomb), Limits{Bytes: 1 << 30}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("the size in the header: %v", err)
	}
}

// sparse is a file of 8 TiB that is one hole, in the PAX format of GNU tar 1.0, which takes 2 KiB.
func sparse() []byte {
	block := func(typ byte, name, size string) []byte {
		b := make([]byte, 512)
		copy(b, name)
		copy(b[100:], "0000644\x000000000\x000000000\x00")
		copy(b[124:], size+"\x00")
		copy(b[136:], "00000000000\x00        ")
		b[156] = typ
		copy(b[257:], "ustar\x0000")
		sum := 0
		for _, c := range b {
			sum += int(c)
		}
		copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
		return b
	}
	var records string
	for _, kv := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=hole", "GNU.sparse.realsize=8796093022208"} {
		n := len(kv) + 2
		for len(fmt.Sprintf("%d %s\n", n, kv)) != n {
			n++
		}
		records += fmt.Sprintf("%d %s\n", n, kv)
	}
	pad := func(s string) []byte { return append([]byte(s), make([]byte, 512-len(s))...) }
	out := append(block('x', "x", fmt.Sprintf("%011o", len(records))), pad(records)...)
	out = append(out, block('0', "hole", fmt.Sprintf("%011o", 512))...)
	out = append(out, pad("1\n8796093022208\n0\n")...)
	return append(out, make([]byte, 1024)...)
}

func TestUnpackStopsAtAHole(t *testing.T) {
	h, err := tar.NewReader(bytes.NewReader(sparse())).Next()
	if err != nil || h.Size != 8<<40 {
		t.Fatalf("the test's archive is wrong: %+v, %v", h, err)
	}
	if _, err := Unpack(t.Context(), t.TempDir(), bytes.NewReader(sparse()), Limits{}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("beyond the bound: %v", err)
	}
	if _, err := Unpack(t.Context(), t.TempDir(), bytes.NewReader(sparse()), Limits{Bytes: 1 << 50, Growth: 8 << 20}); !errors.Is(err, layer.ErrBomb) {
		t.Errorf("%v; want ErrBomb", err)
	}
}

func TestUnpackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Unpack(ctx, t.TempDir(), bytes.NewReader(tarOf(t, file("a", "x"))), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// FuzzUnpack holds that no archive changes anything outside, whatever it says.
func FuzzUnpack(f *testing.F) {
	f.Add(tarOf(f, dir("d"), file("d/a", "x"), symlink("l", "../canary"), file("l/file", "no"), hardlink("h", "d/a"), file("d", "x")))
	f.Add(tarOf(f, symlink("d", "/tmp"), dir("d"), file("../x", "no")))
	f.Add(tarOf(f, symlink("a", "../canary/file"), hardlink("b", "a"), file("b", "x"), hardlink("c", "../canary/file")))
	f.Add(sparse())
	f.Fuzz(func(t *testing.T, data []byte) {
		y := newYard(t)
		_, _ = Unpack(t.Context(), y.dir, bytes.NewReader(data), Limits{Entries: 200, Bytes: 1 << 20, Growth: 1 << 18})
		y.check(t)
		_ = filepath.WalkDir(y.dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil && d != nil && d.IsDir() {
				_ = os.Chmod(p, 0o700)
			}
			return nil
		})
	})
}
