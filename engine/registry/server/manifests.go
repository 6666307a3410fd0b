package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// maxTags is how many tags a manifest may be given at once.
const maxTags = 10

// manifest answers for one manifest, by tag or by digest.
func (x *exchange) manifest() error {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		return x.getManifest()
	case http.MethodPut:
		return x.putManifest()
	case http.MethodDelete:
		return x.deleteManifest()
	}
	return errMethod(x.place, x.r.Method)
}

func (x *exchange) getManifest() error {
	m, err := x.depot.Find(x.repo, x.ref)
	if err != nil {
		x.tellManifest("lacks", x.ref, "", "")
		return err
	}
	h := x.w.Header()
	h.Set("Docker-Content-Digest", string(m.Digest))
	h.Set("Etag", `"`+string(m.Digest)+`"`)
	if x.r.Header.Get("If-None-Match") == h.Get("Etag") {
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if x.r.Method == http.MethodHead {
		h.Set("Content-Type", m.MediaType)
		h.Set("Content-Length", strconv.FormatInt(m.Size, 10))
		x.tellManifest("has", x.ref, m.Digest, m.MediaType)
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	data, err := x.depot.Read(m)
	if err != nil {
		return refuse(http.StatusInternalServerError, codeUnknown, err)
	}
	x.tellManifest("gives", x.ref, m.Digest, m.MediaType)
	return x.json(m.MediaType, data)
}

// json sends a body that is in memory.
func (x *exchange) json(mediaType string, data []byte) error {
	x.expectTaker(int64(len(data)))
	h := x.w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(data) // a client that went away is told nothing
	}
	return nil
}

func (x *exchange) putManifest() error {
	mediaType, err := contentType(x.r)
	if err != nil {
		return err
	}
	data, err := x.manifestBody()
	if err != nil {
		return err
	}
	g, tags, err := x.target(data)
	if err != nil {
		return err
	}
	needs, err := x.depot.Put(x.ctx, x.repo, g, mediaType, data, tags...)
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Location", "/v2/"+x.repo+"/manifests/"+x.ref)
	h.Set("Docker-Content-Digest", string(g))
	if needs.Subject != "" {
		h.Set("OCI-Subject", string(needs.Subject))
	}
	if !x.isTag() {
		for _, t := range tags {
			h.Add("OCI-Tag", t)
		}
	}
	for _, ref := range tags {
		x.tellManifest("takes", ref, g, mediaType)
	}
	if len(tags) == 0 {
		x.tellManifest("takes", x.ref, g, mediaType)
	}
	x.w.WriteHeader(http.StatusCreated)
	return nil
}

func contentType(r *http.Request) (string, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", refusef(http.StatusBadRequest, codeManifestInvalid, "Content-Type %.100q: expected the media type of a manifest", r.Header.Get("Content-Type"))
	}
	return mediaType, nil
}

// manifestBody reads what must be small.
func (x *exchange) manifestBody() ([]byte, error) {
	tooLarge := refusef(http.StatusRequestEntityTooLarge, codeManifestInvalid, "the manifest has more than %d bytes", oci.MaxJSON)
	if x.r.ContentLength > oci.MaxJSON {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(x.r.Body, oci.MaxJSON+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if len(data) > oci.MaxJSON {
		return nil, tooLarge
	}
	return data, nil
}

// bodyError is what is said to a client, if it still listens, whose body broke off.
func bodyError(err error) error {
	if r := asRefusal(err, placeBase); r.status != http.StatusInternalServerError {
		return r
	}
	return refuse(http.StatusBadRequest, codeSizeInvalid, errors.Join(errors.New("the body broke off"), err))
}

// target is the digest that a manifest gets, and the tags: by the path, and the parameter tag beside a digest.
func (x *exchange) target(data []byte) (digest.Digest, []string, error) {
	if x.isTag() {
		return oci.Sum(data), []string{x.ref}, nil
	}
	tags := x.r.URL.Query()["tag"]
	if len(tags) > maxTags {
		return "", nil, refusef(http.StatusRequestURITooLong, codeManifestInvalid, "%d tags, at most %d are taken at once", len(tags), maxTags)
	}
	for _, t := range tags {
		if !oci.IsTag(t) {
			return "", nil, refusef(http.StatusBadRequest, codeManifestInvalid, "%.150q is no tag", t)
		}
	}
	return x.digest(), tags, nil
}

func (x *exchange) deleteManifest() error {
	if err := x.mayDelete(); err != nil {
		return err
	}
	m, err := x.depot.Find(x.repo, x.ref)
	if err != nil {
		return err
	}
	if x.isTag() {
		err = x.depot.Untag(x.ctx, x.repo, x.ref)
	} else {
		err = x.depot.Delete(x.ctx, x.repo, x.digest())
	}
	if err != nil {
		return err
	}
	x.tellManifest("deletes", x.ref, m.Digest, m.MediaType)
	x.w.WriteHeader(http.StatusAccepted)
	return nil
}
