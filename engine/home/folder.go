package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/failpoint"
)

// Names lists the folder dir; one that isn't there has no names. Hidden names are left out.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// MakeFolders makes folders, in their order, for the user alone. None of them may be there.
func MakeFolders(dirs ...string) error {
	for _, d := range dirs {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// WritePlainJSON writes v to the file path, without waiting for the disk and without care for who reads it meanwhile: for a folder that is
// being made, or that need not survive a power cut.
func WritePlainJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}

// Discard takes the folder dir out of sight by one rename and then removes it, as the operation name. A process that dies in between leaves the
// rest in the operation's scratch folder, which the next process removes. gone tells whether there was anything. points is what the failpoints
// before and after the rename are named by.
func (h *Home) Discard(name, points, dir string) (gone bool, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	op, err := h.Begin(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	failpoint.Hit(points + ".before-rename")
	err = rename(dir, filepath.Join(op.Dir(), "gone"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	failpoint.Hit(points + ".renamed")
	return true, nil
}

// RemoveTree removes path with everything in it, also in folders that their owner may not write, such as overlay's work/work. What is
// not there is no error.
func RemoveTree(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // WalkDir calls before it reads the folder, and once more if it can't
			if err != nil {
				return fs.SkipDir
			}
		}
		return nil
	})
	return os.RemoveAll(path)
}
