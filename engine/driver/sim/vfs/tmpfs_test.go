package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// oracle is the simplest file tree that behaves: paths to contents. Hard links share the content.
type oracle map[string]*oracleNode

type oracleNode struct {
	kind fsys.Kind
	mode uint32
	text string
}

func (o oracle) parent(name string) error {
	for dir := parent(name); ; dir = parent(dir) {
		switch n := o[dir]; {
		case n != nil && n.kind == fsys.Dir:
			return nil
		case n != nil:
			return syscall.ENOTDIR
		}
		if up := o[parent(dir)]; up != nil && up.kind == fsys.Dir {
			return syscall.ENOENT
		}
	}
}

func (o oracle) below(name string) []string {
	var all []string
	for n := range o {
		if strings.HasPrefix(n, name+"/") || name == "." && n != "." {
			all = append(all, n)
		}
	}
	return all
}

func (o oracle) make(name string, n *oracleNode) error {
	if err := o.parent(name); err != nil {
		return err
	}
	if o[name] != nil {
		return syscall.EEXIST
	}
	o[name] = n
	return nil
}

func (o oracle) remove(name string, dir bool) error {
	if err := o.parent(name); err != nil {
		return err
	}
	switch n := o[name]; {
	case n == nil:
		return syscall.ENOENT
	case dir && n.kind != fsys.Dir:
		return syscall.ENOTDIR
	case !dir && n.kind == fsys.Dir:
		return syscall.EISDIR
	case len(o.below(name)) > 0:
		return syscall.ENOTEMPTY
	}
	delete(o, name)
	return nil
}

func (o oracle) rename(from, to string) error {
	if strings.HasPrefix(to, from+"/") {
		return syscall.EINVAL
	}
	if err := errors.Join(o.parent(from)); err != nil {
		return o.parent(from)
	}
	if err := o.parent(to); err != nil {
		return err
	}
	n, old := o[from], o[to]
	switch {
	case n == nil:
		return syscall.ENOENT
	case n == old:
		return nil
	case old != nil && n.kind == fsys.Dir && old.kind != fsys.Dir:
		return syscall.ENOTDIR
	case old != nil && n.kind != fsys.Dir && old.kind == fsys.Dir:
		return syscall.EISDIR
	case old != nil && len(o.below(to)) > 0:
		return syscall.ENOTEMPTY
	}
	moved := map[string]*oracleNode{to: n}
	for _, name := range o.below(from) {
		moved[to+name[len(from):]] = o[name]
		delete(o, name)
	}
	delete(o, from)
	maps.Copy(o, moved)
	return nil
}

func (o oracle) link(existing, name string) error {
	if err := o.parent(existing); err != nil {
		return err
	}
	switch n := o[existing]; {
	case n == nil:
		return syscall.ENOENT
	case n.kind == fsys.Dir:
		return syscall.EPERM
	default:
		return o.make(name, n)
	}
}

func (o oracle) write(name, text string) error {
	if err := o.parent(name); err != nil {
		return err
	}
	switch n := o[name]; {
	case n == nil:
		return syscall.ENOENT
	case n.kind == fsys.Dir:
		return syscall.EISDIR
	case n.kind != fsys.File:
		return syscall.ENXIO
	default:
		n.text += text
		return nil
	}
}

// dump writes a tree down, one line a name.
func (o oracle) dump() []string {
	var lines []string
	for name, n := range o {
		lines = append(lines, fmt.Sprintf("%s %c %o %s", name, n.kind, n.mode, n.text))
	}
	slices.Sort(lines)
	return lines
}

func dump(t *rapid.T, f *Tmpfs, name string) []string {
	a, err := f.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	switch a.Kind {
	case fsys.File:
		h, err := f.Open(name, fsys.How{})
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, a.Size)
		if n, _ := h.ReadAt(p, 0); int64(n) != a.Size {
			t.Fatalf("%s has %d bytes of %d", name, n, a.Size)
		}
		text = string(p)
		h.Close()
	case fsys.Symlink:
		text, _ = f.Readlink(name)
	}
	lines := []string{fmt.Sprintf("%s %c %o %s", name, a.Kind, a.Mode, text)}
	if a.Kind == fsys.Dir {
		list, err := f.ReadDir(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			lines = append(lines, dump(t, f, path.Join(name, d.Name))...)
		}
	}
	return lines
}

func TestTmpfsAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		used := int64(0)
		f := NewTmpfs(0, 0o755, clock, func(n int64) error { used += n; return nil })
		o := oracle{".": {kind: fsys.Dir, mode: 0o755}}
		name := rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3).Draw(t, "parts"), "/")
		})
		same := func(what string, got, want error) {
			if got != want {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"mkdir": func(t *rapid.T) {
				n, mode := name.Draw(t, "name"), rapid.Uint32Range(0, 0o7777).Draw(t, "mode")
				same("mkdir", f.Make(n, fsys.New{Kind: fsys.Dir, Mode: mode}), o.make(n, &oracleNode{fsys.Dir, mode, ""}))
			},
			"create": func(t *rapid.T) {
				n := name.Draw(t, "name")
				same("create", f.Make(n, fsys.New{Kind: fsys.File, Mode: 0o600}), o.make(n, &oracleNode{fsys.File, 0o600, ""}))
			},
			"symlink": func(t *rapid.T) {
				n, to := name.Draw(t, "name"), name.Draw(t, "to")
				same("symlink", f.Make(n, fsys.New{Kind: fsys.Symlink, Mode: 0o777, Target: to}), o.make(n, &oracleNode{fsys.Symlink, 0o777, to}))
			},
			"remove": func(t *rapid.T) { n := name.Draw(t, "name"); same("remove", f.Remove(n), o.remove(n, false)) },
			"rmdir":  func(t *rapid.T) { n := name.Draw(t, "name"); same("rmdir", f.RemoveDir(n), o.remove(n, true)) },
			"rename": func(t *rapid.T) {
				from, to := name.Draw(t, "from"), name.Draw(t, "to")
				same("rename "+from+" "+to, f.Rename(from, to), o.rename(from, to))
			},
			"link": func(t *rapid.T) {
				from, to := name.Draw(t, "from"), name.Draw(t, "to")
				same("link", f.Link(from, to), o.link(from, to))
			},
			"append": func(t *rapid.T) {
				n, text := name.Draw(t, "name"), strings.Repeat("x", rapid.IntRange(0, 9000).Draw(t, "size"))
				h, err := f.Open(n, fsys.How{Write: true})
				if err == nil {
					_, err = h.WriteAt([]byte(text), -1)
					h.Close()
				}
				same("append "+n, err, o.write(n, text))
			},
			"": func(t *rapid.T) {
				if d := cmp.Diff(sorted(dump(t, f, ".")), o.dump()); d != "" {
					t.Fatal(d)
				}
			},
		})
		for _, n := range slices.Backward(sorted(slices.Collect(maps.Keys(o)))) {
			if n != "." {
				same("clear "+n, map[bool]func(string) error{true: f.RemoveDir, false: f.Remove}[o[n].kind == fsys.Dir](n), nil)
			}
		}
		if used != 0 || f.used != 0 || f.files != 1 {
			t.Fatalf("an empty file system keeps %d bytes, %d of pages, %d files", used, f.used, f.files)
		}
	})
}

func sorted(s []string) []string { slices.Sort(s); return s }

// TestTmpfsContent compares writes, holes and truncation with a plain slice of bytes.
func TestTmpfsContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := NewTmpfs(0, 0o755, clock, nil)
		f.mustMake("f", fsys.New{Kind: fsys.File})
		h, err := f.Open("f", fsys.How{Write: true})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		var want []byte
		grow := func(n int) {
			if n > len(want) {
				want = append(want, make([]byte, n-len(want))...)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := rapid.IntRange(-1, 20000).Draw(t, "off")
				p := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(t, "byte"))}, rapid.IntRange(0, 9000).Draw(t, "size"))
				if n, err := h.WriteAt(p, int64(off)); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
				if off < 0 {
					off = len(want)
				}
				if len(p) > 0 {
					grow(off + len(p))
					copy(want[off:], p)
				}
			},
			"truncate": func(t *rapid.T) {
				n := rapid.IntRange(0, 30000).Draw(t, "size")
				if err := h.Truncate(int64(n)); err != nil {
					t.Fatal(err)
				}
				grow(n)
				want = want[:n:n]
			},
			"": func(t *rapid.T) {
				got := make([]byte, len(want)+1)
				n, _ := h.ReadAt(got, 0)
				if !bytes.Equal(got[:n], want) {
					t.Fatalf("content differs: %d bytes, want %d", n, len(want))
				}
			},
		})
	})
}

func TestTmpfsLimit(t *testing.T) {
	refuse := false
	f := NewTmpfs(3*pageSize, 0o755, clock, func(n int64) error {
		if refuse && n > 0 {
			return syscall.ENOMEM
		}
		return nil
	})
	f.mustMake("f", fsys.New{Kind: fsys.File})
	h, err := f.Open("f", fsys.How{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := h.WriteAt(make([]byte, 4*pageSize), 0); n != 3*pageSize || err != syscall.ENOSPC {
		t.Errorf("a write over the limit: %d, %v", n, err)
	}
	if n, err := h.WriteAt(make([]byte, pageSize), 0); n != pageSize || err != nil {
		t.Errorf("writing over what is there: %d, %v", n, err)
	}
	if total, free, _, _ := f.Space(); total != 3*pageSize || free != 0 {
		t.Errorf("space is %d, %d", total, free)
	}
	if err := f.Remove("f"); err != nil {
		t.Fatal(err)
	}
	if _, free, _, _ := f.Space(); free != 0 {
		t.Errorf("an open file is not counted: %d are free", free)
	}
	if p := make([]byte, 10); func() int { n, _ := h.ReadAt(p, 0); return n }() != 10 {
		t.Error("an open file without a name can't be read")
	}
	h.Close()
	if _, free, _, _ := f.Space(); free != 3*pageSize {
		t.Errorf("%d bytes are free in the end", free)
	}
	f.mustMake("sparse", fsys.New{Kind: fsys.File})
	if h, err = f.Open("sparse", fsys.How{Write: true}); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if n, err := h.WriteAt([]byte("x"), 1<<40); n != 1 || err != nil {
		t.Errorf("a sparse write: %d, %v", n, err)
	}
	if a, _ := h.Attr(); a.Size != 1<<40+1 || f.used != pageSize {
		t.Errorf("a sparse file has %d bytes and takes %d", a.Size, f.used)
	}
	refuse = true
	if _, err := h.WriteAt([]byte("x"), 0); err != syscall.ENOMEM {
		t.Errorf("no memory: %v", err)
	}
	if err := f.Make("more", fsys.New{Kind: fsys.File}); err != syscall.ENOMEM {
		t.Errorf("no memory for a name: %v", err)
	}
}
