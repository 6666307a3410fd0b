// Package oci holds the pure data of images: digests, references, manifests and configs, with the rules under which bytes
// from outside are believed to be one of them.
//
// It does no I/O, keeps no state and starts no goroutine. It knows sha256 alone; other algorithms are refused by name.
//
// Invariants: a digest that CheckDigest accepts is safe as a file name; a Ref is normalised; what the Parse functions
// return has well-formed digests and sizes that are not negative. Sizes are bytes.
package oci
