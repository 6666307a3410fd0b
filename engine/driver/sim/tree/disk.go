package tree

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/learn-containers/learn/engine/home"
)

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
