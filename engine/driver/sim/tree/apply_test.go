package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

func (s *store) chainUnion(chain digest.Digest) *Union {
	s.t.Helper()
	tree, err := s.snapshots.OpenChain(context.Background(), chain)
	must(s.t, err)
	return tree.(*view).u
}

func TestApplyKeepsMetadata(t *testing.T) {
	s := newStore(t)
	suid := file("bin/su", "program")
	suid.Mode = 0o4755
	owned := file("home/u/f", "mine")
	owned.Uid, owned.Gid = 1000, 1001
	tagged := file("tagged", "x")
	tagged.PAXRecords = map[string]string{"SCHILY.xattr.user.note": "hello", "SCHILY.xattr.user.overlay.opaque": "y",
		"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.security.capability": "\x01\x00\xff%"}
	device := header{tar.Header{Format: tar.FormatPAX, Typeflag: tar.TypeBlock, Name: "disk", Mode: 0o660, Devmajor: 259, Devminor: 70000, ModTime: when}, ""}
	chain := s.apply("", archive(t, suid, owned, tagged, device, file("na\xffme%", "odd"), file("etc/Name", "1"), file("etc/name", "2"), file("NUL", "3"),
		link(tar.TypeSymlink, "abs", "/etc/passwd"), link(tar.TypeLink, "hard", "bin/su")))
	u := s.again().chainUnion(chain)
	lstat := func(name string) fsys.Attr {
		t.Helper()
		a, err := u.Lstat(name)
		must(t, err)
		return a
	}
	if a := lstat("bin/su"); a.Mode != 0o4755 || a.Links != 2 || a.Inode != lstat("hard").Inode {
		t.Errorf("bin/su: %+v", a)
	}
	if a := lstat("home/u/f"); a.UID != 1000 || a.GID != 1001 || a.Size != 4 {
		t.Errorf("home/u/f: %+v", a)
	}
	if a := lstat("disk"); a.Kind != fsys.BlockDevice || fsys.Major(a.Rdev) != 259 || fsys.Minor(a.Rdev) != 70000 {
		t.Errorf("disk: %+v", a)
	}
	for _, name := range []string{"bin/su", "abs", "disk", "home/u", "tagged"} {
		if a := lstat(name); !a.Mtime.Equal(when) {
			t.Errorf("%s: time %v, want %v", name, a.Mtime, when)
		}
	}
	attrs, err := u.Xattr("tagged")
	if diff := cmp.Diff(map[string]string{"user.note": "hello", "security.capability": "\x01\x00\xff%"}, attrs); err != nil || diff != "" {
		t.Errorf("tagged: %v %s", err, diff)
	}
	for name, want := range map[string]string{"na\xffme%": "odd", "etc/Name": "1", "etc/name": "2", "NUL": "3"} {
		if got := read(t, u, name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	s.noScratch()
}

// What a host may not be able to hold, or might take for something else, is stored under another name; the rest under its own.
func TestStoredNames(t *testing.T) {
	tests := []struct{ path, want string }{
		{"etc/passwd", "etc/passwd"}, {"ETC/passwd", "%~1~passwd"}, {"etc", "%~2~etc"}, {"con", "%63on"}, {"Com1.txt", "%43om1.txt"},
		{"a:b", "a%3Ab"}, {"dot.", "dot%2E"}, {"space ", "space%20"}, {"back\\slash", "back%5Cslash"}, {"100%", "100%25"}, {"\xff", "%FF"},
		{"e\u0301", "e%CC%81"}, {"\u00e9", "\u00e9"}, {strings.Repeat("n", 201), "%~3~long"}, {strings.Repeat("d/", 460) + "x", "%~4~x"},
	}
	p := newPlacer()
	for _, tt := range tests {
		if got := p.choose(tt.path); got != tt.want || !validStored(got) {
			t.Errorf("%q is stored as %q, want %q", tt.path, got, tt.want)
		}
	}
}

func TestApplyTwiceIsReuse(t *testing.T) {
	s := newStore(t)
	data := archive(t, file("a", "1"))
	chain := s.apply("", data)
	if err := s.layers.Apply(context.Background(), chain, "", chain, bytes.NewReader(data)); !errors.Is(err, driver.ErrExists) {
		t.Errorf("second apply: %v, want ErrExists", err)
	}
	if got, err := s.layers.List(context.Background()); err != nil || !cmp.Equal(got, []digest.Digest{chain}) {
		t.Errorf("list: %v, %v", got, err)
	}
	must(t, s.layers.Drop(context.Background(), chain))
	if s.layers.Has(chain) {
		t.Error("dropped, but still there")
	}
	if _, err := s.snapshots.OpenChain(context.Background(), chain); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("open what is dropped: %v, want ErrNotFound", err)
	}
	must(t, s.layers.Drop(context.Background(), chain))
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

func TestApplyFolderEntries(t *testing.T) {
	s := newStore(t)
	tagged := folder("b")
	tagged.PAXRecords = map[string]string{"SCHILY.xattr.user.a": "v"}
	base := s.apply("", archive(t, tagged, folder("real"), link(tar.TypeSymlink, "by", "real")))
	private := folder("by/sub")
	private.Mode = 0o700
	top := s.apply(base, archive(t, folder("b/f"), folder("b"), private))
	u := s.chainUnion(top)
	if m, err := u.Xattr("b"); err != nil || len(m) != 0 {
		t.Errorf("attributes that the last entry for the folder does not have: %v, %v", m, err)
	}
	if a, err := u.Lstat("real/sub"); err != nil || a.Mode != 0o700 || !a.Mtime.Equal(when) {
		t.Errorf("a folder reached by a link of the lower layer: %+v, %v", a, err)
	}
}

func TestApplyHostile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "canary")
	must(t, os.WriteFile(outside, []byte("alive"), 0o600))
	tests := []struct {
		name    string
		entries []header
		want    string // part of the error; empty: it is unpacked
	}{
		{"name leads out", []header{file("../x", "x")}, "leads out"},
		{"through an absolute link", []header{link(tar.TypeSymlink, "l", filepath.Dir(outside)), file("l/canary", "dead")}, ""},
		{"through a relative link", []header{link(tar.TypeSymlink, "l", "../../../.."), file("l/tmp/x", "dead")}, ""},
		{"hard link to the host", []header{link(tar.TypeLink, "h", outside)}, "not in this layer"},
		{"hard link to nothing", []header{link(tar.TypeLink, "h", "a")}, "not a file in this layer"},
		{"hard link to a folder", []header{folder("a"), link(tar.TypeLink, "h", "a")}, "not a file in this layer"},
		{"hard link in the place of its target", []header{folder("a"), file("a/b", ""), link(tar.TypeLink, "a", "a/b")}, "replaces"},
		{"loop", []header{link(tar.TypeSymlink, "l", "l"), file("l/x", "x")}, "too many"},
		{"under a file", []header{file("f", ""), file("f/x", "x")}, "not a folder"},
		{"opaque under a link", []header{link(tar.TypeSymlink, "l", "/etc"), file("l/.wh..wh..opq", "")}, ""},
		{"folder becomes link", []header{folder("a"), file("a/x", "1"), link(tar.TypeSymlink, "a", "/"), file("a/y", "2")}, ""},
		{"twice", []header{file("a", "1"), file("a", "22"), folder("a"), file("a", "333")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			data := archive(t, tt.entries...)
			chain, diffID := chainOf("", data)
			err := s.layers.Apply(context.Background(), chain, "", diffID, bytes.NewReader(data))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("apply: %v, want %q", err, tt.want)
			}
			if tt.want != "" && s.layers.Has(chain) {
				t.Error("the refused layer is there")
			}
			s.noScratch()
		})
	}
	if text, err := os.ReadFile(outside); err != nil || string(text) != "alive" {
		t.Errorf("a file outside was changed: %q, %v", text, err)
	}
}
