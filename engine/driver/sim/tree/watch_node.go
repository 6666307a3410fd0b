package tree

import (
	"strings"
	"time"
)

// watched is what is known of one path of the writable layer. Only folders and reported or pending paths have one.
type watched struct {
	parent *watched
	name   string
	kids   map[string]*watched
	kind   said

	waits  bool // a report is pending
	due    time.Time
	since  time.Time // of the first cause of the pending report
	copied bool      // the pending report is of something that was copied up
	size   int64     // when it was last reported
	mtime  int64
	writes uint64
	seen   bool // by the comparison under way
}

// said is what was last reported of a path.
type said byte

const (
	nothing said = 0
	created said = 'A'
	copied  said = 'C'
	hidden  said = 'D'
	opaque  said = 'O'
)

// path is relative to the root, which is ".".
func (n *watched) path() string {
	if n.parent == nil {
		return "."
	}
	return join(n.parent.path(), n.name)
}

func (n *watched) child(name string) *watched {
	if c := n.kids[name]; c != nil {
		return c
	}
	c := &watched{parent: n, name: name}
	if n.kids == nil {
		n.kids = map[string]*watched{}
	}
	n.kids[name] = c
	return c
}

// find returns the node of p below n, made if it has to be; otherwise it may be nil.
func (n *watched) find(p string, make bool) *watched {
	if p == "." {
		return n
	}
	for rest := p; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if n.kids[part] == nil && !make {
			return nil
		}
		n = n.child(part)
	}
	return n
}

// remember keeps what was reported last.
func (n *watched) remember(i *inode) {
	n.size, n.mtime, n.writes = i.size, i.mtime.UnixNano(), i.writes
}

// differs reports whether i is not as it was reported last.
func (n *watched) differs(i *inode) bool {
	return i.size != n.size || i.mtime.UnixNano() != n.mtime || i.writes != n.writes
}

// forget drops what is known below n without a word: a report about n itself covers it.
func (n *watched) forget() {
	for _, c := range n.kids {
		c.forget()
		c.waits = false
	}
	n.kids = nil
}
