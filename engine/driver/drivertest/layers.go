package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// treeCase is a stack of layers, lowest first, and the tree that it must give.
type treeCase struct {
	rule   string
	layers [][]entry
	tree   []string
}

func testLayers(t *testing.T, l *lab) {
	each(t, slices.Concat(entryCases(), whiteoutCases(), stackCases()), func(c treeCase) string { return c.rule }, func(t *testing.T, c treeCase) {
		chain := l.stack(t, "", c.layers...)
		if diff := cmp.Diff(c.tree, listing(t, l.exportChain(t, chain), everything)); diff != "" {
			t.Errorf("tree (-want +got):\n%s", diff)
		}
	})
	l.tests(t, storedLayers(), refusedLayers(), keptContents())
}

func entryCases() []treeCase {
	return []treeCase{
		{"an archive without entries is an empty layer", [][]entry{{}}, nil},
		{"an empty file", [][]entry{{file("empty", "")}}, []string{`- 0644 empty ""`}},
		{"names are exported sorted", [][]entry{{file("b", "2"), file("a.b", "1"), dir("a"), file("a/x", "3")}},
			[]string{"d 0755 a/", `- 0644 a/x "3"`, `- 0644 a.b "1"`, `- 0644 b "2"`}},
		{"a set-user-id bit is kept", [][]entry{{file("su", "x").mode(0o4755)}}, []string{`- 4755 su "x"`}},
		{"a set-group-id bit with another group is kept", [][]entry{{file("sg", "x").mode(0o2755).owner(0, 8)}}, []string{`- 2755 sg "x" of 0:8`}},
		{"set-id bits of another owner are kept", [][]entry{{file("su", "x").mode(0o6711).owner(5, 6)}}, []string{`- 6711 su "x" of 5:6`}},
		{"a sticky folder stays sticky", [][]entry{{dir("tmp").mode(0o1777)}}, []string{"d 1777 tmp/"}},
		{"a set-group-id folder does not pass its group on", [][]entry{{dir("g").mode(0o2775).owner(0, 9), file("g/f", "x")}},
			[]string{"d 2775 g/ of 0:9", `- 0644 g/f "x"`}},
		{"a file without any permission", [][]entry{{file("shadow", "x").mode(0)}}, []string{`- 0000 shadow "x"`}},
		{"a folder without any permission holds files", [][]entry{{dir("locked").mode(0), file("locked/in", "x")}},
			[]string{"d 0000 locked/", `- 0644 locked/in "x"`}},
		{"owners are numbers and need no account", [][]entry{{file("f", "x").owner(1234, 65534)}}, []string{`- 0644 f "x" of 1234:65534`}},
		{"a large owner", [][]entry{{file("f", "x").owner(2_000_000_000, 3_000_000)}}, []string{`- 0644 f "x" of 2000000000:3000000`}},
		{"the owner of a link is its own", [][]entry{{file("f", "x"), symlink("l", "f").owner(7, 8)}}, []string{`- 0644 f "x"`, "l l -> f of 7:8"}},
		{"a link may lead nowhere", [][]entry{{symlink("l", "/no/where")}}, []string{"l l -> /no/where"}},
		{"the text of a link is kept as it is", [][]entry{{symlink("l", "./a//b/../c")}}, []string{"l l -> ./a//b/../c"}},
		{"hard links stay one file", [][]entry{{file("a", "x"), hardlink("b", "a")}}, []string{`- 0644 a "x"`, "h b = a"}},
		{"a hard link to a symbolic link is one", [][]entry{{symlink("l", "t"), hardlink("m", "l")}}, []string{"l l -> t", "h m = l"}},
		{"a pipe", [][]entry{{fifo("p").mode(0o622)}}, []string{"p 0622 p"}},
		{"a device", [][]entry{{device("null", 1, 3).mode(0o666)}}, []string{"c 0666 null 1:3"}},
		{"attributes are kept", [][]entry{{file("f", "x").xattr("user.note", "hello").xattr("user.b", "2")}}, []string{`- 0644 f "x" user.b=2 user.note=hello`}},
		{"an empty attribute is kept out of the way of no other", [][]entry{{file("f", "x").xattr("user.k", "v=w\n")}}, []string{"- 0644 f \"x\" user.k=v=w\n"}},
		{"attributes of a folder are kept", [][]entry{{dir("d").xattr("user.note", "hello")}}, []string{"d 0755 d/ user.note=hello"}},
		{"marks of the overlay file system are not taken from an archive", [][]entry{{file("f", "x").xattr("trusted.overlay.opaque", "y").xattr("user.overlay.whiteout", "y")}},
			[]string{`- 0644 f "x"`}},
		{"a name of 255 bytes", [][]entry{{file(strings.Repeat("n", 255), "x")}}, []string{fmt.Sprintf(`- 0644 %s "x"`, strings.Repeat("n", 255))}},
		{"a path of 1000 bytes", [][]entry{{file(strings.Repeat("dir/", 249)+"file", "x")}}, deepPath(249)},
		{"names with spaces, newlines and quotes", [][]entry{{file("a b\n'\"\\", "x")}}, []string{"- 0644 a b\n'\"\\ \"x\""}},
		{"names beyond ASCII", [][]entry{{file("größe-日本", "x")}}, []string{`- 0644 größe-日本 "x"`}},
		{"names that differ in case only", [][]entry{{file("README", "1"), file("readme", "2")}}, []string{`- 0644 README "1"`, `- 0644 readme "2"`}},
		{"a leading ./ and / mean nothing", [][]entry{{file("./a", "1"), file("/b", "2")}}, []string{`- 0644 a "1"`, `- 0644 b "2"`}},
		{"folders that have no entry are made", [][]entry{{file("a/b/c", "x")}}, []string{"d 0755 a/", "d 0755 a/b/", `- 0644 a/b/c "x"`}},
		{"the last entry of a name wins", [][]entry{{file("f", "1"), file("f", "22")}}, []string{`- 0644 f "22"`}},
		{"a later folder entry changes its metadata and keeps its content", [][]entry{{dir("d"), file("d/f", "x"), dir("d").mode(0o700)}},
			[]string{"d 0700 d/", `- 0644 d/f "x"`}},
	}
}

