package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/moby/patternmatcher"
)

// copySpec is what a COPY or ADD asks for, expanded.
type copySpec struct {
	name     string // COPY or ADD
	paths    []string
	inline   []dockerfile.SourceContent
	dest     string
	from     string
	chown    string
	chmod    string
	exclude  []string
	unpacked bool // ADD: archives are to be unpacked

	checksum   string // ADD: of the one download or repository
	keepGitDir *bool  // ADD: .git of a repository is copied, too
}

func copyOf(c *dockerfile.Copy) copySpec {
	return copySpec{name: "COPY", paths: c.SourcePaths, inline: c.SourceContents, dest: c.DestPath, from: c.From,
		chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns}
}

func addOf(c *dockerfile.Add) copySpec {
	return copySpec{name: "ADD", paths: c.SourcePaths, inline: c.SourceContents, dest: c.DestPath,
		chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns, unpacked: c.Unpack == nil || *c.Unpack,
		checksum: c.Checksum, keepGitDir: c.KeepGitDir}
}

// text is the canonical form, as the history has it.
func (c copySpec) text() string {
	words := []string{c.name}
	if c.chown != "" {
		words = append(words, "--chown="+c.chown)
	}
	if c.chmod != "" {
		words = append(words, "--chmod="+c.chmod)
	}
	words = append(words, c.paths...)
	for _, in := range c.inline {
		words = append(words, "<<"+in.Path)
	}
	return strings.Join(append(words, c.dest), " ")
}

// picked is one thing to copy. A folder's own contents are picked one by one below the same root.
type picked struct {
	node
	root string // the source it belongs to: picks of one root are placed together
	rel  string // path below the root; "." for the root itself
	open func() (io.ReadCloser, error)
}

// selection is everything that one COPY copies, in order of the sources.
type selection struct {
	picks []*picked
	roots int // how many sources were found
}

// choose finds what the sources name in t.
func (c copySpec) choose(t tree) (*selection, error) {
	skip, err := patternmatcher.New(c.exclude)
	if err != nil {
		return nil, fmt.Errorf("--exclude: %w", err)
	}
	sel := &selection{}
	for _, src := range c.paths {
		found := []string{rooted(src)}
		if strings.ContainsAny(src, `*?[\`) {
			if found, err = glob(t, src); err != nil {
				return nil, err
			}
		}
		for _, p := range found {
			if err := sel.add(t, p, skip); err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil, &missingError{pattern: src, err: err}
				}
				return nil, err
			}
		}
	}
	for _, in := range c.inline {
		sel.inline(in)
	}
	return sel, sel.digest(t)
}

// missingError reports a source that is not there.
type missingError struct {
	pattern string
	err     error
}

func (e *missingError) Error() string { return fmt.Sprintf("%q: not found", "/"+rooted(e.pattern)) }
func (e *missingError) Unwrap() error { return e.err }

// add picks the file, or the contents of the folder, that p leads to.
func (s *selection) add(t tree, p string, skip *patternmatcher.PatternMatcher) error {
	top, err := get(t, p)
	if err != nil {
		return err
	}
	if out, err := skip.MatchesOrParentMatches(p); err != nil || out && !top.mode.IsDir() {
		return err
	}
	s.roots++
	s.pick(t, top, p, ".")
	if !top.mode.IsDir() {
		return nil
	}
	return walk(t, top.path, func(n node) error {
		rel := n.path
		if top.path != "." {
			rel = strings.TrimPrefix(n.path, top.path+"/")
		}
		if out, err := skip.MatchesOrParentMatches(path.Join(p, rel)); err != nil || out {
			return err
		}
		s.pick(t, n, p, rel)
		return nil
	})
}

func (s *selection) pick(t tree, n node, root, rel string) {
	at := n.path
	s.picks = append(s.picks, &picked{node: n, root: root, rel: rel, open: func() (io.ReadCloser, error) { return t.open(at) }})
}

// inline picks a here-document. It has no time of its own, so that the same text gives the same layer.
func (s *selection) inline(in dockerfile.SourceContent) {
	n := node{path: in.Path, mode: 0o644, size: int64(len(in.Data)), mtime: time.Unix(0, 0), sum: sumOf(in.Data)}
	s.roots++
	s.picks = append(s.picks, &picked{node: n, root: in.Path, rel: ".",
		open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(in.Data)), nil }})
}

// digest fills in the sums of all files that are picked.
func (s *selection) digest(t tree) error {
	var files []*node
	for _, p := range s.picks {
		if p.mode.IsRegular() && p.sum == "" {
			files = append(files, &p.node)
		}
	}
	return t.digest(files)
}

// place is where a pick goes, under dest as it is written. several says that dest must be a folder.
func (p *picked) place(dest string, isDir bool) string {
	if p.rel != "." || p.mode.IsDir() {
		return path.Join(dest, p.rel)
	}
	if isDir {
		return path.Join(dest, path.Base(p.root))
	}
	return dest
}

// inputs lists what is copied, sorted, for the key.
func (s *selection) inputs(c copySpec) []Input {
	isDir := strings.HasSuffix(c.dest, "/") || s.roots > 1
	list := make([]Input, 0, len(s.picks))
	for _, p := range s.picks {
		in := Input{Path: p.place(c.dest, isDir), Source: p.path, Type: p.kind(), Mode: unixMode(p.mode), UID: p.uid, GID: p.gid,
			Content: p.sum, Link: p.link}
		if p.mode.Type() == fs.ModeSymlink {
			in.Mode = 0o777 // links have no permissions, but systems differ in what they say
		}
		list = append(list, in)
	}
	// Of two sources for one place the later one counts: a stable sort keeps their order.
	slices.SortStableFunc(list, func(a, b Input) int { return strings.Compare(a.Path, b.Path) })
	return list
}
