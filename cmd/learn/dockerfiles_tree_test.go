package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// inode is a file of a folded tree. Hard links share one.
type inode struct {
	kind     byte // a tar type flag
	mode     int64
	uid, gid int
	content  string // what a line shows of a file's content
	link     string // text of a symbolic link, or numbers of a device
	xattrs   string
	mtime    time.Time
}

// foldedTree is the layers of an image, one over the other. The keys are rooted paths.
type foldedTree map[string]*inode

// fold puts the archive of one layer on top (OCI image layer specification, "Applying Changesets").
func (t foldedTree) fold(r io.Reader) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p := path.Join("/", h.Name)
		dir, base := path.Split(p)
		if base == ".wh..wh..opq" {
			t.removeBelow(path.Clean(dir))
			continue
		}
		if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
			t.removeBelow(path.Join(dir, hidden))
			delete(t, path.Join(dir, hidden))
			continue
		}
		if err := t.put(p, h, tr); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
}

func (t foldedTree) removeBelow(dir string) {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	for p := range t {
		if strings.HasPrefix(p, prefix) && p != "/" {
			delete(t, p)
		}
	}
}

func (t foldedTree) put(p string, h *tar.Header, r io.Reader) error {
	if h.Typeflag != tar.TypeDir {
		t.removeBelow(p)
	}
	if h.Typeflag == tar.TypeLink {
		old := t[path.Join("/", h.Linkname)]
		if old == nil {
			return fmt.Errorf("hard link to %s, which is not there", h.Linkname)
		}
		t[p] = old
		return nil
	}
	n := &inode{kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid, gid: h.Gid, link: h.Linkname, mtime: h.ModTime}
	switch n.kind {
	case tar.TypeReg:
		sum := sha256.New()
		var head bytes.Buffer
		size, err := io.Copy(io.MultiWriter(sum, &limited{&head, 201}), r)
		if err != nil {
			return err
		}
		if n.content = strconv.Quote(head.String()); size > 200 {
			n.content = fmt.Sprintf("size=%d sha256=%.12x", size, sum.Sum(nil))
		}
	case tar.TypeChar, tar.TypeBlock:
		n.link = fmt.Sprintf("%c %d:%d", "cb"[n.kind-tar.TypeChar], h.Devmajor, h.Devminor)
	case tar.TypeSymlink:
		n.mode = 0o777
	}
	for _, k := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok && !strings.HasPrefix(name, "trusted.overlay.") {
			n.xattrs += fmt.Sprintf(" xattr %s=%q", name, h.PAXRecords[k])
		}
	}
	t[p] = n
	return nil
}

// limited keeps the first bytes of what is written to it.
type limited struct {
	io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, err := l.Writer.Write(p[:n])
	return len(p), err
}

// line describes one file; what is usual is left out.
func (n *inode) line(p string, times bool) string {
	usual := map[byte]int64{tar.TypeReg: 0o644, tar.TypeDir: 0o755, tar.TypeFifo: 0o644, tar.TypeSymlink: 0o777, tar.TypeChar: 0o644, tar.TypeBlock: 0o644}
	names := map[byte]string{tar.TypeReg: "file", tar.TypeDir: "dir", tar.TypeFifo: "fifo", tar.TypeSymlink: "link", tar.TypeChar: "device", tar.TypeBlock: "device"}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", names[n.kind], quoted(p))
	if n.mode != usual[n.kind] {
		fmt.Fprintf(&b, " %o", n.mode)
	}
	if n.uid != 0 || n.gid != 0 {
		fmt.Fprintf(&b, " %d:%d", n.uid, n.gid)
	}
	switch n.kind {
	case tar.TypeReg:
		b.WriteString(" " + n.content)
	case tar.TypeSymlink:
		b.WriteString(" -> " + quoted(n.link))
	case tar.TypeChar, tar.TypeBlock:
		b.WriteString(" " + n.link)
	}
	b.WriteString(n.xattrs)
	if times {
		b.WriteString(" @" + n.mtime.UTC().Format(time.RFC3339))
	}
	return b.String()
}

