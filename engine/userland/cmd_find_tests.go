package userland

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// valued is a test with a value.
func (p *findParser) valued(word, value string) (test, error) {
	switch word {
	case "-maxdepth", "-mindepth":
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, errors.New("invalid depth '" + value + "'")
		}
		if word == "-maxdepth" {
			p.maxDepth = n
		} else {
			p.minDepth = n
		}
		return always, nil
	case "-name", "-iname", "-path", "-ipath", "-wholename":
		return findName(word, value), nil
	case "-regex":
		re, err := translate("^("+value+")$", true, false)
		if err != nil {
			return nil, err
		}
		return func(x found) bool { return re.MatchString(x.name) }, nil
	case "-type":
		return func(x found) bool { return strings.IndexByte(value, findType(x.info)) >= 0 }, nil
	case "-newer":
		info, err := p.stat(value)
		if err != nil {
			return nil, errors.New("'" + value + "': " + reason(err))
		}
		return func(x found) bool { return x.info.ModTime().After(info.ModTime()) }, nil
	case "-perm":
		return findPerm(value)
	}
	return p.counted(word, value)
}

// counted is a test that compares a number.
func (p *findParser) counted(word, value string) (test, error) {
	now := p.now()
	age := func(unit time.Duration, at func(found) time.Time) (test, error) {
		return amount(value, func(x found) int64 { return int64(now.Sub(at(x)) / unit) })
	}
	modified := func(x found) time.Time { return x.info.ModTime() }
	changed := func(x found) time.Time { return p.attr(x.info).Ctime }
	switch word {
	case "-size":
		return findSize(value)
	case "-mtime":
		return age(day, modified)
	case "-mmin":
		return age(time.Minute, modified)
	case "-ctime":
		return age(day, changed)
	case "-cmin":
		return age(time.Minute, changed)
	case "-atime":
		return age(day, func(x found) time.Time { return p.attr(x.info).Atime })
	case "-links":
		return amount(value, func(x found) int64 { return int64(p.attr(x.info).Links) })
	case "-inum":
		return amount(value, func(x found) int64 { return int64(p.attr(x.info).Inode) })
	case "-user", "-uid":
		a, ok := p.findID("/etc/passwd", value)
		if !ok {
			return nil, errors.New("'" + value + "' is not the name of a known user")
		}
		return func(x found) bool { return p.attr(x.info).UID == a.id }, nil
	case "-group", "-gid":
		a, ok := p.findID("/etc/group", value)
		if !ok {
			return nil, errors.New("'" + value + "' is not the name of an existing group")
		}
		return func(x found) bool { return p.attr(x.info).GID == a.id }, nil
	}
	return nil, errors.New("unknown predicate '" + word + "'")
}

func findName(word, pattern string) test {
	fold := strings.HasPrefix(word, "-i")
	if fold {
		pattern = strings.ToLower(pattern)
	}
	whole := !strings.HasSuffix(word, "name") || word == "-wholename"
	return func(x found) bool {
		name := path.Base(x.name)
		if whole {
			name = x.name
		}
		if fold {
			name = strings.ToLower(name)
		}
		return wildcard(pattern, name)
	}
}

// wildcard matches a shell pattern in which * also matches slashes.
func wildcard(pattern, name string) bool {
	for len(pattern) > 0 {
		if pattern[0] == '*' {
			rest := strings.TrimLeft(pattern, "*")
			for i := 0; i <= len(name); i++ {
				if wildcard(rest, name[i:]) {
					return true
				}
			}
			return false
		}
		if name == "" {
			return false
		}
		n := 1
		switch pattern[0] {
		case '[':
			if end := bracketEnd(pattern); end > 0 {
				n = end
			}
		case '\\':
			n = min(2, len(pattern))
		}
		if ok, err := path.Match(strings.Replace(pattern[:n], "[!", "[^", 1), name[:1]); (err != nil || !ok) && !(pattern[0] == '?' && name[0] == '/') {
			return false
		}
		pattern, name = pattern[n:], name[1:]
	}
	return name == ""
}

// bracketEnd is the length of the bracket expression that pattern begins with, or 0.
func bracketEnd(pattern string) int {
	i := 1
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		i++
	}
	if i < len(pattern) && pattern[i] == ']' {
		i++
	}
	if end := strings.IndexByte(pattern[min(i, len(pattern)):], ']'); end >= 0 {
		return i + end + 1
	}
	return 0
}

func findType(info fs.FileInfo) byte {
	if letter := typeLetter(info.Mode()); letter != '-' {
		return letter
	}
	return 'f'
}

func findPerm(value string) (test, error) {
	spec := strings.TrimLeft(value, "-/+")
	mode, err := applyMode(spec, 0, 0)
	if err != nil {
		return nil, err
	}
	want := bits(mode)
	return func(x found) bool {
		have := bits(x.info.Mode())
		switch value[0] {
		case '-':
			return have&want == want
		case '/', '+':
			return have&want != 0 || want == 0
		}
		return have == want
	}, nil
}

// findSize counts whole units, rounded up; the unit is 512 bytes when none is given.
func findSize(value string) (test, error) {
	unit, digits := int64(512), value
	if n := len(value); n > 0 {
		if known, ok := map[byte]int64{'c': 1, 'w': 2, 'b': 512, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[value[n-1]]; ok {
			unit, digits = known, value[:n-1]
		}
	}
	return amount(digits, func(x found) int64 { return (x.info.Size() + unit - 1) / unit })
}

// amount compares as find does: n exactly, +n more, -n less.
func amount(value string, have func(found) int64) (test, error) {
	n, err := strconv.ParseInt(strings.TrimLeft(value, "+-"), 10, 64)
	if err != nil {
		return nil, errors.New("invalid number '" + value + "'")
	}
	return func(x found) bool {
		switch got := have(x); value[0] {
		case '+':
			return got > n
		case '-':
			return got < n
		default:
			return got == n
		}
	}, nil
}
