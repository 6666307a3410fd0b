package image

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// arriving is the uncompressed archive of a layer that may still be on its way. It ends when the blob is verified and in the store.
type arriving struct {
	p     *puller
	a     *arrival
	plain io.ReadCloser
	n     int64 // uncompressed bytes read
}

// Read implements io.Reader.
func (r *arriving) Read(b []byte) (int, error) {
	if r.plain == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n, err := r.plain.Read(b)
	r.n += int64(n)
	if err == io.EOF {
		if <-r.a.done; r.a.err != nil {
			err = r.a.err
		}
	}
	return n, err
}

func (r *arriving) open() error {
	var in io.Reader
	if r.a.partial != nil {
		in = &extracting{r: r.a.partial.Follow(), a: r.a, p: r.p.progress, state: BlobState{Blob: r.a.desc.Digest, Stage: BlobExtracting, Total: r.a.desc.Size}}
	} else {
		if <-r.a.begun; r.a.err != nil {
			return r.a.err
		}
		r.plain = &lazyLayer{store: r.p.Store, digest: r.a.desc.Digest}
		return nil
	}
	var err error
	r.plain, _, err = layer.DecompressLayer(in)
	return err
}

// check reads what was not read, because the layer is unpacked here, and compares it with what the config says.
func (r *arriving) check(want digest.Digest) error {
	if r.a.desc.Digest == want { // it isn't compressed
		<-r.a.done
		r.n = r.a.desc.Size
		return r.a.err
	}
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return err
	}
	if got := digest.NewDigest(digest.SHA256, h); got != want {
		return fmt.Errorf("uncompressed it has digest %s, the config says %s", got, want)
	}
	return nil
}

// Close implements io.Closer.
func (r *arriving) Close() error {
	if r.plain == nil {
		return nil
	}
	return r.plain.Close()
}

// extracting tells how far an archive is unpacked, once it is all there.
type extracting struct {
	r     io.Reader
	a     *arrival
	p     Progress
	state BlobState
}

// Read implements io.Reader.
func (e *extracting) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	if e.state.Done += int64(n); n > 0 && e.a.isDone() {
		e.p.Blob(e.state)
	}
	return n, err
}
