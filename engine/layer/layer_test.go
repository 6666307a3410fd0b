package layer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func readAll(data []byte, limits Limits) ([]Entry, error) {
	r := NewReader(bytes.NewReader(data), limits)
	var entries []Entry
	for {
		e, err := r.Next()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, *e)
		if _, err := io.Copy(io.Discard, r); err != nil {
			return entries, err
		}
	}
}

func TestReaderNames(t *testing.T) {
	reg, dir, sym, hard := byte(tar.TypeReg), byte(tar.TypeDir), byte(tar.TypeSymlink), byte(tar.TypeLink)
	tests := []struct {
		name, link string
		kind       byte
		want       string // kind and path; empty for refused
	}{
		{"etc/passwd", "", reg, "file etc/passwd"},
		{"./etc//x", "", reg, "file etc/x"},
		{"/abs", "", reg, "file abs"},
		{"a/../b", "", reg, "file b"},
		{"./", "", dir, "dir ."},
		{"../x", "", reg, ""},
		{"a/../../x", "", reg, ""},
		{"/../x", "", reg, ""},
		{".", "/etc", sym, ""},
		{"/", "x", sym, ""},
		{"l", "/anywhere", sym, "symlink l"},
		{"l", "../../..", sym, "symlink l"},
		{"h", "/a", hard, "hardlink h"},
		{"h", "../a", hard, ""},
		{"h", "a/../../b", hard, ""},
		{"h", ".", hard, ""},
		{"h", "h", hard, ""},
		{"h", ".wh.a", hard, ""},
		{"d/.wh.x", "", reg, "whiteout d/x"},
		{"d/.wh..wh..opq", "", reg, "opaque d"},
		{".wh..wh..opq", "", reg, "opaque ."},
		{".wh.", "", reg, ""},
		{".wh..", "", reg, ""},
		{".wh...", "", reg, ""},
		{".wh.../x", "", reg, ""},
		{".wh.x/", "", dir, ""},
		{".wh.x/y", "", reg, ""},
		{".wh.x", "y", sym, ""},
		{".wh..wh.plnk", "", reg, ""},
		{strings.Repeat("a", 255), "", reg, "file " + strings.Repeat("a", 255)},
		{strings.Repeat("a", 256), "", reg, ""},
		{strings.Repeat("a/", 2049), "", dir, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.40s", tt.name+tt.link), func(t *testing.T) {
			entries, err := readAll(archive(t, tar.Header{Name: tt.name, Linkname: tt.link, Typeflag: tt.kind, Mode: 0o644}), Limits{})
			var refused *EntryError
			switch {
			case tt.want == "" && !errors.As(err, &refused):
				t.Errorf("got %v, %v; want an EntryError", entries, err)
			case tt.want != "" && (err != nil || len(entries) != 1):
				t.Errorf("got %v, %v; want %s", entries, err, tt.want)
			case tt.want != "" && entries[0].Kind.String()+" "+entries[0].Path != tt.want:
				t.Errorf("got %s %s, want %s", entries[0].Kind, entries[0].Path, tt.want)
			}
		})
	}
}

func TestReaderLimits(t *testing.T) {
	files := archive(t, tar.Header{Name: "a", Size: 10}, tar.Header{Name: "b", Size: 10}, tar.Header{Name: "p", Typeflag: tar.TypeFifo},
		tar.Header{Name: "x", PAXRecords: map[string]string{"SCHILY.xattr.user.a": "12345678"}})
	for name, limits := range map[string]Limits{
		"entries": {Entries: 3}, "bytes": {Bytes: 19}, "devices": {Devices: -1}, "xattrs": {Xattrs: 10},
	} {
		var refused *EntryError
		if _, err := readAll(files, limits); !errors.As(err, &refused) {
			t.Errorf("%s: %v, want an EntryError", name, err)
		}
	}
	if _, err := readAll(files, Limits{}); err != nil {
		t.Errorf("default limits: %v", err)
	}
}

