package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// Upload is a blob that a repository is to have.
type Upload struct {
	// Blob describes it. Without a digest it is whatever comes out of Open (a layer that is compressed on its way), and nothing is known of it
	// before all was sent.
	Blob v1.Descriptor
	// Open gives its bytes; the same ones each time, should the upload break off. It is called only if they are needed.
	Open func() (io.ReadCloser, error)
	// From are repositories of the same registry, without its host, that may have the blob, the best first.
	From []string
	// Sent, if set, is told how many bytes are there; it may be fewer than before.
	Sent func(bytes int64)
	// Wait, if set, is told how long it takes until an upload that broke off goes on.
	Wait func(d time.Duration)
}

// How a repository came to have a blob.
type How string

// The ways.
const (
	Existed  How = "exists"   // it had it
	Mounted  How = "mounted"  // from another repository of the registry
	Uploaded How = "uploaded" // byte for byte
)

// Outcome tells how a blob came to be where it is.
type Outcome struct {
	Blob v1.Descriptor
	How  How
	From string // the repository that a Mounted one came from
}

// maxMounts is how many repositories are asked for a blob before it is sent.
const maxMounts = 3

// Push sees to it that the repository of ref has a blob: it is looked for, then mounted if the registry can do that, then sent. What breaks
// off is continued from where the registry got to, or begun again; a few times, with growing pauses. A blob that was sent counts only if
// the registry gives it the digest that it has.
func (c *Client) Push(ctx context.Context, ref oci.Ref, u Upload) (Outcome, error) {
	const doing = "push blob"
	done := Outcome{Blob: u.Blob}
	fail := func(err error) (Outcome, error) {
		return done, explain(doing, ref, u.Blob.Digest, cause(ctx, err))
	}
	repo, err := c.repository(ref)
	if err != nil {
		return fail(err)
	}
	ctx = auth.AppendRepositoryScope(ctx, repo.Reference, auth.ActionPull, auth.ActionPush)
	s := &sending{client: c, base: &url.URL{Scheme: "https", Host: repo.Reference.Host()}, path: "/v2/" + repo.Reference.Repository + "/blobs/", upload: u}
	if repo.PlainHTTP {
		s.base.Scheme = "http"
	}
	if u.Blob.Digest != "" {
		existed, err := c.exists(ctx, repo, u.Blob)
		if err != nil {
			return fail(err)
		}
		if existed {
			done.How = Existed
			return done, nil
		}
		if done.From, err = s.mount(ctx, repo.Reference); err != nil {
			return fail(err)
		}
		if done.From != "" {
			done.How = Mounted
			return done, nil
		}
	}
	if err := s.run(ctx); err != nil {
		return fail(err)
	}
	done.How, done.Blob.Digest, done.Blob.Size = Uploaded, s.digest(), s.end
	return done, nil
}

func (c *Client) exists(ctx context.Context, repo *remote.Repository, d v1.Descriptor) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	existed, err := repo.Blobs().Exists(ctx, d)
	return existed, cause(ctx, err)
}

// PushBlob sees to it that the repository of ref has the blob d. open is called only if it hasn't; existed tells.
func (c *Client) PushBlob(ctx context.Context, ref oci.Ref, d v1.Descriptor, open func() (io.ReadCloser, error)) (existed bool, err error) {
	done, err := c.Push(ctx, ref, Upload{Blob: d, Open: open})
	return done.How == Existed, err
}

