package server

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Logged is h with a line for each request, when it has been answered: time, client, method, path, status, bytes, and how long it took.
func Logged(h http.Handler, to io.Writer, now func() time.Time) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		begun := now()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(to, "%s %s %s %q %d %d %s\n", begun.UTC().Format(time.RFC3339), r.RemoteAddr, r.Method, r.URL.RequestURI(), c.status, c.bytes, now().Sub(begun).Round(time.Microsecond))
		}()
		h.ServeHTTP(c, r)
	})
}

// counted counts an answer. It hides nothing that lets the kernel copy files.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}
