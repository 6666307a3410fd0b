package difftest

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
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

// generator makes scenarios; the same seed makes the same one. It has a rough idea of what is where, so that most operations find
// what they need; the rest go to names at random.
type generator struct {
	r     *rand.Rand
	kinds map[string]fsys.Kind // what is probably at a path
	held  [3]bool              // slots that are probably open
}

// generate makes the scenario of a seed.
func generate(seed uint64) scenario {
	g := &generator{r: rand.New(rand.NewPCG(seed, 0x6c6561726e)), kinds: make(map[string]fsys.Kind)}
	var s scenario
	for range g.r.IntN(6) {
		s.Layers = append(s.Layers, g.layer())
	}
	for range 3 + g.r.IntN(40) {
		o := g.op()
		g.expect(o)
		s.Ops = append(s.Ops, o)
	}
	return s
}

// name is a path of up to three parts out of so few that different operations meet.
func (g *generator) name() string {
	parts := []string{pick(g, "a", "b", "c", "d")}
	for g.r.IntN(2) == 0 && len(parts) < 3 {
		parts = append(parts, pick(g, "a", "b", "f", "g"))
	}
	return strings.Join(parts, "/")
}

// some is mostly a path at which there is something of one of the kinds.
func (g *generator) some(kinds ...fsys.Kind) string {
	var found []string
	for p, k := range g.kinds {
		if slices.Contains(kinds, k) {
			found = append(found, p)
		}
	}
	if len(found) == 0 || g.r.IntN(6) == 0 {
		return g.name()
	}
	slices.Sort(found)
	return pick(g, found...)
}

// fresh is mostly a path at which there is nothing, in a folder.
func (g *generator) fresh() string {
	p := path.Join(g.some(fsys.Dir), pick(g, "a", "b", "f", "g"))
	if g.r.IntN(3) == 0 || strings.Count(p, "/") > 3 {
		return g.name()
	}
	return p
}

// expect notes what an operation probably does.
func (g *generator) expect(o op) {
	there := g.kinds[o.Path]
	switch o.Do {
	case doCreate:
		g.put(o.Path, fsys.File)
	case doMkdir:
		g.put(o.Path, fsys.Dir)
	case doSymlink:
		g.put(o.Path, fsys.Symlink)
	case doNode:
		g.put(o.Path, o.Kind)
	case doLink:
		g.put(o.To, there)
	case doRename:
		delete(g.kinds, o.To)
		g.put(o.To, there)
		delete(g.kinds, o.Path)
	case doUnlink, doRmdir:
		delete(g.kinds, o.Path)
	case doHold:
		g.held[o.Slot] = g.held[o.Slot] || there == fsys.File
	case doRelease:
		g.held[o.Slot] = false
	case doRemount:
		g.held = [3]bool{}
	}
}

func (g *generator) put(p string, k fsys.Kind) {
	dir := path.Dir(p)
	if g.kinds[p] == 0 && k != 0 && (dir == "." || g.kinds[dir] == fsys.Dir) {
		g.kinds[p] = k
	}
}

func pick[T any](g *generator, from ...T) T { return from[g.r.IntN(len(from))] }

func (g *generator) mode() uint32 {
	if g.r.IntN(4) == 0 {
		return uint32(g.r.IntN(0o10000))
	}
	return pick[uint32](g, 0o644, 0o755, 0o600, 0o700, 0o4755, 0o1777, 0o2770, 0)
}

func (g *generator) id() int { return pick(g, 0, 0, 1, 1000, 65534, 3_000_000) }

// time is long ago, so that it is told apart from the times that the machine sets.
func (g *generator) time() time.Time {
	sec := int64(g.r.IntN(1_600_000_000))
	if g.r.IntN(20) == 0 {
		sec = -sec
	}
	return time.Unix(sec, pick[int64](g, 0, 0, 1, 123_456_789, 999_999_999))
}

func (g *generator) data() string {
	n := g.r.IntN(12)
	switch g.r.IntN(16) {
	case 0:
		n = 4000 + g.r.IntN(200)
	case 1:
		n = 70_000
	}
	return strings.Repeat(fmt.Sprintf("%06d", g.r.IntN(1_000_000)), n/6+1)[:n]
}

