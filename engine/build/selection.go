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

	"github.com/moby/patternmatcher"
)

// picked is one thing to copy.
type picked struct {
	node
	rel string // path below the source; "." for the source itself
}

// source is one thing that a COPY or ADD names: a file, or a folder whose contents are copied.
type source struct {
	from  tree
	word  string // as the instruction has it
	name  string // path as it was found: its last element names a file in its folder
	vague bool   // found by a pattern: its name is not in the instruction
	picks []*picked
}

func (s *source) top() *picked { return s.picks[0] }

func (s *source) isDir() bool { return s.top().mode.IsDir() }

func (s *source) open(p *picked) (io.ReadCloser, error) { return s.from.open(p.path) }

// selection is everything that one COPY copies, in order of the sources.
type selection struct {
	sources []*source
	fetched []func() // release what was fetched
}

func (s *selection) close() {
	for _, done := range s.fetched {
		done()
	}
}

// filter leaves things out of a folder that is copied. Paths are relative to the folder.
type filter struct {
	include, exclude *patternmatcher.PatternMatcher // nil: everything, nothing
}

type matched struct{ in, out patternmatcher.MatchInfo }

func newFilter(exclude []string) (f filter, err error) {
	if len(exclude) == 0 {
		return f, nil
	}
	if f.exclude, err = patternmatcher.New(exclude); err != nil {
		err = fmt.Errorf("--exclude: invalid excludepatterns: %s: %w", exclude, err)
	}
	return f, err
}

// test tells whether rel is copied, and whether there may be something in it that is.
func (f filter) test(rel string, parent matched) (keep, descend bool, m matched, err error) {
	keep, descend = true, true
	if f.include != nil {
		if keep, m.in, err = f.include.MatchesUsingParentResults(rel, parent.in); err != nil {
			return false, false, m, err
		}
	}
	if f.exclude != nil {
		var out bool
		if out, m.out, err = f.exclude.MatchesUsingParentResults(rel, parent.out); err != nil {
			return false, false, m, err
		}
		if out {
			keep, descend = false, f.exclude.Exclusions()
		}
	}
	return keep, descend, m, nil
}

// choose finds what the sources name in t, and the sums of the files.
func (c copySpec) choose(t tree) (*selection, error) {
	sel := &selection{}
	for _, src := range c.paths {
		if err := sel.find(t, c, src); err != nil {
			return nil, err
		}
	}
	for _, doc := range c.inline {
		sel.inline(doc.Path, doc.Data)
	}
	return sel, sel.digest()
}

// missingError reports a source that is not there.
type missingError struct {
	pattern string
	err     error
}

func (e *missingError) Error() string { return fmt.Sprintf("%q: not found", "/"+rooted(e.pattern)) }
func (e *missingError) Unwrap() error { return e.err }

// find adds what one word of the instruction names. A pattern may match nothing.
func (s *selection) find(t tree, c copySpec, src string) error {
	f, err := newFilter(c.exclude)
	if err != nil {
		return err
	}
	base, required := src, ""
	if c.parents {
		if base, required, err = pivot(&f, src); err != nil {
			return err
		}
	}
	found := []string{rooted(base)}
	vague := hasWildcard(base)
	if vague || strings.ContainsRune(base, '\\') {
		if found, err = glob(t, base); err != nil {
			return err
		}
		if !vague && len(found) == 0 {
			return &missingError{pattern: src, err: fs.ErrNotExist}
		}
	}
	for _, p := range found {
		one, err := pick(t, p, f)
		if errors.Is(err, fs.ErrNotExist) {
			return &missingError{pattern: src, err: err}
		}
		if err != nil {
			return err
		}
		one.word, one.vague = src, vague
		if required != "" && !one.has(required) {
			return &missingError{pattern: path.Join(base, required), err: fs.ErrNotExist}
		}
		s.sources = append(s.sources, one)
	}
	return nil
}

// pivot takes a source of COPY --parents apart: the folder that is copied from, and the pattern below it whose folders are kept.
// What has no wildcard must be there.
func pivot(f *filter, src string) (base, required string, err error) {
	base, pattern, ok := strings.Cut(src, "/./")
	if !ok {
		base, pattern = "/", src
	}
	vague := hasWildcard(base) || hasWildcard(pattern)
	pattern = rooted(pattern)
	if pattern == "." {
		return base, "", nil
	}
	if f.include, err = patternmatcher.New([]string{pattern}); err != nil {
		return "", "", fmt.Errorf("--parents: %s: %w", src, err)
	}
	if vague {
		return base, "", nil
	}
	return base, pattern, nil
}

func (s *source) has(rel string) bool {
	return slices.ContainsFunc(s.picks, func(p *picked) bool { return p.rel == rel || strings.HasPrefix(p.rel, rel+"/") })
}

