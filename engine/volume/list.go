package volume

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

// Get gives the volume name. Errors: *NotFoundError; what makes a volume unusable is in its Problem.
func (s *Store) Get(name string) (*Volume, error) { return s.read(name) }

// List gives all volumes in the order of their names.
func (s *Store) List() ([]*Volume, error) {
	files, err := home.Names(s.dir())
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var all []*Volume
	for _, file := range files {
		if v := s.listed(file); v != nil {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *Volume) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// listed is the volume whose record is in file, nil for what is no record.
func (s *Store) listed(file string) *Volume {
	name, plain := nameOf(file)
	if !plain && strings.HasPrefix(file, "~") {
		v, err := readRecord(filepath.Join(s.dir(), file))
		if err != nil || fileName(v.Name) != file {
			return nil // of a long name that is lost with it
		}
		name = v.Name
	} else if !plain {
		return nil
	}
	v, err := s.read(name)
	if err != nil {
		return nil // removed meanwhile
	}
	return v
}

// Mountpoint is where the volume's files lie on the host, in the driver's own way; empty for one without a folder.
func (s *Store) Mountpoint(v *Volume) string {
	p, ok := s.folders.(driver.FolderPlacer)
	if !ok || v.Folder == "" || v.Storage != s.Storage {
		return ""
	}
	path, err := p.FolderPath(v.Folder)
	if err != nil {
		return ""
	}
	return path
}

// Size is how many bytes of files the volume holds; -1 where that is not this driver's to say.
func (s *Store) Size(ctx context.Context, v *Volume) (int64, error) {
	if v.Folder == "" || v.Storage != s.Storage || s.folders == nil {
		return -1, nil
	}
	return s.folders.FolderSize(ctx, v.Folder)
}
