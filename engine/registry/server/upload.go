package server

import (
	"errors"
	"io"
	"net/http"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/server/depot"
	"github.com/opencontainers/go-digest"
)

// beginUpload answers POST: a new upload, one that comes whole with the request, or a blob of another repository.
func (x *exchange) beginUpload() error {
	if x.r.Method != http.MethodPost {
		return errMethod(x.place, x.r.Method)
	}
	query := x.r.URL.Query()
	if g := query.Get("mount"); g != "" {
		if done, err := x.mount(digest.Digest(g), query.Get("from")); done || err != nil {
			return err
		}
	}
	g := digest.Digest(query.Get("digest"))
	if g != "" {
		if err := depot.CheckDigest(g); err != nil {
			return refuse(http.StatusBadRequest, codeDigestInvalid, err)
		}
	}
	up, err := x.uploads.begin(x.depot, x.repo)
	if err != nil {
		return err
	}
	if g != "" {
		return x.finish(up, g)
	}
	x.uploads.put(up, false)
	x.uploadHeader(up)
	x.w.WriteHeader(http.StatusAccepted)
	return nil
}

// mount gives the repository a blob that another one has. If that can't be, an ordinary upload begins.
func (x *exchange) mount(g digest.Digest, from string) (done bool, err error) {
	if err := depot.CheckDigest(g); err != nil {
		return false, refuse(http.StatusBadRequest, codeDigestInvalid, err)
	}
	if from != "" && !oci.IsRepository(from) {
		return false, refusef(http.StatusBadRequest, codeNameInvalid, "from=%.100q is no name of a repository", from)
	}
	size, err := x.depot.Mount(x.ctx, x.repo, from, g)
	if errors.Is(err, depot.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	x.ref = string(g)
	x.tellBlob("mounts", size)
	x.created(g)
	return true, nil
}

// created answers that the repository has the blob now.
func (x *exchange) created(g digest.Digest) {
	h := x.w.Header()
	h.Set("Location", "/v2/"+x.repo+"/blobs/"+string(g))
	h.Set("Docker-Content-Digest", string(g))
	x.w.WriteHeader(http.StatusCreated)
}

func (x *exchange) uploadHeader(up *upload) {
	h := x.w.Header()
	h.Set("Location", "/v2/"+x.repo+"/blobs/uploads/"+up.id)
	h.Set("Docker-Upload-Uuid", up.id)
	h.Set("Range", received(up.data.Size()))
	h.Set("Content-Length", "0")
}

// upload answers for one that is under way.
func (x *exchange) upload() error {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPut, http.MethodDelete:
	default:
		return errMethod(x.place, x.r.Method)
	}
	up, err := x.uploads.take(x.repo, x.ref)
	if err != nil {
		return err
	}
	switch x.r.Method {
	case http.MethodPatch:
		return x.chunk(up)
	case http.MethodPut:
		g := digest.Digest(x.r.URL.Query().Get("digest"))
		if err := depot.CheckDigest(g); err != nil {
			x.uploads.put(up, false)
			return refuse(http.StatusBadRequest, codeDigestInvalid, err)
		}
		return x.finish(up, g)
	case http.MethodDelete:
		defer x.uploads.put(up, true)
		if err := up.data.Cancel(); err != nil {
			return err
		}
	default:
		x.uploadHeader(up)
		x.uploads.put(up, false)
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// chunk takes the next bytes of an upload.
func (x *exchange) chunk(up *upload) error {
	err := x.takeBody(up)
	over := broken(err)
	if over {
		err = errors.Join(err, up.data.Cancel())
	}
	x.uploadHeader(up)
	x.uploads.put(up, over)
	if err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusAccepted)
	return nil
}

// broken reports an error after which an upload can't go on.
func broken(err error) bool {
	var disk *depot.DiskError
	return errors.As(err, &disk)
}

// takeBody appends the request's body, which must be what its Content-Range says.
func (x *exchange) takeBody(up *upload) error {
	before, length := up.data.Size(), x.r.ContentLength
	if c := x.r.Header.Get("Content-Range"); c != "" {
		first, n, ok := parseChunk(c)
		if !ok || length >= 0 && n != length {
			return refusef(http.StatusRequestedRangeNotSatisfiable, codeUploadInvalid, "Content-Range %.60q: expected FIRST-LAST, for a body of %d bytes", c, length)
		}
		if first != before {
			return refusef(http.StatusRequestedRangeNotSatisfiable, codeUploadInvalid, "Content-Range %.60q: the next byte is %d", c, before)
		}
		length = n
	}
	body := io.Reader(x.r.Body)
	if length >= 0 {
		body = io.LimitReader(body, length+1)
	}
	if err := up.data.Append(body); err != nil {
		if broken(err) {
			return err
		}
		return bodyError(err)
	}
	if got := up.data.Size() - before; length >= 0 && got != length {
		return errors.Join(refusef(http.StatusBadRequest, codeSizeInvalid, "the body does not have the %d bytes that were announced", length), up.data.Truncate(before))
	}
	return nil
}

// finish takes the last bytes of an upload, if there are some, and makes it a blob.
func (x *exchange) finish(up *upload, g digest.Digest) error {
	up.data.Expect(g)
	if err := x.takeBody(up); err != nil {
		return x.giveUp(up, err)
	}
	size, err := up.data.Commit(x.ctx, x.repo, g)
	x.uploads.put(up, true)
	if err != nil {
		return err
	}
	x.ref = string(g)
	x.tellBlob("takes", size)
	x.created(g)
	return nil
}

// giveUp ends an upload whose last bytes did not come as they should, unless the client can try again.
func (x *exchange) giveUp(up *upload, err error) error {
	var r *refusal
	again := errors.As(err, &r) && r.status == http.StatusRequestedRangeNotSatisfiable && x.place == placeUpload
	if again {
		x.uploadHeader(up)
	} else {
		err = errors.Join(err, up.data.Cancel())
	}
	x.uploads.put(up, !again)
	return err
}
