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

// blobReader is an open blob.
type blobReader struct {
	io.ReadCloser
	verified *verified
	ref      oci.Ref
	want     v1.Descriptor
}

// Read implements io.Reader.
func (b *blobReader) Read(p []byte) (int, error) {
	n, err := b.verified.Read(p)
	if err != nil && err != io.EOF && !errors.As(err, new(*Error)) {
		err = explain("read blob", b.ref, b.want.Digest, err)
	}
	return n, err
}

// cause is why ctx ended, if it did and err only says that.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && errors.Is(c, errStalled) {
		return c
	}
	return err
}
