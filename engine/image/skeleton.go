package image

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// skeletons is where a layer's archive is had from when its file was dropped: from the unpacked tree and skeletons/HEX, which is one line of JSON (skeletonRecord) and
// what package layer calls a skeleton. It implements blob.Elsewhere.
type skeletons struct {
	home   *home.Home
	layers driver.Layers
}

// skeletonRecord says whose skeleton it is and in which tree the files are. All of Chains are kept as long as anything refers to the blob. Of a
// blob that is compressed it is the skeleton of the archive in it.
type skeletonRecord struct {
	Digest digest.Digest   `json:"digest"`
	Size   int64           `json:"size"`
	Chains []digest.Digest `json:"chains"` // the stack whose top layer it is, lowest first
	Driver string          `json:"driver"` // whose trees they are

	DiffID  digest.Digest `json:"diff_id,omitempty"` // of the archive, if the blob is compressed
	Form    string        `json:"form,omitempty"`    // form.name of how that gives the very same blob; empty: no compressor here does
	Sources []string      `json:"sources,omitempty"` // repositories that a compressed blob was known to be in
}

// maxSkeletonLine is the length at which the first line of a skeleton is no record: a stack has 500 layers at most.
const maxSkeletonLine = 64 << 10

func (r *skeletonRecord) top() digest.Digest { return r.Chains[len(r.Chains)-1] }

func (k *skeletons) path(d digest.Digest) string {
	return filepath.Join(k.home.Skeletons(), d.Encoded())
}

// read opens the skeleton of d and reads its record; blob.ErrNotFound if there is none. The caller closes the file, which stands behind the record, in rest.
func (k *skeletons) read(d digest.Digest) (rec skeletonRecord, rest *bufio.Reader, f *os.File, err error) {
	if err := oci.CheckDigest(d); err != nil {
		return rec, nil, nil, err
	}
	f, err = os.Open(k.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return rec, nil, nil, fmt.Errorf("look for blob %s: %w", d, blob.ErrNotFound)
	}
	if err != nil {
		return rec, nil, nil, err
	}
	rest = bufio.NewReaderSize(f, maxSkeletonLine)
	line, err := rest.ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(line, &rec)
	}
	if err == nil && (rec.Digest != d || len(rec.Chains) == 0 || rec.Size < 0 || rec.DiffID != "" && oci.CheckDigest(rec.DiffID) != nil) {
		err = errors.New("its first line describes something else")
	}
	if err != nil {
		_ = f.Close()
		return rec, nil, nil, fmt.Errorf("read %s: %w: the layer %s can't be put together; load or pull its image again", f.Name(), err, d)
	}
	return rec, rest, f, nil
}

// record is the record of d; blob.ErrNotFound if there is none.
func (k *skeletons) record(d digest.Digest) (skeletonRecord, error) {
	rec, _, f, err := k.read(d)
	if err == nil {
		_ = f.Close()
	}
	return rec, err
}

// size is how long the skeleton of d is on disk.
func (k *skeletons) size(d digest.Digest) (int64, error) {
	fi, err := os.Stat(k.path(d))
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// list names the blobs that have a skeleton.
func (k *skeletons) list() ([]digest.Digest, error) {
	names, err := home.Names(k.home.Skeletons())
	if err != nil {
		return nil, fmt.Errorf("list skeletons: %w", err)
	}
	var all []digest.Digest
	for _, name := range names {
		if d := digest.NewDigestFromEncoded(digest.SHA256, name); oci.CheckDigest(d) == nil {
			all = append(all, d)
		}
	}
	return all, nil
}

// Stat implements blob.Elsewhere.
func (k *skeletons) Stat(d digest.Digest) (int64, error) {
	rec, err := k.record(d)
	return rec.Size, err
}

// Open implements blob.Elsewhere.
func (k *skeletons) Open(d digest.Digest) (io.ReadCloser, error) {
	rec, rest, f, err := k.read(d)
	if err != nil {
		return nil, err
	}
	how, ok := rec.form()
	if !ok {
		return nil, errors.Join(&AwayError{Digest: d}, f.Close())
	}
	r, err := k.assemble(rec, rest, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("put layer %s together: %w", d, err), f.Close())
	}
	if how.kind == layer.None {
		return r, nil
	}
	return how.compress(r, nil)
}