func TestWriterRoundTrip(t *testing.T) {
	at := time.Unix(1_700_000_000, 42)
	entries := []Entry{
		{Path: ".", Kind: Dir, Mode: 0o755, ModTime: at},
		{Path: "bin/su", Kind: File, Mode: 0o4755, Size: 4, ModTime: at, Xattrs: map[string]string{"security.capability": "\x01\x00\x02", "user.x": "ü="}},
		{Path: strings.Repeat("long/", 60) + "naïve", Kind: Symlink, Mode: 0o777, Link: strings.Repeat("x", 300), ModTime: time.Unix(5, 0)},
		{Path: "hard", Kind: HardLink, Link: "bin/su", ModTime: at},
		{Path: "null", Kind: Char, Mode: 0o666, Major: 1, Minor: 3, ModTime: at},
		{Path: "sda", Kind: Block, Mode: 0o660, Major: 8, ModTime: at},
		{Path: "pipe", Kind: Fifo, Mode: 0o600, UID: 3_000_000, GID: 4_000_000_000, ModTime: at},
	}
	write := func() []byte {
		var buf bytes.Buffer
		w := NewWriter(&buf)
		for _, e := range entries {
			if err := w.WriteEntry(e, strings.NewReader("data")); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Whiteout("d/gone"), w.Whiteout("top"), w.Opaque("o"), w.Close()); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	data := write()
	got, err := readAll(data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := append(entries, Entry{Path: "d/gone", Kind: Whiteout}, Entry{Path: "top", Kind: Whiteout}, Entry{Path: "o", Kind: Opaque})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if !bytes.Equal(data, write()) {
		t.Error("the same entries gave other bytes")
	}
}

func TestWriterNeedsExactContent(t *testing.T) {
	for _, text := range []string{"abc", "abcde"} {
		if err := NewWriter(io.Discard).WriteEntry(Entry{Path: "f", Kind: File, Size: 4}, strings.NewReader(text)); err == nil {
			t.Errorf("%d bytes of 4: no error", len(text))
		}
	}
}

func compressed(t testing.TB, kind Compression, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch kind {
	case Gzip:
		w = gzip.NewWriter(&buf)
	case Zstd:
		w, _ = zstd.NewWriter(&buf)
	default:
		return data
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestDecompress(t *testing.T) {
	data := bytes.Repeat([]byte("layer "), 100_000)
	for _, kind := range []Compression{None, Gzip, Zstd} {
		packed := compressed(t, kind, data)
		r, got, err := Decompress(bytes.NewReader(packed))
		if err != nil || got != kind {
			t.Fatalf("%s: detected %s, %v", kind, got, err)
		}
		plain, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(plain, data) {
			t.Errorf("%s: %d bytes, %v", kind, len(plain), err)
		}
		r.Close()
		if kind == None {
			continue
		}
		cut, _, err := Decompress(bytes.NewReader(packed[:len(packed)/2]))
		if err == nil {
			if _, err = io.ReadAll(cut); err == nil {
				t.Errorf("%s: a cut stream gives no error", kind)
			}
			cut.Close()
		}
	}
	if r, kind, err := Decompress(bytes.NewReader(nil)); err != nil || kind != None {
		t.Errorf("empty stream: %v, %v, %v", r, kind, err)
	}
}

func TestDecompressStopsAtBomb(t *testing.T) {
	for _, kind := range []Compression{Gzip, Zstd} {
		r, _, err := decompress(bytes.NewReader(compressed(t, kind, make([]byte, 300<<20))), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		r.Close()
		if kind == Zstd && !errors.Is(err, ErrBomb) || kind == Gzip && n > 300<<20 {
			t.Errorf("%s: %d bytes, %v; want ErrBomb", kind, n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(archive(f, tar.Header{Name: "a/b", Size: 3}, tar.Header{Name: ".wh.x"}, tar.Header{Name: "l", Linkname: "/etc", Typeflag: tar.TypeSymlink},
		tar.Header{Name: "h", Linkname: "a/b", Typeflag: tar.TypeLink}, tar.Header{Name: "x", PAXRecords: map[string]string{"SCHILY.xattr.user.a": "1"}}))
	f.Add(archive(f, tar.Header{Name: "../x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _ := readAll(data, Limits{Bytes: 1 << 24})
		for _, e := range entries {
			for _, p := range []string{e.Path, e.Link} {
				if e.Kind == Symlink && p == e.Link || p == "" && e.Kind != HardLink {
					continue
				}
				if p == "" || p != path.Clean(p) || path.IsAbs(p) || p == ".." || strings.HasPrefix(p, "../") || strings.Contains(p, "\x00") {
					t.Fatalf("%s entry %q leads to %q", e.Kind, e.Path, p)
				}
			}
			if e.Path == "." && e.Kind != Dir && e.Kind != Opaque {
				t.Fatalf("the root is a %s", e.Kind)
			}
		}
	})
}

// TestReaderSeeks: a source that can seek gives the same entries, contents and errors, and is not read where nobody asks.
func TestReaderSeeks(t *testing.T) {
	data := archive(t, tar.Header{Name: "big", Typeflag: tar.TypeReg, Size: 1 << 20}, tar.Header{Name: "small", Typeflag: tar.TypeReg, Size: 3},
		tar.Header{Name: "end", Typeflag: tar.TypeReg, Size: 1 << 20})
	for _, cut := range []int{0, 100, 1 << 19, 1<<20 + 2048, 1<<20 + 4000} {
		short := data[:len(data)-cut]
		src := &seekCounter{ReadSeeker: bytes.NewReader(short)}
		var plain, seeking []string
		plainErr := names(NewReader(struct{ io.Reader }{bytes.NewReader(short)}, Limits{}), &plain)
		seekErr := names(NewReader(src, Limits{}), &seeking)
		if d := cmp.Diff(plain, seeking); d != "" || (plainErr == nil) != (seekErr == nil) {
			t.Errorf("%d bytes cut off: %s, errors %v and %v", cut, d, plainErr, seekErr)
		}
		if src.read > 64<<10 {
			t.Errorf("%d bytes were read", src.read)
		}
	}
	r := NewReader(bytes.NewReader(data), Limits{})
	for e, err := r.Next(); err == nil; e, err = r.Next() {
		if content, err := io.ReadAll(r); err != nil || int64(len(content)) != e.Size {
			t.Errorf("%s: %d bytes, error %v", e.Path, len(content), err)
		}
	}
}

func names(r *Reader, list *[]string) error {
	for {
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		*list = append(*list, e.Path)
	}
}

type seekCounter struct {
	io.ReadSeeker
	read int
}

func (s *seekCounter) Read(p []byte) (int, error) {
	n, err := s.ReadSeeker.Read(p)
	s.read += n
	return n, err
}

// A layer of ten megabytes that would be ten gigabytes is given up after one.
func TestDecompressLayerStopsAtBomb(t *testing.T) {
	const piece, pieces = 64 << 20, 160
	bomb := bytes.Repeat(compressed(t, Gzip, make([]byte, piece)), pieces)
	r, _, err := DecompressLayer(bytes.NewReader(bomb))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrBomb) || n > layerBytes {
		t.Errorf("%d bytes of %d, %v; want ErrBomb", n, len(bomb), err)
	}
}
