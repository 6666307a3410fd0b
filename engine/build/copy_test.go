package build

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

// entries describes what the last layer of an image holds: kind, mode, owner, and content or target.
func (l *lab) entries(res Result) map[string]string {
	l.t.Helper()
	layers := res.Image.Layers
	f, err := l.blobs.Open(layers[len(layers)-1].Descriptor.Digest)
	must(l.t, err)
	defer f.Close()
	out := map[string]string{}
	for r := layer.NewReader(f, layer.Limits{}); ; {
		e, err := r.Next()
		if err == io.EOF {
			return out
		}
		must(l.t, err)
		data, err := io.ReadAll(r)
		must(l.t, err)
		text := fmt.Sprintf("%s %04o %d:%d", e.Kind, e.Mode, e.UID, e.GID)
		switch {
		case e.Link != "":
			text += " -> " + e.Link
		case e.Kind == layer.Char || e.Kind == layer.Block:
			text += fmt.Sprintf(" %d,%d", e.Major, e.Minor)
		case len(data) > 0:
			text += " " + string(data)
		}
		for _, name := range sortedKeys(e.Xattrs) {
			text += fmt.Sprintf(" %s=%s", name, e.Xattrs[name])
		}
		out[e.Path] = text
	}
}

// copyContext is what the tables below copy from.
func copyContext(l *lab) {
	for name, text := range map[string]string{
		"a.txt": "a", "b.txt": "b", "src/x.go": "x", "src/run.sh": "run", "src/sub/y.go": "y", "src/sub/deep/z.txt": "z",
		"app1/f1": "1", "app2/f2": "2", "app2/sub/f": "f", "*odd[1]": "odd",
	} {
		l.write(name, text)
	}
	must(l.t, os.Chmod(filepath.Join(l.dir, "src/run.sh"), 0o750))
	must(l.t, os.Chmod(filepath.Join(l.dir, "src/sub"), 0o700))
	must(l.t, os.Chmod(filepath.Join(l.dir, "src"), 0o711))
	must(l.t, os.Symlink("a.txt", filepath.Join(l.dir, "link")))
	must(l.t, os.Symlink("src", filepath.Join(l.dir, "dirlink")))
	must(l.t, os.Symlink("../a.txt", filepath.Join(l.dir, "src/sub/up")))
	must(l.t, os.Symlink("/etc/hostname", filepath.Join(l.dir, "src/out")))
}

