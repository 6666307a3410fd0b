// Package depot is what a registry keeps: blobs, manifests and tags of many repositories, in one folder that is an OCI image layout at
// the same time, so that other tools can read it as it is.
//
//	oci-layout, index.json          a manifest each entry, named REPOSITORY:TAG where it has a tag
//	blobs/ALGORITHM/HEX             content, once, however many repositories have it
//	repositories/NAME/_blobs/...    an empty file for each blob that NAME has: who has pushed or mounted it may pull it there
//	uploads/                        what is on its way
//	locks/                          of the one server that writes, and of changes against the collection of garbage
//
// It speaks no HTTP. Invariants: a file under blobs is whole and durable from the moment it has its name. A manifest gets into index.json
// after its blobs and their marks are durable, so that after a power cut nothing is listed that is not there. What no manifest needs is
// garbage, which Collect removes. Names and digests are checked before they touch a path. Sizes are bytes.
package depot
