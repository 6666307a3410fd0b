package fetch

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/layer"
)

// Spec says what docker build is pointed at.
type Spec struct {
	Word       string    // PATH, URL or -
	Dockerfile string    // what -f says: empty, a path, or - for standard input
	Stdin      io.Reader // nil: there is none
	KeepGitDir bool      // BUILDKIT_CONTEXT_KEEP_GIT_DIR: .git of a repository belongs to the context
	Download   Downloader
	Limits     Limits // of an archive
}

// Prepared is a context that can be read.
type Prepared struct {
	Dir        string // the folder: Spec.Word itself, or one below the scratch folder, empty if there is a Dockerfile only
	Dockerfile []byte // its text, if it came by standard input or is the file at the URL; nil: it is read from Dir, or wherever -f says
	Remote     string // for events and messages, without credentials: - or the address; empty for a folder
	Commit     string // of a repository
	Unpacked   Unpacked
}

// MaxDockerfile bounds a Dockerfile that comes by standard input or from a URL, in bytes.
const MaxDockerfile = 8 << 20

// Prepare brings the context to this machine. scratch is an empty folder that the caller removes after the build. A relative -f of an archive, a
// repository or a URL is a path in the context; the caller looks there.
func Prepare(ctx context.Context, scratch string, spec Spec) (Prepared, error) {
	kind, err := ClassifyContext(spec.Word)
	if err != nil {
		return Prepared{}, contextError(err)
	}
	if spec.Dockerfile == "-" && kind == Stdin {
		return Prepared{}, errors.New("invalid argument: can't use stdin for both build context and dockerfile")
	}
	p := &preparer{Spec: spec, scratch: scratch}
	switch kind {
	case Stdin:
		err = p.fromStdin(ctx)
	case Repo:
		err = p.fromGit(ctx)
	case URL:
		err = p.fromURL(ctx)
	default:
		err = p.fromFolder()
	}
	if err == nil && spec.Dockerfile == "-" {
		err = p.readDockerfile(spec.stdin())
	}
	if err != nil {
		return Prepared{}, contextError(err)
	}
	return p.out, nil
}

func contextError(err error) error { return fmt.Errorf("unable to prepare context: %w", err) }

func (s Spec) stdin() io.Reader {
	if s.Stdin == nil {
		return bytes.NewReader(nil)
	}
	return s.Stdin
}

type preparer struct {
	Spec
	scratch string
	out     Prepared
}

func (p *preparer) fromFolder() error {
	fi, err := os.Stat(p.Word)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("path %q not found: give the folder that holds the files to copy, the address of a git repository or an archive, or - for standard input", Redact(p.Word))
	case err != nil:
		return err
	case !fi.IsDir():
		return fmt.Errorf("path %q is not a folder", p.Word)
	}
	p.out.Dir = p.Word
	return nil
}

// folder makes the folder that becomes the context.
func (p *preparer) folder(name string) error {
	p.out.Dir = filepath.Join(p.scratch, name)
	return os.Mkdir(p.out.Dir, 0o755)
}

// fromStdin takes an archive for the context, and everything else for a Dockerfile.
func (p *preparer) fromStdin(ctx context.Context) error {
	p.out.Remote = "-"
	in := bufio.NewReaderSize(p.stdin(), 4096)
	if err := p.folder("context"); err != nil {
		return err
	}
	head, err := in.Peek(archiveHead)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read standard input: %w", err)
	}
	if IsArchive(head) {
		return p.unpack(ctx, in)
	}
	if p.Spec.Dockerfile != "" {
		return errors.New("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles: leave out -f, or send an archive that has the Dockerfile in it")
	}
	return p.readDockerfile(in)
}

func (p *preparer) unpack(ctx context.Context, r io.Reader) (err error) {
	p.out.Unpacked, err = Unpack(ctx, p.out.Dir, r, p.Limits)
	return err
}

func (p *preparer) readDockerfile(r io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(r, MaxDockerfile+1))
	if err != nil {
		return fmt.Errorf("read Dockerfile: %w", err)
	}
	if len(text) > MaxDockerfile {
		return fmt.Errorf("the Dockerfile has more than %d bytes, and is no archive that is known (tar, plain or with gzip, bzip2, xz or zstd)", MaxDockerfile)
	}
	if text == nil {
		text = []byte{}
	}
	p.out.Dockerfile = text
	return nil
}

func (p *preparer) fromGit(ctx context.Context) error {
	g, _, err := ParseGit(p.Word)
	if err != nil {
		return err
	}
	dir := filepath.Join(p.scratch, "git")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	keep := p.KeepGitDir
	if g.KeepGitDir != nil {
		keep = keep || *g.KeepGitDir
	}
	c, err := Clone(ctx, dir, g, keep)
	p.out.Dir, p.out.Remote, p.out.Commit = c.Dir, g.String(), c.Commit
	return err
}

// fromURL takes an archive for the context, and every other file for a Dockerfile.
func (p *preparer) fromURL(ctx context.Context) error {
	p.out.Remote = Redact(p.Word)
	dir := filepath.Join(p.scratch, "url")
	if err := errors.Join(os.Mkdir(dir, 0o700), p.folder("context")); err != nil {
		return err
	}
	got, err := p.Download.Fetch(ctx, dir, p.Word, "")
	if err != nil {
		return err
	}
	f, err := os.Open(got.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 4096)
	head, err := in.Peek(archiveHead)
	if err != nil && err != io.EOF {
		return err
	}
	if IsArchive(head) {
		return p.unpack(ctx, in)
	}
	if p.Spec.Dockerfile == "-" {
		return errors.New("ambiguous Dockerfile source: both stdin and the file at the URL are Dockerfiles: give one of them")
	}
	return p.readDockerfile(in)
}

const archiveHead = 1024

// IsArchive tells by the first 1,024 bytes of a file whether it is a tar archive, plain or compressed.
func IsArchive(head []byte) bool {
	if layer.Sniff(head) != layer.None {
		return true
	}
	if len(head) < 512 {
		return false
	}
	// The end of head may come in the middle of what belongs to the first entry, or of the zeros that an empty archive is.
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	return err == nil || err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
}