// PushManifest gives the manifest data, whose descriptor is d, to the repository of ref under its tag; without a tag, under its digest
// alone. The blobs that it names must be there already.
func (c *Client) PushManifest(ctx context.Context, ref oci.Ref, d v1.Descriptor, data []byte) error {
	const doing = "push manifest"
	repo, err := c.repository(ref)
	if err != nil {
		return explain(doing, ref, d.Digest, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	if tag := ref.Tag(); tag != "" {
		err = repo.Manifests().PushReference(ctx, d, bytes.NewReader(data), tag)
	} else {
		err = repo.Manifests().Push(ctx, d, bytes.NewReader(data))
	}
	return explain(doing, ref, d.Digest, cause(ctx, err))
}

// sourceError is trouble on this side: sending again would not help.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// source reads an upload's content from any offset, and takes the digest of what it gives for the first time.
type source struct {
	open   func() (io.ReadCloser, error)
	r      io.ReadCloser
	at     int64 // of r
	hashed int64 // of the content
	end    int64 // length of the content, once its end was seen
	ended  bool
	sum    interface {
		io.Writer
		Sum([]byte) []byte
	}
}

// seek makes at the offset of the next byte. What was compressed is compressed again: the bytes are the same.
func (s *source) seek(at int64) error {
	if s.r != nil && s.at == at {
		return nil
	}
	s.close()
	r, err := s.open()
	if err != nil {
		return &sourceError{err}
	}
	s.r, s.at = r, 0
	if _, err := io.CopyN(io.Discard, s, at); err != nil {
		return &sourceError{fmt.Errorf("read it again from byte %d: %w", at, err)}
	}
	return nil
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if fresh := s.at + int64(n) - s.hashed; fresh > 0 && s.sum != nil {
		_, _ = s.sum.Write(p[int64(n)-fresh : n])
		s.hashed += fresh
	}
	s.at += int64(n)
	if err == io.EOF {
		s.end, s.ended = s.at, true
	} else if err != nil {
		err = &sourceError{err}
	}
	return n, err
}

func (s *source) close() {
	if s.r != nil {
		_ = s.r.Close()
		s.r = nil
	}
}

// digest is that of the content once it was read to its end.
func (s *sending) digest() digest.Digest {
	if s.upload.Blob.Digest != "" {
		return s.upload.Blob.Digest
	}
	return digest.NewDigestFromBytes(digest.SHA256, s.sum.Sum(nil))
}

// sending is one upload under way.
type sending struct {
	client *Client
	base   *url.URL
	path   string // of the repository's blobs
	upload Upload
	source
	location *url.URL // of the upload in the registry; nil: there is none
	offset   int64    // bytes that are there
	chunk    int64    // at most in one request; 0: all
	tries    int      // since there was the last progress
	total    int
}

const (
	uploadTries = 5  // without progress
	uploadTotal = 30 // with progress, however little
	smallChunk  = 4 << 20
)

// run sends the content until the registry says that it has all.
func (s *sending) run(ctx context.Context) error {
	s.source.open = s.upload.Open
	if s.upload.Blob.Digest == "" {
		s.sum = sha256.New()
	}
	defer s.close()
	for {
		err := s.attempt(ctx)
		if err == nil {
			return nil
		}
		if err := s.retry(ctx, err); err != nil {
			s.abandon(ctx)
			return err
		}
	}
}

func (s *sending) attempt(ctx context.Context) error {
	if s.location == nil {
		if err := s.begin(ctx); err != nil {
			return err
		}
	}
	if err := s.seek(s.offset); err != nil {
		return err
	}
	for !s.ended || s.offset < s.end {
		if err := s.patch(ctx); err != nil {
			return err
		}
	}
	if d := s.upload.Blob; d.Digest != "" && s.end != d.Size {
		return &sourceError{fmt.Errorf("it has %d bytes here, its descriptor says %d", s.end, d.Size)}
	}
	return s.finish(ctx)
}

// begin opens an upload.
func (s *sending) begin(ctx context.Context) error {
	resp, err := s.send(ctx, http.MethodPost, s.base.ResolveReference(&url.URL{Path: s.path + "uploads/"}), nil, 0, nil)
	if err != nil {
		return err
	}
	s.offset = 0
	return s.accepted(resp, http.StatusAccepted)
}

// patch sends what comes next: all, or a chunk.
func (s *sending) patch(ctx context.Context) error {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	var body io.Reader = &s.source
	size := int64(-1)
	if s.upload.Blob.Digest != "" {
		size = s.upload.Blob.Size - s.offset
	}
	if s.chunk > 0 {
		data, err := io.ReadAll(io.LimitReader(&s.source, s.chunk))
		if err != nil {
			return err
		}
		body, size = bytes.NewReader(data), int64(len(data))
		if size == 0 {
			return nil
		}
	}
	if size > 0 && (s.chunk > 0 || s.offset > 0) {
		header.Set("Content-Range", fmt.Sprintf("%d-%d", s.offset, s.offset+size-1))
	}
	if size == 0 && s.chunk == 0 { // nothing is left, and the end was not seen yet
		_, err := io.Copy(io.Discard, &s.source)
		return err
	}
	resp, err := s.send(ctx, http.MethodPatch, s.location, body, size, header)
	if err != nil {
		return err
	}
	if err := s.accepted(resp, http.StatusAccepted, http.StatusNoContent); err != nil {
		return err
	}
	return s.advance(resp)
}

// advance believes the registry what it has: that may be less than what was sent, and never more.
func (s *sending) advance(resp *http.Response) error {
	have, ok := rangeEnd(resp.Header.Get("Range"))
	if !ok || have == 0 && s.at == 1 { // "0-0" is what some say of one byte, others of none
		have = s.at
	}
	if have > s.at || have < s.offset {
		return fmt.Errorf("the registry says that it has %d bytes of it, %d were sent", have, s.at)
	}
	if have > s.offset {
		s.tries = 0
	}
	before := s.offset
	s.offset = have
	s.tell()
	if have < s.at || have == before && !s.ended {
		return fmt.Errorf("%w: %d of %d bytes", errShort, have, s.at)
	}
	return nil
}

func (s *sending) tell() {
	if s.upload.Sent != nil {
		s.upload.Sent(s.offset)
	}
}

// errShort is a registry that took less than it was given.
var errShort = errors.New("the registry took only a part of it")

// finish names the content by its digest. The registry's word on what it stored is compared with it.
func (s *sending) finish(ctx context.Context) error {
	to := *s.location
	q := to.Query()
	q.Set("digest", string(s.digest()))
	to.RawQuery = q.Encode()
	resp, err := s.send(ctx, http.MethodPut, &to, nil, 0, http.Header{"Content-Type": {"application/octet-stream"}})
	if err != nil {
		return err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusAccepted {
		return responseError(resp)
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != string(s.digest()) {
		return &sourceError{fmt.Errorf("the registry stored it as %.100q and not as %s: it is not what was sent", got, s.digest())}
	}
	return nil
}
