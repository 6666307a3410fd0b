package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// still is what a folder held at one time: the content of its small files, and of all else enough to see that nothing was changed.
type still struct {
	dir     string
	entries map[string]stillEntry // by path
}

type stillEntry struct {
	info fs.FileInfo
	data []byte // of a small file
}

// stillLimit is the size in bytes up to which the content of a file is kept. Larger ones are archives and programs, which nothing writes to.
const stillLimit = 256 << 10

// takeStill looks at the folder dir, which nobody may be changing.
func takeStill(dir string) (still, error) {
	s := still{dir: dir, entries: map[string]stillEntry{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		e := stillEntry{}
		if e.info, err = d.Info(); err != nil {
			return err
		}
		if e.info.Mode().IsRegular() && e.info.Size() <= stillLimit {
			if e.data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		s.entries[path] = e
		return nil
	})
	if err != nil {
		return still{}, fmt.Errorf("remember folder %s: %w", dir, err)
	}
	return s, nil
}

// restore removes what has come into the folder, and puts back what was changed or removed. A large file or a folder that is gone or
// another one can't be put back, which is an error.
func (s still) restore() error {
	seen := map[string]bool{}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		was, known := s.entries[path]
		if !known {
			return remove(path, d)
		}
		seen[path] = true
		return was.putBack(path, d)
	})
	if err != nil {
		return fmt.Errorf("restore folder %s: %w", s.dir, err)
	}
	for path, was := range s.entries {
		if seen[path] {
			continue
		}
		if err := was.make(path); err != nil {
			return fmt.Errorf("restore folder %s: %w", s.dir, err)
		}
	}
	return nil
}

func remove(path string, d fs.DirEntry) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	if d.IsDir() {
		return filepath.SkipDir
	}
	return nil
}

func (e stillEntry) putBack(path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case info.Mode() != e.info.Mode():
		return fmt.Errorf("%s has mode %s; expected %s", path, info.Mode(), e.info.Mode())
	case !info.Mode().IsRegular():
		return nil
	case e.data == nil:
		if info.Size() != e.info.Size() || !info.ModTime().Equal(e.info.ModTime()) {
			return fmt.Errorf("%s was changed; expected that nobody does", path)
		}
		return nil
	}
	now, err := os.ReadFile(path)
	if err != nil || bytes.Equal(now, e.data) {
		return err
	}
	return errors.Join(os.Remove(path), e.make(path))
}

// make writes a small file that is not there.
func (e stillEntry) make(path string) error {
	if !e.info.Mode().IsRegular() || e.data == nil {
		return fmt.Errorf("%s is gone; expected that nobody removes it", path)
	}
	return os.WriteFile(path, slices.Clone(e.data), e.info.Mode().Perm())
}