func (g *generator) offset() int64 { return pick[int64](g, 0, 0, 1, 5, 4096, 10_000, 200_000) }

func (g *generator) attr() string { return pick(g, "user.a", "user.b", "user.long.name") }

// A table of verbs, each as often as it is worth.
var verbs = [...]verb{
	doCreate, doCreate, doCreate, doWrite, doWrite, doAppend, doEmpty, doTruncate, doTouch, doMkdir, doMkdir, doMkdir, doSymlink, doNode,
	doLink, doLink, doUnlink, doUnlink, doUnlink, doRmdir, doRmdir, doRename, doRename, doRename, doRename, doChmod, doChown, doUtimes,
	doSetXattr, doDelXattr, doHold, doHold, doHeld, doHeld, doCut, doRelease, doLook, doRemount,
}

func (g *generator) op() op {
	o := op{Do: verbs[g.r.IntN(len(verbs))]}
	switch o.Do {
	case doLook, doRemount:
	case doCreate, doMkdir, doSymlink, doNode:
		return g.makeOp(o)
	case doHeld, doCut, doRelease:
		return g.heldOp(o)
	case doWrite, doAppend, doEmpty, doTruncate, doTouch, doHold:
		o.Path, o.Off, o.Data, o.Slot = g.some(fsys.File), g.offset(), g.data(), g.r.IntN(3)
		if o.Do == doAppend || o.Do == doEmpty {
			o.Off = 0
		}
	case doUnlink:
		o.Path = g.some(fsys.File, fsys.File, fsys.Symlink, fsys.Pipe, fsys.CharDevice)
	case doRmdir:
		o.Path = g.some(fsys.Dir)
	case doLink:
		o.Path, o.To = g.some(fsys.File, fsys.Symlink, fsys.Pipe), g.fresh()
	case doRename:
		o.Path = pick(g, g.some(fsys.File), g.some(fsys.Dir), g.some(fsys.Symlink, fsys.Pipe))
		o.To = pick(g, g.fresh(), g.fresh(), g.some(fsys.File), g.some(fsys.Dir))
	default:
		return g.metaOp(o)
	}
	return o
}

func (g *generator) makeOp(o op) op {
	o.Path, o.Mode, o.UID, o.GID = g.fresh(), g.mode(), g.id(), g.id()
	switch o.Do {
	case doCreate:
		o.Data = g.data()
	case doNode:
		o.Kind = pick(g, fsys.Pipe, fsys.CharDevice, fsys.BlockDevice, fsys.Socket)
		if o.Kind == fsys.CharDevice || o.Kind == fsys.BlockDevice {
			o.Rdev = fsys.MakeDev(pick[uint32](g, 0, 1, 300), pick[uint32](g, 0, 3, 70_000))
		}
	case doSymlink:
		o.To = pick(g, "a", "../b", "/etc/passwd", "dangling", strings.Repeat("long/", 60))
	}
	return o
}

// heldOp goes through a file that was opened before; without one it opens one.
func (g *generator) heldOp(o op) op {
	for o.Slot = 0; o.Slot < 2 && !g.held[o.Slot]; {
		o.Slot++
	}
	if !g.held[o.Slot] {
		return op{Do: doHold, Path: g.some(fsys.File), Slot: o.Slot}
	}
	switch o.Do {
	case doHeld:
		o.Off, o.Data = g.offset(), g.data()
	case doCut:
		o.Off = g.offset()
	}
	return o
}

func (g *generator) metaOp(o op) op {
	o.Path = pick(g, g.some(fsys.File), g.some(fsys.Dir), g.some(fsys.File, fsys.Dir, fsys.Symlink, fsys.Pipe, fsys.CharDevice))
	if g.r.IntN(16) == 0 {
		o.Path = "."
	}
	switch o.Do {
	case doSetXattr:
		o.Attr, o.Data = g.attr(), g.data()
		o.Data = o.Data[:min(len(o.Data), 3000)]
	case doDelXattr:
		o.Attr = pick(g, "user.a", g.attr())
	case doChmod, doChown, doUtimes:
		o.Mode, o.UID, o.GID, o.Time = g.mode(), g.id(), g.id(), g.time()
	}
	return o
}