func deepPath(depth int) []string {
	var lines []string
	for i := 1; i <= depth; i++ {
		lines = append(lines, "d 0755 "+strings.Repeat("dir/", i))
	}
	return append(lines, "- 0644 "+strings.Repeat("dir/", depth)+`file "x"`)
}

func whiteoutCases() []treeCase {
	base := []entry{dir("d"), file("d/a", "a"), file("d/b", "b"), dir("d/e"), file("d/e/f", "f"), file("g", "g")}
	return []treeCase{
		{"a whiteout deletes a file", [][]entry{base, {whiteout("g"), whiteout("d/a")}}, []string{"d 0755 d/", `- 0644 d/b "b"`, "d 0755 d/e/", `- 0644 d/e/f "f"`}},
		{"a whiteout deletes a folder with all in it", [][]entry{base, {whiteout("d")}}, []string{`- 0644 g "g"`}},
		{"a whiteout of nothing does nothing", [][]entry{base[5:], {whiteout("zzz")}}, []string{`- 0644 g "g"`}},
		{"a whiteout does not hide its own layer, before or after", [][]entry{base[5:], {file("before", "1"), whiteout("g"), file("h", "2")}}, []string{`- 0644 before "1"`, `- 0644 h "2"`}},
		{"a deleted name may come back in a later layer", [][]entry{base[5:], {whiteout("g")}, {file("g", "new")}}, []string{`- 0644 g "new"`}},
		{"a folder that comes back in a later layer is empty", [][]entry{base, {whiteout("d")}, {dir("d"), file("d/n", "n")}}, []string{"d 0755 d/", `- 0644 d/n "n"`, `- 0644 g "g"`}},
		{"a whiteout and a folder of one name make a new folder", [][]entry{base, {whiteout("d"), dir("d"), file("d/n", "n")}}, []string{"d 0755 d/", `- 0644 d/n "n"`, `- 0644 g "g"`}},
		{"an opaque folder shows its own layer only", [][]entry{base, {dir("d"), file("d/n", "n"), opaque("d")}}, []string{"d 0755 d/", `- 0644 d/n "n"`, `- 0644 g "g"`}},
		{"opaque holds for folders within", [][]entry{base, {dir("d"), opaque("d"), dir("d/e"), file("d/e/n", "n")}},
			[]string{"d 0755 d/", "d 0755 d/e/", `- 0644 d/e/n "n"`, `- 0644 g "g"`}},
		{"what a later layer puts in an opaque folder is seen", [][]entry{base, {dir("d"), opaque("d")}, {file("d/n", "n")}}, []string{"d 0755 d/", `- 0644 d/n "n"`, `- 0644 g "g"`}},
		{"opaque over two layers", [][]entry{base, {file("d/m", "m")}, {dir("d"), opaque("d"), file("d/n", "n")}}, []string{"d 0755 d/", `- 0644 d/n "n"`, `- 0644 g "g"`}},
		{"an opaque root hides everything below", [][]entry{base, {opaque("."), file("only", "x")}}, []string{`- 0644 only "x"`}},
		{"an opaque root, meant by a link, hides everything below", [][]entry{base, {symlink("c", "."), opaque("c"), file("only", "x")}}, []string{"l c -> .", `- 0644 only "x"`}},
		{"an opaque root hides it also where a file became a folder in the same archive", [][]entry{base, {opaque("."), file("d", "x"), dir("d")}}, []string{"d 0755 d/"}},
		{"an opaque root behind what it hides", [][]entry{base, {file("d", "x"), opaque("."), dir("d")}}, []string{"d 0755 d/"}},
	}
}

