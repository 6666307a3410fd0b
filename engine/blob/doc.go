// Package blob is the content-addressed store: bytes under their sha256 digest, in the folder of an OCI image layout
// (oci-layout, index.json, blobs/sha256/...) that other tools can read as it is.
//
// It knows nothing of images: who refers to a blob, and when one may go, is decided by package image. It never changes
// index.json after having made an empty one.
//
// Invariants: a file under blobs/sha256 is complete and durable from the moment it has its name, and is never changed
// afterwards. A digest is checked before it touches a path, when bytes are written and when they are read. Any number of
// processes write and read one store at once. Sizes are bytes.
package blob
