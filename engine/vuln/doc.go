// Package vuln compares the packages of an image with a folder of OSV records (ossf.github.io/osv-schema): which flaws are known in the
// versions that are there. It reads the folder, and an index of it that it makes in another one; it asks no network.
//
// A record is somebody's word, and hostile as any file: sizes, counts and depths are bounded, what can't be read is left out and told. That
// a version is concerned says nothing about whether the flaw can be reached.
package vuln
