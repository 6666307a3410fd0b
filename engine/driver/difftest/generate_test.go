package difftest

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/layer"
)

// scenario is what one run does: layers from the lowest up, then operations on top of them.
type scenario struct {
	Layers [][]item
	Ops    []op
}

// item is one entry of a layer archive.
type item struct {
	layer.Entry
	Content string
}

// generator makes scenarios; the same seed makes the same one.
type generator struct {
	r     *rand.Rand
	links map[string]bool // paths at which some layer has a symbolic link
}

// generate makes the scenario of a seed.
func generate(seed uint64) scenario {
	g := generator{rand.New(rand.NewPCG(seed, 0x6c6561726e)), make(map[string]bool)}
	var s scenario
	known := []string{"."}
	for range g.r.IntN(6) {
		var items []item
		items, known = g.layer(known)
		s.Layers = append(s.Layers, items)
	}
	for range 3 + g.r.IntN(30) {
		s.Ops = append(s.Ops, g.op())
	}
	return s
}

// name is a path of up to three parts out of so few that different operations meet.
func (g generator) name() string {
	parts := []string{pick(g, "a", "b", "c", "d")}
	for g.r.IntN(2) == 0 && len(parts) < 3 {
		parts = append(parts, pick(g, "a", "b", "f", "g"))
	}
	return strings.Join(parts, "/")
}

func pick[T any](g generator, from ...T) T { return from[g.r.IntN(len(from))] }

func (g generator) mode() uint32 {
	if g.r.IntN(4) == 0 {
		return uint32(g.r.IntN(0o10000))
	}
	return pick[uint32](g, 0o644, 0o755, 0o600, 0o700, 0o4755, 0o1777, 0o2770, 0)
}

func (g generator) id() int { return pick(g, 0, 0, 1, 1000, 65534, 3_000_000) }

// time is long ago, so that it is told apart from the times that the machine sets.
func (g generator) time() time.Time {
	sec := int64(g.r.IntN(1_600_000_000))
	if g.r.IntN(20) == 0 {
		sec = -sec
	}
	return time.Unix(sec, pick[int64](g, 0, 0, 1, 123_456_789, 999_999_999))
}

func (g generator) data() string {
	n := g.r.IntN(12)
	switch g.r.IntN(16) {
	case 0:
		n = 4000 + g.r.IntN(200)
	case 1:
		n = 70_000
	}
	return strings.Repeat(fmt.Sprintf("%06d", g.r.IntN(1_000_000)), n/6+1)[:n]
}

func (g generator) offset() int64 { return pick[int64](g, 0, 0, 1, 5, 4096, 10_000, 200_000) }

func (g generator) attr() string { return pick(g, "user.a", "user.b", "user.long.name") }

// A table of verbs, each as often as it is worth.
var verbs = [...]verb{
	doCreate, doCreate, doCreate, doWrite, doWrite, doAppend, doEmpty, doTruncate, doTouch, doMkdir, doMkdir, doMkdir, doSymlink, doNode,
	doLink, doLink, doUnlink, doUnlink, doUnlink, doRmdir, doRmdir, doRename, doRename, doRename, doRename, doChmod, doChown, doUtimes,
	doSetXattr, doDelXattr, doHold, doHeld, doHeld, doCut, doRelease, doLook,
}

func (g generator) op() op {
	o := op{Do: verbs[g.r.IntN(len(verbs))], Path: g.name(), Slot: g.r.IntN(3)}
	switch o.Do {
	case doCreate, doMkdir:
		o.Mode, o.UID, o.GID = g.mode(), g.id(), g.id()
		if o.Do == doCreate {
			o.Data = g.data()
		}
	case doNode:
		o.Kind, o.Mode = pick(g, fsys.Pipe, fsys.CharDevice, fsys.BlockDevice, fsys.Socket), g.mode()
		if o.Kind == fsys.CharDevice || o.Kind == fsys.BlockDevice {
			o.Rdev = fsys.MakeDev(pick[uint32](g, 0, 1, 300), pick[uint32](g, 0, 3, 70_000))
		}
	case doSymlink:
		o.To = pick(g, "a", "../b", "/etc/passwd", "dangling", strings.Repeat("long/", 60))
	case doLink, doRename:
		o.To = g.name()
	case doWrite, doHeld:
		o.Off, o.Data = g.offset(), g.data()
	case doAppend, doEmpty:
		o.Data = g.data()
	case doTruncate, doCut:
		o.Off = g.offset()
	case doSetXattr:
		o.Attr, o.Data = g.attr(), g.data()
		o.Data = o.Data[:min(len(o.Data), 3000)]
	case doDelXattr:
		o.Attr = g.attr()
	case doChmod, doChown, doUtimes:
		o.Mode, o.UID, o.GID, o.Time = g.mode(), g.id(), g.id(), g.time()
		if g.r.IntN(8) == 0 {
			o.Path = "."
		}
	}
	return o
}

