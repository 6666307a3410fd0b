package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

var errStalled = errors.New("the registry sent nothing any more: try again later")

// verified gives exactly the bytes that a descriptor promises, or an error in place of the end.
type verified struct {
	r    io.Reader
	hash hash.Hash
	want v1.Descriptor
	n    int64
}

// Verify gives the bytes of r if they are exactly those that want describes. In place of the end of file a reader of others gets an
// error, and it never gets more than want.Size bytes.
func Verify(r io.Reader, want v1.Descriptor) io.Reader { return newVerified(r, want) }

func newVerified(r io.Reader, want v1.Descriptor) *verified {
	return &verified{r: r, hash: sha256.New(), want: want}
}

// Read implements io.Reader.
func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	if v.n > v.want.Size {
		return 0, fmt.Errorf("it is longer than the %d bytes that its descriptor says", v.want.Size)
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return n, v.end()
	}
	return n, err
}

func (v *verified) end() error {
	if v.n < v.want.Size {
		return fmt.Errorf("it is truncated: %d of %d bytes came: %w", v.n, v.want.Size, io.ErrUnexpectedEOF)
	}
	if got := digest.Digest("sha256:" + hex.EncodeToString(v.hash.Sum(nil))); got != v.want.Digest {
		return fmt.Errorf("its content has digest %s, expected %s", got, v.want.Digest)
	}
	return io.EOF
}

// watch gives up a registry that sends nothing for too long. Only the time inside of reads counts.
type watch struct {
	timer    *time.Timer
	patience time.Duration
}

func newWatch(patience time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{patience: patience, timer: time.AfterFunc(patience, func() { cancel(errStalled) })}
	w.timer.Stop()
	return w
}

func (w *watch) begin() { w.timer.Reset(w.patience) }
func (w *watch) end()   { w.timer.Stop() }

// pushed is content on its way to a registry: each piece that is taken is a sign of life.
type pushed struct {
	r io.Reader
	*watch
}

// Read implements io.Reader.
func (p *pushed) Read(b []byte) (int, error) {
	p.begin()
	return p.r.Read(b)
}

// resumed reads a body and takes it up again, where it broke off, if the body can seek.
type resumed struct {
	body  io.ReadCloser
	watch *watch
	size  int64
	n     int64
	tries int
}

// Read implements io.Reader.
func (r *resumed) Read(p []byte) (int, error) {
	r.watch.begin()
	defer r.watch.end()
	n, err := r.body.Read(p)
	r.n += int64(n)
	if err == nil || r.n >= r.size || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return n, err
	}
	s, ok := r.body.(io.Seeker)
	if !ok || r.tries >= maxTries {
		return n, err
	}
	r.tries++
	if r.seek(s) != nil {
		return n, err
	}
	return n, nil
}

// seek goes somewhere else first: going to where it is means no new request.
func (r *resumed) seek(s io.Seeker) error {
	aside := int64(0)
	if r.n == 0 && r.size > 1 {
		aside = 1
	}
	if _, err := s.Seek(aside, io.SeekStart); err != nil {
		return err
	}
	_, err := s.Seek(r.n, io.SeekStart)
	return err
}

// blobReader is an open blob.
type blobReader struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	body     io.Closer
	verified *verified
	ref      oci.Ref
	want     v1.Descriptor
}

// Read implements io.Reader.
func (b *blobReader) Read(p []byte) (int, error) {
	n, err := b.verified.Read(p)
	if err != nil && err != io.EOF {
		err = explain("read blob", b.ref, b.want.Digest, cause(b.ctx, err))
	}
	return n, err
}

// Close implements io.Closer.
func (b *blobReader) Close() error {
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// cause is why ctx ended, if it did and err only says that.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && errors.Is(c, errStalled) {
		return c
	}
	return err
}