// TestCopiedEntries looks at the layers that COPY makes: what BuildKit makes of the same instruction.
func TestCopiedEntries(t *testing.T) {
	dir, file := "dir 0755 0:0", func(s string) string { return "file 0644 0:0 " + s }
	sub := map[string]string{"t": dir, "t/deep": dir, "t/deep/z.txt": file("z"), "t/up": "symlink 0777 0:0 -> ../a.txt", "t/y.go": file("y")}
	tests := []struct {
		name, dockerfile string
		want             map[string]string
	}{
		{"new folder has no metadata of the source's", "COPY src/sub /t", sub},
		{"slash after a folder", "COPY src/sub/ /t/", sub},
		{"dot after a folder", "COPY src/sub/. /t", sub},
		{"folders inside keep theirs", "COPY src /t", map[string]string{"t": dir, "t/x.go": file("x"), "t/run.sh": "file 0750 0:0 run", "t/out": "symlink 0777 0:0 -> /etc/hostname",
			"t/sub": "dir 0700 0:0", "t/sub/up": "symlink 0777 0:0 -> ../a.txt", "t/sub/y.go": file("y"), "t/sub/deep": dir, "t/sub/deep/z.txt": file("z")}},
		{"folders inside replace metadata", "RUN mkdir /t && mkdir /t/sub\nCOPY --exclude=*.* --exclude=out --exclude=sub/* src /t", map[string]string{"t": dir, "t/sub": "dir 0700 0:0"}},
		{"folder that is there keeps its own", "COPY app1 /data", map[string]string{"data": dir, "data/f1": file("1")}},
		{"link that is named is followed", "COPY link /t/", map[string]string{"t": dir, "t/link": file("a")}},
		{"link that a pattern finds is followed", "COPY lin[k] /t/", map[string]string{"t": dir, "t/link": file("a")}},
		{"link to a folder is followed", "COPY dirlink/sub /t", sub},
		{"patterns follow links before the first wildcard", "COPY dirlink/x* /t", map[string]string{"t": file("x")}},
		{"patterns follow no links after it", "COPY *link/x.go /t/", map[string]string{}},
		{"pattern without a match", "COPY none* /t/", map[string]string{}},
		{"double star is a star", "COPY **/x.go /t/", map[string]string{"t": dir, "t/x.go": file("x")}},
		{"question mark and class", "COPY ?.tx[a-z] /t/", map[string]string{"t": dir, "t/a.txt": file("a"), "t/b.txt": file("b")}},
		{"escaped", `COPY \*odd[[]1] /t/`, map[string]string{"t": dir, "t/*odd[1]": file("odd")}},
		{"last of several wins", "COPY *.txt /t", map[string]string{"t": file("b")}},
		{"several folders merge", "COPY app* /t", map[string]string{"t": dir, "t/f1": file("1"), "t/f2": file("2"), "t/sub": dir, "t/sub/f": file("f")}},
		{"file replaces file", "COPY a.txt /data/old", map[string]string{"data": dir, "data/old": file("a")}},
		{"file replaces link in a folder", "COPY a.txt /t/up\nCOPY src/sub /t", map[string]string{"t": dir, "t/deep": dir, "t/deep/z.txt": file("z"), "t/up": "symlink 0777 0:0 -> ../a.txt", "t/y.go": file("y")}},
		{"link at the destination is followed", "COPY a.txt /lib", map[string]string{"usr": dir, "usr/lib": dir, "usr/lib/a.txt": file("a")}},
		{"to the root", "COPY a.txt /", map[string]string{"a.txt": file("a")}},
		{"to dot", "WORKDIR /data\nCOPY a.txt b.txt .", map[string]string{"data": dir, "data/a.txt": file("a"), "data/b.txt": file("b")}},
		{"leads out of the root", "WORKDIR /data\nCOPY a.txt ../../../x", map[string]string{"x": file("a")}},
		{"chown by name", "COPY --chown=app src/sub/deep /t/u/", map[string]string{"t": "dir 0755 1000:1001", "t/u": "dir 0755 1000:1001", "t/u/z.txt": "file 0644 1000:1001 z"}},
		{"chown by number", "COPY --chown=7 a.txt /t", map[string]string{"t": "file 0644 7:7 a"}},
		{"chown with group", "COPY --chown=7:extra a.txt /t", map[string]string{"t": "file 0644 7:1002 a"}},
		{"chmod", "COPY --chmod=2710 app2 /t/", map[string]string{"t": "dir 0710 0:0", "t/f2": "file 2710 0:0 2", "t/sub": "dir 2710 0:0", "t/sub/f": "file 2710 0:0 f"}},
		{"chmod by symbols", "COPY --chmod=u=rwX,go=rX --exclude=out --exclude=x.go src /t/", map[string]string{"t": dir, "t/run.sh": "file 0755 0:0 run",
			"t/sub": dir, "t/sub/deep": dir, "t/sub/deep/z.txt": file("z"), "t/sub/up": "symlink 0777 0:0 -> ../a.txt", "t/sub/y.go": file("y")}},
		{"exclude and exception", "COPY --exclude=sub --exclude=!sub/deep/z.txt --exclude=*.* --exclude=out src /t", map[string]string{"t": dir, "t/sub": "dir 0700 0:0", "t/sub/deep": dir, "t/sub/deep/z.txt": file("z")}},
		{"exclude a folder", "COPY --exclude=s*/ --exclude=out src /t", map[string]string{"t": dir, "t/x.go": file("x"), "t/run.sh": "file 0750 0:0 run"}},
		{"exclude counts below the source", "COPY --exclude=a.txt a.txt /t", map[string]string{"t": file("a")}},
		{"parents", "COPY --parents src/sub/y.go a.txt /t/", map[string]string{"t": dir, "t/src": "dir 0711 0:0", "t/src/sub": "dir 0700 0:0", "t/src/sub/y.go": file("y"), "t/a.txt": file("a")}},
		{"parents with pattern", "COPY --parents **/*.go /t/", map[string]string{"t": dir, "t/src": "dir 0711 0:0", "t/src/x.go": file("x"), "t/src/sub": "dir 0700 0:0", "t/src/sub/y.go": file("y")}},
		{"parents with pivot", "COPY --parents src/./sub/deep /t/", map[string]string{"t": dir, "t/sub": "dir 0700 0:0", "t/sub/deep": dir, "t/sub/deep/z.txt": file("z")}},
		{"parents and exclude", "COPY --parents --exclude=**/*.go src/sub /t/", map[string]string{"t": dir, "t/src": "dir 0711 0:0", "t/src/sub": "dir 0700 0:0",
			"t/src/sub/up": "symlink 0777 0:0 -> ../a.txt", "t/src/sub/deep": dir, "t/src/sub/deep/z.txt": file("z")}},
		{"apart", "COPY --link a.txt /lib/x/", map[string]string{"lib": dir, "lib/x": dir, "lib/x/a.txt": file("a")}},
		{"apart with owner", "COPY --link --chown=5:6 a.txt /t/", map[string]string{"t": "dir 0755 5:6", "t/a.txt": "file 0644 5:6 a"}},
		{"chmod takes --link back", "COPY --link --chmod=600 a.txt /lib", map[string]string{"usr": dir, "usr/lib": dir, "usr/lib/a.txt": "file 0600 0:0 a"}},
		{"here-documents", "COPY --chown=7:7 --chmod=755 <<one <<'two' /t/\n$PATH\none\n$PATH\ntwo", map[string]string{"t": "dir 0755 7:7", "t/one": "file 0755 7:7 /bin\n", "t/two": "file 0755 7:7 $PATH\n"}},
		{"from a stage keeps owners", "COPY --chown=7:8 src/sub /t/\nFROM base\nCOPY --from=0 /t /u", map[string]string{"u": dir, "u/deep": "dir 0755 7:8", "u/deep/z.txt": "file 0644 7:8 z",
			"u/up": "symlink 0777 7:8 -> ../a.txt", "u/y.go": "file 0644 7:8 y"}},
		{"from a stage through its links", "COPY a.txt /lib/\nFROM base\nCOPY --from=first /lib/a.txt /u", map[string]string{"u": file("a")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			copyContext(l)
			res := l.build("FROM base AS first\n"+tt.dockerfile+"\n", Options{})
			if diff := cmp.Diff(tt.want, l.entries(res)); diff != "" {
				t.Errorf("layer (-want +got):\n%s", diff)
			}
			if again := l.build("FROM base AS first\n"+tt.dockerfile+"\n", Options{}); again.Misses != 0 {
				t.Errorf("second build: %q", l.reasons())
			}
		})
	}
}

