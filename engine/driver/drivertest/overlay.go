package drivertest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// overlayCase is a script run in the folder /w of a container that stands on layers, and what its writable layer holds then.
type overlayCase struct {
	rule    string
	layers  [][]entry // on top of the base, lowest first; nil for lowerW
	script  string
	out     string   // what the script prints
	errs    string   // how its complaints end
	changes []string // as docker diff shows them
	diff    []string // the archive
	tree    []string // /w afterwards
}

// lowerW is what most cases start from.
func lowerW() []entry {
	return []entry{dir("w"), file("w/f", "lower\n"), dir("w/d"), file("w/d/a", "a\n"), dir("w/d/e"), file("w/d/e/b", "b\n"), symlink("w/l", "f"), fifo("w/p")}
}

func testOverlay(t *testing.T, l *lab) {
	cases := slices.Concat(copyUpCases(), deleteCases(), renameCases(), linkCases(), opaqueCases(), contentCases(), nameCases(), retypeCases())
	each(t, cases, func(c overlayCase) string { return c.rule }, func(t *testing.T, c overlayCase) { c.check(t, l) })
}

func (c overlayCase) check(t *testing.T, l *lab) {
	layers := c.layers
	if layers == nil {
		layers = [][]entry{lowerW()}
	}
	chain := l.stack(t, l.Base, layers...)
	key := l.prepare(t, chain)
	b := l.start(t, l.specOn(t, key, script("cd /w; "+c.script)...))
	if r := b.wait(); r.out != c.out || !complaints(r.errs, c.errs) {
		t.Errorf("output %q, errors %q; want %q, %q", r.out, r.errs, c.out, c.errs)
	}
	must(t, b.Delete(t.Context()))
	if diff := cmp.Diff(c.changes, l.changes(t, key)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	data, stats := l.archiveOf(t, key)
	if diff := cmp.Diff(c.diff, listing(t, data, everything)); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(count(t, data), stats); diff != "" {
		t.Errorf("stats (-in the archive +told):\n%s", diff)
	}
	if again, _ := l.archiveOf(t, key); !bytes.Equal(data, again) {
		t.Error("the same changes twice give different archives")
	}
	c.checkTree(t, l, key, chain, data)
}

// checkTree compares the tree with what is wanted, with what it is once committed, and with what the archive gives where it is applied.
func (c overlayCase) checkTree(t *testing.T, l *lab, key string, parent digest.Digest, data []byte) {
	w := func(archive []byte) []string { return listing(t, archive, under("w")) }
	tree := w(l.exportKey(t, key))
	if c.tree != nil {
		if diff := cmp.Diff(c.tree, tree); diff != "" {
			t.Errorf("tree (-want +got):\n%s", diff)
		}
	}
	diffID := digest.FromBytes(data)
	chain := digest.FromString(parent.String() + c.rule) // cases with equal changes must not share a layer: each drops its own
	must(t, l.Snapshots.Commit(t.Context(), key, chain, diffID))
	if diff := cmp.Diff(tree, w(l.exportChain(t, chain))); diff != "" {
		t.Errorf("tree (-before +after commit):\n%s", diff)
	}
	must(t, l.Layers.Drop(t.Context(), chain))
	must(t, l.Layers.Apply(t.Context(), chain, parent, diffID, bytes.NewReader(data)))
	if diff := cmp.Diff(tree, w(l.exportChain(t, chain))); diff != "" {
		t.Errorf("tree (-written +applied):\n%s", diff)
	}
	must(t, l.Layers.Drop(t.Context(), chain))
}

// count is what Diff must tell of the archive it wrote.
func count(t testing.TB, data []byte) (stats driver.DiffStats) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return stats
		}
		must(t, err)
		switch base := path.Base(h.Name); {
		case base == ".wh..wh..opq":
		case strings.HasPrefix(base, ".wh."):
			stats.Whiteouts++
		default:
			stats.Files++
			stats.Bytes += h.Size
		}
	}
}

const w = "d 0755 w/" // the entry of /w, which every change below it brings along

