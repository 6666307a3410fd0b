package tree

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// raise makes sure that the writable layer has the folder at, copying up what is missing on the way, and returns it.
func (u *Union) raise(at *place) *node {
	if at.up != nil {
		return at.up
	}
	dir := u.raise(at.parent)
	at.up = u.adopt(dir, at)
	u.watch.appeared(at.path, true)
	return at.up
}

// adopt gives the writable layer a copy of the lower inode at, without content. The folder's times stay: overlayfs sets them back.
func (u *Union) adopt(dir *node, at *place) *node {
	i := at.low.ino.copied()
	i.number, i.links, i.summed = u.number(), 1, false
	i.stored = ""
	if at.low.ino.links == 1 || i.kind == fsys.Dir { // the copy of one of several hard links is a file of its own
		i.origin = at.low.layer.base + at.low.ino.number
	}
	n := &node{ino: i}
	i.first = n
	_, base := split(at.path)
	dir.put(base, n)
	u.journal.put(at.path, n)
	return n
}

func (u *Union) number() uint64 {
	u.next++
	return u.next
}

// copyUp copies a lower name that is no folder into the writable layer; empty leaves the content out.
func (u *Union) copyUp(at *place, empty bool) error {
	if at.isDir() {
		u.raise(at)
		return nil
	}
	low := at.low
	dir := u.raise(at.parent)
	if low.ino.kind != fsys.File {
		at.up, at.low = u.adopt(dir, at), nil
		u.watch.appeared(at.path, true)
		return nil
	}
	stored, err := u.copyContent(at, empty)
	if err != nil {
		return err
	}
	n := u.adopt(dir, at)
	n.ino.stored = stored
	if empty {
		n.ino.size = 0
	}
	u.used += n.ino.size
	u.journal.put(at.path, n)
	u.copies[low] = n.ino
	at.up, at.low = n, nil
	u.watch.appeared(at.path, false)
	return nil
}

func (u *Union) copyContent(at *place, empty bool) (stored string, err error) {
	if size := at.low.ino.size; !empty && u.used+size > diskBytes-u.below.bytes {
		return "", syscall.ENOSPC
	}
	stored, to, err := u.files.create(at.path)
	if err != nil {
		return "", hostError(err)
	}
	if !empty {
		err = copyFrom(to, at.low)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		_ = u.files.remove(stored)
		return "", hostError(err)
	}
	return stored, nil
}

func copyFrom(to *os.File, low *node) error {
	from, err := openLower(low)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

// dropContent removes the content of a file that has neither names nor handles.
func (u *Union) dropContent(i *inode) {
	if i.links > 0 || i.open > 0 || i.stored == "" || u.closed {
		return
	}
	u.used -= i.size
	if u.fresh.ino == i {
		u.fresh.drop()
	}
	_ = u.files.remove(i.stored) // what stays is seen by nobody, and goes with the layer
	i.stored = ""
}
