package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Partial is a blob on its way into the store. What came of it lies in a folder of the home's downloads under the blob's digest, outside of
// any operation, so that whoever fetches it next goes on where a killed process stopped. One process at a time has it. Its bytes count for
// nothing until all are there and their digest is right: a power cut may have changed them.
//
// One goroutine fills it (Fill, then Commit), any others may follow it meanwhile (Follow). It must be closed.
type Partial struct {
	store   *Store
	op      *home.Operation
	want    v1.Descriptor
	dir     string
	file    *os.File
	unlock  func()
	resumed int64 // bytes that an earlier process left
	spoilt  bool

	mu      sync.Mutex
	grown   sync.Cond
	written int64
	ended   bool
	err     error // why it ended; nil if it is in the store
}

const partialName = "blob"

// Begin takes up what is there of want, or begins it; it waits for another process that fetches the same. ErrExists if the store has it.
func (s *Store) Begin(ctx context.Context, h *home.Home, op *home.Operation, want v1.Descriptor) (*Partial, error) {
	if err := oci.CheckDescriptor(want); err != nil {
		return nil, fmt.Errorf("fetch blob: %w", err)
	}
	p := &Partial{store: s, op: op, want: want, dir: filepath.Join(h.Downloads(), want.Digest.Encoded())}
	p.grown.L = &p.mu
	unlock, err := h.Lock(ctx, "fetch-"+want.Digest.Encoded()[:2], true)
	if err != nil {
		return nil, fmt.Errorf("fetch blob %s: %w", want.Digest, err)
	}
	p.unlock = unlock
	if s.has(want) {
		unlock()
		return nil, ErrExists
	}
	failpoint.Hit("blob.fetch.begin")
	if err := p.open(); err != nil {
		unlock()
		return nil, fmt.Errorf("fetch blob %s: %w", want.Digest, err)
	}
	return p, nil
}

// ErrExists reports that a blob need not be fetched.
var ErrExists = errors.New("blob is here already")

