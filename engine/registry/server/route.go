package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/server/depot"
	"github.com/opencontainers/go-digest"
)

// place is what a path means.
type place int

const (
	placeBase      place = iota // /v2/
	placeCatalog                // /v2/_catalog
	placeTags                   // /v2/NAME/tags/list
	placeManifest               // /v2/NAME/manifests/REFERENCE
	placeBlob                   // /v2/NAME/blobs/DIGEST
	placeUploads                // /v2/NAME/blobs/uploads/
	placeUpload                 // /v2/NAME/blobs/uploads/ID
	placeReferrers              // /v2/NAME/referrers/DIGEST
)

// route is a path of the API, taken apart and checked.
type route struct {
	place place
	repo  string
	ref   string // tag, digest or upload
}

// digest is ref, where it is one.
func (r route) digest() digest.Digest { return digest.Digest(r.ref) }

// parseRoute takes a decoded path apart. Its errors are *refusals.
func parseRoute(path string) (route, error) {
	rest, ok := strings.CutPrefix(path, "/v2")
	if !ok || rest != "" && rest[0] != '/' {
		return route{}, refusef(http.StatusNotFound, codeUnsupported, "%.100q is no path of a registry: they begin with /v2/", path)
	}
	rest = strings.TrimPrefix(rest, "/")
	switch rest {
	case "":
		return route{place: placeBase}, nil
	case "_catalog":
		return route{place: placeCatalog}, nil
	}
	r, ok := split(rest)
	if !ok {
		return route{}, refusef(http.StatusNotFound, codeUnsupported, "%.100q is no path of a registry", path)
	}
	if !oci.IsRepository(r.repo) {
		return route{}, refusef(http.StatusBadRequest, codeNameInvalid,
			"%.100q is no name of a repository: expected parts of lower-case letters and digits, joined by slashes, 255 characters at most", r.repo)
	}
	return r, r.checkRef()
}

// split finds out what a path names by its last parts: a repository's name may hold any word.
func split(path string) (route, bool) {
	head, last := cutLast(path)
	name, word := cutLast(head)
	switch {
	case word == "tags" && last == "list":
		return route{placeTags, name, ""}, name != ""
	case word == "blobs" && last == "uploads":
		return route{placeUploads, name, ""}, name != ""
	case word == "manifests":
		return route{placeManifest, name, last}, name != ""
	case word == "blobs":
		return route{placeBlob, name, last}, name != ""
	case word == "referrers":
		return route{placeReferrers, name, last}, name != ""
	case word == "uploads":
		repo, blobs := cutLast(name)
		r := route{placeUpload, repo, last}
		if last == "" {
			r.place = placeUploads
		}
		return r, blobs == "blobs" && repo != ""
	}
	return route{}, false
}

// cutLast cuts a path before its last part.
func cutLast(path string) (head, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

func (r route) checkRef() error {
	switch r.place {
	case placeManifest:
		if oci.IsTag(r.ref) {
			return nil
		}
		if !strings.Contains(r.ref, ":") {
			return refusef(http.StatusBadRequest, codeManifestInvalid, "%.150q is no tag: expected up to 128 letters, digits and _.-", r.ref)
		}
	case placeBlob, placeReferrers:
	case placeUpload:
		if !isUploadID(r.ref) {
			return refusef(http.StatusNotFound, codeUploadUnknown, "there is no upload %.100q", r.ref)
		}
		return nil
	default:
		return nil
	}
	if err := depot.CheckDigest(r.digest()); err != nil {
		return refuse(http.StatusBadRequest, codeDigestInvalid, err)
	}
	return nil
}

// isTag tells a manifest's tag from its digest.
func (r route) isTag() bool { return !strings.Contains(r.ref, ":") }

// allowed lists the methods that a place knows.
func (p place) allowed() string {
	switch p {
	case placeBase, placeCatalog, placeTags, placeReferrers:
		return "GET, HEAD"
	case placeManifest:
		return "GET, HEAD, PUT, DELETE"
	case placeBlob:
		return "GET, HEAD, DELETE"
	case placeUploads:
		return "POST"
	case placeUpload:
		return "GET, HEAD, PATCH, PUT, DELETE"
	}
	return ""
}

// errMethod refuses a method that a place doesn't know.
func errMethod(p place, method string) error {
	return &refusal{status: http.StatusMethodNotAllowed, code: codeUnsupported, err: fmt.Errorf("%.20s can't be done here", method), allow: p.allowed()}
}