// layer makes the entries of one archive. known are paths that layers below have; what is made comes on top of them.
func (g generator) layer(known []string) ([]item, []string) {
	var items []item
	for range 1 + g.r.IntN(10) {
		i := g.item(known)
		if g.r.IntN(3) > 0 { // most archives name the folders above an entry
			for dir := path.Dir(i.Path); dir != "." && !has(items, dir) && i.Kind != layer.Opaque; dir = path.Dir(dir) {
				if !g.throughLink(dir) {
					items = append(items, g.folder(dir))
				}
			}
		}
		items = append(items, i)
		if i.Kind != layer.Whiteout && i.Kind != layer.Opaque {
			known = append(known, i.Path)
		}
	}
	if g.r.IntN(4) > 0 {
		parentsFirst(items)
	}
	return items, known
}

func has(items []item, p string) bool {
	for _, i := range items {
		if i.Path == p {
			return true
		}
	}
	return false
}

// parentsFirst puts entries in an order in which most of them can be made: folders by depth, then all others.
func parentsFirst(items []item) {
	rank := func(i item) int {
		if i.Kind == layer.Dir {
			return strings.Count(i.Path, "/")
		}
		return 10 + int(i.Kind)
	}
	for n := 1; n < len(items); n++ {
		for k := n; k > 0 && rank(items[k]) < rank(items[k-1]); k-- {
			items[k], items[k-1] = items[k-1], items[k]
		}
	}
}

func (g generator) folder(p string) item {
	return item{Entry: layer.Entry{Path: p, Kind: layer.Dir, Mode: g.mode(), UID: g.id(), GID: g.id(), ModTime: g.time(), Xattrs: g.xattrs()}}
}

func (g generator) xattrs() map[string]string {
	if g.r.IntN(5) > 0 {
		return nil
	}
	return map[string]string{g.attr(): "v"}
}

func (g generator) item(known []string) item {
	i := g.folder(g.name())
	if g.r.IntN(10) == 0 {
		i.Path = pick(g, known...)
	}
	i.Kind = pick(g, layer.File, layer.File, layer.File, layer.Dir, layer.Dir, layer.Symlink, layer.HardLink, layer.Fifo, layer.Char, layer.Whiteout, layer.Whiteout, layer.Opaque)
	switch {
	case i.Path == ".":
		i.Kind = layer.Dir
	case i.Kind == layer.Dir && g.throughLink(i.Path):
		i.Kind = layer.File
	}
	switch i.Kind {
	case layer.File:
		i.Content = g.data()
		i.Size = int64(len(i.Content))
	case layer.Symlink:
		i.Link, i.Xattrs = pick(g, "a", "../b", "/c", "x/y"), nil
		g.links[i.Path] = true
	case layer.HardLink:
		i.Link, i.Xattrs = g.target(known, i.Path), nil
	case layer.Char:
		i.Major, i.Minor, i.Xattrs = 1, 3, nil
	case layer.Fifo:
		i.Xattrs = nil
	}
	return i
}

// target is a path for a hard link to lead to, often one that exists.
func (g generator) target(known []string, not string) string {
	if p := pick(g, known...); p != "." && p != not && g.r.IntN(5) > 0 {
		return p
	}
	return not + "x"
}

// throughLink reports whether a path may lead through a symbolic link. A folder's entry by such a path is not generated: what
// becomes of its mode and time is not settled.
func (g generator) throughLink(p string) bool {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if g.links[dir] {
			return true
		}
	}
	return false
}
