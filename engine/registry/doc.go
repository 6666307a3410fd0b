// Package registry is a client of the OCI distribution API (distribution-spec, spec.md): names to descriptors, manifests and blobs
// in both directions.
//
// It knows no store and no image: what comes in is handed on as bytes that are verified while they are read, and it is the caller who
// says what they mean. It trusts a registry with nothing: sizes are bounded before they are read, a digest decides and not a header, a
// redirect to another host gets no credentials, and URLs in descriptors are never followed.
//
// Hosts on the loopback interface are spoken to in plain HTTP, all others by TLS. Errors are *Error and name host, repository and tag
// or digest. Sizes are bytes.
package registry
