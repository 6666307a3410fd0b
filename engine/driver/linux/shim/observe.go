//go:build linux

package shim

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// watchLayer begins to report what copy-on-write does in the writable layer.
func (s *shim) watchLayer() error {
	r := s.cfg.Root
	n := len(r.DiffIDs)
	w, err := cow.Watch(cow.Config{Key: s.cfg.Key, Upper: r.Upper, Lowers: r.Lowers[:n], DiffIDs: r.DiffIDs,
		UserXattr: r.UserXattr, Known: s.reported()}, s.events.Fact)
	if err != nil {
		return fmt.Errorf("watch writable layer: %w", err)
	}
	s.watcher = w
	s.watchVolumes()
	return nil
}

// reportedFile says that every change in the writable layer is in the events of an earlier run. It is there only while that
// is certain: between the end of a watch and the next start.
func (s *shim) reportedFile() string { return filepath.Join(s.cfg.Dir, ReportedFile) }

func (s *shim) reported() bool { return os.Remove(s.reportedFile()) == nil }

// forgetReported: what an unwatched run changes nobody has seen.
func (s *shim) forgetReported() { _ = os.Remove(s.reportedFile()) }

func (s *shim) markReported() {
	if s.cfg.Ephemeral {
		return // it is never started again
	}
	fd, err := unix.Open(s.reportedFile(), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
	}
}

// syncTrace returns when everything that happened before the call is in the events.
func (s *shim) syncTrace() {
	s.mu.Lock()
	w := s.watcher
	if w != nil {
		s.watchVolumes() // another container that watched one may have ended
	}
	volumes := s.volumes
	s.mu.Unlock()
	if w != nil {
		w.Sync()
	}
	for _, v := range volumes {
		v.watcher.Sync()
	}
}

// endWatch reports the last changes. The watcher is not closed: that takes time, and the process is about to end.
func (s *shim) endWatch() {
	s.mu.Lock()
	w := s.watcher
	s.mu.Unlock()
	if w != nil && w.Finish() == nil {
		s.markReported()
	}
	for _, v := range s.volumes {
		_ = v.watcher.Finish()
	}
}

// endTrace reports the end.
func (s *shim) endTrace() {
	if o := s.exit.OOM; o != nil {
		s.events.Fact(vocab.ProcOOM, trace.String("container", s.cfg.ID), trace.Int("limit_bytes", o.LimitBytes),
			trace.Int("peak_bytes", o.PeakBytes), trace.Int("kills", o.Kills))
	}
	s.events.Fact(vocab.ProcExit, exitAttrs(s.cfg.ID, s.pid, s.exit)...)
}

func exitAttrs(id string, pid int, e Exit) []trace.Attr {
	name := ""
	if e.Signal != 0 {
		name = unix.SignalName(unix.Signal(e.Signal))
	}
	return []trace.Attr{trace.String("container", id), trace.Int("pid", int64(pid)), trace.Int("exit_code", int64(e.Code)),
		trace.String("signal", name), trace.Bool("oom_killed", e.OOMKilled && e.Code == 128+int(unix.SIGKILL))}
}
