package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Checkout is the tree of one commit.
type Checkout struct {
	Dir    string    // the folder that was asked for
	Commit string    // its whole id
	Time   time.Time // when it was committed: the time of all files, unless the address asks for another
}

// Clone fetches one commit of a repository, without its history where the server allows it, with its submodules, and checks it out below dir, an empty
// folder of the caller's. Files have the modes 0644 and 0755 and the commit's time, so that the same commit gives the same tree on any day. keep says
// that .git is wanted in the tree; a subfolder has none. The git program must be there (ErrNoGit).
func Clone(ctx context.Context, dir string, g Git, keep bool) (Checkout, error) {
	c := &clone{Git: g, keep: keep && g.Subdir == "", tree: filepath.Join(dir, "tree")}
	out, err := c.run(ctx, dir)
	if err != nil {
		return Checkout{}, fmt.Errorf("git repository %s: %w", g, err)
	}
	return out, nil
}

// clone is a clone under way.
type clone struct {
	Git
	keep bool
	tree string
	git  *gitProgram // in tree
}

func (c *clone) run(ctx context.Context, dir string) (out Checkout, err error) {
	git, err := newGit(ctx, dir, c.Git)
	if err != nil {
		return out, err
	}
	c.git = git
	want, err := c.resolve(ctx)
	if err != nil {
		return out, err
	}
	if err := os.Mkdir(c.tree, 0o755); err != nil {
		return out, err
	}
	c.git = git.in(c.tree)
	if err := c.start(ctx, want); err != nil {
		return out, err
	}
	if err := c.fetch(ctx, want); err != nil {
		return out, err
	}
	if out.Commit, err = c.verify(ctx, want); err != nil {
		return out, err
	}
	if out.Time, err = c.commitTime(ctx, out.Commit); err != nil {
		return out, err
	}
	if err := c.checkout(ctx, out.Commit); err != nil {
		return out, err
	}
	if err := c.tidy(ctx, out); err != nil {
		return out, err
	}
	out.Dir, err = c.subfolder()
	return out, err
}

// wanted is what is to be fetched.
type wanted struct {
	src string // full name of the ref, or a commit
	dst string // full name of the ref here; empty: none
	id  string // what the server says that it is; decides the kind of ids
}

func (c *clone) resolve(ctx context.Context) (wanted, error) {
	if c.FetchByCommit && CommitID(c.Checksum) {
		w := wanted{src: c.Checksum, id: c.Checksum}
		if c.Ref != "" && !CommitID(c.Ref) {
			w.dst = c.Ref
			if !strings.HasPrefix(c.Ref, "refs/") {
				w.dst = "refs/heads/" + c.Ref
			}
		}
		return w, nil
	}
	if CommitID(c.Ref) {
		return wanted{src: c.Ref, id: c.Ref}, nil
	}
	if c.Ref == "" {
		return c.resolveHead(ctx)
	}
	out, err := c.git.run(ctx, "ls-remote", "--", c.Remote, c.Ref)
	if err != nil {
		return wanted{}, err
	}
	// In this order, as git checkout has it. The server matches the end of names, so others come along.
	for _, full := range []string{
		"refs/" + strings.TrimPrefix(c.Ref, "refs/"),
		"refs/heads/" + strings.TrimPrefix(c.Ref, "refs/heads/"),
		"refs/tags/" + strings.TrimPrefix(c.Ref, "refs/tags/"),
	} {
		for line := range strings.Lines(string(out)) {
			if id, name, _ := strings.Cut(strings.TrimSpace(line), "\t"); name == full && CommitID(id) {
				return wanted{src: full, dst: full, id: id}, nil
			}
		}
	}
	return wanted{}, fmt.Errorf("repository does not contain ref %s: no branch or tag has this name, and a commit is fetched by its whole id only", c.Ref)
}

func (c *clone) resolveHead(ctx context.Context) (w wanted, err error) {
	out, err := c.git.run(ctx, "ls-remote", "--symref", "--", c.Remote, "HEAD")
	if err != nil {
		return wanted{}, err
	}
	for line := range strings.Lines(string(out)) {
		value, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if name != "HEAD" {
			continue
		}
		if ref, ok := strings.CutPrefix(value, "ref: "); ok {
			if !strings.HasPrefix(ref, "refs/heads/") || checkRef(ref) != nil {
				return wanted{}, fmt.Errorf("the server's default branch %q has a name that can't be", ref)
			}
			w.src, w.dst = ref, ref
		} else if CommitID(value) {
			w.id = value
		}
	}
	if w.id == "" {
		return wanted{}, errors.New("could not find default branch: the repository is empty, or name a branch with #BRANCH")
	}
	if w.src == "" {
		w.src = "HEAD"
	}
	return w, nil
}

func (c *clone) start(ctx context.Context, want wanted) error {
	args := []string{"init", "--quiet", "--template="}
	if len(want.id) == 64 {
		args = append(args, "--object-format=sha256")
	}
	if _, err := c.git.run(ctx, args...); err != nil {
		return err
	}
	_, err := c.git.run(ctx, "remote", "add", "--", "origin", c.Remote)
	return err
}

