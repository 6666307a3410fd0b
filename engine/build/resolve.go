package build

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const maxLinks = 255

// lstater is all that following links needs.
type lstater interface {
	lstat(path string) (node, error)
}

// rooted makes p clean and relative to the root: no ".." leads out.
func rooted(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

// follow gives the path that p leads to inside t, with all links followed: those in its folders, and if last is set also
// that in its last place. Names that are not there stay as they are. Links never lead out of t.
func follow(t lstater, p string, last bool) (string, error) {
	todo := strings.Split(rooted(p), "/")
	at := "."
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, name)
		n, err := t.lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return path.Join(append([]string{next}, clean(todo)...)...), nil
		}
		if err != nil {
			return "", err
		}
		if n.mode.Type() != fs.ModeSymlink || len(todo) == 0 && !last {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("resolve %s: too many levels of symbolic links", p)
		}
		if path.IsAbs(n.link) {
			at = "."
		}
		todo = append(strings.Split(n.link, "/"), todo...)
	}
	return at, nil
}

// clean takes the dots out of what is left of a path below a name that does not exist.
func clean(todo []string) []string {
	if rest := rooted(strings.Join(todo, "/")); rest != "." {
		return []string{rest}
	}
	return nil
}

// get is lstat after following all links of p. The node carries the path it was found at.
func get(t tree, p string) (node, error) {
	at, err := follow(t, p, true)
	if err != nil {
		return node{}, err
	}
	return t.lstat(at)
}

// hasWildcard tells whether p is a pattern. A backslash takes a character's meaning away.
func hasWildcard(p string) bool {
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*', '?', '[':
			return true
		case '\\':
			i++
		}
	}
	return false
}

// glob gives the paths that match pattern, in order. The wildcards match within one name (path.Match); links are followed in the
// folders before the first name that has some, and no further, as BuildKit does.
func glob(t tree, pattern string) ([]string, error) {
	parts := strings.Split(rooted(pattern), "/")
	special := func(part string) bool { return strings.ContainsAny(part, `*?[\`) }
	first := slices.IndexFunc(parts, special)
	at, err := follow(t, strings.Join(parts[:first], "/"), true)
	if err != nil {
		return nil, err
	}
	found := []string{at}
	for _, part := range parts[first:] {
		if _, err := path.Match(part, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", part, err)
		}
		var next []string
		for _, dir := range found {
			matched, err := globIn(t, dir, part)
			if err != nil {
				return nil, err
			}
			next = append(next, matched...)
		}
		found = next
	}
	return found, nil
}

func globIn(t tree, dir, part string) ([]string, error) {
	if n, err := t.lstat(dir); err != nil || !n.mode.IsDir() {
		return nil, nil // what is not there has nothing in it
	}
	names, err := t.list(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		if ok, _ := path.Match(part, name); ok { // the pattern is known to be good
			out = append(out, path.Join(dir, name))
		}
	}
	return out, nil
}
