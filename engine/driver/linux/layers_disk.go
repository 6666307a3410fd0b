//go:build linux

package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
)

// listNames lists the folder dir; one that isn't there has no names. Hidden names are left out.
func listNames(dir string) ([]string, error) {
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

func makeDirs(dirs ...string) error {
	for _, d := range dirs {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// writePlainJSON writes v to a new file whose folder is made durable as a whole later.
func writePlainJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}

// syncFS makes everything on the file system of dir durable: one call instead of one for each of many thousand files.
func syncFS(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer unix.Close(fd)
	if err := unix.Syncfs(fd); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// discard takes dir out of sight by one rename and then removes it. A process that dies in between leaves the rest in the
// operation's scratch folder, which the next process removes. gone tells whether there was anything.
func discard(h *home.Home, operation, dir string) (gone bool, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	op, err := h.Begin(operation)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, endScratch(op)) }()
	failpoint.Hit(operation + ".before-rename")
	err = os.Rename(dir, filepath.Join(op.Dir(), "gone"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	failpoint.Hit(operation + ".renamed")
	return true, nil
}

// endScratch empties the scratch folder of op and ends it.
func endScratch(op *home.Operation) error {
	names, err := os.ReadDir(op.Dir())
	if err != nil {
		return errors.Join(err, op.End())
	}
	for _, e := range names {
		if e.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(op.Dir(), e.Name())))
		}
	}
	return errors.Join(err, op.End())
}

// removeTree removes dir with everything in it, also folders that their owner may not write, such as overlay's work/work.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // WalkDir calls before it reads the folder, and once more if it can't
			if err != nil {
				return fs.SkipDir
			}
		}
		return nil
	})
	return os.RemoveAll(dir)
}
