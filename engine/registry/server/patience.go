package server

import (
	"io"
	"net/http"
	"time"
)

// slowest is how many bytes a second a client must take, on average, of what it asked for.
const slowest = 16 << 10

// expectBody gives the client time for each piece of its body. Where the connection has no deadlines (inside of this process), there are none.
func (x *exchange) expectBody() {
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return
	}
	p := &patientBody{ReadCloser: x.r.Body, control: http.NewResponseController(x.w), patience: x.options.Patience}
	x.r.Body = p
}

// patientBody reads a body that must not stall.
type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
	next     time.Time // when the deadline is put off again
}

// Read implements io.Reader.
func (p *patientBody) Read(b []byte) (int, error) {
	if now := time.Now(); now.After(p.next) {
		_ = p.control.SetReadDeadline(now.Add(p.patience))
		p.next = now.Add(p.patience / 8)
	}
	return p.ReadCloser.Read(b)
}

// expectTaker gives the client time to take size bytes.
func (x *exchange) expectTaker(size int64) {
	allowed := x.options.Patience + time.Duration(size/slowest)*time.Second
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(allowed))
}
