package volume

import (
	"context"
	"errors"
	"fmt"

	"github.com/learn-containers/learn/engine/driver"
)

// Problem is one thing that is wrong with the volumes of a home.
type Problem struct{ Name, Text string }

func (p Problem) String() string { return fmt.Sprintf("volume %s: %s", p.Name, p.Text) }

// Verify holds records, folders and the containers that name volumes against each other. It changes nothing.
func (s *Store) Verify(ctx context.Context) []Problem {
	unlock, err := s.home.Lock(ctx, usesLock, true) // so that nobody is half-way
	if err != nil {
		return []Problem{{"", err.Error()}}
	}
	defer unlock()
	done, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return []Problem{{"", err.Error()}}
	}
	defer done()
	all, err := s.List()
	if err != nil {
		return []Problem{{"", err.Error()}}
	}
	var found []Problem
	there := map[string]bool{}
	for _, v := range all {
		there[v.Name] = true
		if text := s.verify(v); text != "" {
			found = append(found, Problem{v.Name, text})
		}
	}
	uses, err := s.Uses(ctx)
	if err != nil {
		return append(found, Problem{"", err.Error()})
	}
	for name, ids := range uses {
		if !there[name] && len(ids) > 0 {
			found = append(found, Problem{name, fmt.Sprintf("container %.12s has it, and it is not there: make it again, empty, with docker volume create %s", ids[0], name)})
		}
	}
	if s.folders == nil {
		return found
	}
	lost, err := s.lost(ctx)
	if err != nil {
		return append(found, Problem{"", err.Error()})
	}
	for _, n := range lost {
		found = append(found, Problem{n, "a folder of no volume"})
	}
	return found
}

func (s *Store) verify(v *Volume) string {
	if errors.As(v.Problem, new(*ConflictError)) {
		return "" // another driver's
	}
	if v.Problem != nil {
		return v.Problem.Error()
	}
	p, ok := s.folders.(driver.FolderPlacer)
	if !ok || v.Folder == "" {
		return ""
	}
	if _, err := p.FolderPath(v.Folder); err != nil {
		return fmt.Sprintf("its files are not there: %v; remove it with: docker volume rm %s", err, v.Name)
	}
	return ""
}
