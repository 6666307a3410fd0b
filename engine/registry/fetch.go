package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	oras "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

const (
	probePatience  = 10 * time.Second
	longestWait    = 30 * time.Second // that a registry may ask for by Retry-After; of more the user is told
	resumeProgress = 1 << 20          // bytes after which a connection that breaks off again gets all tries anew
)

// policy says what is tried again and when.
type policy struct{}

// Retry implements retry.Policy.
func (policy) Retry(attempt int, resp *http.Response, err error) (time.Duration, error) {
	again, _ := retry.DefaultPredicate(resp, err)
	if !again || attempt >= maxTries {
		return -1, nil
	}
	wait := min(retry.DefaultBackoff(attempt, nil), 3*time.Second)
	if resp != nil {
		asked := retryAfter(resp)
		if asked > longestWait {
			return -1, nil
		}
		wait = max(wait, asked)
	}
	return wait, nil
}

// place is one repository at one endpoint.
type place struct {
	endpoint
	repository string
}

// places are where the repository of ref may be asked for, in order.
func (c *Client) places(ref oci.Ref) ([]place, error) {
	if ref.Domain() == "" {
		return nil, errors.New("the name has no registry: expected HOST/REPOSITORY")
	}
	h, err := c.hosts()
	if err != nil {
		return nil, err
	}
	var list []place
	for _, e := range h.endpoints(ref.Domain()) {
		list = append(list, place{e, ref.Path()})
	}
	return list, nil
}

// at does the same at one place after the other until it works. Of several errors that of the last place, the registry itself, counts.
func (c *Client) at(ctx context.Context, ref oci.Ref, do func(place) error) error {
	list, err := c.places(ref)
	if err != nil {
		return err
	}
	for _, p := range list {
		if _, failed := c.failed.Load(p.host); failed && p.mirror {
			continue
		}
		if err = do(p); err == nil || ctx.Err() != nil {
			return err
		}
		if p.mirror && !errors.As(err, new(*statusError)) {
			c.failed.Store(p.host, true) // it isn't there: this client asks it no more
		}
	}
	return err
}

// request asks for what, a path below the repository. The caller closes the answer's body.
func (c *Client) request(ctx context.Context, p place, method, what string, header http.Header) (*http.Response, error) {
	ref := oras.Reference{Registry: p.host, Repository: p.repository}
	ctx = auth.AppendRepositoryScope(ctx, ref, auth.ActionPull)
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s/v2/%s/%s", p.endpoint, p.repository, what), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	return c.auth.Do(req)
}

// manifest asks for a manifest by tag or digest and reads at most one byte more than limit.
func (c *Client) manifest(ctx context.Context, p place, method, target string, limit int64) (d v1.Descriptor, data []byte, err error) {
	resp, err := c.request(ctx, p, method, "manifests/"+target, http.Header{"Accept": {strings.Join(accepted, ", ")}})
	if err != nil {
		return d, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return d, nil, errors.Join(responseError(resp), resp.Body.Close())
	}
	defer resp.Body.Close()
	d.Size = resp.ContentLength
	d.Digest = digest.Digest(resp.Header.Get("Docker-Content-Digest"))
	if d.MediaType, _, err = mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil {
		return d, nil, fmt.Errorf("it has no media type that can be read: %.100q", resp.Header.Get("Content-Type"))
	}
	if method == http.MethodHead {
		return d, nil, nil
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	return d, data, err
}

// BlobFrom opens the blob d at the offset from: what comes are the bytes from there to d's end, and never more. They are not verified: a
// digest can't tell about a part. A connection that breaks off is taken up again where it was; a registry that can't do that sends all
// from the beginning, and what is here is passed over. The caller closes it.
func (c *Client) BlobFrom(ctx context.Context, ref oci.Ref, d v1.Descriptor, from int64) (io.ReadCloser, error) {
	const doing = "read blob"
	if err := oci.CheckDescriptor(d); err != nil {
		return nil, explain(doing, ref, d.Digest, err)
	}
	var s *stream
	err := c.at(ctx, ref, func(p place) error {
		s = &stream{client: c, place: p, want: d, at: from, mark: from}
		s.ctx, s.cancel = context.WithCancelCause(ctx)
		s.watch = newWatch(c.patience, s.cancel)
		err := s.open()
		if err != nil {
			err = cause(s.ctx, err)
			s.cancel(nil)
		}
		return err
	})
	if err != nil {
		return nil, explain(doing, ref, d.Digest, err)
	}
	s.ref = ref
	return s, nil
}

// stream is the rest of a blob on its way here.
type stream struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	client *Client
	place  place
	ref    oci.Ref
	want   v1.Descriptor
	watch  *watch
	body   io.ReadCloser
	at     int64 // bytes of the blob that came, counted from its beginning
	mark   int64 // at, when tries was last 0
	tries  int
}

