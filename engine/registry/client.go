package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	oras "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Config says how a Client works. The zero value is what docker does.
type Config struct {
	CredentialsDir string            // folder of docker's config.json; empty: DOCKER_CONFIG, or else ~/.docker
	Transport      http.RoundTripper // nil: net/http's default, with its proxies
	Pause          time.Duration     // before an upload that broke off is taken up again; 0: a quarter of a second
}

// Client talks to registries. It is safe for concurrent use; tokens that it was given are kept as long as it lives. It opens nothing
// before the first call and needs no closing.
type Client struct {
	auth     *authorized
	patience time.Duration // without a byte, before a registry is given up
	pause    time.Duration // before an upload that broke off goes on; the next pauses are longer
}

const (
	defaultPatience = time.Minute
	firstPause      = 250 * time.Millisecond
	pushPatience    = 5 // times as long: a registry may hash a blob before it answers
	maxRedirects    = 10
	maxAnswer       = 64 << 10 // bytes of an answer that means nothing
	maxTries        = 3        // after the first, of a request that the registry was too busy for
)

// New returns a Client.
func New(c Config) *Client {
	base := c.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	id := newIdentity(c.CredentialsDir)
	return &Client{
		patience: defaultPatience,
		pause:    cmp.Or(c.Pause, firstPause),
		auth: &authorized{identity: id, Client: &auth.Client{
			Client:     &http.Client{Transport: &retry.Transport{Base: guard{base}, Policy: policy}, CheckRedirect: checkRedirect},
			Header:     http.Header{"User-Agent": {"learn"}},
			Cache:      auth.NewCache(),
			ClientID:   "learn",
			Credential: id.at,
		}},
	}
}

func policy() retry.Policy {
	return &retry.GenericPolicy{Retryable: retry.DefaultPredicate, Backoff: retry.DefaultBackoff, MinWait: 200 * time.Millisecond,
		MaxWait: 3 * time.Second, MaxRetry: maxTries}
}

// checkRedirect lets a registry send us to where its blobs are, but neither from TLS to plain HTTP nor to services of this machine.
// Credentials are dropped by the layer above once a chain of redirects leaves the first host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	first := via[0].URL
	switch {
	case req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return fmt.Errorf("redirect to %q: only http and https are followed", req.URL.Redacted())
	case first.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("redirect from TLS to plain HTTP (%s) is not followed", req.URL.Host)
	case req.Method != "" && req.Method != http.MethodGet && req.Method != http.MethodHead && (req.URL.Scheme != first.Scheme || req.URL.Host != first.Host):
		return fmt.Errorf("redirect of %s from %s to %s is not followed: what is sent is for the registry that was named", req.Method, first.Host, req.URL.Host)
	case isLoopback(req.URL.Host) && !isLoopback(first.Host):
		return fmt.Errorf("redirect from %s to this machine (%s) is not followed", first.Host, req.URL.Host)
	}
	return nil
}

// Loopback reports that a registry (a Ref's Domain) is on this machine itself.
func Loopback(domain string) bool { return isLoopback(domain) }

// isLoopback reports that a host, perhaps with a port, is this machine itself.
func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// accepted are the media types of what a name may lead to.
var accepted = []string{oci.MediaTypeIndex, oci.MediaTypeManifest, oci.DockerManifestList, oci.DockerManifest}

func (c *Client) repository(ref oci.Ref) (*remote.Repository, error) {
	r := oras.Reference{Registry: ref.Domain(), Repository: ref.Path()}
	if ref.Domain() == "" {
		return nil, errors.New("the name has no registry: expected HOST/REPOSITORY")
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return &remote.Repository{Client: c.auth, Reference: r, PlainHTTP: isLoopback(ref.Domain()), ManifestMediaTypes: accepted}, nil
}

// target is the tag or digest of ref; a digest counts more.
func target(ref oci.Ref) string {
	if d := ref.Digest(); d != "" {
		return string(d)
	}
	return ref.Tag()
}

// Resolve finds out what ref means now: the descriptor of a manifest or of a list of manifests. If ref has a digest, the descriptor has
// the same one. The media type is the registry's word; the digest is to be verified by Manifest.
func (c *Client) Resolve(ctx context.Context, ref oci.Ref) (v1.Descriptor, error) {
	const doing = "resolve"
	repo, err := c.repository(ref)
	if err != nil {
		return v1.Descriptor{}, explain(doing, ref, "", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	d, err := repo.Manifests().Resolve(ctx, target(ref))
	if err != nil && answered(err) {
		// Not every registry gives digest and length with HEAD.
		var body io.ReadCloser
		if d, body, err = repo.Manifests().FetchReference(ctx, target(ref)); err == nil {
			err = body.Close()
		}
	}
	if err == nil {
		err = checkManifest(d)
	}
	if err != nil {
		return v1.Descriptor{}, explain(doing, ref, "", cause(ctx, err))
	}
	return v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, nil
}

func checkManifest(d v1.Descriptor) error {
	if err := oci.CheckDescriptor(d); err != nil {
		return err
	}
	if !oci.IsManifest(d.MediaType) && !oci.IsIndex(d.MediaType) {
		return fmt.Errorf("it is of media type %.100q: expected the manifest of an image, or a list of them", d.MediaType)
	}
	if d.Size > oci.MaxJSON {
		return fmt.Errorf("the manifest has %d bytes, at most %d are read", d.Size, oci.MaxJSON)
	}
	return nil
}

// Manifest reads the manifest or list of manifests d in the repository of ref, verified, at most oci.MaxJSON bytes. The registry must
// say that it is of the media type that d has.
func (c *Client) Manifest(ctx context.Context, ref oci.Ref, d v1.Descriptor) ([]byte, error) {
	const doing = "read manifest"
	repo, err := c.repository(ref)
	if err == nil {
		err = checkManifest(d)
	}
	if err != nil {
		return nil, explain(doing, ref, d.Digest, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	body, err := repo.Manifests().Fetch(ctx, d)
	if err != nil {
		return nil, explain(doing, ref, d.Digest, cause(ctx, err))
	}
	defer body.Close()
	data, err := io.ReadAll(newVerified(body, d))
	if err != nil {
		return nil, explain(doing, ref, d.Digest, cause(ctx, err))
	}
	return data, nil
}

// Blob opens the blob d in the repository of ref. Its bytes are verified while they are read: in place of the end of file a reader of
// wrong or missing bytes gets an *Error, and it never gets more bytes than d has. A connection that breaks off is taken up again where
// the registry can do that. The caller closes it.
func (c *Client) Blob(ctx context.Context, ref oci.Ref, d v1.Descriptor) (io.ReadCloser, error) {
	const doing = "read blob"
	repo, err := c.repository(ref)
	if err == nil {
		err = oci.CheckDescriptor(d)
	}
	if err != nil {
		return nil, explain(doing, ref, d.Digest, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := newWatch(c.patience, cancel)
	w.begin()
	body, err := repo.Blobs().Fetch(ctx, d)
	w.end()
	if err != nil {
		err = explain(doing, ref, d.Digest, cause(ctx, err))
		cancel(nil)
		return nil, err
	}
	return &blobReader{ctx: ctx, cancel: cancel, body: body, verified: newVerified(&resumed{body: body, watch: w, size: d.Size}, d), ref: ref, want: d}, nil
}
