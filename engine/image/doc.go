// Package image keeps images: names that lead to manifests, and manifests that lead to configs and layers, in an OCI image
// layout. It resolves, lists, makes, tags and removes them, carries them in and out of archives, and collects what nothing
// refers to any more.
//
// It isn't a blob store (package blob), doesn't unpack archives itself (the driver does), and knows containers and the build
// cache only as roots that others give it.
//
// Invariants: index.json changes under the lock "index" and is whole at any moment; a blob is durable before the record
// that names it. Whoever adds blobs or chains holds the lock "gc" shared until their references stand; a collection holds
// it exclusively. What a crash leaves is garbage, never a broken reference. Sizes are bytes.
package image
