//go:build linux

package shim

import (
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// volumeWatch is the eye on one volume. Of several containers that have it and are traced, one tells: the one that holds the lock.
type volumeWatch struct {
	folder  string
	lock    int
	watcher *cow.Watcher
}

// watchVolumes begins to report what is written to the volumes that the container may write to and nobody watches yet. Who wrote can't be told:
// it may have been another container. A volume that can't be watched is left out, as a trace must not stop a container.
func (s *shim) watchVolumes() {
	for i := range s.cfg.Mounts {
		m := &s.cfg.Mounts[i]
		if m.Volume == "" || m.ReadOnly || slices.ContainsFunc(s.volumes, func(w volumeWatch) bool { return w.folder == m.Source }) {
			continue
		}
		fd, err := unix.Open(WatchLock(m.Source), unix.O_CREAT|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			continue
		}
		var w *cow.Watcher
		if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			w, err = cow.Watch(cow.Config{Key: m.Volume, Upper: m.Source, UserXattr: s.cfg.Root.UserXattr, Known: true}, s.volumeEvent(m.Volume))
		}
		if err != nil {
			unix.Close(fd)
			continue
		}
		s.volumes = append(s.volumes, volumeWatch{m.Source, fd, w})
	}
}

// WatchLock is the file whose lock is held by who watches a volume's folder.
func WatchLock(folder string) string {
	return filepath.Join(filepath.Dir(folder), "."+filepath.Base(folder)+".watch")
}

// volumeEvent makes of what a writable layer without lower ones tells what happens in a volume.
func (s *shim) volumeEvent(volume string) cow.Emit {
	return func(kind string, attrs ...trace.Attr) {
		var path, fileType string
		var size int64
		for _, a := range attrs {
			switch a.Key {
			case "path":
				path = a.Value.Str()
			case "type":
				fileType = a.Value.Str()
			case "size_bytes":
				size = a.Value.Int()
			}
		}
		change := ""
		switch kind {
		case vocab.CowCreate:
			change = "create"
		case vocab.CowWrite:
			change = "write"
		case vocab.CowRemove:
			change = "remove"
		default:
			return // a mark of overlay means nothing here
		}
		s.events.Fact(vocab.VolumeWrite, trace.String("volume", volume), trace.String("path", path), trace.String("change", change),
			trace.String("type", fileType), trace.Int("size_bytes", size))
	}
}