// fetch gets one commit; all branches and tags from a server that gives no single commits, and with their history from one that can't leave it out.
func (c *clone) fetch(ctx context.Context, want wanted) error {
	spec := "+" + want.src
	if want.dst != "" {
		spec += ":" + want.dst
	}
	get := func(more ...string) error {
		args := append([]string{"fetch", "--quiet", "--no-tags", "--refmap=", "--update-head-ok"}, more...)
		_, err := c.git.run(ctx, args...)
		return err
	}
	err := get("--depth=1", "--", "origin", spec)
	if noShallow(err) {
		err = get("--", "origin", spec)
	}
	if noSingle(err) && want.dst == "" {
		err = get("--", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
	}
	return err
}

func noShallow(err error) bool { return says(err, "--depth", "shallow") }

func noSingle(err error) bool { return says(err, "not our ref", "unadvertised object") }

func says(err error, words ...string) bool {
	var failed *gitError
	if !errors.As(err, &failed) {
		return false
	}
	for _, w := range words {
		if strings.Contains(failed.stderr, w) {
			return true
		}
	}
	return false
}

// verify finds the commit that was fetched and compares it with the checksum, which may be that of a tag object, too.
func (c *clone) verify(ctx context.Context, want wanted) (commit string, err error) {
	name := want.dst
	if name == "" {
		name = want.id
	}
	var ids [2]string
	for i, what := range []string{name, name + "^{commit}"} {
		out, err := c.git.run(ctx, "rev-parse", "--quiet", "--verify", "--end-of-options", what)
		if err != nil {
			return "", fmt.Errorf("%s is no commit of the repository: %w", name, err)
		}
		if ids[i] = strings.TrimSpace(string(out)); !CommitID(ids[i]) {
			return "", fmt.Errorf("git rev-parse: unexpected answer %q", out)
		}
	}
	if !strings.HasPrefix(ids[0], c.Checksum) && !strings.HasPrefix(ids[1], c.Checksum) {
		return "", fmt.Errorf("expected checksum to match %s, got %s: what %s names has changed", c.Checksum, ids[1], want.src)
	}
	return ids[1], nil
}

func (c *clone) commitTime(ctx context.Context, commit string) (time.Time, error) {
	out, err := c.git.run(ctx, "log", "-1", "--no-show-signature", "--format=%ct", commit, "--")
	if err != nil {
		return time.Time{}, err
	}
	sec, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("git log: unexpected answer %q", out)
	}
	return time.Unix(sec, 0), nil
}

func (c *clone) checkout(ctx context.Context, commit string) error {
	size := &treeSize{}
	if err := c.git.stream(ctx, size, "ls-tree", "-r", "-t", "-z", "--long", "--full-tree", commit); err != nil {
		return err
	}
	if _, err := c.git.run(ctx, "checkout", "--quiet", "--force", "--detach", commit, "--"); err != nil {
		return err
	}
	if c.NoSubmodules {
		return nil
	}
	_, err := c.git.run(ctx, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
	if noShallow(err) || noSingle(err) {
		_, err = c.git.run(ctx, "submodule", "--quiet", "update", "--init", "--recursive")
	}
	if err != nil {
		return fmt.Errorf("submodules: %w", err)
	}
	return nil
}

// treeSize adds up what ls-tree lists, and ends it when a tree is larger than any build context: trees that hold each other many times are small to
// fetch and endless to check out.
type treeSize struct {
	entries int
	bytes   int64
	line    []byte
}

func (s *treeSize) Write(p []byte) (int, error) {
	limits := Limits{}.withDefaults()
	for _, b := range p {
		if b != 0 {
			if len(s.line) < 256 {
				s.line = append(s.line, b)
			}
			continue
		}
		s.entries++
		head, _, _ := strings.Cut(string(s.line), "\t")
		if fields := strings.Fields(head); len(fields) == 4 { // mode, type, id, size; "-" for a folder
			n, _ := strconv.ParseInt(fields[3], 10, 64)
			s.bytes += n
		}
		s.line = s.line[:0]
		if s.entries > limits.Entries || s.bytes > limits.Bytes {
			return 0, fmt.Errorf("the tree of the commit has more than %d names or %d bytes", limits.Entries, limits.Bytes)
		}
	}
	return len(p), nil
}

// subfolder is the folder that was asked for: no part of the way to it may be a link.
func (c *clone) subfolder() (string, error) {
	root, err := os.OpenRoot(c.tree)
	if err != nil {
		return "", err
	}
	defer root.Close()
	at := ""
	for part := range strings.SplitSeq(c.Subdir, "/") {
		if part == "" {
			continue
		}
		at = filepath.Join(at, part)
		fi, err := root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("subfolder %q: there is no %q in the repository", c.Subdir, filepath.ToSlash(at))
		case err != nil:
			return "", fmt.Errorf("subfolder %q: %w", c.Subdir, err)
		case !fi.IsDir():
			return "", fmt.Errorf("subfolder %q: %q is not a folder of the repository", c.Subdir, filepath.ToSlash(at))
		}
	}
	return filepath.Join(c.tree, at), nil
}
