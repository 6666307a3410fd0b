package sim

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// What a client may ask of a container's files.
const (
	filesStat    = "stat"
	filesArchive = "archive" // the archive comes as output
	filesExtract = "extract" // the archive is the input
)

// filesRequest is one thing to do. Names are bytes: they need not be UTF-8.
type filesRequest struct {
	Do    string        `json:"do"`
	Path  []byte        `json:"path"`
	As    []byte        `json:"as,omitempty"`
	Owner *driver.Owner `json:"owner,omitempty"`
}

// filesReply is what came of it.
type filesReply struct {
	Refused string            `json:"refused,omitempty"`
	Stat    *filesInfo        `json:"stat,omitempty"`
	Counts  driver.FileCounts `json:"counts"`
}

// filesInfo is driver.FileStat with names as bytes.
type filesInfo struct {
	Name, Link, Real []byte
	Size             int64
	Mode             fs.FileMode
	ModTime          time.Time
}

// serveFiles reaches into the container's files for one client.
func (h *host) serveFiles(w *wire, req *request) {
	r := reply{Kind: replyOK, Files: &filesReply{}}
	err := h.reachFiles(w, req, r.Files)
	if serr := h.settle(); err == nil {
		err = serr
	}
	var refused *driver.FileError
	switch {
	case errors.As(err, &refused):
		r.Files.Refused = refused.Msg
	case err != nil:
		r = errorReply(err)
	}
	_ = h.reply(w, r)
}

func (h *host) reachFiles(w *wire, req *request, r *filesReply) (err error) {
	f := req.Files
	if f == nil {
		return errors.New("serve client: a request for files without one")
	}
	ctx := context.Background()
	v := newFileView(h.ns, nobody{h.machine.clock.Now})
	switch f.Do {
	case filesStat:
		var st driver.FileStat
		if st, err = v.Stat(ctx, string(f.Path)); err == nil {
			r.Stat = &filesInfo{Name: []byte(st.Name), Link: []byte(st.Link), Real: []byte(st.Real), Size: st.Size, Mode: st.Mode, ModTime: st.ModTime}
		}
	case filesArchive:
		r.Counts, err = v.Archive(ctx, string(f.Path), string(f.As), frameWriter{w})
	case filesExtract:
		in := &frameReader{w: w}
		r.Counts, err = v.Extract(ctx, string(f.Path), in, driver.ExtractOptions{Owner: f.Owner})
		if err == nil {
			_, err = io.Copy(io.Discard, in) // what comes after the archive's end
		}
	}
	return err
}

// frameWriter sends what is written as output.
type frameWriter struct{ w *wire }

func (f frameWriter) Write(p []byte) (int, error) {
	for at := 0; at < len(p); at += streamChunk {
		if err := f.w.send(frameStdout, p[at:min(at+streamChunk, len(p))]); err != nil {
			return at, err
		}
	}
	return len(p), nil
}

// frameReader reads the client's input. A client that goes away before its end leaves it cut.
type frameReader struct {
	w    *wire
	rest []byte
	done bool
}

func (f *frameReader) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.done {
			return 0, io.EOF
		}
		next, err := f.w.receive()
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		f.done = next.kind == frameEnd
		f.rest = next.data
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// source is an input that remembers why it ended before its end.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
