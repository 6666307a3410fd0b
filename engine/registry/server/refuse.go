package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"github.com/learn-containers/learn/engine/registry/server/depot"
)

// Codes of the distribution-spec, "Error Codes", and those of docker's registry that clients know.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeUploadInvalid       = "BLOB_UPLOAD_INVALID"
	codeUploadUnknown       = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeUnauthorized        = "UNAUTHORIZED"
	codeUnsupported         = "UNSUPPORTED"
	codeTooManyRequests     = "TOOMANYREQUESTS"
	codePageInvalid         = "PAGINATION_NUMBER_INVALID"
	codeUnknown             = "UNKNOWN"
)

// refusal is an answer that is an error.
type refusal struct {
	status int
	code   string
	err    error  // what the client is told
	allow  string // methods, with status 405
}

func (r *refusal) Error() string { return r.err.Error() }

// Unwrap gives the cause.
func (r *refusal) Unwrap() error { return r.err }

func refuse(status int, code string, err error) error {
	return &refusal{status: status, code: code, err: err}
}

func refusef(status int, code, format string, args ...any) error {
	return refuse(status, code, fmt.Errorf(format, args...))
}

// asRefusal finds the answer for an error of the depot.
func asRefusal(err error, p place) *refusal {
	var r *refusal
	var digestErr *depot.DigestError
	var missing *depot.MissingError
	var invalid *depot.InvalidError
	var disk *depot.DiskError
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &disk):
		return diskRefusal(disk)
	case errors.Is(err, depot.ErrNotFound):
		return &refusal{status: http.StatusNotFound, code: unknownCode(p), err: err}
	case errors.As(err, &missing):
		code := codeManifestBlobUnknown
		if missing.Size >= 0 {
			code = codeSizeInvalid
		}
		return &refusal{status: http.StatusBadRequest, code: code, err: err}
	case errors.As(err, &invalid):
		return &refusal{status: http.StatusBadRequest, code: codeManifestInvalid, err: err}
	case errors.As(err, &digestErr) && p != placeBlob:
		return &refusal{status: http.StatusBadRequest, code: codeDigestInvalid, err: err}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusRequestTimeout, code: codeUnknown, err: errors.New("no bytes came for too long")}
	}
	return &refusal{status: http.StatusInternalServerError, code: codeUnknown, err: err}
}

func unknownCode(p place) string {
	switch p {
	case placeManifest:
		return codeManifestUnknown
	case placeBlob:
		return codeBlobUnknown
	case placeUploads, placeUpload:
		return codeUploadUnknown
	}
	return codeNameUnknown
}

func diskRefusal(e *depot.DiskError) *refusal {
	if errors.Is(e, syscall.ENOSPC) || errors.Is(e, syscall.EDQUOT) {
		return &refusal{status: http.StatusInsufficientStorage, code: codeUnknown, err: errors.New("the registry's disk is full: nothing of this was kept")}
	}
	return &refusal{status: http.StatusInternalServerError, code: codeUnknown, err: e}
}

// write sends the error in the form of the distribution-spec.
func (r *refusal) write(w http.ResponseWriter) {
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(map[string][]item{"errors": {{r.code, r.err.Error()}}})
	if err != nil {
		body = nil
	}
	h := w.Header()
	for _, name := range []string{"Docker-Content-Digest", "Content-Range", "Etag", "Cache-Control"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.allow != "" {
		h.Set("Allow", r.allow)
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(body)
}
