//go:build linux

package cow

import (
	"sort"
	"time"
)

// node is what is known of one path of the upper folder. Only folders and reported or pending paths have one.
type node struct {
	parent *node
	name   string
	kids   map[string]*node
	kind   kind // what was reported of it
	watch  int  // inotify's number of the watch, 0 for none

	waits  bool // a report is pending
	due    time.Time
	since  time.Time // of the first cause of the pending report
	copied bool      // the pending report is of something the kernel copied up
	size   int64     // when it was last reported
	mtime  int64
	seen   bool // by the reconciliation under way
}

// kind is what was last reported of a path.
type kind byte

const (
	unknown kind = 0
	created kind = 'A'
	copied  kind = 'C'
	hidden  kind = 'D'
	opaque  kind = 'O'
)

// path is relative to the root, which is ".".
func (n *node) path() string {
	if n.parent == nil {
		return "."
	}
	size := len(n.name)
	for p := n.parent; p.parent != nil; p = p.parent {
		size += len(p.name) + 1
	}
	buf := make([]byte, size)
	for p, end := n, size; p.parent != nil; p = p.parent {
		copy(buf[end-len(p.name):end], p.name)
		if end -= len(p.name) + 1; end > 0 {
			buf[end] = '/'
		}
	}
	return string(buf)
}

func (n *node) child(name string) *node {
	if c := n.kids[name]; c != nil {
		return c
	}
	c := &node{parent: n, name: name}
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.kids[name] = c
	return c
}

// sorted lists the children by name.
func (n *node) sorted() []*node {
	kids := make([]*node, 0, len(n.kids))
	for _, c := range n.kids {
		kids = append(kids, c)
	}
	sort.Slice(kids, func(i, j int) bool { return kids[i].name < kids[j].name })
	return kids
}