// assemble gives the archive of rec from its skeleton; closing it closes f too.
func (k *skeletons) assemble(rec skeletonRecord, skeleton io.Reader, f io.Closer) (io.ReadCloser, error) {
	opener, ok := k.layers.(driver.LayerOpener)
	if !ok {
		return nil, fmt.Errorf("its files are with the driver %s: use that one", rec.Driver)
	}
	files, err := opener.OpenLayer(rec.top())
	if errors.Is(err, driver.ErrNotFound) {
		err = fmt.Errorf("%w: its files are with the driver %s, and its archive was dropped: use that driver, or load or pull the image again", err, rec.Driver)
	}
	if err != nil {
		return nil, err
	}
	a, err := layer.Assemble(skeleton, files.Open)
	if err != nil {
		return nil, errors.Join(err, files.Close())
	}
	return &assembled{a, files, f}, nil
}

type assembled struct {
	*layer.Assembled
	files, skeleton io.Closer
}

func (a *assembled) Close() error {
	return errors.Join(a.Assembled.Close(), a.files.Close(), a.skeleton.Close())
}

// write makes the skeleton of rec from its archive in a scratch folder, and proves that it gives the archive back, before it is durable under its name.
func (k *skeletons) write(ctx context.Context, op *home.Operation, rec skeletonRecord, archive io.Reader) (int64, error) {
	f, err := os.CreateTemp(op.Dir(), "skeleton-")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	line, err := json.Marshal(rec)
	if err != nil {
		return 0, err
	}
	if len(line) >= maxSkeletonLine {
		return 0, fmt.Errorf("%w: it lies in a stack of %d layers", layer.ErrNoSkeleton, len(rec.Chains))
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return 0, err
	}
	if err := layer.WriteSkeleton(f, &cancelable{ctx, archive}); err != nil {
		return 0, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil && rec.DiffID != "" && size >= rec.Size {
		err = fmt.Errorf("%w: what is to be kept of it is no shorter than it is compressed", layer.ErrNoSkeleton)
	}
	if err == nil {
		err = k.prove(ctx, rec, f, int64(len(line))+1)
	}
	if err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(k.home.Skeletons(), 0o700); err != nil {
		return 0, err
	}
	if err := errors.Join(home.SyncDir(k.home.Root()), os.Rename(f.Name(), k.path(rec.Digest))); err != nil {
		return 0, err
	}
	return size, home.SyncDir(k.home.Skeletons())
}

func (k *skeletons) prove(ctx context.Context, rec skeletonRecord, f *os.File, begin int64) error {
	if _, err := f.Seek(begin, io.SeekStart); err != nil {
		return err
	}
	r, err := k.assemble(rec, f, io.NopCloser(bytes.NewReader(nil)))
	if err != nil {
		return err
	}
	defer r.Close()
	sum := newSummed(&cancelable{ctx, r})
	if _, err := io.Copy(io.Discard, sum); err != nil {
		return err
	}
	if got := sum.digest(); got != rec.archive() || rec.DiffID == "" && sum.n != rec.Size {
		return fmt.Errorf("%w: put together again it would be %s", layer.ErrNoSkeleton, got)
	}
	return nil
}

// sole reports whether chain's tree is all there is of the layer d.
func (s *Store) sole(d, chain digest.Digest) bool {
	if _, err := s.blobs.Stored(d); err == nil {
		return false
	}
	rec, err := s.skeletons.record(d)
	return err == nil && rec.top() == chain
}

// markSkeletons keeps the trees that stand for archives. What has become an archive again, or garbage, loses its skeleton first, durably: from then on its tree may go.
// It reports whether a skeleton can't be read: then no tree may go at all.
func (s *Store) markSkeletons(live marked) (unsure bool, err error) {
	all, err := s.skeletons.list()
	if err != nil || len(all) == 0 {
		return false, err
	}
	gone := 0
	for _, d := range all {
		rec, err := s.skeletons.record(d)
		size, missing := s.blobs.Stored(d)
		if err == nil && live.blobs[d] && (missing != nil || size != rec.Size) {
			for _, c := range rec.Chains {
				live.chains[c] = true
			}
			continue
		}
		if err != nil && live.blobs[d] && missing != nil {
			unsure = true
			continue
		}
		if err := os.Remove(s.skeletons.path(d)); err != nil {
			return unsure, err
		}
		gone++
	}
	if gone > 0 {
		return unsure, home.SyncDir(s.home.Skeletons())
	}
	return unsure, nil
}

// holders are the chains that stand for archives, all of those below them too.
func (s *Store) holders() (map[digest.Digest]bool, error) {
	all, err := s.skeletons.list()
	if err != nil {
		return nil, err
	}
	held := map[digest.Digest]bool{}
	for _, d := range all {
		rec, err := s.skeletons.record(d)
		if err != nil {
			return nil, err
		}
		for _, c := range rec.Chains {
			held[c] = true
		}
	}
	return held, nil
}