// open asks for what is missing.
func (s *stream) open() error {
	header := http.Header{}
	if s.at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", s.at))
	}
	s.watch.begin()
	defer s.watch.end()
	resp, err := s.client.request(s.ctx, s.place, http.MethodGet, "blobs/"+string(s.want.Digest), header)
	if err != nil {
		return err
	}
	switch {
	case resp.StatusCode == http.StatusPartialContent && s.at > 0:
		err = s.checkRange(resp.Header.Get("Content-Range"))
	case resp.StatusCode == http.StatusOK:
		err = s.skip(resp)
	default:
		return errors.Join(responseError(resp), resp.Body.Close())
	}
	if err != nil {
		return errors.Join(err, resp.Body.Close())
	}
	s.body = resp.Body
	return nil
}

// checkRange wants "bytes FIRST-LAST/TOTAL" (RFC 9110, 14.4) to be what was asked for.
func (s *stream) checkRange(got string) error {
	if want := fmt.Sprintf("bytes %d-%d/", s.at, s.want.Size-1); !strings.HasPrefix(got, want) {
		return fmt.Errorf("asked for the bytes from %d on, the registry sent range %.60q, expected %s%d", s.at, got, want, s.want.Size)
	}
	return nil
}

// skip passes over what is here already, of a registry that sends all.
func (s *stream) skip(resp *http.Response) error {
	if n := resp.ContentLength; n >= 0 && n > s.want.Size {
		return fmt.Errorf("it is longer than the %d bytes that its descriptor says: the registry has %d", s.want.Size, n)
	} else if n >= 0 && n < s.want.Size {
		return fmt.Errorf("it is truncated: the registry has %d of its %d bytes: %w", n, s.want.Size, io.ErrUnexpectedEOF)
	}
	for left := s.at; left > 0; {
		s.watch.begin()
		n, err := io.CopyN(io.Discard, resp.Body, min(left, resumeProgress))
		if left -= n; err != nil {
			return err
		}
	}
	return nil
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.read(p)
	if err != nil && err != io.EOF {
		err = explain("read blob", s.ref, s.want.Digest, cause(s.ctx, err))
	}
	return n, err
}

func (s *stream) read(p []byte) (int, error) {
	for {
		s.watch.begin()
		n, err := s.body.Read(p)
		s.watch.end()
		s.at += int64(n)
		if s.at > s.want.Size {
			return 0, fmt.Errorf("it is longer than the %d bytes that its descriptor says", s.want.Size)
		}
		if n > 0 || err == nil {
			return n, nil
		}
		if err == io.EOF && s.at == s.want.Size {
			return 0, io.EOF
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("it is truncated: %d of %d bytes came: %w", s.at, s.want.Size, io.ErrUnexpectedEOF)
		}
		if err := s.again(err); err != nil {
			return 0, err
		}
	}
}

// again takes a broken connection up, unless that was tried often enough.
func (s *stream) again(broke error) error {
	_ = s.body.Close()
	s.body = io.NopCloser(strings.NewReader(""))
	if s.at-s.mark >= resumeProgress {
		s.mark, s.tries = s.at, 0
	}
	if s.ctx.Err() != nil || s.tries >= maxTries {
		return broke
	}
	wait := time.NewTimer(retry.DefaultBackoff(s.tries, nil))
	defer wait.Stop()
	s.tries++
	select {
	case <-s.ctx.Done():
		return broke
	case <-wait.C:
	}
	if err := s.open(); err != nil {
		return err
	}
	return nil
}

// Close implements io.Closer.
func (s *stream) Close() error {
	err := s.body.Close()
	s.cancel(nil)
	return err
}
