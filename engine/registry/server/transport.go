package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Transport carries requests for one host to a handler in this process, without a port or a network, and all others on. What the handler records goes
// to the recorder of whoever asks, before the answer comes: a trace has always the same order.
type Transport struct {
	Host    string // as it stands in names: localhost:5000
	Handler http.Handler
	Next    http.RoundTripper // for other hosts; nil: http.DefaultTransport
}

var errGone = errors.New("the client went away")

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.Host {
		if t.Next != nil {
			return t.Next.RoundTrip(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	}
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI, in.Host, in.RemoteAddr = r.URL.RequestURI(), r.URL.Host, "inside"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	pr, pw := io.Pipe()
	a := &answer{pipe: pw, header: http.Header{}, ready: make(chan struct{})}
	body := &answerBody{PipeReader: pr, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(body.done)
		defer in.Body.Close()
		t.Handler.ServeHTTP(a, in)
		a.WriteHeader(http.StatusOK)
		_ = pw.Close()
	}()
	select {
	case <-a.ready:
	case <-ctx.Done():
		_ = body.Close()
		return nil, ctx.Err()
	}
	return a.response(r, body), nil
}

// answer is a http.ResponseWriter whose body goes through a pipe.
type answer struct {
	pipe   *io.PipeWriter
	header http.Header
	once   sync.Once
	ready  chan struct{} // closed when status and header are settled
	status int
	sent   http.Header // the header as it was then
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.ready)
	})
}

// Write implements io.Writer.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.pipe.Write(b)
}

func (a *answer) response(r *http.Request, body io.ReadCloser) *http.Response {
	resp := &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: body, ContentLength: -1, Request: r,
	}
	if n, ok := parseOffset(a.sent.Get("Content-Length")); ok {
		resp.ContentLength = n
	}
	return resp
}

// answerBody is the reading end. Closing it waits for the handler, which then gets an error for what nobody reads.
type answerBody struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
}

// Close implements io.Closer.
func (b *answerBody) Close() error {
	b.cancel()
	err := b.CloseWithError(errGone)
	<-b.done
	return err
}
