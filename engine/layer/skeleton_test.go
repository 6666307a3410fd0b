package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// takeApart gives the skeleton of an archive and its files, the last of each name.
func takeApart(archive []byte) (skeleton []byte, files map[string]string, err error) {
	var b bytes.Buffer
	if err := WriteSkeleton(&b, bytes.NewReader(archive)); err != nil {
		return nil, nil, err
	}
	files = map[string]string{}
	in := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := in.Next()
		if err != nil {
			return b.Bytes(), files, nil
		}
		data, _ := io.ReadAll(in)
		if p, err := cleanPath(h.Name, Limits{}.withDefaults()); err == nil && h.Typeflag == tar.TypeReg {
			files[p] = string(data)
		}
	}
}

func putTogether(skeleton []byte, files map[string]string) ([]byte, error) {
	a, err := Assemble(bytes.NewReader(skeleton), func(p string) (io.ReadCloser, error) {
		if text, ok := files[p]; ok {
			return io.NopCloser(strings.NewReader(text)), nil
		}
		return nil, errors.New("no file " + p)
	})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return io.ReadAll(a)
}

// TestSkeletonGivesTheArchiveBack takes archives of every odd kind apart and wants the same bytes again.
func TestSkeletonGivesTheArchiveBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for i := range rapid.IntRange(0, 8).Draw(rt, "entries") {
			h := &tar.Header{Name: fmt.Sprintf("%sf%d", rapid.SampledFrom([]string{"", "./", "/", "d/", strings.Repeat("long/", 40), ".wh."}).Draw(rt, "at"), i), Mode: 0o644,
				Typeflag: rapid.SampledFrom([]byte{tar.TypeReg, tar.TypeReg, tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeFifo}).Draw(rt, "kind"),
				Format:   rapid.SampledFrom([]tar.Format{tar.FormatPAX, tar.FormatGNU}).Draw(rt, "format")}
			content := ""
			switch h.Typeflag {
			case tar.TypeReg:
				content = strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 511, 512, 513, 5000}).Draw(rt, "size"))
				h.Size = int64(len(content))
			case tar.TypeSymlink:
				h.Linkname = "to"
			}
			if err := w.WriteHeader(h); err != nil {
				rt.Fatal(err)
			}
			_, _ = io.WriteString(w, content)
		}
		_ = w.Close()
		archive := append(b.Bytes(), bytes.Repeat([]byte("tail"), rapid.IntRange(0, 300).Draw(rt, "garbage"))...)
		skeleton, files, err := takeApart(archive)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := putTogether(skeleton, files)
		if err != nil || !bytes.Equal(got, archive) {
			rt.Fatalf("%d bytes of %d, %v", len(got), len(archive), err)
		}
	})
}

func TestSkeletonNotices(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := w.WriteEntry(Entry{Path: "f", Kind: File, Size: 5}, strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	skeleton, _, err := takeApart(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for title, tc := range map[string]struct {
		skeleton []byte
		files    map[string]string
		want     string
	}{
		"short file":   {skeleton, map[string]string{"f": "hell"}, "1 bytes too short"},
		"no file":      {skeleton, nil, "no file f"},
		"cut skeleton": {skeleton[:len(skeleton)/2], map[string]string{"f": "hello"}, "read skeleton"},
		"no skeleton":  {[]byte("hello"), nil, "read skeleton"},
	} {
		if _, err := putTogether(tc.skeleton, tc.files); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", title, err)
		}
	}
	if _, _, err := takeApart(b.Bytes()[:515]); err == nil {
		t.Error("a cut archive has a skeleton")
	}
}

// FuzzAssemble reads hostile skeletons: nothing but an error or some bytes may come of it.
func FuzzAssemble(f *testing.F) {
	var b bytes.Buffer
	_ = NewWriter(&b).Close()
	skeleton, _, _ := takeApart(b.Bytes())
	f.Add(skeleton)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Assemble(bytes.NewReader(data), func(p string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(p)), nil })
		if err != nil {
			return
		}
		defer a.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(a, 1<<20))
	})
}