// pick picks the file, or the folder with what f leaves in it, that p leads to.
func pick(t tree, p string, f filter) (*source, error) {
	top, err := get(t, p)
	if err != nil {
		return nil, err
	}
	s := &source{from: t, name: p}
	if err := s.add(top, "."); err != nil || !top.mode.IsDir() {
		return s, err
	}
	return s, s.folder(top.path, ".", f, matched{}, nil)
}

func (s *source) add(n node, rel string) error {
	if n.mode.Type() == fs.ModeSocket {
		return nil // an archive can't hold it
	}
	if a, ok := s.from.(attributed); ok {
		var err error
		if n.xattrs, err = a.xattrs(n.path); err != nil {
			return err
		}
	}
	s.picks = append(s.picks, &picked{node: n, rel: rel})
	return nil
}

// folder picks what is in the folder at. above are the folders on the way that only come along if something in them does.
func (s *source) folder(at, rel string, f filter, parent matched, above []*pending) error {
	names, err := s.from.list(at)
	if err != nil {
		return err
	}
	for _, name := range names {
		below := path.Join(rel, name)
		keep, descend, m, err := f.test(below, parent)
		if err != nil {
			return err
		}
		if !keep && !descend {
			continue
		}
		n, err := s.from.lstat(path.Join(at, name))
		if err != nil {
			return err
		}
		if err := s.visit(n, below, keep, descend, f, m, above); err != nil {
			return err
		}
	}
	return nil
}

// pending is a folder that is left out unless something in it is not.
type pending struct {
	node
	rel  string
	done bool
}

func (s *source) visit(n node, rel string, keep, descend bool, f filter, m matched, above []*pending) error {
	if keep {
		for _, p := range above {
			if p.done {
				continue
			}
			if err := s.add(p.node, p.rel); err != nil {
				return err
			}
			p.done = true
		}
		if err := s.add(n, rel); err != nil {
			return err
		}
	}
	if !n.mode.IsDir() || !descend {
		return nil
	}
	if !keep {
		above = append(slices.Clip(above), &pending{node: n, rel: rel})
	}
	return s.folder(n.path, rel, f, m, above)
}

// inline picks a here-document. It has no time of its own, so that the same text gives the same layer.
func (s *selection) inline(name, text string) {
	n := node{path: name, mode: 0o644, size: int64(len(text)), mtime: time.Unix(0, 0), sum: sumOf(text)}
	s.sources = append(s.sources, &source{from: document{text: text}, name: name, picks: []*picked{{node: n, rel: "."}}})
}

// digest fills in the sums of all files that are picked: those of neighbouring sources of one tree together.
func (s *selection) digest() error {
	var files []*node
	for i, src := range s.sources {
		for _, p := range src.picks {
			if p.mode.IsRegular() && p.sum == "" {
				files = append(files, &p.node)
			}
		}
		if last := i+1 == len(s.sources); len(files) == 0 || !last && s.sources[i+1].from == src.from {
			continue
		}
		if err := src.from.digest(files); err != nil {
			return err
		}
		files = nil
	}
	return nil
}

// inputs lists what is copied, sorted, for the key.
func (s *selection) inputs(c copySpec) []Input {
	n := 0
	for _, src := range s.sources {
		n += len(src.picks)
	}
	list := make([]Input, 0, n)
	inFolder := strings.HasSuffix(c.dest, "/") || len(s.sources) > 1
	for _, src := range s.sources {
		for _, p := range src.picks {
			in := p.input(src.place(p, c.dest, inFolder || src.vague))
			if p.rel == "." && src.isDir() && (c.name == "COPY" || c.name == "ADD") {
				in.Mode, in.UID, in.GID, in.Xattrs = 0o755, 0, 0, nil // its contents are copied, not itself
			}
			list = append(list, in)
		}
	}
	// Of two sources for one place the later one counts: a stable sort keeps their order.
	slices.SortStableFunc(list, func(a, b Input) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// place is where p goes, under dest as it is written.
func (s *source) place(p *picked, dest string, inFolder bool) string {
	if p.rel != "." || s.isDir() {
		return path.Join(dest, p.rel)
	}
	if inFolder {
		return path.Join(dest, path.Base(s.name))
	}
	return dest
}

func (p *picked) input(at string) Input {
	in := Input{Path: at, Source: p.path, Type: p.kind(), Mode: unixMode(p.mode), UID: p.uid, GID: p.gid,
		Content: p.sum, Link: p.link, Xattrs: p.xattrs, Size: p.size}
	switch {
	case p.mode.Type() == fs.ModeSymlink:
		in.Mode = 0o777 // links have no permissions, but systems differ in what they say
	case p.mode&fs.ModeDevice != 0:
		in.Device = fmt.Sprintf("%d:%d", p.major, p.minor)
	}
	return in
}
