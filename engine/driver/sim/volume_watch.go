package sim

import (
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// watchedVolume is a volume's folder that tells what this container changes in it, as one that watches the real folder would: a new file when
// it is closed, a file that was there when whoever wrote it closes it.
type watchedVolume struct {
	*folder.FS
	name   string
	report atomic.Pointer[tree.Report] // nil: nobody records

	mu  sync.Mutex // guards new
	new []string   // files that were made and not told of yet, in order
}

func watchVolume(fs *folder.FS, name string, report tree.Report) *watchedVolume {
	v := &watchedVolume{FS: fs, name: name}
	v.setReport(report)
	return v
}

func (v *watchedVolume) setReport(r tree.Report) {
	if r != nil {
		v.report.Store(&r)
	}
}

func (v *watchedVolume) tell(change, name, kind string, size int64) {
	if r := v.report.Load(); r != nil {
		(*r)(vocab.VolumeWrite, trace.String("volume", v.name), trace.String("path", "/"+strings.TrimPrefix(name, "./")), trace.String("change", change),
			trace.String("type", kind), trace.Int("size_bytes", size))
	}
}

func (v *watchedVolume) tellNew(name string) {
	a, err := v.FS.Lstat(name)
	if err != nil {
		return // gone again
	}
	size := int64(0)
	if a.Kind == fsys.File {
		size = a.Size
	}
	v.tell("create", name, kindWord(a.Kind), size)
}

func kindWord(k fsys.Kind) string {
	switch k {
	case fsys.Dir:
		return "dir"
	case fsys.Symlink:
		return "symlink"
	case fsys.CharDevice, fsys.BlockDevice:
		return "device"
	case fsys.Pipe, fsys.Socket:
		return "pipe"
	}
	return "file"
}

// take forgets that a file is new, and tells whether it was.
func (v *watchedVolume) take(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.Index(v.new, name)
	if i >= 0 {
		v.new = slices.Delete(v.new, i, i+1)
	}
	return i >= 0
}

// flush tells of every new file, closed or not.
func (v *watchedVolume) flush() {
	v.mu.Lock()
	names := v.new
	v.new = nil
	v.mu.Unlock()
	for _, n := range names {
		v.tellNew(n)
	}
}

// Make implements fsys.Maker.
func (v *watchedVolume) Make(name string, n fsys.New) error {
	if err := v.FS.Make(name, n); err != nil {
		return err
	}
	if n.Kind != fsys.File {
		v.tellNew(name)
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.new = append(v.new, name)
	return nil
}

// Link implements fsys.Maker.
func (v *watchedVolume) Link(existing, name string) error {
	if err := v.FS.Link(existing, name); err != nil {
		return err
	}
	v.tellNew(name)
	return nil
}

// Remove implements fsys.Remover.
func (v *watchedVolume) Remove(name string) error { return v.removed(name, v.FS.Remove(name)) }

// RemoveDir implements fsys.Remover.
func (v *watchedVolume) RemoveDir(name string) error { return v.removed(name, v.FS.RemoveDir(name)) }

func (v *watchedVolume) removed(name string, err error) error {
	if err == nil && !v.take(name) {
		v.tell("remove", name, "", 0)
	}
	return err
}

// Rename implements fsys.Remover. A folder takes everything in it along.
func (v *watchedVolume) Rename(from, to string) error {
	_, terr := v.FS.Lstat(to)
	moved := v.below(from)
	if err := v.FS.Rename(from, to); err != nil {
		return err
	}
	for _, n := range slices.Backward(moved) { // what is inside goes first
		_ = v.removed(n, nil)
	}
	for i, n := range moved {
		at := to + strings.TrimPrefix(n, from)
		if i == 0 && terr == nil && len(moved) == 1 {
			if a, err := v.FS.Lstat(at); err == nil && a.Kind != fsys.Dir {
				v.take(at)
				v.tell("write", at, "", a.Size)
				continue
			}
		}
		v.tellNew(at)
	}
	return nil
}

// below lists a name and everything in it.
func (v *watchedVolume) below(name string) []string {
	all := []string{name}
	names, err := v.FS.ReadDir(name)
	if err != nil {
		return all // no folder
	}
	for _, d := range names {
		all = append(all, v.below(path.Join(name, d.Name))...)
	}
	return all
}

// Open implements fsys.FS.
func (v *watchedVolume) Open(name string, how fsys.How) (fsys.Handle, error) {
	h, err := v.FS.Open(name, how)
	if err != nil || !how.Write && !how.Truncate {
		return h, err
	}
	w := &watchedHandle{Handle: h, v: v, name: name}
	w.wrote.Store(how.Truncate)
	return w, nil
}

// watchedHandle is a file that is open for writing.
type watchedHandle struct {
	fsys.Handle
	v     *watchedVolume
	name  string
	wrote atomic.Bool
}

// WriteAt implements fsys.Handle.
func (h *watchedHandle) WriteAt(p []byte, off int64) (int, error) {
	n, err := h.Handle.WriteAt(p, off)
	if n > 0 {
		h.wrote.Store(true)
	}
	return n, err
}

// Truncate implements fsys.Handle.
func (h *watchedHandle) Truncate(size int64) error {
	err := h.Handle.Truncate(size)
	if err == nil {
		h.wrote.Store(true)
	}
	return err
}

// Close implements fsys.Handle.
func (h *watchedHandle) Close() error {
	err := h.Handle.Close()
	switch {
	case h.v.take(h.name):
		h.v.tellNew(h.name)
	case h.wrote.Load():
		if a, serr := h.v.FS.Lstat(h.name); serr == nil {
			h.v.tell("write", h.name, "", a.Size)
		}
	}
	return err
}