func TestMissingSourcesOfParents(t *testing.T) {
	l := newLab(t)
	copyContext(l)
	_, err := l.try("FROM base\nCOPY --parents src/./sub/none /t/\n", Options{})
	if err == nil || !strings.Contains(err.Error(), `"/src/sub/none": not found`) {
		t.Errorf("error %v", err)
	}
}

// TestHardLinksStay: files that are one file in a source are one file in the layer.
func TestHardLinksStay(t *testing.T) {
	l := newLab(t)
	l.write("d/b/x", "x")
	must(t, os.Mkdir(filepath.Join(l.dir, "d/a"), 0o755))
	must(t, os.Link(filepath.Join(l.dir, "d/b/x"), filepath.Join(l.dir, "d/a/y")))
	got := l.entries(l.build("FROM base\nCOPY d /d\n", Options{}))
	if got["d/a/y"] != "file 0644 0:0 x" || got["d/b/x"] != "hardlink 0644 0:0 -> d/a/y" {
		t.Errorf("entries %v", got)
	}
	if got := l.entries(l.build("FROM base\nCOPY d/a/y d/b/x /d/\n", Options{})); got["d/x"] != "file 0644 0:0 x" {
		t.Errorf("of two sources: %v", got)
	}
}

// archive makes a tar archive of headers; a file's content is its name.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		h.ModTime = time.Unix(1000, 0)
		must(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(w, h.Name)
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

func compressed(t testing.TB, how string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		must(t, err)
		w = z
	default:
		return data
	}
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func TestAddUnpacks(t *testing.T) {
	plain := archive(t, tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o700}, tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o750, Uid: 3, Gid: 4},
		tar.Header{Typeflag: tar.TypeReg, Name: "d/f", Mode: 0o4755, Uid: 5, Gid: 6, PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v"}},
		tar.Header{Typeflag: tar.TypeLink, Name: "d/a", Linkname: "d/f"}, tar.Header{Typeflag: tar.TypeSymlink, Name: "s", Linkname: "/d"},
		tar.Header{Typeflag: tar.TypeReg, Name: "s/through"}, tar.Header{Typeflag: tar.TypeReg, Name: "new/implied"}, tar.Header{Typeflag: tar.TypeFifo, Name: "p"})
	want := map[string]string{"t": "dir 0755 0:0", "t/d": "dir 0750 3:4", "t/d/a": "file 4755 5:6 d/f user.k=v", "t/d/f": "hardlink 4755 5:6 -> t/d/a", "t/s": "symlink 0644 0:0 -> /d",
		"t/d/through": "file 0644 0:0 s/through", "t/new": "dir 0755 0:0", "t/new/implied": "file 0644 0:0 new/implied", "t/p": "fifo 0644 0:0"}
	for _, how := range []string{"plain", "gzip", "zstd"} {
		t.Run(how, func(t *testing.T) {
			l := newLab(t)
			l.write("x", string(compressed(t, how, plain)))
			if diff := cmp.Diff(want, l.entries(l.build("FROM base\nADD x /t\n", Options{}))); diff != "" {
				t.Errorf("layer (-want +got):\n%s", diff)
			}
			if again := l.build("FROM base\nADD x /t\n", Options{}); again.Misses != 0 {
				t.Error("the second build missed")
			}
			got := l.entries(l.build("FROM base\nADD --unpack=false x /t\n", Options{}))
			if !strings.HasPrefix(got["t"], "file 0644 0:0 ") || len(got) != 1 {
				t.Errorf("with --unpack=false: %v", got)
			}
			if got := l.entries(l.build("FROM base\nCOPY x /t\n", Options{})); len(got) != 1 {
				t.Errorf("COPY: %v", got)
			}
			got = l.entries(l.build("FROM base\nADD --chown=9:9 x /t/\n", Options{}))
			if got["t"] != "dir 0755 9:9" || got["t/d/a"] != "file 4755 9:9 d/f user.k=v" {
				t.Errorf("with --chown: %v", got)
			}
		})
	}
}

