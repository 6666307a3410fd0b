package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	oras "oras.land/oras-go/v2/registry"
)

// mount asks the registry to take the blob from another of its repositories, and names that. A registry that doesn't want to opens an upload
// instead.
func (s *sending) mount(ctx context.Context, to oras.Reference) (from string, err error) {
	for _, from := range s.upload.From[:min(len(s.upload.From), maxMounts)] {
		if from == to.Repository {
			continue
		}
		other := to
		other.Repository = from
		if other.ValidateRepository() != nil {
			continue
		}
		s.abandon(ctx)
		q := url.Values{"mount": {string(s.upload.Blob.Digest)}, "from": {from}}
		at := s.base.ResolveReference(&url.URL{Path: s.path + "uploads/", RawQuery: q.Encode()})
		resp, err := s.send(auth.AppendRepositoryScope(ctx, other, auth.ActionPull), http.MethodPost, at, nil, 0, nil)
		switch {
		case err != nil:
			return "", err
		case resp.StatusCode == http.StatusCreated:
			got := resp.Header.Get("Docker-Content-Digest")
			drain(resp)
			if got == "" || got == string(s.upload.Blob.Digest) {
				return from, nil
			}
		case s.accepted(resp, http.StatusAccepted) != nil:
			s.location = nil // perhaps it may be sent all the same
		}
	}
	return "", nil
}

// abandon lets go of an upload that nobody will finish. Whether the registry heard that is of no consequence: it forgets uploads by itself.
func (s *sending) abandon(ctx context.Context) {
	if s.location == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if resp, err := s.send(ctx, http.MethodDelete, s.location, nil, 0, nil); err == nil {
		drain(resp)
	}
	s.location = nil
}

// send makes one request of an upload. It goes to the registry and nowhere else: whoever sits elsewhere is to get neither credentials nor layers.
func (s *sending) send(ctx context.Context, method string, to *url.URL, body io.Reader, size int64, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := newWatch(pushPatience*s.client.patience, cancel)
	w.begin()
	defer w.end()
	var content io.Reader = http.NoBody // and not nil, which the transport would try again by itself
	if body != nil {
		l := &lent{r: &pushed{&told{s, body, s.offset}, w}}
		defer l.takeBack()
		content = l
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), content)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	if body != nil {
		req.ContentLength = size
	}
	resp, err := s.client.auth.Do(req)
	if err != nil {
		err = cause(ctx, err)
		cancel(nil)
		return nil, err
	}
	late := time.AfterFunc(s.client.patience, func() { cancel(errStalled) })
	resp.Body = &canceling{resp.Body, func() { late.Stop(); cancel(nil) }}
	return resp, nil
}

// lent is what a request may read until there is an answer: a transport may go on to read for a while, when somebody else does already.
type lent struct {
	mu   sync.Mutex
	r    io.Reader
	back bool
}

// Read implements io.Reader.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back {
		return 0, io.ErrClosedPipe
	}
	return l.r.Read(p)
}

func (l *lent) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back = true
}

// told tells how much was sent, before the registry says how much it has.
type told struct {
	s  *sending
	r  io.Reader
	at int64
}

// Read implements io.Reader.
func (t *told) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.at += int64(n)
	if n > 0 && t.s.upload.Sent != nil {
		t.s.upload.Sent(t.at)
	}
	return n, err
}

// canceling ends its request's context when the body is closed.
type canceling struct {
	io.ReadCloser
	cancel func()
}

// Close implements io.Closer.
func (c *canceling) Close() error {
	err := c.ReadCloser.Close()
	c.cancel()
	return err
}

// drain takes the rest of an answer that means nothing, so that the connection can be used again.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	_ = resp.Body.Close()
}

// accepted takes an answer that says where the upload goes on, and closes it.
func (s *sending) accepted(resp *http.Response, codes ...int) error {
	ok := false
	for _, c := range codes {
		ok = ok || resp.StatusCode == c
	}
	if !ok {
		defer resp.Body.Close()
		return responseError(resp)
	}
	drain(resp)
	where := resp.Header.Get("Location")
	if where == "" && s.location != nil {
		return nil // it stays where it is
	}
	to, err := resp.Request.URL.Parse(where)
	if err != nil || where == "" || len(where) > maxAnswer {
		return &refusedError{fmt.Errorf("the registry says that the upload goes on at %.100q, which is no address", where)}
	}
	if to.Scheme != s.base.Scheme || !strings.EqualFold(to.Host, s.base.Host) {
		return &refusedError{elsewhere(s.base, to)}
	}
	s.location = to
	return nil
}

