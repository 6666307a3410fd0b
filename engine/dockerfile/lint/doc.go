// Package lint checks a Dockerfile: by the rules of docker build --check, with its names, addresses and words, and by rules of our own
// about layers and the cache, whose names begin with Learn.
//
// It is pure: it opens no file and asks no registry. What it can't know (a base image's config, an ignore file) is handed in, and rules
// that need it keep silent without.
package lint
