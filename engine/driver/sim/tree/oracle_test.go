package tree

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// oracle is a POSIX tree as simple as can be: names to files, folders and their content. It knows no layers.
type oracle struct {
	names map[string]*thing
}

type thing struct {
	dir  bool
	text string
	mode uint32
}

func (o *oracle) isDir(p string) bool { return p == "." || o.names[p] != nil && o.names[p].dir }

func (o *oracle) inside(p string) bool {
	for q := range o.names {
		if strings.HasPrefix(q, p+"/") {
			return true
		}
	}
	return false
}

func (o *oracle) mkdir(p string) bool {
	if o.names[p] != nil || !o.isDir(path.Dir(p)) {
		return false
	}
	o.names[p] = &thing{dir: true, mode: 0o755}
	return true
}

func (o *oracle) write(p, text string) bool {
	switch f := o.names[p]; {
	case !o.isDir(path.Dir(p)) || o.isDir(p):
		return false
	case f != nil:
		f.text += text
	default:
		o.names[p] = &thing{text: text, mode: 0o644}
	}
	return true
}

func (o *oracle) remove(p string) bool {
	if o.names[p] == nil || o.inside(p) {
		return false
	}
	delete(o.names, p)
	return true
}

// rename moves a name; folders stay where they are.
func (o *oracle) rename(from, to string) bool {
	f := o.names[from]
	if f == nil || f.dir || o.isDir(to) || !o.isDir(path.Dir(to)) {
		return false
	}
	delete(o.names, from)
	o.names[to] = f
	return true
}

func (o *oracle) list() []string {
	var lines []string
	for p, f := range o.names {
		lines = append(lines, fmt.Sprintf("%s %v %o %s", p, f.dir, f.mode, f.text))
	}
	sort.Strings(lines)
	return lines
}

func (u *Union) describe(t testing.TB, dir string) []string {
	t.Helper()
	names, err := u.ReadDir(dir)
	must(t, err)
	var lines []string
	for _, d := range names {
		p := join(dir, d.Name)
		a, err := u.Lstat(p)
		must(t, err)
		if a.Kind == fsys.Dir {
			lines = append(lines, fmt.Sprintf("%s true %o ", p, a.Mode))
			lines = append(lines, u.describe(t, p)...)
			continue
		}
		text := read(t, u, p)
		if int64(len(text)) != a.Size {
			t.Errorf("%s has %d bytes and says %d", p, len(text), a.Size)
		}
		lines = append(lines, fmt.Sprintf("%s false %o %s", p, a.Mode, text))
	}
	sort.Strings(lines)
	return lines
}

// TestUnionIsATree: over layers that were committed or applied on the way, in this process and in others, a union is what a simple tree
// is after the same calls.
func TestUnionIsATree(t *testing.T) {
	drivertest.Checks(t, "40")
	rapid.Check(t, func(r *rapid.T) {
		s := newStore(t)
		ctx := context.Background()
		o := &oracle{names: map[string]*thing{}}
		chain, layers := s.apply("", archive(t, folder("."))), 0
		s.prepare("k", chain)
		u := s.open("k", nil)
		name := rapid.SampledFrom([]string{"a", "b", "a/x", "a/y", "b/x", "a/x/q", "A"})
		agree := func(what string, want bool, err error) {
			if want != (err == nil) {
				r.Fatalf("%s: %v, the simple tree says %v", what, err, want)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"write": func(r *rapid.T) {
				p, text := name.Draw(r, "p"), rapid.StringN(0, 5, 10).Draw(r, "text")
				agree("write "+p, o.write(p, text), write(u, p, text, true))
			},
			"mkdir": func(r *rapid.T) { p := name.Draw(r, "p"); agree("mkdir "+p, o.mkdir(p), run(u, "mkdir", []string{p})) },
			"remove": func(r *rapid.T) {
				p := name.Draw(r, "p")
				err := u.Remove(p)
				if a, lerr := u.Lstat(p); lerr == nil && a.Kind == fsys.Dir {
					err = u.RemoveDir(p)
				}
				agree("remove "+p, o.remove(p), err)
			},
			"rename": func(r *rapid.T) {
				p, q := name.Draw(r, "p"), name.Draw(r, "q")
				if p != q && !o.isDir(p) {
					agree("mv "+p+" "+q, o.rename(p, q), u.Rename(p, q))
				}
			},
			"chmod": func(r *rapid.T) {
				p, mode := name.Draw(r, "p"), rapid.Uint32Range(0, 0o777).Draw(r, "mode")
				if f := o.names[p]; f != nil {
					f.mode = mode
				}
				agree("chmod "+p, o.names[p] != nil, u.Set(p, fsys.Change{Mode: &mode}))
			},
			"commit": func(r *rapid.T) {
				if layers++; layers > 6 {
					return
				}
				must(t, u.Close())
				data := s.diff("k")
				next, id := chainOf(chain, data)
				if rapid.Bool().Draw(r, "apply") {
					must(t, s.snapshots.Remove(ctx, "k"))
					if !s.layers.Has(next) {
						must(t, s.layers.Apply(ctx, next, chain, id, bytes.NewReader(data)))
					}
				} else {
					must(t, s.snapshots.Commit(ctx, "k", next, id))
				}
				chain = next
				s = s.again()
				s.prepare("k", chain)
				u = s.open("k", nil)
			},
			"restart": func(r *rapid.T) {
				if rapid.Bool().Draw(r, "closed") {
					must(t, u.Close())
				}
				s = s.again()
				u = s.open("k", nil)
			},
			"": func(r *rapid.T) {
				if diff := cmp.Diff(o.list(), u.describe(t, ".")); diff != "" {
					r.Fatalf("tree (-simple +union):\n%s", diff)
				}
			},
		})
		must(t, u.Close())
	})
}