// layer makes the entries of one archive, on top of what the layers below probably have.
func (g *generator) layer() []item {
	var items []item
	for range 1 + g.r.IntN(10) {
		i := g.item()
		for !fits(i, items) && g.r.IntN(60) > 0 { // one entry that can't be made refuses the whole layer
			i = g.item()
		}
		if g.r.IntN(3) > 0 { // most archives name the folders above an entry
			items = append(items, g.above(i, items)...)
		}
		items = append(items, i)
		g.unpack(i)
	}
	if g.r.IntN(4) > 0 {
		parentsFirst(items)
	}
	return items
}

// fits reports whether an entry can be made after the others, as far as its text tells.
func fits(i item, items []item) bool {
	target := i.Kind != layer.HardLink
	for _, other := range items {
		solid := other.Kind != layer.Dir && other.Kind != layer.Opaque
		if solid && strings.HasPrefix(i.Path, other.Path+"/") || i.Kind != layer.Dir && strings.HasPrefix(other.Path, i.Path+"/") {
			return false
		}
		target = target || other.Path == i.Link && other.Kind == layer.File
	}
	return target
}

// above makes entries for the folders above i that have none.
func (g *generator) above(i item, items []item) []item {
	var made []item
	for dir := path.Dir(i.Path); dir != "." && i.Kind != layer.Opaque; dir = path.Dir(dir) {
		if !has(items, dir) {
			made = append(made, g.folder(dir))
		}
	}
	return made
}

// unpack notes what an entry probably does.
func (g *generator) unpack(i item) {
	if i.Kind == layer.Opaque || i.Path == "." {
		return
	}
	for p := range g.kinds {
		if i.Kind != layer.Dir && strings.HasPrefix(p, i.Path+"/") {
			delete(g.kinds, p)
		}
	}
	delete(g.kinds, i.Path)
	if i.Kind == layer.Whiteout {
		return
	}
	for dir := path.Dir(i.Path); dir != "."; dir = path.Dir(dir) {
		g.kinds[dir] = fsys.Dir
	}
	g.kinds[i.Path] = map[layer.Kind]fsys.Kind{layer.File: fsys.File, layer.Dir: fsys.Dir, layer.Symlink: fsys.Symlink, layer.HardLink: fsys.File,
		layer.Char: fsys.CharDevice, layer.Block: fsys.BlockDevice, layer.Fifo: fsys.Pipe}[i.Kind]
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

func (g *generator) folder(p string) item {
	return item{Entry: layer.Entry{Path: p, Kind: layer.Dir, Mode: g.mode(), UID: g.id(), GID: g.id(), ModTime: g.time(), Xattrs: g.xattrs()}}
}

// capability is a file capability (cap_net_raw, effective) as the kernel keeps it: revision 2, 20 bytes. It goes when the file is
// written or given away.
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func (g *generator) xattrs() map[string]string {
	if g.r.IntN(5) > 0 {
		return nil
	}
	return map[string]string{g.attr(): "v"}
}

func (g *generator) item() item {
	i := g.folder(pick(g, g.name(), g.some(fsys.File, fsys.Dir, fsys.Symlink)))
	i.Kind = pick(g, layer.File, layer.File, layer.File, layer.File, layer.Dir, layer.Dir, layer.Symlink, layer.HardLink, layer.HardLink, layer.Fifo,
		layer.Char, layer.Block, layer.Whiteout, layer.Whiteout, layer.Opaque)
	if g.r.IntN(40) == 0 {
		i.Path, i.Kind = ".", layer.Dir
	}
	if i.Kind != layer.File && i.Kind != layer.Dir {
		i.Xattrs = nil
	}
	switch i.Kind {
	case layer.File:
		i.Content = g.data()
		i.Size = int64(len(i.Content))
		if g.r.IntN(12) == 0 {
			i.Xattrs = map[string]string{"security.capability": capability}
		}
	case layer.Symlink:
		i.Link = pick(g, "a", "../b", "/c", "x/y")
	case layer.HardLink:
		if i.Link = g.some(fsys.File, fsys.Symlink); i.Link == i.Path {
			i.Link += "x"
		}
	case layer.Char, layer.Block:
		i.Major, i.Minor = pick[uint32](g, 1, 0, 300), pick[uint32](g, 3, 70_000)
	}
	return i
}
