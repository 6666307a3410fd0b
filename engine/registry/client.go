package registry

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
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
	Home           string            // folder whose daemon.json and certs.d come before the user's and the machine's; empty for none
	Transport      http.RoundTripper // nil: net/http's default, with its proxies and the certificates of certs.d
	Pause          time.Duration     // before an upload that broke off is taken up again; 0: a quarter of a second
}

// Client talks to registries. It is safe for concurrent use; tokens that it was given are kept as long as it lives. It opens nothing
// before the first call and needs no closing.
type Client struct {
	auth     *authorized
	hosts    func() (*hosts, error)
	failed   sync.Map      // mirrors that can't be reached
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
	known := sync.OnceValues(func() (*hosts, error) { return readHosts(c.Home) })
	base := c.Transport
	if base == nil {
		base = byHost(known)
	}
	id := newIdentity(c.CredentialsDir)
	return &Client{
		patience: defaultPatience,
		hosts:    known,
		pause:    cmp.Or(c.Pause, firstPause),
		auth: &authorized{identity: id, Client: &auth.Client{
			Client:     &http.Client{Transport: &retry.Transport{Base: guard{base}, Policy: func() retry.Policy { return policy{} }}, CheckRedirect: checkRedirect},
			Header:     http.Header{"User-Agent": {"learn"}},
			Cache:      auth.NewCache(),
			ClientID:   "learn",
			Credential: id.at,
		}},
	}
}

// byHost sends each request the way that its host wants.
type byHost func() (*hosts, error)

// RoundTrip implements http.RoundTripper.
func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	h, err := b()
	if err != nil {
		return nil, err
	}
	return h.RoundTrip(r)
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
	h, err := c.hosts()
	if err != nil {
		return nil, err
	}
	return &remote.Repository{Client: c.auth, Reference: r, PlainHTTP: h.scheme(ref.Domain()) == "http", ManifestMediaTypes: accepted}, nil
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
	const doing = DoingResolve
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	var d v1.Descriptor
	err := c.at(ctx, ref, func(p place) (err error) {
		d, err = c.resolve(ctx, p, target(ref))
		return err
	})
	if err == nil && ref.Digest() != "" && d.Digest != ref.Digest() {
		err = fmt.Errorf("the registry gives %s", d.Digest)
	}
	if err == nil {
		err = checkManifest(d)
	}
	if err != nil {
		return v1.Descriptor{}, explain(doing, ref, "", cause(ctx, err))
	}
	return d, nil
}

// resolve asks for the head of a manifest alone, and for all of it where that doesn't tell: not every registry gives digest and length
// with HEAD, and none can say why it refuses.
func (c *Client) resolve(ctx context.Context, p place, target string) (v1.Descriptor, error) {
	d, _, err := c.manifest(ctx, p, http.MethodHead, target, 0)
	if err == nil && d.Digest != "" && d.Size >= 0 {
		return d, nil
	}
	if s := (*statusError)(nil); err != nil && (!errors.As(err, &s) || s.StatusCode == http.StatusTooManyRequests || s.StatusCode >= 500) {
		return d, err
	}
	d, data, err := c.manifest(ctx, p, http.MethodGet, target, oci.MaxJSON)
	if err == nil {
		d.Digest, d.Size = oci.Sum(data), int64(len(data))
	}
	return d, err
}

const schema1 = "application/vnd.docker.distribution.manifest.v1+"

func checkManifest(d v1.Descriptor) error {
	if err := oci.CheckDescriptor(d); err != nil {
		return err
	}
	if strings.HasPrefix(d.MediaType, schema1) {
		return errors.New("it is a manifest of schema 1, which docker gave up long ago because what it names can't be verified: push the image anew with a tool of today")
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
	if err := checkManifest(d); err != nil {
		return nil, explain(doing, ref, d.Digest, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	var data []byte
	err := c.at(ctx, ref, func(p place) error {
		got, b, err := c.manifest(ctx, p, http.MethodGet, string(d.Digest), d.Size)
		if err == nil && got.MediaType != d.MediaType {
			return fmt.Errorf("the registry says that it is of media type %.100q, expected %s", got.MediaType, d.MediaType)
		}
		if err == nil {
			data, err = io.ReadAll(newVerified(bytes.NewReader(b), d))
		}
		return err
	})
	if err != nil {
		return nil, explain(doing, ref, d.Digest, cause(ctx, err))
	}
	return data, nil
}

// Blob opens the blob d in the repository of ref. Its bytes are verified while they are read: in place of the end of file a reader of
// wrong or missing bytes gets an *Error, and it never gets more bytes than d has. A connection that breaks off is taken up again where
// the registry can do that. The caller closes it.
func (c *Client) Blob(ctx context.Context, ref oci.Ref, d v1.Descriptor) (io.ReadCloser, error) {
	s, err := c.BlobFrom(ctx, ref, d, 0)
	if err != nil {
		return nil, err
	}
	return &blobReader{ReadCloser: s, verified: newVerified(s, d), ref: ref, want: d}, nil
}