// TestAddUnpacksOtherCompressions: what no compressor is at hand for was made with tar -j and tar -J.
func TestAddUnpacksOtherCompressions(t *testing.T) {
	for name, text := range map[string]string{
		"bzip2": "QlpoOTFBWSZTWWi1mG0AAC1bgNGAQADPAAACZwAeQAgIIABUVk0DQAGQSSCA2o9RoNGZf9FEhmStetnN55CGBu3nVkUYREkSeDbgic8LiOd+RFRTAPi7kinChINFrMNo",
		"xz":    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Af/AEBdADILyMAOUCcI/OcAo4BJsnWrEgw/pQS3+7S9IPXesPdmiKtPjTict2aEt2XPDd8TcScCWshdWEluwRUSBy1jMgAAUOOCF+HPwRoAAVyAEAAAAFz75lmxxGf7AgAAAAAEWVo=",
	} {
		data, err := base64.StdEncoding.DecodeString(text)
		must(t, err)
		l := newLab(t)
		l.write("x", string(data))
		want := map[string]string{"t": "dir 0755 0:0", "t/d": "dir 0755 0:0", "t/d/f": "file 0640 3:4 text"}
		if diff := cmp.Diff(want, l.entries(l.build("FROM base\nADD x /t\n", Options{}))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestAddUnpacksOver: an archive replaces what is in its way, as docker's does, and links below the destination lead nowhere out of it.
func TestAddUnpacksOver(t *testing.T) {
	l := newLab(t)
	l.base("full", map[string]string{"t/": "", "t/dir/": "", "t/dir/f": "f", "t/file": "f", "t/out@": "/etc", "etc/": "", "etc/passwd": "root:x:0:0::/:/sh\n", "t/keep/": "", "t/keep/k": "k"}, oci.ImageConfig{})
	l.write("x.tar", string(archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "dir"}, tar.Header{Typeflag: tar.TypeDir, Name: "file", Mode: 0o755}, tar.Header{Typeflag: tar.TypeReg, Name: "file/in"},
		tar.Header{Typeflag: tar.TypeReg, Name: "out/passwd"}, tar.Header{Typeflag: tar.TypeDir, Name: "keep", Mode: 0o711}, tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "keep/k"})))
	got := l.entries(l.build("FROM full\nADD x.tar /t\n", Options{}))
	want := map[string]string{"t": "opaque 0000 0:0", "t/dir": "file 0644 0:0 dir", "t/file/in": "file 0644 0:0 file/in", "t/etc": "dir 0755 0:0", "t/etc/passwd": "file 0644 0:0 out/passwd",
		"t/keep": "dir 0711 0:0", "t/hard": "file 0644 0:0 k", "t/keep/k": "hardlink 0644 0:0 -> t/hard", "t/file": "opaque 0000 0:0"}
	want["t"] = "dir 0755 0:0"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
}