func copyUpCases() []overlayCase {
	return []overlayCase{
		{rule: "reading changes nothing", script: "cat f d/a; ls d >/dev/null; readlink l", out: "lower\na\nf\n"},
		{rule: "appending copies the file up", script: "echo more >> f; cat f", out: "lower\nmore\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\nmore\n"`}},
		{rule: "opening for writing copies up even if nothing is written", script: ": >> f", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n"`}},
		{rule: "truncating copies up nothing", script: ": > f", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f ""`}},
		{rule: "a change of mode alone copies the file up", script: "chmod 600 f", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0600 w/f "lower\n"`}},
		{rule: "a change of mode to what it is copies up too", script: "chmod 644 f", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n"`}},
		{rule: "a change of owner alone copies the file up", script: "chown 5:6 f", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n" of 5:6`}},
		{rule: "a change of owner clears set-id bits", layers: [][]entry{{dir("w"), file("w/su", "x").mode(0o4755)}}, script: "chown 5 su; stat -c %a su", out: "755\n",
			changes: []string{"C /w", "C /w/su"}, diff: []string{w, `- 0755 w/su "x" of 5:0`}},
		{rule: "a change of time alone copies the file up", script: "touch -d @1000000000 f; stat -c %Y f", out: "1000000000\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n"`}},
		{rule: "a change of a folder's mode copies the folder up, not what is in it", script: "chmod 700 d", changes: []string{"C /w", "C /w/d"}, diff: []string{w, "d 0700 w/d/"}},
		{rule: "a change of a folder's owner copies the folder up", script: "chown 5:6 d/e", changes: []string{"C /w", "C /w/d", "C /w/d/e"}, diff: []string{w, "d 0755 w/d/", "d 0755 w/d/e/ of 5:6"}},
		{rule: "a change in a deep folder brings the folders above along", script: "echo c > d/e/b", changes: []string{"C /w", "C /w/d", "C /w/d/e", "C /w/d/e/b"},
			diff: []string{w, "d 0755 w/d/", "d 0755 w/d/e/", `- 0644 w/d/e/b "c\n"`}},
		{rule: "folders that are copied up keep mode and owner", layers: [][]entry{{dir("w").mode(0o1711).owner(3, 4), file("w/f", "x").owner(1, 2).mode(0o600)}}, script: "echo y >> f",
			changes: []string{"C /w", "C /w/f"}, diff: []string{"d 1711 w/ of 3:4", `- 0600 w/f "xy\n" of 1:2`}},
		{rule: "a file that is copied up keeps its attributes", layers: [][]entry{{dir("w").xattr("user.d", "1"), file("w/f", "x").xattr("user.note", "kept")}}, script: "echo y >> f",
			changes: []string{"C /w", "C /w/f"}, diff: []string{"d 0755 w/ user.d=1", `- 0644 w/f "xy\n" user.note=kept`}},
		{rule: "a symbolic link is copied up when its owner changes", script: "chown -h 5:6 l", changes: []string{"C /w", "C /w/l"}, diff: []string{w, "l w/l -> f of 5:6"}},
		{rule: "a pipe is copied up when its mode changes", script: "chmod 600 p", changes: []string{"C /w", "C /w/p"}, diff: []string{w, "p 0600 w/p"}},
		{rule: "writing through a link changes what it leads to", script: "echo new > l", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "new\n"`}},
		{rule: "writing through two layers takes the upper one's content", layers: [][]entry{lowerW(), {file("w/f", "middle\n")}}, script: "echo x >> f; cat f", out: "middle\nx\n",
			changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "middle\nx\n"`}},
		{rule: "the mode of the root is in the archive, but no change of a path", script: "chmod 700 /", diff: []string{"d 0700 ./"}},
		{rule: "touching the root's time alone is no change", script: "touch /"},
		{rule: "a file written back as it was counts as changed", script: "echo lower > f", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n"`}},
		{rule: "writing by a reader's descriptor is refused and copies nothing up", script: "exec 3<f; head -c 1 /dev/zero >&3; cat <&3", out: "lower\n", errs: badHandle},
	}
}

