// Package server is a registry: the whole OCI distribution API (distribution-spec 1.1: pull, push, content discovery, content management)
// over a depot, as one http.Handler.
//
// It opens no port: the command does that, and a lesson reaches it by a Transport, without any network. It knows one kind of user: who
// has a password may do everything that the options allow.
//
// Everything that comes in is hostile: names and digests pass a grammar before they mean a file, bodies of manifests, uploads and pages are
// bounded, and whoever is too slow is let go. A blob is hashed while it comes and served by the kernel from its file.
package server