func stackCases() []treeCase {
	low := []entry{dir("d").mode(0o700).owner(3, 4), file("d/a", "a"), symlink("lib", "usr/lib"), dir("usr"), dir("usr/lib")}
	return []treeCase{
		{"folders merge", [][]entry{{dir("d"), file("d/a", "1")}, {dir("d"), file("d/b", "2")}}, []string{"d 0755 d/", `- 0644 d/a "1"`, `- 0644 d/b "2"`}},
		{"the upper folder's metadata counts", [][]entry{low[:2], {dir("d").mode(0o711).owner(5, 6)}}, []string{"d 0711 d/ of 5:6", `- 0644 d/a "a"`}},
		{"a folder that has no entry keeps the metadata from below", [][]entry{low[:2], {file("d/b", "b")}}, []string{"d 0700 d/ of 3:4", `- 0644 d/a "a"`, `- 0644 d/b "b"`}},
		{"a file replaces a folder", [][]entry{low[:2], {file("d", "now a file")}}, []string{`- 0644 d "now a file"`}},
		{"a folder replaces a file", [][]entry{{file("f", "x")}, {dir("f"), file("f/g", "y")}}, []string{"d 0755 f/", `- 0644 f/g "y"`}},
		{"a link replaces a folder", [][]entry{low[:2], {symlink("d", "/e")}}, []string{"l d -> /e"}},
		{"a name below a lower layer's link lands where the link leads", [][]entry{low[2:], {file("lib/x", "x")}},
			[]string{"l lib -> usr/lib", "d 0755 usr/", "d 0755 usr/lib/", `- 0644 usr/lib/x "x"`}},
		{"a hard link is broken when one of its names is replaced", [][]entry{{file("a", "x"), hardlink("b", "a")}, {file("a", "y")}}, []string{`- 0644 a "y"`, `- 0644 b "x"`}},
		{"a hundred layers", hundredLayers(), hundredNames()},
	}
}

func hundredLayers() [][]entry {
	var layers [][]entry
	for i := range 100 {
		layers = append(layers, []entry{file(fmt.Sprintf("f%02d", i), "x"), file("last", fmt.Sprint(i))})
	}
	return layers
}

func hundredNames() []string {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf(`- 0644 f%02d "x"`, i))
	}
	return append(names, `- 0644 last "99"`)
}

func storedLayers() []test {
	return []test{
		{"a layer is there after it was applied, and listed", func(t *testing.T, l *lab) {
			chain := l.apply(t, "", file("listed", "x"))
			list, err := l.Layers.List(t.Context())
			if err != nil || !l.Layers.Has(chain) || !slices.Contains(list, chain) {
				t.Errorf("has %v, list %v, %v", l.Layers.Has(chain), list, err)
			}
		}},
		{"a layer that is there is not read again", func(t *testing.T, l *lab) {
			data := archive(t, file("twice", "x"))
			id := digest.FromBytes(data)
			must(t, l.Layers.Apply(t.Context(), id, "", id, bytes.NewReader(data)))
			err := l.Layers.Apply(t.Context(), id, "", id, readerFunc(func([]byte) (int, error) { return 0, errors.New("read") }))
			if !errors.Is(err, driver.ErrExists) {
				t.Errorf("error %v, want ErrExists", err)
			}
		}},
		{"the same archive on two parents is two layers", func(t *testing.T, l *lab) {
			a := l.stack(t, "", []entry{file("parent", "a")}, []entry{file("child", "c")})
			b := l.stack(t, "", []entry{file("parent", "b")}, []entry{file("child", "c")})
			want := []string{`- 0644 child "c"`, `- 0644 parent "b"`}
			if diff := cmp.Diff(want, listing(t, l.exportChain(t, b), everything)); a == b || diff != "" {
				t.Error(diff)
			}
		}},
		{"dropping a layer removes it, dropping it again is no error", func(t *testing.T, l *lab) {
			chain := l.apply(t, "", file("dropped", "x"))
			must(t, l.Layers.Drop(t.Context(), chain))
			list, err := l.Layers.List(t.Context())
			must(t, err)
			if l.Layers.Has(chain) || slices.Contains(list, chain) {
				t.Error("it is still there")
			}
			must(t, l.Layers.Drop(t.Context(), chain))
			if l.apply(t, "", file("dropped", "x")) != chain || !l.Layers.Has(chain) {
				t.Error("it does not come back")
			}
		}},
	}
}