func deleteCases() []overlayCase {
	return []overlayCase{
		{rule: "a deleted file leaves a whiteout", script: "rm f; ls", out: "d\nl\np\n", changes: []string{"C /w", "D /w/f"}, diff: []string{w, "x w/f"}},
		{rule: "a deleted folder leaves one whiteout", script: "rm -r d", changes: []string{"C /w", "D /w/d"}, diff: []string{w, "x w/d"}},
		{rule: "a deleted link leaves a whiteout, what it led to stays", script: "rm l; cat f", out: "lower\n", changes: []string{"C /w", "D /w/l"}, diff: []string{w, "x w/l"}},
		{rule: "what is made and deleted leaves only its folder, copied up", script: "echo x > n; mkdir m; rm n; rmdir m", diff: []string{w}},
		{rule: "a file that was copied up and deleted leaves a whiteout", script: "echo x >> f; rm f", changes: []string{"C /w", "D /w/f"}, diff: []string{w, "x w/f"}},
		{rule: "a deleted name is gone for all", script: "rm f; cat f; stat f; echo x > l; ls", out: "d\nf\nl\np\n", errs: noEntry + noEntry,
			changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "x\n"`}},
		{rule: "a folder with lower names is not empty", script: "rmdir d; ls d", out: "a\ne\n", errs: notEmpty},
		{rule: "a folder is empty when its lower names are deleted", script: "rm d/a; rm -r d/e; rmdir d; ls", out: "f\nl\np\n", changes: []string{"C /w", "D /w/d"}, diff: []string{w, "x w/d"}},
		{rule: "a folder whose lower names are deleted one by one keeps a whiteout for each", script: "rm d/a d/e/b", changes: []string{"C /w", "C /w/d", "D /w/d/a", "C /w/d/e", "D /w/d/e/b"},
			diff: []string{w, "d 0755 w/d/", "x w/d/a", "d 0755 w/d/e/", "x w/d/e/b"}},
		{rule: "an open file that is deleted is read on", script: "exec 3<f; rm f; cat <&3", out: "lower\n", changes: []string{"C /w", "D /w/f"}, diff: []string{w, "x w/f"}},
		{rule: "an open file that is deleted is written on, to nowhere", script: "exec 3>n; rm n; echo x >&3; ls", out: "d\nf\nl\np\n", diff: []string{w}},
		{rule: "a reader that opened before the copy-up reads on in the old file", script: "exec 3<f; echo new > f; cat f; exec 3<&-", out: "new\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "new\n"`}},
		{rule: "everything can be deleted", script: "rm -r /w/*; ls", changes: []string{"C /w", "D /w/d", "D /w/f", "D /w/l", "D /w/p"}, diff: []string{w, "x w/d", "x w/f", "x w/l", "x w/p"}, tree: []string{w}},
		{rule: "a name of two layers is deleted once", layers: [][]entry{lowerW(), {file("w/f", "middle\n")}}, script: "rm f; ls", out: "d\nl\np\n", changes: []string{"C /w", "D /w/f"}, diff: []string{w, "x w/f"}},
		{rule: "a name that a layer deleted and the next one brought back", layers: [][]entry{lowerW(), {whiteout("w/f")}, {file("w/f", "back\n")}}, script: "cat f; rm f; ls", out: "back\nd\nl\np\n",
			changes: []string{"C /w", "D /w/f"}, diff: []string{w, "x w/f"}},
		{rule: "a name that the layers deleted leaves nothing when it is made and deleted", layers: [][]entry{lowerW(), {whiteout("w/f")}}, script: "echo x > f; rm f; ls", out: "d\nl\np\n", diff: []string{w}},
	}
}

