package build

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const maxLinks = 255

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
func follow(t tree, p string, last bool) (string, error) {
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

// walk calls visit for everything below dir, parents first, names in order.
func walk(t tree, dir string, visit func(node) error) error {
	names, err := t.list(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		n, err := t.lstat(path.Join(dir, name))
		if err != nil {
			return err
		}
		if err := visit(n); err != nil {
			return err
		}
		if n.mode.IsDir() {
			if err := walk(t, n.path, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// glob gives the paths that match pattern, a name at a time, in order. Links to folders are followed on the way.
func glob(t tree, pattern string) ([]string, error) {
	found := []string{"."}
	for part := range strings.SplitSeq(rooted(pattern), "/") {
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
	at, err := follow(t, dir, true)
	if err != nil {
		return nil, err
	}
	if n, err := t.lstat(at); err != nil || !n.mode.IsDir() {
		return nil, nil // what is not there has nothing in it
	}
	names, err := t.list(at)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		ok, err := path.Match(part, name)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", part, err)
		}
		if ok {
			out = append(out, path.Join(dir, name))
		}
	}
	return out, nil
}
