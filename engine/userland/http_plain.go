package userland

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// Package net/http has threads and timers of its own, which a machine with a clock of its own would not know of. On one its
// messages are used, and the talk around them is this: one request for each connection.

// maxRequest is how much of a request's head and body the server reads.
const maxRequest = 1 << 20

// serveAll answers every connection in a thread of its own until the listener fails.
func (t *task) serveAll(l Listener) int {
	for {
		c, err := l.Accept()
		if t.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return 0
		}
		if err != nil {
			return t.errorf("%s", reason(err))
		}
		one := &task{Env: t.Env, ctx: t.ctx, name: t.name}
		t.spawn(func() {
			defer c.Close()
			defer one.release()
			one.answer(c)
		})
	}
}

// answer reads one request and answers it. Who sends none in ten seconds is left alone.
func (t *task) answer(c Conn) {
	stop := t.after(10*time.Second, func() { c.Close() })
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, maxRequest)))
	stop()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request")
		}
		return
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	t.serve(a, req.WithContext(t.ctx))
	a.send(c, req, t.now())
}

// answer collects what a handler says.
type answer struct {
	header http.Header
	status int
	began  bool
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if !a.began {
		a.status, a.began = status, true
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// send writes the whole answer.
func (a *answer) send(w io.Writer, req *http.Request, now time.Time) {
	if a.header.Get("Content-Type") == "" && a.body.Len() > 0 {
		a.header.Set("Content-Type", http.DetectContentType(a.body.Bytes()))
	}
	a.header.Set("Date", now.UTC().Format(http.TimeFormat))
	a.header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	a.header.Set("Connection", "close")
	var out bytes.Buffer
	out.WriteString("HTTP/1.1 " + strconv.Itoa(a.status) + " " + http.StatusText(a.status) + "\r\n")
	a.header.Write(&out)
	out.WriteString("\r\n")
	if req.Method != http.MethodHead {
		out.Write(a.body.Bytes())
	}
	w.Write(out.Bytes())
}

// plainClient speaks HTTP without encryption.
func (t *task) plainClient(limit time.Duration) (*http.Client, func()) {
	trip := &roundTrip{t: t, ctx: t.ctx}
	done := func() {}
	if limit > 0 {
		ctx, cancel := context.WithCancel(t.ctx)
		stop := t.after(limit, func() { trip.late.Store(true); cancel() })
		trip.ctx, done = ctx, func() { stop(); cancel() }
	}
	return &http.Client{Transport: trip}, done
}

// roundTrip makes one connection for each request. The end of ctx closes it.
type roundTrip struct {
	t    *task
	ctx  context.Context
	late atomic.Bool
}

// RoundTrip sends a request and reads the head of its answer.
func (r *roundTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "http" {
		return nil, errors.New("only http:// is available here")
	}
	port := req.URL.Port()
	if port == "" {
		port = "80"
	}
	c, err := r.t.Dialer.Dial(r.ctx, net.JoinHostPort(req.URL.Hostname(), port))
	if err != nil {
		return nil, r.cause(err)
	}
	stop := context.AfterFunc(r.ctx, func() { c.Close() })
	end := func() error { stop(); return c.Close() }
	req = req.Clone(req.Context())
	req.Close = true
	if err := req.Write(c); err != nil {
		end()
		return nil, r.cause(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		end()
		return nil, r.cause(err)
	}
	resp.Body = &connBody{ReadCloser: resp.Body, trip: r, end: end}
	return resp, nil
}

// cause is an error, or that the time is up.
func (r *roundTrip) cause(err error) error {
	if r.late.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// connBody is the body of an answer, with which its connection ends.
type connBody struct {
	io.ReadCloser
	trip *roundTrip
	end  func() error
}

func (b *connBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.trip.cause(err)
	}
	return n, err
}

func (b *connBody) Close() error {
	b.ReadCloser.Close()
	return b.end()
}
