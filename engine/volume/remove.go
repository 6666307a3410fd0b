package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// What operations claim of volumes.
const (
	// ClaimFolder is a volume that is being made or removed: where no record is, its folder goes.
	ClaimFolder = "volume-folder"
	// ClaimUnused is a volume that is to go with its container: if no container has it any more, it goes.
	ClaimUnused = "volume"
)

// Remove removes a volume and its files. Errors: *NotFoundError, *InUseError while a container has it, running or not.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := s.removeAlone(ctx, name); err != nil {
		return err
	}
	s.Events.Add(events.VolumeEventType, events.ActionDestroy, name, map[string]string{"driver": Local})
	trace.Fact(ctx, vocab.VolumeRemove, trace.String("volume", name))
	return nil
}

func (s *Store) removeAlone(ctx context.Context, name string) error {
	unlock, err := s.home.Lock(ctx, usesLock, true)
	if err != nil {
		return err
	}
	defer unlock()
	v, err := s.read(name)
	if err != nil {
		return err
	}
	if errors.As(v.Problem, new(*ConflictError)) {
		return v.Problem
	}
	uses, err := s.Uses(ctx)
	if err != nil {
		return err
	}
	if ids := uses[name]; len(ids) > 0 {
		return &InUseError{name, ids}
	}
	return s.remove(ctx, v)
}

// RemoveUnused is Remove for volumes that go with a container: one that is gone or that others use is left alone.
func (s *Store) RemoveUnused(ctx context.Context, names ...string) error {
	var problems []error
	for _, n := range names {
		err := s.Remove(ctx, n)
		if IsNotFound(err) || errors.As(err, new(*InUseError)) {
			err = nil
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// remove takes the record away first: from then on the volume is gone, and what is left of it is garbage. usesLock is held.
func (s *Store) remove(ctx context.Context, v *Volume) (err error) {
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return err
	}
	defer unlock()
	op, err := s.home.Begin("remove volume")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	if err := op.Claim(ClaimFolder, v.Name); err != nil {
		return err
	}
	failpoint.Hit("volume.remove.before-record")
	if err := os.Remove(s.file(v.Name)); err != nil {
		return fmt.Errorf("remove volume %s: %w", v.Name, err)
	}
	failpoint.Hit("volume.remove.after-record")
	if err := home.SyncDir(s.dir()); err != nil {
		return err
	}
	if err := s.dropFolder(ctx, v); err != nil {
		return fmt.Errorf("remove volume %s: %w", v.Name, err)
	}
	return nil
}

// UndoClaim puts right what a dead process claimed, and tells whether anything went by that. Claims of other kinds do nothing.
func (s *Store) UndoClaim(ctx context.Context, c home.Claim) (gone bool, err error) {
	if CheckName(c.ID) != nil {
		return false, nil
	}
	switch c.What {
	case ClaimUnused:
		return false, s.RemoveUnused(ctx, c.ID) // which tells by itself
	case ClaimFolder:
		return s.undoFolder(ctx, c.ID)
	}
	return false, nil
}

// undoFolder removes the folder of a volume without a record.
func (s *Store) undoFolder(ctx context.Context, name string) (gone bool, err error) {
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return false, err
	}
	defer unlock()
	if _, err := os.Lstat(s.file(name)); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, s.dropFolder(ctx, &Volume{Folder: folderName(name)})
}

// Sweep finishes what dead processes had begun to fill, and removes folders that no record names.
func (s *Store) Sweep(ctx context.Context) error {
	if s.folders == nil {
		return nil
	}
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return err
	}
	defer unlock()
	var problems []error
	if f, ok := s.folders.(driver.FolderFiller); ok {
		problems = append(problems, f.FinishFills(ctx))
	}
	lost, err := s.lost(ctx)
	for _, name := range lost {
		if err := s.folders.RemoveFolder(ctx, name); err != nil {
			problems = append(problems, err)
			continue
		}
		trace.Fact(ctx, vocab.RecoverRemove, trace.String("what", "volume-folder"), trace.String("path", name))
	}
	return errors.Join(append(problems, err)...)
}

// lost names the folders of volumes that have no record.
func (s *Store) lost(ctx context.Context) ([]string, error) {
	names, err := s.folders.ListFolders(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !isFolder(n) })
	if len(names) == 0 {
		return nil, nil
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	files, err := home.Names(s.dir())
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, v := range all {
		named[v.Folder] = true
	}
	for _, f := range files { // a long name whose record is broken
		if key, ok := strings.CutPrefix(strings.TrimSuffix(f, ".json"), "~"); ok {
			named["volx-"+key] = true
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return named[n] }), nil
}