func quoted(p string) string {
	if q := strconv.Quote(p); strings.ContainsRune(p, ' ') || q != `"`+p+`"` {
		return q
	}
	return p
}

// builtImage is an image as any engine hands it out.
type builtImage struct {
	config  map[string]any // of the image config's config
	diffIDs []digest.Digest
	open    func(i int) (io.ReadCloser, error) // the i-th layer's archive, perhaps compressed
}

// configFields are those that are held against the table.
var configFields = []string{"User", "WorkingDir", "Entrypoint", "Cmd", "Shell", "ExposedPorts", "Volumes", "Labels", "Healthcheck", "StopSignal", "OnBuild"}

// baseImages keeps the folded tree of learn/base, which is large, between cases: by diff id.
type baseImages struct {
	id   digest.Digest
	conf map[string]any
	tree foldedTree
}

func (img *builtImage) foldLayer(t foldedTree, i int) error {
	r, err := img.open(i)
	if err != nil {
		return err
	}
	defer r.Close()
	magic := make([]byte, 2)
	if _, err := io.ReadFull(r, magic); err != nil {
		return fmt.Errorf("layer %d: %w", i, err)
	}
	all := io.MultiReader(bytes.NewReader(magic), r)
	if magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(all)
		if err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		all = z
	}
	if err := t.fold(all); err != nil {
		return fmt.Errorf("layer %d: %w", i, err)
	}
	return nil
}

// learn takes img for the base image.
func (b *baseImages) learn(img *builtImage) error {
	b.id, b.conf, b.tree = img.diffIDs[0], img.config, foldedTree{}
	return img.foldLayer(b.tree, 0)
}

// lines describe what img adds to the base image, or to nothing at all.
func (b *baseImages) lines(img *builtImage, times bool) ([]string, error) {
	tree, below, conf, first := foldedTree{}, foldedTree{}, map[string]any{}, 0
	if len(img.diffIDs) > 0 && img.diffIDs[0] == b.id {
		tree, below, conf, first = maps.Clone(b.tree), b.tree, b.conf, 1
	}
	for i := first; i < len(img.diffIDs); i++ {
		if err := img.foldLayer(tree, i); err != nil {
			return nil, err
		}
	}
	return append(configLines(img.config, conf), treeLines(tree, below, times)...), nil
}

func configLines(conf, base map[string]any) []string {
	var lines []string
	known, _ := base["Env"].([]any)
	env, _ := conf["Env"].([]any)
	for _, e := range env {
		if !slices.Contains(known, e) {
			lines = append(lines, "env "+quoted(e.(string)))
		}
	}
	for _, f := range configFields {
		if got, was := unempty(conf[f]), unempty(base[f]); !reflect.DeepEqual(got, was) {
			text, _ := json.Marshal(got)
			lines = append(lines, "config "+f+" "+string(text))
		}
	}
	return lines
}

// unempty makes one of the ways to say nothing.
func unempty(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	case map[string]any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

func treeLines(tree, below foldedTree, times bool) []string {
	var lines []string
	first := map[*inode]string{}
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		n := tree[p]
		one, linked := first[n]
		if !linked {
			first[n] = p
		}
		old := below[p]
		switch {
		case linked && old != n:
			lines = append(lines, "hard "+quoted(p)+" = "+quoted(one))
		case old == nil && p == "/" && n.line(p, false) == "dir /":
		case old == nil || old.line(p, false) != n.line(p, false):
			lines = append(lines, n.line(p, times))
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(below), cmp.Compare) {
		if tree[p] == nil && tree[path.Dir(p)] != nil {
			lines = append(lines, "gone "+quoted(p))
		}
	}
	return lines
}

// sameLines compares with the table. A line of it that ends in " *" says nothing about a file's content.
func sameLines(want, got []string) bool {
	return slices.EqualFunc(want, got, func(w, g string) bool {
		if head, open := strings.CutSuffix(w, "*"); open {
			return strings.HasPrefix(g, head)
		}
		return w == g
	})
}
