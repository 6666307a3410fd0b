package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// formOf is how the archive that is stored compressed as d can be compressed here to the very same bytes; empty if it can't. One of another
// compressor differs in its first blocks, so that finding out is cheap.
func (s *Store) formOf(ctx context.Context, d digest.Digest) (name string, err error) {
	stored, err := s.blobs.Open(d)
	if err != nil {
		return "", err
	}
	defer stored.Close()
	packed, err := s.blobs.Open(d)
	if err != nil {
		return "", err
	}
	defer packed.Close()
	plain, kind, err := layer.DecompressLayer(packed)
	if err != nil {
		return "", err
	}
	if kind != layer.Gzip && kind != layer.Zstd {
		return "", plain.Close()
	}
	f := newForm(kind, 0)
	made, err := f.compress(plain, nil)
	if err != nil {
		return "", err
	}
	defer made.Close()
	same, err := sameStream(&cancelable{ctx, made}, stored)
	if err != nil || !same {
		return "", err
	}
	return f.name(), nil
}

// sameStream reports whether two readers give the same bytes; it stops at the first piece that differs.
func sameStream(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if errA != nil || errB != nil {
			return true, nil
		}
	}
}

// form is how the blob is made of the archive that the skeleton gives; ok is false if that can't be done here.
func (r *skeletonRecord) form() (f form, ok bool) {
	if r.DiffID == "" {
		return form{kind: layer.None}, true
	}
	for _, kind := range []layer.Compression{layer.Gzip, layer.Zstd} {
		if f := newForm(kind, 0); f.name() == r.Form {
			return f, true
		}
	}
	return form{}, false
}

// exact reports that the very bytes of the blob can be made here.
func (r *skeletonRecord) exact() bool {
	_, ok := r.form()
	return ok
}

// archive is the digest of the uncompressed archive.
func (r *skeletonRecord) archive() digest.Digest {
	if r.DiffID != "" {
		return r.DiffID
	}
	return r.Digest
}

// OpenLayer opens the uncompressed archive of a layer, also where the file of its blob was dropped. The caller closes it.
func (s *Store) OpenLayer(l Layer) io.ReadCloser {
	return &lazyLayer{store: s, digest: l.Descriptor.Digest}
}

// plain puts the uncompressed archive together whose compressed form is the blob d; blob.ErrNotFound if d was not dropped as such. In place of
// the end of file a reader of a changed tree gets a *blob.DigestError.
func (k *skeletons) plain(d digest.Digest) (io.ReadCloser, error) {
	rec, rest, f, err := k.read(d)
	if err != nil {
		return nil, err
	}
	if rec.DiffID == "" {
		return nil, errors.Join(fmt.Errorf("look for the skeleton of %s: %w", d, blob.ErrNotFound), f.Close())
	}
	r, err := k.assemble(rec, rest, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("put layer %s together: %w", d, err), f.Close())
	}
	return &provedArchive{newSummed(r), r, rec.DiffID}, nil
}

// provedArchive ends well only if it has the digest that it should have.
type provedArchive struct {
	*summed
	io.Closer
	want digest.Digest
}

// Read implements io.Reader.
func (p *provedArchive) Read(b []byte) (int, error) {
	n, err := p.summed.Read(b)
	if err == io.EOF {
		if got := p.digest(); got != p.want {
			err = fmt.Errorf("read layer: %w", &blob.DigestError{Want: p.want, Got: got})
		}
	}
	return n, err
}
