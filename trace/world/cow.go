package world

import (
	"maps"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// applyCow notes what happened to one path of a writable layer.
func (f *folder) applyCow(e trace.Event) {
	key, path := e.Attr("key").Str(), e.Attr("path").Str()
	if !f.hasKey(key) {
		f.prepareSnapshot(key, "")
	}
	changes := f.loadChanges(key)
	old, was := changes[path]
	c := Change{Path: path, Kind: "C", Layer: old.Layer, Seq: e.Seq}
	switch e.Kind {
	case vocab.CowCopyUp:
		c.Layer = e.Attr("layer").Str()
		c.CopiedBytes, c.ChangedBytes = e.Attr("copied_bytes").Int(), e.Attr("changed_bytes").Int()
		f.countCopied(key, c)
	case vocab.CowCreate:
		c.Type, c.Size = e.Attr("type").Str(), e.Attr("size_bytes").Int()
		if !was || old.Kind == "A" {
			c.Kind = "A"
		}
	case vocab.CowWrite:
		if was {
			c = old
			c.Seq = e.Seq
		}
		c.Size = e.Attr("size_bytes").Int()
	case vocab.CowRemove:
		dropBelow(changes, path)
		delete(changes, path)
		return
	case vocab.CowWhiteout:
		c.Kind, c.Layer = "D", e.Attr("layer").Str()
		dropBelow(changes, path)
	case vocab.CowOpaque:
		c.Opaque, c.Type = true, "dir"
	}
	changes[path] = c
}

// dropBelow forgets what was changed below a folder that is gone.
func dropBelow(changes map[string]Change, dir string) {
	maps.DeleteFunc(changes, func(path string, _ Change) bool {
		return len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
	})
}

func (f *folder) countCopied(key string, c Change) {
	if i := f.containerIndex(key); i >= 0 {
		writable(f, partContainers, &f.w.Containers)
		f.w.Containers[i].CopiedBytes += c.CopiedBytes
		f.w.Containers[i].ChangedBytes += c.ChangedBytes
	}
}

func (f *folder) hasKey(key string) bool {
	return f.containerIndex(key) >= 0 || f.snapshotIndex(key) >= 0
}

func (f *folder) snapshotIndex(key string) int {
	return slices.IndexFunc(f.w.Snapshots, func(s Snapshot) bool { return s.Key == key })
}

// prepareSnapshot puts an empty writable layer in place, in its container if that is known already.
func (f *folder) prepareSnapshot(key, chain string) {
	if i := f.containerIndex(key); i >= 0 {
		writable(f, partContainers, &f.w.Containers)
		f.w.Containers[i].Chain = chain
		return
	}
	if f.snapshotIndex(key) >= 0 {
		return
	}
	writable(f, partSnapshots, &f.w.Snapshots)
	f.w.Snapshots = append(f.w.Snapshots, Snapshot{Key: key, Chain: chain})
}

// removeSnapshot throws a writable layer away. A commit of it that is under way keeps what it held.
func (f *folder) removeSnapshot(key string) {
	for i, s := range f.w.open {
		if s.begin.Kind == vocab.LayerCommit && s.begin.Attr("key").Str() == key {
			writable(f, partOpen, &f.w.open)
			f.w.open[i].gone, f.w.open[i].changes = true, f.currentChanges(key)
		}
	}
	f.dropSnapshot(key)
	if i := f.containerIndex(key); i >= 0 {
		writable(f, partContainers, &f.w.Containers)
		f.w.Containers[i].Changes = nil
		f.forgetChanges(key)
	}
}

// dropSnapshot removes a writable layer that belongs to no container.
func (f *folder) dropSnapshot(key string) {
	if i := f.snapshotIndex(key); i >= 0 {
		writable(f, partSnapshots, &f.w.Snapshots)
		f.w.Snapshots = slices.Delete(f.w.Snapshots, i, i+1)
		f.forgetChanges(key)
	}
}

// listed is the list of changes of key that is stored in the world, or nil.
func (f *folder) listed(key string) *[]Change {
	if i := f.containerIndex(key); i >= 0 {
		return &f.w.Containers[i].Changes
	}
	if i := f.snapshotIndex(key); i >= 0 {
		return &f.w.Snapshots[i].Changes
	}
	return nil
}

// loadChanges returns the changes of key for writing.
func (f *folder) loadChanges(key string) map[string]Change {
	if f.changes == nil {
		f.changes, f.dirty = map[string]map[string]Change{}, map[string]bool{}
	}
	m, ok := f.changes[key]
	if !ok {
		m = map[string]Change{}
		if list := f.listed(key); list != nil {
			for _, c := range *list {
				m[c.Path] = c
			}
		}
		f.changes[key] = m
	}
	f.dirty[key] = true
	return m
}

// currentChanges returns the changes of key as a list that never changes.
func (f *folder) currentChanges(key string) []Change {
	if f.dirty[key] {
		f.storeChanges(key)
		delete(f.dirty, key)
	}
	if list := f.listed(key); list != nil {
		return *list
	}
	return nil
}

// storeChanges makes the list of changes in the world anew.
func (f *folder) storeChanges(key string) {
	list := slices.Collect(maps.Values(f.changes[key]))
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	writable(f, partContainers, &f.w.Containers)
	writable(f, partSnapshots, &f.w.Snapshots)
	if at := f.listed(key); at != nil {
		*at = list
	}
}

func (f *folder) forgetChanges(key string) {
	delete(f.changes, key)
	delete(f.dirty, key)
}
