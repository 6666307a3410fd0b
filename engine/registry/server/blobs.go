package server

import (
	"net/http"
	"strconv"
	"time"
)

// blob answers for one blob.
func (x *exchange) blob() error {
	switch x.r.Method {
	case http.MethodGet:
		return x.getBlob()
	case http.MethodHead:
		return x.headBlob()
	case http.MethodDelete:
		return x.deleteBlob()
	}
	return errMethod(x.place, x.r.Method)
}

// headBlob says whether the repository has a blob: what a push asks before it brings one.
func (x *exchange) headBlob() error {
	size, err := x.depot.Stat(x.repo, x.digest())
	if err != nil {
		x.tellBlob("lacks", 0)
		return err
	}
	x.blobHeader()
	x.w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	x.w.Header().Set("Accept-Ranges", "bytes")
	x.tellBlob("has", size)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// getBlob lets the kernel copy a blob, or ranges of it, from its file to the connection.
func (x *exchange) getBlob() error {
	f, size, err := x.depot.Open(x.repo, x.digest())
	if err != nil {
		return err
	}
	defer f.Close()
	x.blobHeader()
	x.expectTaker(size)
	x.tellBlob("gives", size)
	http.ServeContent(x.w, x.r, "", time.Time{}, f)
	return nil
}

func (x *exchange) blobHeader() {
	h := x.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", x.ref)
	h.Set("Etag", `"`+x.ref+`"`)
	h.Set("Cache-Control", "max-age=31536000")
}

func (x *exchange) deleteBlob() error {
	if err := x.mayDelete(); err != nil {
		return err
	}
	size, err := x.depot.Stat(x.repo, x.digest())
	if err != nil {
		return err
	}
	if err := x.depot.Unlink(x.repo, x.digest()); err != nil {
		return err
	}
	x.tellBlob("deletes", size)
	x.w.WriteHeader(http.StatusAccepted)
	return nil
}
