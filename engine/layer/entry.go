// Package layer reads and writes OCI layer archives (image-spec, layer.md): streams of tar entries with whiteouts.
//
// It is pure: it touches no file, asks no machine and knows no overlay. What comes out of a Reader is safe to act on in one
// respect only: every path and every hard link target is clean and stays inside the root by its text. Symbolic links may
// still point anywhere, so whoever makes files from entries must resolve paths inside the root (openat2, os.Root).
//
// Invariants: paths are relative and slash-separated, "." is the root itself; a Writer given the same entries writes the
// same bytes. Sizes are bytes.
package layer

import (
	"fmt"
	"time"
)

// Kind is what an entry of a layer does.
type Kind uint8

// The kinds of entries.
const (
	File     Kind = iota + 1
	Dir           // made, or given new metadata
	Symlink       // Link is its text
	HardLink      // Link is the path of the file it is another name of
	Char          // character device Major, Minor
	Block         // block device Major, Minor
	Fifo          // named pipe
	Whiteout      // Path in the layers below is deleted
	Opaque        // everything that the layers below have inside the folder Path is hidden
)

// String is the word that errors and traces use for the kind.
func (k Kind) String() string {
	names := [...]string{"unknown", "file", "dir", "symlink", "hardlink", "char", "block", "fifo", "whiteout", "opaque"}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// Entry is one entry of a layer archive.
type Entry struct {
	Path         string // clean and relative: "etc/passwd"; "." for the root
	Kind         Kind
	Link         string // symbolic link: its text; hard link: a clean relative path
	Mode         uint32 // permission bits with setuid, setgid and sticky: 0 to 07777
	UID, GID     int
	Uname, Gname string // not looked at by the engine, empty in what it writes itself
	Size         int64  // of a file's content, holes included
	ModTime      time.Time
	Major, Minor uint32
	Xattrs       map[string]string // without the prefix that tar puts before them
}

// EntryError reports an archive entry that a layer may not have. Name is as it stands in the archive.
type EntryError struct {
	Name   string
	Reason string
}

func (e *EntryError) Error() string { return fmt.Sprintf("layer entry %q: %s", e.Name, e.Reason) }

// Limits bound what a Reader accepts. A zero field means the bound given with it.
type Limits struct {
	Entries   int   // 5,000,000
	Devices   int   // device nodes and pipes: 65,536
	PathBytes int   // 4,096; a single name may have 255
	Bytes     int64 // of file content in all: 1 TiB
	Xattrs    int   // of one entry, keys and values in bytes: 1 MiB
}

func (l Limits) withDefaults() Limits {
	l.Entries = orInt(l.Entries, 5_000_000)
	l.Devices = orInt(l.Devices, 65_536)
	l.PathBytes = orInt(l.PathBytes, 4096)
	l.Xattrs = orInt(l.Xattrs, 1<<20)
	if l.Bytes == 0 {
		l.Bytes = 1 << 40
	}
	return l
}

func orInt(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}