// refusedError is something that a registry wants and won't get.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func elsewhere(base, to *url.URL) error {
	if to.Scheme != base.Scheme && strings.EqualFold(to.Hostname(), base.Hostname()) {
		return fmt.Errorf("the registry wants the upload to go on by %s at %.100s: it may be behind a proxy that does not tell it (X-Forwarded-Proto)", to.Scheme, to.Host)
	}
	return fmt.Errorf("the registry wants the upload to go on at another host, %.100s: nothing is sent there, because it is not the one that was named", to.Host)
}

// responseError makes an error of an answer's status and of what the registry says (distribution-spec, "Error Codes").
func responseError(resp *http.Response) error {
	e := &statusError{ErrorResponse: errcode.ErrorResponse{Method: resp.Request.Method, URL: resp.Request.URL, StatusCode: resp.StatusCode}, after: retryAfter(resp)}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	var said struct {
		Errors errcode.Errors `json:"errors"`
	}
	if json.Unmarshal(data, &said) == nil {
		e.Errors = said.Errors[:min(len(said.Errors), 5)]
	}
	return e
}

// statusError is an answer with a status that means trouble, and when it may be over.
type statusError struct {
	errcode.ErrorResponse
	after time.Duration
}

// Unwrap gives the answer.
func (e *statusError) Unwrap() error { return &e.ErrorResponse }

// retryAfter is how long a registry wants to be left alone; 0 if it doesn't say.
func retryAfter(resp *http.Response) time.Duration {
	v := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return min(time.Duration(n), 1e6) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

const maxPause = time.Minute // a registry that wants to rest for longer is given up

// retry waits after an error and finds out how far the registry got; or it gives err back, where trying again does not help.
func (s *sending) retry(ctx context.Context, err error) error {
	pause, again := s.again(err)
	if !again || ctx.Err() != nil {
		return err
	}
	s.tries, s.total = s.tries+1, s.total+1
	if s.tries > uploadTries || s.total > uploadTotal || pause > maxPause {
		return err
	}
	if pause > 0 {
		if s.upload.Wait != nil {
			s.upload.Wait(pause)
		}
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return err
		}
	}
	s.close() // its position is unknown: somebody may have read ahead
	return s.locate(ctx)
}

// again tells whether an error may be over after a pause.
func (s *sending) again(err error) (time.Duration, bool) {
	var here *sourceError
	var refused *refusedError
	if errors.As(err, &here) || errors.As(err, &refused) || errors.Is(err, context.Canceled) || errors.Is(err, errStalled) {
		return 0, false
	}
	pause := s.client.pause << s.tries
	var status *statusError
	if !errors.As(err, &status) {
		return pause, s.location != nil && networkTrouble(err)
	}
	switch c := status.StatusCode; {
	case c == http.StatusRequestEntityTooLarge && s.chunk == 0:
		s.chunk = smallChunk
		return 0, true
	case c == http.StatusNotFound || c == http.StatusRequestedRangeNotSatisfiable: // the registry forgot the upload, or counts otherwise
		return pause, s.location != nil
	case c == http.StatusUnauthorized: // a token ran out in the middle
		return 0, s.location != nil && s.tries == 0
	case c == http.StatusTooManyRequests || c == http.StatusRequestTimeout || c >= http.StatusInternalServerError:
		return max(pause, status.after), true
	}
	return 0, false
}

func networkTrouble(err error) bool {
	var status *errcode.ErrorResponse
	var request *url.Error
	return !errors.As(err, &status) && (errors.As(err, &request) || errors.Is(err, errShort) || errors.Is(err, io.ErrUnexpectedEOF)) &&
		!strings.Contains(err.Error(), "redirect") && !strings.Contains(err.Error(), "credential")
}

// locate asks the registry how much of the upload it has. If it knows nothing of it, all begins again.
func (s *sending) locate(ctx context.Context) error {
	if s.location == nil {
		return nil
	}
	resp, err := s.send(ctx, http.MethodGet, s.location, nil, 0, nil)
	if err != nil {
		s.location = nil
		return nil // the next try will show whether anybody is there
	}
	if err := s.accepted(resp, http.StatusNoContent, http.StatusAccepted, http.StatusOK); err != nil {
		var refused *refusedError
		s.location = nil
		if errors.As(err, &refused) {
			return err
		}
		return nil
	}
	have, ok := rangeEnd(resp.Header.Get("Range"))
	if !ok {
		s.location = nil
		return nil
	}
	if have > s.offset {
		s.tries = 0
	}
	s.offset, s.ended = have, false
	s.tell()
	return nil
}

// rangeEnd reads "0-99" as 100 bytes. docker-registry says "0-0" of nothing and of one byte; one byte is then sent again.
func rangeEnd(v string) (int64, bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(v, "bytes="), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || first != "0" || n < 0 {
		return 0, false
	}
	if n == 0 {
		return 0, true
	}
	return n + 1, true
}
