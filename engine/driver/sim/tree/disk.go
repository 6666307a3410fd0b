package tree

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

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

// writePlainJSON writes v to a new file, without waiting for the disk.
func writePlainJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}

func replaceJSON(path string, v any) error { return home.WriteJSON(path, v, 0o600) }

// writeTreeFile writes a tree.jsonl in whole.
func writeTreeFile(path string, root *node, more ...line) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := bufio.NewWriterSize(f, 64<<10)
	if err := writeTree(buf, root, more...); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return buf.Flush()
}

// checksum gives size and CRC-32C of a content.
func checksum(files *os.Root, stored string) (size int64, sum uint32, err error) {
	f, err := files.Open(filepath.FromSlash(stored))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	size, err = io.Copy(h, f)
	return size, h.Sum32(), err
}

// syncTree makes every file and folder of dir durable, some at a time.
func syncTree(dir string) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	places := make(chan struct{}, 16)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := syncOne(path, d.IsDir()); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
		return nil
	})
	wg.Wait()
	return errors.Join(err, failed)
}

func syncOne(path string, dir bool) error {
	if dir {
		return home.SyncDir(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// discard takes dir out of sight by one rename and then removes it. A process that dies in between leaves the rest in the
// operation's scratch folder, which the next process removes. gone tells whether there was anything.
func discard(h *home.Home, operation, points, dir string) (gone bool, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	op, err := h.Begin(operation)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	failpoint.Hit(points + ".before-rename")
	err = os.Rename(dir, filepath.Join(op.Dir(), "gone"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	failpoint.Hit(points + ".renamed")
	return true, nil
}
