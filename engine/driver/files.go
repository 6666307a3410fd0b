package driver

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// FileOpener is an ability that a Runtime may have besides: to reach into a container's files from outside.
type FileOpener interface {
	// OpenFiles opens the files of spec's container. While its task runs, they are what its processes see; otherwise the writable layer
	// with the names and the mounts of spec, tmpfs left out, put together for the caller, who sees to it that meanwhile nobody starts the
	// container, removes it, or opens its files. Of spec ID, Dir, Key, Hostname, Mounts, ReadOnly and Ephemeral count.
	OpenFiles(ctx context.Context, spec Spec) (Files, error)
}

// Files are a container's files, seen from outside. All paths are resolved by the machine inside the container's root, whatever its
// processes do meanwhile, and nothing of the container is executed. File systems that the kernel makes up (/proc, /sys, /dev) are empty
// folders here, which can't be written to. One call at a time. The caller closes it; after an error of Archive or Extract that is not a
// refusal, that is all that can be done with it.
//
// Errors: ErrNotFound for a path that is not there; *FileError for what is refused.
type Files interface {
	// Stat describes the path. Its last part is not followed if it is a link, unless a slash or a dot comes after it.
	Stat(ctx context.Context, path string) (FileStat, error)
	// Archive writes what is at the path, and everything in it, as an archive in which it has the name as.
	Archive(ctx context.Context, path, as string, w io.Writer) (FileCounts, error)
	// Extract carries out the uncompressed archive tar on the folder dir, whose links are followed.
	Extract(ctx context.Context, dir string, tar io.Reader, o ExtractOptions) (FileCounts, error)
	Close() error
}

// FileStat describes one file of a container.
type FileStat struct {
	Name    string // the last part of its path
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
	Link    string // of a symbolic link: the absolute path that it leads to in the end, or would if it were there
	Real    string // the absolute path of the file itself, without links
}

// FileCounts say how much was archived or extracted.
type FileCounts struct {
	Files int   // files, folders, links
	Bytes int64 // of file content
}

// ExtractOptions say who owns what Extract makes.
type ExtractOptions struct{ Owner *Owner } // nil: whom the archive names

// Owner is a user and a group.
type Owner struct{ UID, GID int }

// FileError says why a file of a container is not reached or made. Msg is docker's sentence where docker has one.
type FileError struct{ Msg string }

func (e *FileError) Error() string { return e.Msg }