func (p *Partial) open() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(p.dir, partialName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil && fi.Size() > p.want.Size {
		err = f.Truncate(0)
	} else if err == nil {
		p.resumed = fi.Size()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	p.file = f
	return nil
}

// Resumed is how many bytes were there already.
func (p *Partial) Resumed() int64 { return p.resumed }

// Fill hashes what is there and adds to it what open gives, which is to be the blob from that offset on. told, if not nil, hears how many
// bytes of the blob are there. The bytes that came are kept for the next try, also after an error, unless they are wrong (*DigestError) or
// the disk is full.
func (p *Partial) Fill(open func(from int64) (io.ReadCloser, error), told func(have int64)) error {
	hash := p.store.newOverlap(sha256.New())
	w := filler{p: p, hash: hash, told: told}
	err := w.old()
	if err == nil && w.at < p.want.Size {
		err = w.fresh(open)
	}
	got := hash.finish()
	err = errors.Join(err, w.ahead.finish())
	switch {
	case err == nil && w.at != p.want.Size:
		err = fmt.Errorf("%d bytes came, expected %d: %w", w.at, p.want.Size, io.ErrUnexpectedEOF)
	case err == nil && got != p.want.Digest:
		err = &DigestError{Want: p.want.Digest, Got: got}
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("fetch blob %s: %w", p.want.Digest, err)
	if errors.As(err, new(*DigestError)) || isFull(err) {
		p.Spoil()
	}
	return err
}

// filler carries a Fill out.
type filler struct {
	p     *Partial
	hash  *overlap
	ahead *ahead
	told  func(int64)
	at    int64
}

// old hashes what an earlier process left.
func (w *filler) old() error {
	for w.at < w.p.resumed {
		b := w.hash.take()
		n, err := w.p.file.ReadAt(b[:min(int64(len(b)), w.p.resumed-w.at)], w.at)
		w.hash.feed(b[:n])
		w.step(n)
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *filler) fresh(open func(from int64) (io.ReadCloser, error)) error {
	r, err := open(w.at)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		b := w.hash.take()
		n, err := w.piece(r, b)
		w.hash.feed(b[:n])
		if n > 0 {
			if _, werr := w.p.file.WriteAt(b[:n], w.at); werr != nil {
				return fmt.Errorf("write: %w", werr)
			}
			w.step(n)
			failpoint.Hit("blob.fetch.wrote")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// piece reads as much as fits into b, telling how far it is now and then.
func (w *filler) piece(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
		if w.told != nil && m > 0 {
			w.told(w.at + int64(n))
		}
	}
	return n, err
}

func (w *filler) step(n int) {
	w.at += int64(n)
	if w.ahead == nil && w.at >= aheadBytes && w.at > w.p.resumed {
		w.ahead = newAhead(w.p.file)
	}
	w.ahead.wrote(w.at)
	w.p.mu.Lock()
	w.p.written = w.at
	w.p.mu.Unlock()
	w.p.grown.Broadcast()
}

// Commit makes what was filled part of the store, durably. Afterwards followers find the end, and other processes the blob: they don't wait
// until Close, for by then this one may wait for them.
func (p *Partial) Commit(ctx context.Context) error {
	err := p.store.publish(p.op, filepath.Join(p.dir, partialName), p.want.Digest)
	if err == nil {
		failpoint.Hit("blob.fetch.committed")
		recordWrite(ctx, p.want, false)
		_ = os.RemoveAll(p.dir) // empty; if it stays, its age removes it
		p.release()
	}
	p.end(err)
	return err
}

// Fail tells followers that it won't come.
func (p *Partial) Fail(err error) { p.end(err) }

func (p *Partial) end(err error) {
	p.mu.Lock()
	if !p.ended {
		p.ended, p.err = true, err
	}
	p.mu.Unlock()
	p.grown.Broadcast()
}

// Follow reads the blob from its beginning while it is filled. It finds the end when the blob is in the store, or why it is not.
// Nothing may be read after Close.
func (p *Partial) Follow() io.Reader { return &follower{p: p} }

type follower struct {
	p  *Partial
	at int64
}

// Read implements io.Reader.
func (f *follower) Read(b []byte) (int, error) {
	p := f.p
	p.mu.Lock()
	for f.at >= p.written && !p.ended {
		p.grown.Wait()
	}
	written, ended, err := p.written, p.ended, p.err
	p.mu.Unlock()
	if ended && err != nil {
		return 0, err
	}
	if f.at >= written {
		return 0, io.EOF
	}
	n, err := p.file.ReadAt(b[:min(int64(len(b)), written-f.at)], f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Spoil says that what came is worth nothing, so that Close throws it away.
func (p *Partial) Spoil() { p.spoilt = true }

// Close ends the work on the blob; what came of it stays for the next try, unless it is in the store or worth nothing.
func (p *Partial) Close() error {
	p.end(errors.New("fetch blob: given up"))
	fi, err := p.file.Stat()
	useless := p.spoilt || err == nil && fi.Size() == 0
	err = p.file.Close()
	if useless && p.unlock != nil {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	p.release()
	return err
}

// release lets others fetch the blob.
func (p *Partial) release() {
	if p.unlock != nil {
		p.unlock()
		p.unlock = nil
	}
}

// DropPartials removes what came of blobs that nobody has gone on fetching for longer than age, and tells how many bytes that were. The
// caller sees to it that nobody fetches meanwhile.
func (s *Store) DropPartials(ctx context.Context, h *home.Home, age time.Duration) (freed int64, err error) {
	entries, err := os.ReadDir(h.Downloads())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for partial downloads: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(h.Downloads(), e.Name())
		fi, err := os.Stat(filepath.Join(dir, partialName))
		if err != nil {
			fi, err = os.Stat(dir)
		}
		if err != nil || time.Since(fi.ModTime()) < age {
			continue
		}
		if !fi.IsDir() {
			freed += fi.Size()
		}
		if _, err := h.Discard("drop partial download", "blob.partial", dir); err != nil {
			return freed, fmt.Errorf("remove partial download: %w", err)
		}
	}
	return freed, ctx.Err()
}