func TestHostileArchives(t *testing.T) {
	tests := map[string][]byte{
		"leads out of":    archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "ok"}, tar.Header{Typeflag: tar.TypeReg, Name: "../x"}),
		"is not there":    archive(t, tar.Header{Typeflag: tar.TypeLink, Name: "x", Linkname: "etc/shadow"}),
		"is deleted":      archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "ok"}, tar.Header{Typeflag: tar.TypeReg, Name: "d/.wh.f"}),
		"too many levels": archive(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "l"}, tar.Header{Typeflag: tar.TypeReg, Name: "l/f"}),
		"unexpected EOF":  archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "ok"})[:513],
	}
	for want, data := range tests {
		t.Run(want, func(t *testing.T) {
			l := newLab(t)
			l.write("x.tar", string(data))
			_, err := l.try("FROM base\nADD x.tar /t/\n", Options{})
			if err == nil || !strings.Contains(err.Error(), "Dockerfile:2:1: ADD: unpack x.tar: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v", err)
			}
		})
	}
	l := newLab(t)
	l.write("x.tar.bz2", "BZh91"+strings.Repeat("x", 600)) // no archive after all: a file
	if got := l.tree(l.build("FROM base\nADD x.tar.bz2 /t/\n", Options{})); len(got["t/x.tar.bz2"]) != 605 {
		t.Errorf("tree %v", got)
	}
}

