//go:build linux

package shim

import (
	"errors"
	"fmt"
	"path/filepath"
)

// update changes the limits of the running container. Groups that it needs for that are made, and its processes moved there.
func (s *shim) update(l *Limits) error {
	if l == nil {
		return errors.New("update limits: none were given")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mounted := Hierarchies(s.cfg.Rootless)
	joined := len(s.groups.members)
	for _, c := range changes(s.cfg.Limits, *l) {
		if err := s.groups.limit(mounted, c); err != nil {
			return err
		}
	}
	for _, m := range s.groups.members[joined:] {
		if err := s.gather(m.Dir); err != nil {
			return fmt.Errorf("move the container's processes to %s: %w", m.Dir, err)
		}
		s.record.Uncharged = s.record.Uncharged || countsMemory(m.Dir)
	}
	s.cfg.Limits = *l
	if len(s.groups.members) == joined {
		return nil
	}
	s.record.Cgroups = s.groups.dirs()
	return writeFile(s.cfg.Dir, TaskFile, s.record, false)
}

func countsMemory(dir string) bool {
	for _, name := range []string{"memory.current", "memory.usage_in_bytes"} {
		if _, ok := lookNumber(filepath.Join(dir, name)); ok {
			return true
		}
	}
	return false
}
