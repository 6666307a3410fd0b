package registry

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Sentinels for callers that branch; they are inside of an *Error.
var (
	ErrNotFound    = errors.New("not found")
	ErrDenied      = errors.New("access denied")
	ErrUnavailable = errors.New("registry unavailable") // it can't be reached or is too busy: later it may work
)

// Error reports what a registry did not do, in a sentence that names it.
type Error struct {
	Doing  string // "read manifest"
	Name   string // host, repository and tag or digest
	Status int    // of HTTP; 0 if there was no answer or the answer was not the trouble
	Reason string
	Kind   error // one of the sentinels, or nil
	Err    error
}

// DoingResolve is what an Error of Resolve was Doing.
const DoingResolve = "resolve"

// Said reports that the registry gave the code as a reason: "NAME_UNKNOWN" (distribution-spec, "Error Codes").
func (e *Error) Said(code string) bool {
	var r *errcode.ErrorResponse
	return errors.As(e.Err, &r) && slices.ContainsFunc(r.Errors, func(s errcode.Error) bool { return s.Code == code })
}

// Words are the registry's own reason, as docker gives it: "manifest unknown: manifest unknown"; empty if it gave none.
func (e *Error) Words() string {
	var r *errcode.ErrorResponse
	if !errors.As(e.Err, &r) || len(r.Errors) == 0 {
		return ""
	}
	first := r.Errors[0]
	first.Detail = nil
	return fmt.Sprintf("%.300s", first.Error())
}

// Error implements error.
func (e *Error) Error() string { return e.Doing + " " + e.Name + ": " + e.Reason }

// Unwrap gives the sentinel and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// explain makes an *Error of err; of nil it makes nil. d says which blob of the repository is meant, if it is not ref itself.
func explain(doing string, ref oci.Ref, d digest.Digest, err error) error {
	if err == nil {
		return nil
	}
	name := ref.String()
	if d != "" && d != ref.Digest() {
		name = ref.Name() + "@" + string(d)
	}
	e := &Error{Doing: doing, Name: name, Err: err}
	var status *errcode.ErrorResponse
	switch {
	case errors.As(err, &status):
		e.Status = status.StatusCode
		var late *statusError
		var wait time.Duration
		if errors.As(err, &late) {
			wait = late.after
		}
		e.status(ref.Domain(), status, wait)
	case errors.Is(err, errdef.ErrNotFound):
		e.Status, e.Kind, e.Reason = http.StatusNotFound, ErrNotFound, notThere(ref.Domain())
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		e.Status, e.Kind, e.Reason = http.StatusUnauthorized, ErrDenied, "the registry wants credentials and docker's config has none for it: "+login(ref.Domain())
	default:
		e.network(ref.Domain(), err)
	}
	return e
}

func notThere(host string) string {
	return host + " has no such manifest or blob: check the name, or " + login(host) + " if it is private"
}

func login(host string) string {
	if host == "docker.io" {
		return "log in with docker login"
	}
	return "log in with docker login " + host
}

func (e *Error) status(host string, r *errcode.ErrorResponse, wait time.Duration) {
	said := ""
	if len(r.Errors) > 0 {
		said = fmt.Sprintf(" (it says: %.200q)", r.Errors.Error())
	}
	switch c := r.StatusCode; {
	case c == http.StatusUnauthorized:
		e.Kind, e.Reason = ErrDenied, "the registry does not accept the credentials, or there are none"+said+": "+login(host)
	case c == http.StatusForbidden:
		e.Kind, e.Reason = ErrDenied, "the registry forbids it"+said+": "+login(host)+" as somebody who may"
	case c == http.StatusNotFound:
		e.Kind, e.Reason = ErrNotFound, notThere(host)+said
	case c == http.StatusRequestEntityTooLarge:
		e.Reason = "the registry, or a proxy before it, takes no blobs as large as this one (413)" + said + ": whoever runs it can raise the limit"
	case c == http.StatusTooManyRequests:
		e.Kind, e.Reason = ErrUnavailable, tooMany(host, said, wait)
	case c >= http.StatusInternalServerError:
		e.Kind, e.Reason = ErrUnavailable, fmt.Sprintf("the registry has trouble of its own, status %d%s: try again later", c, said)
	default:
		e.Reason = fmt.Sprintf("the registry answered %s to %s%s", strings.TrimSpace(fmt.Sprintf("%d %s", c, http.StatusText(c))), r.Method, said)
		if c == http.StatusBadRequest && said == "" && r.URL != nil && r.URL.Scheme == "http" { // what Go's servers, among others, say to HTTP at a port with TLS
			e.Reason += ": it may expect TLS, which is spoken to a loopback host if the folder certs.d/" + certHost(host) + ", in /etc/docker or the engine's folder, has the certificate of who signed its own as ca.crt"
		}
	}
}

// tooMany tells somebody who meets a rate limit for the first time what it is.
func tooMany(host, said string, wait time.Duration) string {
	when := "wait"
	if wait > 0 {
		when = fmt.Sprintf("wait %d seconds", int(wait.Seconds()))
	}
	return "the registry got too many requests from this address" + said + ": it lets each user or address ask only so often in a while (a rate limit); " +
		when + ", or " + login(host) + ": who is logged in may ask more often"
}

func (e *Error) network(host string, err error) {
	var dns *net.DNSError
	var timeout net.Error
	var request *url.Error
	inner := err
	if errors.As(err, &request) {
		inner = request.Err // the URL is long and says nothing that the name doesn't
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.Reason = "stopped: " + context.Canceled.Error()
	case errors.Is(err, errStalled):
		e.Kind, e.Reason = ErrUnavailable, errStalled.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Kind, e.Reason = ErrUnavailable, "nothing answers at "+host+" (connection refused): is a registry running there?"
	case errors.As(err, &dns):
		e.Kind, e.Reason = ErrUnavailable, "there is no host "+dns.Name+": check the name and the network"
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Kind, e.Reason = ErrUnavailable, host+" does not answer in time: "+inner.Error()
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Reason = host + " speaks plain HTTP, which is used for hosts on the loopback interface only, and those that daemon.json lists as insecure-registries"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		e.Reason = inner.Error() + ": if it is to be trusted put the certificate of who signed its own into certs.d/" + certHost(host) +
			"/ca.crt, in /etc/docker or the engine's folder"
	case inner == io.EOF:
		e.Kind, e.Reason = ErrUnavailable, host+" closed the connection without an answer"
	case errors.Is(err, net.ErrClosed), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		e.Kind, e.Reason = ErrUnavailable, host+" broke off the connection: "+inner.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Kind, e.Reason = ErrUnavailable, inner.Error()
	default:
		e.Reason = inner.Error()
	}
}

// certHost is what the folder of certificates for a registry is called.
func certHost(domain string) string {
	if domain == hub {
		return hubHost
	}
	return domain
}