func renameCases() []overlayCase {
	return []overlayCase{
		{rule: "a lower file that is renamed is a new file and a whiteout", script: "mv f g; cat g", out: "lower\n", changes: []string{"C /w", "D /w/f", "A /w/g"}, diff: []string{w, "x w/f", `- 0644 w/g "lower\n"`}},
		{rule: "a lower folder can't be renamed in one piece: mv copies it", script: "mv d n; cat n/a n/e/b; ls", out: "a\nb\nf\nl\nn\np\n", changes: []string{"C /w", "D /w/d", "A /w/n", "A /w/n/a", "A /w/n/e", "A /w/n/e/b"},
			diff: []string{w, "x w/d", "d 0755 w/n/", `- 0644 w/n/a "a\n"`, "d 0755 w/n/e/", `- 0644 w/n/e/b "b\n"`}},
		{rule: "a new folder is renamed in one piece", script: "mkdir -p n/m; echo x > n/m/f; mv n o; ls; cat o/m/f", out: "d\nf\nl\no\np\nx\n", changes: []string{"C /w", "A /w/o", "A /w/o/m", "A /w/o/m/f"},
			diff: []string{w, "d 0755 w/o/", "d 0755 w/o/m/", `- 0644 w/o/m/f "x\n"`}},
		{rule: "a new file over a lower file", script: "echo new > n; mv n f; cat f", out: "new\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "new\n"`}},
		{rule: "a lower file over a lower file", script: "mv f d/a; cat d/a", out: "lower\n", changes: []string{"C /w", "C /w/d", "C /w/d/a", "D /w/f"}, diff: []string{w, "d 0755 w/d/", `- 0644 w/d/a "lower\n"`, "x w/f"}},
		{rule: "a new file onto a whiteout", script: "rm f; echo new > n; mv n f; cat f", out: "new\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "new\n"`}},
		{rule: "a new folder onto the name of a deleted folder is opaque", script: "rm -r d; mkdir n; echo x > n/x; mv n d; ls d", out: "x\n", changes: []string{"C /w", "C /w/d", "D /w/d/a", "D /w/d/e", "A /w/d/x"},
			diff: []string{w, "d 0755 w/d/", "o w/d", `- 0644 w/d/x "x\n"`}},
		{rule: "a new folder over a lower folder whose names are deleted is opaque", script: "rm -r d/a d/e; mkdir n; echo x > n/x; mv -T n d; ls; ls d", out: "d\nf\nl\np\nx\n",
			changes: []string{"C /w", "C /w/d", "D /w/d/a", "D /w/d/e", "A /w/d/x"}, diff: []string{w, "d 0755 w/d/", "o w/d", `- 0644 w/d/x "x\n"`}},
		{rule: "a new folder over a lower folder that is empty", layers: [][]entry{{dir("w"), dir("w/d")}}, script: "mkdir -m 700 n; mv -T n d; stat -c %a d; ls", out: "700\nd\n", changes: []string{"C /w", "C /w/d"}, diff: []string{w, "d 0700 w/d/", "o w/d"}},
		{rule: "there and back leaves a file that counts as changed", script: "mv f g; mv g f; cat f", out: "lower\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n"`}},
		{rule: "a link is renamed, not what it leads to", script: "mv l m; readlink m; cat f", out: "f\nlower\n", changes: []string{"C /w", "D /w/l", "A /w/m"}, diff: []string{w, "x w/l", "l w/m -> f"}},
		{rule: "a pipe is renamed", script: "mv p q", changes: []string{"C /w", "D /w/p", "A /w/q"}, diff: []string{w, "x w/p", "p 0644 w/q"}},
		{rule: "a file into a lower folder", script: "mv f d; ls d", out: "a\ne\nf\n", changes: []string{"C /w", "C /w/d", "A /w/d/f", "D /w/f"}, diff: []string{w, "d 0755 w/d/", `- 0644 w/d/f "lower\n"`, "x w/f"}},
		{rule: "a folder over a folder that is not empty is refused", script: "mkdir n; mv -T n d 2>/dev/null; echo $?; rmdir n; ls d", out: "1\na\ne\n", diff: []string{w}},
		{rule: "a file over a folder is refused", script: "mv -T f d; echo $?", out: "1\n", errs: "with non-directory\n"},
	}
}

func linkCases() []overlayCase {
	pair := [][]entry{{dir("w"), file("w/a", "x\n"), hardlink("w/b", "w/a")}}
	return []overlayCase{
		{rule: "a hard link between lower files is broken by a copy-up", layers: pair, script: "echo y >> a; cat b; stat -c %h a", out: "x\n1\n", changes: []string{"C /w", "C /w/a"}, diff: []string{w, `- 0644 w/a "x\ny\n"`},
			tree: []string{w, `- 0644 w/a "x\ny\n"`, `- 0644 w/b "x\n"`}},
		{rule: "lower hard links are one file until then", layers: pair, script: "stat -c %h a b; [ a -ef b ] && echo same", out: "2\n2\nsame\n"},
		{rule: "a hard link to a lower file copies it up", script: "ln f g; echo x >> g; cat f; stat -c %h f", out: "lower\nx\n2\n", changes: []string{"C /w", "C /w/f", "A /w/g"}, diff: []string{w, `- 0644 w/f "lower\nx\n"`, "h w/g = w/f"}},
		{rule: "a hard link between new files is a link in the archive", script: "echo x > n; ln n m; mkdir o; ln n o/p", changes: []string{"C /w", "A /w/m", "A /w/n", "A /w/o", "A /w/o/p"},
			diff: []string{w, `- 0644 w/m "x\n"`, "h w/n = w/m", "d 0755 w/o/", "h w/o/p = w/m"}},
		{rule: "a hard link stays when the first name is deleted", script: "ln f g; rm f; cat g", out: "lower\n", changes: []string{"C /w", "D /w/f", "A /w/g"}, diff: []string{w, "x w/f", `- 0644 w/g "lower\n"`}},
		{rule: "a hard link onto a whiteout", script: "rm d/a; ln f d/a; cat d/a", out: "lower\n", changes: []string{"C /w", "C /w/d", "C /w/d/a", "C /w/f"}, diff: []string{w, "d 0755 w/d/", `- 0644 w/d/a "lower\n"`, "h w/f = w/d/a"}},
		{rule: "a hard link to a folder is refused", script: "ln d e 2>/dev/null; echo $?", out: "1\n"},
		{rule: "a symbolic link replaces a lower one", script: "ln -sf d/a l; cat l", out: "a\n", changes: []string{"C /w", "C /w/l"}, diff: []string{w, "l w/l -> d/a"}},
		{rule: "links that lead to each other end", script: "ln -s b a; ln -s a b; cat a; echo x > b; ls", out: "a\nb\nd\nf\nl\np\n", errs: manyLinks + manyLinks,
			changes: []string{"C /w", "A /w/a", "A /w/b"}, diff: []string{w, "l w/a -> b", "l w/b -> a"}},
		{rule: "forty links in a row are followed, more are not", script: "ln -s f c0; i=1; while [ $i -le 40 ]; do ln -s c$((i-1)) c$i; i=$((i+1)); done; cat c39; cat c40; rm c*", out: "lower\n", errs: manyLinks, diff: []string{w}},
	}
}

func opaqueCases() []overlayCase {
	return []overlayCase{
		{rule: "a folder made in place of a deleted one is opaque", script: "rm -r d; mkdir d; ls d; touch d/n", changes: []string{"C /w", "C /w/d", "D /w/d/a", "D /w/d/e", "A /w/d/n"}, diff: []string{w, "d 0755 w/d/", "o w/d", `- 0644 w/d/n ""`},
			tree: []string{w, "d 0755 w/d/", `- 0644 w/d/n ""`, `- 0644 w/f "lower\n"`, "l w/l -> f", "p 0644 w/p"}},
		{rule: "a name that an opaque folder has again counts as modified", script: "rm -r d; mkdir d; echo n > d/a", changes: []string{"C /w", "C /w/d", "C /w/d/a", "D /w/d/e"}, diff: []string{w, "d 0755 w/d/", "o w/d", `- 0644 w/d/a "n\n"`}},
		{rule: "a folder in an opaque folder needs no mark of its own", script: "rm -r d; mkdir -p d/e; touch d/e/n; ls d/e", out: "n\n", changes: []string{"C /w", "C /w/d", "D /w/d/a", "C /w/d/e", "D /w/d/e/b", "A /w/d/e/n"},
			diff: []string{w, "d 0755 w/d/", "o w/d", "d 0755 w/d/e/", `- 0644 w/d/e/n ""`}},
		{rule: "opaque over two layers", layers: [][]entry{lowerW(), {file("w/d/m", "m")}}, script: "rm -r d; mkdir d; ls d", changes: []string{"C /w", "C /w/d", "D /w/d/a", "D /w/d/e", "D /w/d/m"}, diff: []string{w, "d 0755 w/d/", "o w/d"}},
		{rule: "a layer's opaque folder is written in like any other", layers: [][]entry{lowerW(), {dir("w/d"), opaque("w/d"), file("w/d/m", "m")}}, script: "echo x > d/a; ls d", out: "a\nm\n",
			changes: []string{"C /w", "C /w/d", "A /w/d/a"}, diff: []string{w, "d 0755 w/d/", `- 0644 w/d/a "x\n"`}},
		{rule: "a layer's opaque folder, deleted and made again", layers: [][]entry{lowerW(), {dir("w/d"), opaque("w/d"), file("w/d/m", "m")}}, script: "rm -r d; mkdir d; ls d",
			changes: []string{"C /w", "C /w/d", "D /w/d/m"}, diff: []string{w, "d 0755 w/d/", "o w/d"}},
		{rule: "a folder on a whiteout of a layer hides nothing", layers: [][]entry{lowerW(), {whiteout("w/d")}}, script: "mkdir d; ls d; touch d/n", changes: []string{"C /w", "A /w/d", "A /w/d/n"}, diff: []string{w, "d 0755 w/d/", `- 0644 w/d/n ""`}},
		{rule: "a folder in place of a file hides nothing", script: "rm f; mkdir f; touch f/n", changes: []string{"C /w", "C /w/f", "A /w/f/n"}, diff: []string{w, "d 0755 w/f/", `- 0644 w/f/n ""`}},
		{rule: "a mode of an opaque folder", script: "rm -r d; mkdir d; chmod 700 d; chown 1:2 d", changes: []string{"C /w", "C /w/d", "D /w/d/a", "D /w/d/e"}, diff: []string{w, "d 0700 w/d/ of 1:2", "o w/d"}},
		{rule: "names of three layers are listed together", layers: [][]entry{lowerW(), {file("w/d/m", "")}, {whiteout("w/d/a"), file("w/d/z", "")}}, script: "touch d/n; ls d", out: "e\nm\nn\nz\n", changes: []string{"C /w", "C /w/d", "A /w/d/n"},
			diff: []string{w, "d 0755 w/d/", `- 0644 w/d/n ""`}},
	}
}

func contentCases() []overlayCase {
	return []overlayCase{
		{rule: "a file that grows by truncate is zeros", script: "truncate -s 9 f; od -c f | head -1 | tr -s ' '; stat -c %s f", out: "0000000 l o w e r \\n \\0 \\0 \\0\n9\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "lower\n\x00\x00\x00"`}},
		{rule: "a file is cut short", script: "truncate -s 3 f; cat f", out: "low", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "low"`}},
		{rule: "a large sparse file", script: "truncate -s 64M big; stat -c %s big; tail -c 1 big | od -An -tx1 | tr -d ' '", out: "67108864\n00\n", changes: []string{"C /w", "A /w/big"}, diff: []string{w, "- 0644 w/big (67108864 bytes)"}},
		{rule: "a write far behind the end leaves a hole", script: "printf end | dd of=n bs=1 seek=5000 2>/dev/null; stat -c %s n; tail -c 3 n", out: "5003\nend", changes: []string{"C /w", "A /w/n"}, diff: []string{w, "- 0644 w/n (5003 bytes)"}},
		{rule: "a write in the middle of a lower file", script: "printf X | dd of=f bs=1 seek=2 conv=notrunc 2>/dev/null; cat f", out: "loXer\n", changes: []string{"C /w", "C /w/f"}, diff: []string{w, `- 0644 w/f "loXer\n"`}},
		{rule: "a large file of a layer is copied up whole", layers: [][]entry{{dir("w"), file("w/big", strings.Repeat("0123456789abcdef", 1<<16))}}, script: "sha256sum <big >/tmp/s; echo x >> big; head -c 1048576 big | sha256sum | cmp - /tmp/s; rm /tmp/s; stat -c %s big",
			out: "1048578\n", changes: []string{"C /w", "C /w/big"}, diff: []string{"d 1777 tmp/", w, "- 0644 w/big (1048578 bytes)"}},
		{rule: "a device made inside is in the archive", script: "mknod n c 1 3; ls -l n | cut -c1", out: "c\n", changes: []string{"C /w", "A /w/n"}, diff: []string{w, "c 0644 w/n 1:3"}},
		{rule: "a new file's mode is what umask leaves", script: "umask 027; touch n; mkdir m; ln -s n o", changes: []string{"C /w", "A /w/m", "A /w/n", "A /w/o"}, diff: []string{w, "d 0750 w/m/", `- 0640 w/n ""`, "l w/o -> n"}},
		{rule: "a new file in a set-group-id folder has the folder's group", layers: [][]entry{{dir("w").mode(0o2775).owner(0, 9)}}, script: "touch n; mkdir m", changes: []string{"C /w", "A /w/m", "A /w/n"},
			diff: []string{"d 2775 w/ of 0:9", "d 2755 w/m/ of 0:9", `- 0644 w/n "" of 0:9`}},
		{rule: "a set-id bit goes when somebody else than root writes", layers: [][]entry{{dir("w"), file("w/su", "x").mode(0o6777)}}, script: "echo y > su; stat -c %a su", out: "6777\n", changes: []string{"C /w", "C /w/su"}, diff: []string{w, `- 6777 w/su "y\n"`}},
		{rule: "ten thousand names in a folder", script: "mkdir n; cd n; seq 1 10000 | xargs touch; ls | wc -l; rm [1-9]*; ls | wc -l; rmdir ../n", out: "10000\n0\n", diff: []string{w}},
		{rule: "changes outside of the layer's folder", script: "mkdir -p /srv/a; echo 1 > /srv/a/b; rm /etc/issue", changes: []string{"C /etc", "D /etc/issue", "C /srv", "A /srv/a", "A /srv/a/b"},
			diff: []string{"d 0755 etc/", "x etc/issue", "d 0755 srv/", "d 0755 srv/a/", `- 0644 srv/a/b "1\n"`}},
		{rule: "what is mounted is no part of the layer", script: "echo x > /dev/shm/a; echo y >> /etc/hosts; echo z > /dev/n"},
	}
}

func nameCases() []overlayCase {
	return []overlayCase{
		{rule: "a name with odd bytes", script: `n=$(printf 'a b\n\t"x\\'); echo 1 > "$n"; cat "$n"`, out: "1\n", changes: []string{"C /w", "A /w/a b\n\t\"x\\"}, diff: []string{w, "- 0644 w/a b\n\t\"x\\ \"1\\n\""}},
		{rule: "a name beyond ASCII", script: "echo 1 > größe; ls | tail -2 | head -1", out: "l\n", changes: []string{"C /w", "A /w/größe"}, diff: []string{w, `- 0644 w/größe "1\n"`}},
		{rule: "a name of 255 bytes is made, one of 256 refused", script: "n=$(printf %0255d 0); touch $n && ls | grep -c 000; touch 1$n; echo $?; rm $n", out: "1\n1\n", errs: tooLong, diff: []string{w}},
		{rule: "names that begin with a dot or dash", script: "touch .hidden ./-n; ls; ls -A", out: "-n\nd\nf\nl\np\n-n\n.hidden\nd\nf\nl\np\n", changes: []string{"C /w", "A /w/-n", "A /w/.hidden"}, diff: []string{w, `- 0644 w/-n ""`, `- 0644 w/.hidden ""`}},
		{rule: "names that differ in case only", script: "echo 1 > F; cat F f; rm f; ls", out: "1\nlower\nF\nd\nl\np\n", changes: []string{"C /w", "A /w/F", "D /w/f"}, diff: []string{w, `- 0644 w/F "1\n"`, "x w/f"}},
		{rule: "dots in a path are walked", script: "cat d/../f d/./a ./d/e/../../f ../../w/f", out: "lower\na\nlower\nlower\n"},
	}
}

// retypeCases are all pairs of types: what a layer has is deleted and made again as something else.
func retypeCases() []overlayCase {
	makes := map[string][2]string{"file": {"echo n > %s", `- 0644 w/%s "n\n"`}, "folder": {"mkdir %s", "d 0755 w/%s/"}, "link": {"ln -s n %s", "l w/%s -> n"}, "pipe": {"mkfifo %s", "p 0644 w/%s"}}
	names := map[string]string{"file": "f", "folder": "d", "link": "l", "pipe": "p"}
	var cases []overlayCase
	for _, from := range []string{"file", "folder", "link", "pipe"} {
		for _, to := range []string{"file", "folder", "link", "pipe"} {
			name := names[from]
			c := overlayCase{rule: fmt.Sprintf("a %s deleted and made again as a %s", from, to), script: fmt.Sprintf("rm -r %s; "+makes[to][0], name, name),
				changes: []string{"C /w", "C /w/" + name}, diff: []string{w, fmt.Sprintf(makes[to][1], name)}}
			if from == "folder" && to == "folder" {
				c.changes, c.diff = append(c.changes, "D /w/d/a", "D /w/d/e"), append(c.diff, "o w/d")
			}
			cases = append(cases, c)
		}
	}
	return cases
}