// TestLinkedLayersSurviveTheirBase: the layer of COPY --link is taken from the cache on any base.
func TestLinkedLayersSurviveTheirBase(t *testing.T) {
	l := newLab(t)
	l.write("f", "f")
	l.build("FROM base\nRUN write /one 1\nCOPY --link f /d/\nCOPY f /e/\n", Options{})
	res := l.build("FROM base\nRUN write /two 2\nCOPY --link f /d/\nCOPY f /e/\n", Options{})
	if res.Hits != 1 || res.Misses != 2 {
		t.Errorf("%d hits, %d misses, want 1 and 2: %q", res.Hits, res.Misses, l.reasons())
	}
	if diff := cmp.Diff(map[string]string{"two": "2", "d": "dir", "d/f": "f", "e": "dir", "e/f": "f"}, l.tree(res)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if res := l.build("FROM scratch\nCOPY --link f /d/\n", Options{}); res.Hits != 1 {
		t.Errorf("on nothing: %d hits, want 1", res.Hits)
	}
}

// TestCachedCopiesOpenNoTree: COPY --from is keyed without its tree when nothing has to be done.
func TestCachedCopiesOpenNoTree(t *testing.T) {
	l := newLab(t)
	const df = "FROM base AS one\nRUN write /d one\nFROM base\nCOPY --from=one /d /d\nCOPY --from=base /data /e\n"
	first := l.build(df, Options{})
	opened := l.machine.opened
	second := l.build(df, Options{})
	if second.Misses != 0 || second.Image.ID != first.Image.ID || l.machine.opened != opened {
		t.Errorf("%d misses, %d trees opened, want none", second.Misses, l.machine.opened-opened)
	}
	files, err := filepath.Glob(filepath.Join(l.home.Cache(), "from-*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("kept %v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		must(t, os.WriteFile(f, bytes.Replace(text, []byte("sha256:"), []byte("sha256:0"), 1), 0o600))
	}
	if third := l.build(df, Options{}); third.Misses != 0 || l.machine.opened == opened {
		t.Errorf("broken: %d misses, %d trees opened", third.Misses, l.machine.opened-opened)
	}
	if fourth := l.build("FROM base AS one\nRUN write /d two\nFROM base\nCOPY --from=one /d /d\n", Options{}); l.tree(fourth)["d"] != "two" {
		t.Errorf("another tree: %v", l.tree(fourth))
	}
}

func TestChmod(t *testing.T) {
	tests := []struct {
		change   string
		from, to uint32
		dir      bool
	}{
		{"755", 0o600, 0o755, false}, {"07421", 0, 0o7421, true}, {"0", 0o777, 0, false},
		{"+x", 0o644, 0o755, false}, {"u+x", 0o644, 0o744, false}, {"a-w", 0o666, 0o444, false}, {"go=", 0o777, 0o700, false}, {"=", 0o6777, 0, false},
		{"u=rwX,go=rX", 0o600, 0o644, false}, {"u=rwX,go=rX", 0o700, 0o755, false}, {"u=rwX,go=rX", 0o600, 0o755, true},
		{"+X", 0o644, 0o644, false}, {"+X", 0o644, 0o755, true}, {"-X", 0o777, 0o777, true}, {"g=u", 0o740, 0o770, false}, {"go=u-w", 0o750, 0o755, false}, {"o=g", 0o754, 0o755, false},
		{"+t", 0o755, 0o1755, true}, {"o+t", 0o755, 0o755, true}, {"u+s,g+s", 0o755, 0o6755, false}, {"o+s", 0o755, 0o755, false}, {"u=rw,u+x", 0o7777, 0o3777, false}, {"ug+r-x", 0o111, 0o441, false},
		{"u=rX,go=r", 0o444, 0o444, false}, {"u=rX,go=r", 0o755, 0o544, true},
	}
	for _, tt := range tests {
		m, err := parseMode(tt.change)
		if err != nil {
			t.Errorf("%s: %v", tt.change, err)
			continue
		}
		if got := m.apply(tt.from, tt.dir); got != tt.to {
			t.Errorf("%s makes %04o of %04o (folder: %t), want %04o", tt.change, got, tt.from, tt.dir, tt.to)
		}
	}
	for _, bad := range []string{",", "q+r", "017777", "8", "9", "z", "u", "go", "u+z", "u=r,", "+x,q", "0x1", "-1", "u=rwx go=r"} {
		if _, err := parseMode(bad); err == nil || !strings.HasPrefix(err.Error(), "invalid chmod parameter: '"+bad+"'") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func FuzzChmod(f *testing.F) {
	for _, seed := range []string{"755", "u=rwX,go=rX", "+x", "a-w", "u+s,o=g-w", "", "=", "07777", "u=t"} {
		f.Add(seed, uint32(0o644), false)
	}
	f.Fuzz(func(t *testing.T, text string, mode uint32, dir bool) {
		m, err := parseMode(text)
		if err != nil {
			return
		}
		once := m.apply(mode&0o7777, dir)
		if once > 0o7777 {
			t.Errorf("%q makes %o of %o", text, once, mode)
		}
		if m.folders() > 0o777 {
			t.Errorf("%q gives folders %o", text, m.folders())
		}
		if m.given && m.octal >= 0 && once != uint32(m.octal) {
			t.Errorf("%q makes %o", text, once)
		}
	})
}

// TestBigCopiesAreReadOnce: where no layer can be in the cache, files are read once, and the layer and its key are the same as if they
// had been read twice.
func TestBigCopiesAreReadOnce(t *testing.T) {
	const df = "FROM base\nCOPY big small /d/\nRUN write /x x\n"
	build := func(l *lab, o Options) Result {
		l.write("big", strings.Repeat("0123456789abcdef", worthwhile/16))
		l.write("small", "small")
		at := time.Unix(1700000000, 0)
		must(t, os.Chtimes(filepath.Join(l.dir, "big"), at, at))
		must(t, os.Chtimes(filepath.Join(l.dir, "small"), at, at))
		return l.build(df, o)
	}
	l := newLab(t)
	first := build(l, Options{})
	if !strings.Contains(l.out.String(), "[internal] read sources of COPY big small /d/") {
		t.Errorf("the files were not read once:\n%s", l.out.String())
	}
	again := build(l, Options{})
	if again.Misses != 0 || strings.Contains(l.out.String(), "read sources") {
		t.Errorf("again: %d misses\n%s", again.Misses, l.out.String())
	}
	forced := build(l, Options{NoCache: true})
	for _, res := range []Result{again, forced} {
		if res.Image.Layers[1].DiffID != first.Image.Layers[1].DiffID {
			t.Errorf("layer %s, want %s", res.Image.Layers[1].DiffID, first.Image.Layers[1].DiffID)
		}
	}
	if forced.Misses != 2 || !strings.Contains(l.out.String(), "read sources") {
		t.Errorf("without the cache: %d misses\n%s", forced.Misses, l.out.String())
	}
	l.write("small", "other")
	if res := l.build(df, Options{}); res.Misses != 2 || strings.Contains(l.out.String(), "read sources") || !strings.Contains(l.reasons()[0], "small changed from") {
		t.Errorf("changed: %d misses, %q", res.Misses, l.reasons())
	}
	files, err := filepath.Glob(filepath.Join(l.home.Cache(), "seen-*"))
	must(t, err)
	for _, f := range files {
		must(t, os.Remove(f))
	}
	l.write("small", "small")
	at := time.Unix(1700000000, 0)
	must(t, os.Chtimes(filepath.Join(l.dir, "small"), at, at))
	l.write("big", strings.Repeat("0123456789abcdef", worthwhile/16)) // touched: read again
	if res := l.build(df, Options{}); res.Misses != 0 {
		t.Errorf("what was kept is not found when it is not known to have been kept: %q", l.reasons())
	}
}

// TestStagesShareTheContext: stages side by side read one context.
func TestStagesShareTheContext(t *testing.T) {
	l := newLab(t)
	var df strings.Builder
	for i := range 40 {
		l.write(fmt.Sprintf("src/f%d", i), fmt.Sprint(i))
	}
	for i := range 6 {
		fmt.Fprintf(&df, "FROM base AS s%d\nCOPY src /d%d\nCOPY src/f%d* /e/\n", i, i, i)
	}
	df.WriteString("FROM base\n")
	for i := range 6 {
		fmt.Fprintf(&df, "COPY --from=s%d /d%d /got%d\n", i, i, i)
	}
	got := l.tree(l.build(df.String(), Options{Parallel: 6}))
	for i := range 6 {
		if p := fmt.Sprintf("got%d/f%d", i, i+30); got[p] != fmt.Sprint(i+30) {
			t.Errorf("%s is %q", p, got[p])
		}
	}
	if res := l.build(df.String(), Options{Parallel: 6}); res.Misses != 0 {
		t.Errorf("again: %d misses", res.Misses)
	}
}
