package build

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// sums remembers the digests of a context's files between builds, so that files that did not change are not read again. It is
// one text file per context folder: a line "size mtime ctime inode sha256 path" for each file, and a last line with a
// checksum of those before it.
//
// A digest is kept only if the file was left alone for a while before it was read: a file that is written twice within the
// file system's time resolution has the same times before and after (git calls it racy).
//
// get and put may be called by several goroutines.
type sums struct {
	path  string
	mu    sync.Mutex
	known map[string]sumEntry
	dirty bool
}

type sumEntry struct {
	size, mtime int64
	stamp       stamp
	sum         [sha256.Size]byte
	fresh       bool // this build asked for it: the rest is forgotten
}

func (e sumEntry) digest() digest.Digest {
	return digest.Digest("sha256:" + hex.EncodeToString(e.sum[:]))
}

const (
	settleFine   = 50 * time.Millisecond // longer than any kernel's clock tick
	settleCoarse = 3 * time.Second       // for file systems that count whole seconds, or two
	maxSumsFile  = 1 << 30
)

func loadSums(cacheDir, contextDir string) *sums {
	if abs, err := filepath.Abs(contextDir); err == nil {
		contextDir = abs
	}
	name := "files-" + oci.Sum([]byte(contextDir)).Encoded()[:16]
	s := &sums{path: filepath.Join(cacheDir, name), known: map[string]sumEntry{}}
	text, err := readSmall(s.path, maxSumsFile)
	if err != nil {
		return s
	}
	body, ok := checked(text)
	if !ok {
		return s // torn by a crash: files are read again, that is all
	}
	for line := range bytes.Lines(body) {
		if p, e, ok := parseSum(string(bytes.TrimSuffix(line, []byte("\n")))); ok {
			s.known[p] = e
		}
	}
	return s
}

// checked splits the checksum line off.
func checked(text []byte) ([]byte, bool) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	i := bytes.LastIndexByte(text, '\n') + 1
	want, ok := strings.CutPrefix(string(text[i:]), "crc32 ")
	return text[:i], ok && want == strconv.FormatUint(uint64(crc32.ChecksumIEEE(text[:i])), 16)
}

func parseSum(line string) (p string, e sumEntry, ok bool) {
	var n [4]int64
	for i := range n {
		word, rest, _ := strings.Cut(line, " ")
		v, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return "", e, false
		}
		n[i], line = v, rest
	}
	sum, quoted, _ := strings.Cut(line, " ")
	p, err := strconv.Unquote(quoted)
	e = sumEntry{size: n[0], mtime: n[1], stamp: stamp{ctime: n[2], inode: uint64(n[3])}}
	if len(sum) != hex.EncodedLen(len(e.sum)) || err != nil {
		return "", e, false
	}
	_, err = hex.Decode(e.sum[:], []byte(sum))
	return p, e, err == nil
}

func (s *sums) now() time.Time { return time.Now() }

// get returns the digest of n if it is vouched for.
func (s *sums) get(n *node) digest.Digest {
	if n.sum != "" {
		return n.sum
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.known[n.path]
	if !ok || n.stamp.ctime == 0 || e.stamp != n.stamp || e.size != n.size || e.mtime != n.mtime.UnixNano() {
		return ""
	}
	if !e.fresh {
		e.fresh = true
		s.known[n.path] = e
	}
	return e.digest()
}

// put remembers what was read of n at begun or later, if nothing was changing the file at that time.
func (s *sums) put(n *node, begun time.Time) {
	if n.stamp.ctime == 0 {
		return
	}
	settle := settleFine
	if n.stamp.ctime%1e9 == 0 {
		settle = settleCoarse
	}
	if n.stamp.ctime > begun.Add(-settle).UnixNano() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := sumEntry{size: n.size, mtime: n.mtime.UnixNano(), stamp: n.stamp, fresh: true}
	if _, err := hex.Decode(e.sum[:], []byte(n.sum.Encoded())); err != nil {
		return
	}
	s.known[n.path] = e
	s.dirty = true
}

// save keeps what is known of the files that exists still finds.
func (s *sums) save(exists func(path string) bool) error {
	if !s.dirty {
		return nil
	}
	return writeStream(s.path, func(w io.Writer) error {
		sum := crc32.NewIEEE()
		out := io.MultiWriter(w, sum)
		for _, p := range slices.Sorted(maps.Keys(s.known)) {
			e := s.known[p]
			if !e.fresh && !exists(p) { // other builds of this context may ask for other files
				continue
			}
			if _, err := fmt.Fprintf(out, "%d %d %d %d %x %q\n", e.size, e.mtime, e.stamp.ctime, int64(e.stamp.inode), e.sum, p); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "crc32 %x\n", sum.Sum32())
		return err
	})
}

// writeStream replaces path atomically by what fill writes, as home.WriteVolatile does with what is in memory.
func writeStream(path string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = errors.Join(fill(w), w.Flush(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// hashAll reads files and fills in their sums, on as many cores as there are. It returns when all workers have ended.
func hashAll(t tree, files []*node) error {
	workers := min(runtime.NumCPU(), len(files))
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			buf := make([]byte, 256<<10)
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				if err := hashFile(t, files[i], buf); err != nil {
					errs[w] = err
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func hashFile(t tree, n *node, buf []byte) error {
	f, err := t.open(n.path)
	if err != nil {
		return fmt.Errorf("read %s: %w", n.path, err)
	}
	h := sha256.New()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read %s: %w", n.path, err)
	}
	n.sum = digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	return nil
}
