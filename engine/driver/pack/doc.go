// Package pack moves parts of file trees through tar archives: what docker cp does on each of its two sides. A Writer makes the archive,
// Extract carries one out on a Target, and Host is the side of the machine that the command runs on.
//
// It knows the rules (what replaces what, what is refused) and no tree: whoever implements Target keeps every name inside its own root.
// Names in headers are clean, relative and slash-separated when a Target sees them; an archive is hostile until then.
//
// It is no layer archive (package layer): names that begin with .wh. mean nothing here, a folder and a file never replace one another,
// and times are whole seconds, as docker writes them. It imports little, because a stage of a few milliseconds uses it.
package pack
