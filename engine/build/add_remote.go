package build

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/home"
	"github.com/opencontainers/go-digest"
)

// isRemote tells whether src is a download or a repository instead of a path.
func isRemote(src string) bool {
	kind, _ := fetch.Classify(src)
	return kind != fetch.Local
}

// checkRemote refuses what BuildKit refuses before anything is fetched: remote sources of COPY, and a checksum that is not for exactly one of them.
func (s *session) checkRemote(in dockerfile.Instruction, c copySpec) error {
	if c.name != "ADD" {
		for _, src := range c.paths {
			if isRemote(src) {
				return s.remoteError(in, src, "%s: source can't be a URL or a git repository: use ADD", c.name)
			}
		}
		return nil
	}
	if c.checksum == "" {
		return nil
	}
	if len(c.paths)+len(c.inline) != 1 {
		return s.remoteError(in, "--checksum", "checksum can't be specified for multiple sources: write an ADD for each")
	}
	if !isRemote(c.paths[0]) {
		return s.remoteError(in, "--checksum", "checksum requires HTTP(S) or Git sources: files of the build context are known by their content anyway")
	}
	return nil
}

// remoteError points at word, and shows the line without the credentials that may be in an address there.
func (s *session) remoteError(in dockerfile.Instruction, word, format string, args ...any) error {
	err := s.plan.File.Errorf(in, word, format, args...)
	err.Source = fetch.RedactText(err.Source)
	return err
}

// shownText is an instruction as it is shown and recorded: without the credentials in its addresses. What a command asks a server for stays.
func shownText(in dockerfile.Instruction) string {
	if in.Name == "ADD" || in.Name == "ONBUILD" {
		return fetch.RedactText(in.Text)
	}
	return fetch.HideUsers(in.Text)
}

// fetchSource fetches a remote source of an ADD. It returns the tree that it is in and the path there that the source stands for: a file that belongs to
// root, may be read by root alone and has the time that its server says, or the folder of a repository's files. done removes what was fetched.
func (s *session) fetchSource(ctx context.Context, in dockerfile.Instruction, c copySpec, src string) (t tree, top string, done func(), err error) {
	fail := func(err error) (tree, string, func(), error) {
		return nil, "", nil, s.remoteError(in, src, "%s: %v", c.name, err)
	}
	if err := s.checkRemote(in, c); err != nil {
		return nil, "", nil, err
	}
	kind, err := fetch.Classify(src)
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp(s.op.Dir(), "source-")
	if err != nil {
		return fail(err)
	}
	var got *fetchedTree
	switch kind {
	case fetch.Repo:
		got, err = s.fetchRepo(ctx, dir, c, src)
		top = "."
	case fetch.URL:
		got, top, err = s.fetchURL(ctx, dir, c, src)
	default:
		err = errors.New("it is no address of a download or a repository")
	}
	if err != nil {
		_ = home.RemoveTree(dir)
		if ctx.Err() != nil {
			return nil, "", nil, err
		}
		return fail(err)
	}
	return got, top, func() { _, _ = got.root.Close(), home.RemoveTree(dir) }, nil
}

// fetchRepo takes the flags of the instruction and what the address says; they must not contradict each other.
func (s *session) fetchRepo(ctx context.Context, dir string, c copySpec, src string) (*fetchedTree, error) {
	g, _, err := fetch.ParseGit(src)
	if err != nil {
		return nil, err
	}
	keep := c.keepGitDir
	if g.KeepGitDir != nil {
		if keep != nil && *keep != *g.KeepGitDir {
			return nil, errors.New("inconsistent keep-git-dir configuration: the flag and the address say different things")
		}
		keep = g.KeepGitDir
	}
	if err := g.SetChecksum(c.checksum); err != nil {
		return nil, err
	}
	got, err := fetch.Clone(ctx, dir, g, keep != nil && *keep)
	if err != nil {
		return nil, err
	}
	links := got.Time
	if g.CheckoutTimes {
		links = time.Time{}
	}
	return openFetched(got.Dir, links)
}

func (s *session) fetchURL(ctx context.Context, dir string, c copySpec, src string) (*fetchedTree, string, error) {
	d := fetch.Downloader{Cache: s.downloads()}
	got, err := d.Fetch(ctx, dir, src, digest.Digest(c.checksum))
	if err != nil {
		return nil, "", err
	}
	t, err := openFetched(dir, time.Time{})
	if err != nil {
		return nil, "", err
	}
	t.one = &node{path: got.Name, mode: 0o600, size: got.Size, mtime: got.ModTime, sum: got.Digest}
	t.oneIn = filepath.Base(got.Path)
	return t, got.Name, nil
}

// fetchedTree is a folder of fetched files; all belong to root. It stands concurrent use.
type fetchedTree struct {
	root  *os.Root
	links time.Time // that of symbolic links, whose own time says only when they were made here; zero: their own
	one   *node     // if it is a single file: what it is, and where it lies
	oneIn string
}

func openFetched(dir string, links time.Time) (*fetchedTree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &fetchedTree{root: root, links: links}, nil
}

func (t *fetchedTree) lstat(p string) (node, error) {
	if t.one != nil {
		switch p {
		case t.one.path:
			return *t.one, nil
		case ".":
			return node{path: p, mode: fs.ModeDir | 0o755, mtime: t.one.mtime}, nil
		}
		return node{}, &fs.PathError{Op: "lstat", Path: p, Err: fs.ErrNotExist}
	}
	fi, err := t.root.Lstat(filepath.FromSlash(p))
	if err != nil {
		return node{}, err
	}
	n := node{path: p, mode: fi.Mode(), mtime: fi.ModTime()}
	switch {
	case n.mode.IsRegular():
		n.size = fi.Size()
	case n.mode.Type() == fs.ModeSymlink:
		text, err := t.root.Readlink(filepath.FromSlash(p))
		if err != nil {
			return node{}, err
		}
		n.link = filepath.ToSlash(text)
		if !t.links.IsZero() {
			n.mtime = t.links
		}
	}
	return n, nil
}

func (t *fetchedTree) list(dir string) ([]string, error) {
	if t.one != nil {
		return []string{t.one.path}, nil
	}
	at, err := t.root.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	defer at.Close()
	entries, err := readDir(at)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (t *fetchedTree) open(p string) (io.ReadCloser, error) {
	if t.one != nil {
		if p != t.one.path {
			return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
		}
		p = t.oneIn
	}
	return t.root.Open(filepath.FromSlash(p))
}

func (t *fetchedTree) digest(files []*node) error { return hashAll(t, files) }
