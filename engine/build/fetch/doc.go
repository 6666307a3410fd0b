// Package fetch brings to a local folder what a build takes from elsewhere: the context that docker build is pointed at (a folder, standard
// input, a git repository, a URL), and what ADD names by a URL.
//
// It knows no Dockerfile and no image. What comes in is hostile: nothing it writes leaves the folder that the caller gives, nothing is
// written through a link, sizes and counts are bounded, git runs without anything that a repository or a word on a command line could turn into
// a program, and credentials in a URL appear in no error.
//
// Sizes are bytes. Folders that the caller gives belong to the caller, who removes them.
package fetch
