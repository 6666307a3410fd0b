package image

import (
	"cmp"
	"slices"
)

// DiveScore is what dive (github.com/wagoodman/dive) computes of the layers, so that its thresholds mean the same here.
//
// A path is what lies at the end of a branch of a layer's tree: a file, an empty folder or a whiteout. Its size in a layer is that of
// the file; of a whiteout of a folder it is all that the folder had, and of a whiteout of a file 0. Efficiency is the sum over all paths
// of the smallest size that they have in a layer, divided by the sum of all sizes. Wasted is the sum of all sizes of the paths
// that are in more than one layer, the one that is seen included. It counts against the bytes of all layers but the lowest.
//
// It differs from Waste: a file that goes with its folder is no waste to dive, and a file that is overwritten counts twice.
type DiveScore struct {
	Efficiency        float64    `json:"efficiency"` // 0 to 1
	WastedBytes       int64      `json:"wasted_bytes"`
	UserBytes         int64      `json:"user_bytes"`          // of all layers but the lowest
	UserWastedPercent float64    `json:"user_wasted_percent"` // WastedBytes / UserBytes: 0 to 1, and above if the lowest layer's files are overwritten
	Files             []DivePath `json:"files"`               // in more than one layer, the most bytes first
}

// DivePath is a path that several layers have.
type DivePath struct {
	Path   string `json:"path"`
	Layers int    `json:"layers"`
	Bytes  int64  `json:"bytes"` // in all of them
}

// diver gathers what DiveScore needs.
type diver struct {
	paths map[string]*divePath
	user  int64
}

type divePath struct {
	layers     int
	least, sum int64
}

func newDiver() *diver { return &diver{paths: map[string]*divePath{}} }

// layer takes in the tree of a layer that stands on low.
func (d *diver) layer(up, low *node, src *source) {
	if src.index > 0 {
		d.user += src.bytes
	}
	d.walk(".", up, low)
}

func (d *diver) walk(p string, up, low *node) {
	if up.isDir() && len(up.kids) > 0 {
		for name, kid := range up.kids {
			d.walk(join(p, name), kid, low.kid(name))
		}
		return
	}
	if p == "." {
		return
	}
	var size int64
	switch {
	case up.white && low.isDir():
		low.each(p, func(p string, n *node) { size += bytesAt(n, p) })
	case !up.white:
		size = bytesAt(up, p)
	}
	d.add(p, size)
}

// bytesAt is the size of a file at the first of its names; the others are links without a size to dive.
func bytesAt(n *node, p string) int64 {
	if n.white || n.ino == nil {
		return 0
	}
	return bytesOf(n.ino, p)
}

func bytesOf(i *inode, p string) int64 {
	if len(i.names) > 1 && i.names[0] != p {
		return 0
	}
	return i.size
}

func (d *diver) add(p string, size int64) {
	known := d.paths[p]
	if known == nil {
		d.paths[p] = &divePath{1, size, size}
		return
	}
	known.layers++
	known.sum += size
	known.least = min(known.least, size)
}

func (d *diver) score() DiveScore {
	s := DiveScore{Efficiency: 1, UserBytes: d.user, Files: []DivePath{}}
	var least, sum int64
	for p, known := range d.paths {
		least += known.least
		sum += known.sum
		if known.layers > 1 {
			s.WastedBytes += known.sum
			s.Files = append(s.Files, DivePath{absolute(p), known.layers, known.sum})
		}
	}
	if sum > 0 {
		s.Efficiency = float64(least) / float64(sum)
	}
	if d.user > 0 {
		s.UserWastedPercent = float64(s.WastedBytes) / float64(d.user)
	}
	slices.SortFunc(s.Files, func(a, b DivePath) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), comparePaths(a.Path, b.Path)) })
	return s
}