func refusedLayers() []test {
	return []test{
		{"another digest than the archive's is refused, naming both", func(t *testing.T, l *lab) {
			data := archive(t, file("a", "1"))
			other := digest.FromString("another archive")
			l.refuses(t, other, "", other, bytes.NewReader(data), other.String(), digest.FromBytes(data).String())
		}},
		{"an archive that is cut off is refused", func(t *testing.T, l *lab) {
			data := archive(t, file("a", strings.Repeat("x", 5000)))
			id := digest.FromBytes(data)
			l.refuses(t, id, "", id, bytes.NewReader(data[:2000]))
		}},
		{"a stream that breaks leaves nothing", func(t *testing.T, l *lab) {
			data := archive(t, file("broken stream", strings.Repeat("x", 5000)))
			id := digest.FromBytes(data)
			l.refuses(t, id, "", id, io.MultiReader(bytes.NewReader(data[:1000]), readerFunc(func([]byte) (int, error) { return 0, errors.New("cable cut") })), "cable cut")
		}},
		{"what is no archive is refused", func(t *testing.T, l *lab) {
			data := []byte(strings.Repeat("no archive ", 100))
			id := digest.FromBytes(data)
			l.refuses(t, id, "", id, bytes.NewReader(data))
		}},
		{"a parent that is not here is ErrNotFound", func(t *testing.T, l *lab) {
			data := archive(t, file("a", "1"))
			parent := digest.FromString("nowhere")
			chain := chainOf(parent, digest.FromBytes(data))
			err := l.Layers.Apply(t.Context(), chain, parent, digest.FromBytes(data), bytes.NewReader(data))
			if !errors.Is(err, driver.ErrNotFound) || l.Layers.Has(chain) {
				t.Errorf("error %v, want ErrNotFound", err)
			}
		}},
		{"a chain that is no digest is refused", func(t *testing.T, l *lab) {
			data := archive(t)
			if err := l.Layers.Apply(t.Context(), "../../etc", "", digest.FromBytes(data), bytes.NewReader(data)); err == nil || l.Layers.Has("../../etc") {
				t.Errorf("error %v", err)
			}
		}},
	}
}

func keptContents() []test {
	return []test{
		{"bytes after the archive's end count for the digest", func(t *testing.T, l *lab) {
			data := append(archive(t, file("padded", "1")), make([]byte, 10240)...)
			id := digest.FromBytes(data)
			must(t, l.Layers.Apply(t.Context(), id, "", id, bytes.NewReader(data)))
		}},
		{"times are kept to the nanosecond, before 1970 and after 2038", func(t *testing.T, l *lab) {
			for i, at := range []time.Time{time.Unix(0, 0), time.Unix(1, 1), time.Unix(-86400, 0), time.Unix(1<<32, 999_999_999), when()} {
				for _, e := range []entry{file("e", fmt.Sprint(i)), dir("e"), symlink("e", fmt.Sprint(i)), fifo("e")} {
					chain := l.apply(t, "", e.at(at))
					if got := timeOf(t, l.exportChain(t, chain)); !got.Equal(at) {
						t.Errorf("%c: %v, want %v", kindLetter(e.Typeflag), got, at)
					}
				}
			}
		}},
		{"the time of a folder is its entry's, whatever is put in it later", func(t *testing.T, l *lab) {
			at := time.Unix(1_000_000, 5)
			chain := l.apply(t, "", dir("d").at(at), file("d/a", "a"), file("d/b", "b"))
			if got := timeOf(t, l.exportChain(t, chain)); !got.Equal(at) {
				t.Errorf("%v, want %v", got, at)
			}
		}},
		{"long runs of zeros are read back whole", func(t *testing.T, l *lab) {
			text := "a" + strings.Repeat("\x00", 3<<20) + "b" + strings.Repeat("\x00", 1<<20)
			chain := l.apply(t, "", file("zeros", text))
			tree, err := l.Trees.OpenChain(t.Context(), chain)
			must(t, err)
			defer tree.Close()
			if got := readAll(t, tree, "zeros"); got != text {
				t.Errorf("%d bytes, want %d", len(got), len(text))
			}
		}},
	}
}

// refuses expects that Apply fails with an error that holds words, and leaves nothing.
func (l *lab) refuses(t *testing.T, chain, parent, diffID digest.Digest, r io.Reader, words ...string) {
	t.Helper()
	err := l.Layers.Apply(t.Context(), chain, parent, diffID, r)
	if err == nil {
		t.Error("no error")
	}
	for _, w := range words {
		if err != nil && !strings.Contains(err.Error(), w) {
			t.Errorf("error %v does not name %s", err, w)
		}
	}
	list, lerr := l.Layers.List(t.Context())
	must(t, lerr)
	if l.Layers.Has(chain) || slices.Contains(list, chain) {
		t.Error("the layer is there")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
