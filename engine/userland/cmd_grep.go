package userland

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// grepper is one grep: how to match, what to show.
type grepper struct {
	*task
	o             opts
	match         *regexp.Regexp
	titles        bool
	before, after int
	limit         int
	any           bool
}

func runGrep(t *task, args []string) int {
	o, ok := t.options(args, "ivnrRclLqEFGPowxe:f:hHsA:B:C:m:aIZbU", "ignore-case=i invert-match=v line-number=n recursive=r count=c files-with-matches=l files-without-match=L quiet=q silent=q extended-regexp=E fixed-strings=F basic-regexp=G only-matching=o word-regexp=w line-regexp=x regexp=e file=f no-filename=h with-filename=H no-messages=s after-context=A before-context=B context=C max-count=m color=Y colour=Y include=1 exclude=2 exclude-dir=3 text=a line-buffered=U")
	if !ok {
		return 2
	}
	patterns := o.values('e')
	for _, file := range o.values('f') {
		data, err := t.readFile(file)
		if err != nil {
			t.fail(file, err)
			return 2
		}
		patterns = append(patterns, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
	}
	names := o.args
	if !o.has('e') && !o.has('f') {
		if len(names) == 0 {
			return t.usage("[-ivnrclLqEFowx] [-e] PATTERN [FILE]...")
		}
		patterns, names = strings.Split(names[0], "\n"), names[1:]
	}
	re, err := grepPattern(o, t.name, patterns)
	if err != nil {
		t.errorf("%s", err)
		return 2
	}
	defer t.buffered()()
	g := &grepper{task: t, o: o, match: re, limit: -1}
	g.context()
	g.files(names)
	switch {
	case g.any && (o.has('q') || !t.failed):
		return 0
	case t.failed:
		return 2
	}
	return 1
}

func (g *grepper) context() {
	for letter, to := range map[byte][]*int{'A': {&g.after}, 'B': {&g.before}, 'C': {&g.after, &g.before}, 'm': {&g.limit}} {
		if v, ok := g.o.value(letter); ok {
			for _, p := range to {
				*p = int(number(v))
			}
		}
	}
}

// grepPattern joins patterns to one expression.
func grepPattern(o opts, name string, patterns []string) (*regexp.Regexp, error) {
	kind := o.last("EFGP")
	extended := kind == 'E' || kind == 'P' || kind == 0 && name == "egrep"
	fixed := kind == 'F' || kind == 0 && name == "fgrep"
	var parts []string
	for _, p := range patterns {
		text, err := regexp.QuoteMeta(p), error(nil)
		switch {
		case kind == 'P':
			text = p
		case !fixed:
			text, err = toGo(p, extended)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s", p, err)
		}
		parts = append(parts, "(?:"+text+")")
	}
	text := strings.Join(parts, "|")
	switch {
	case o.has('x'):
		text = "^(?:" + text + ")$"
	case o.has('w'):
		text = `(?:^|\b)(?:` + text + `)(?:\b|$)`
	}
	flags := ""
	if o.has('i') {
		flags = "(?i)"
	}
	re, err := regexp.Compile(flags + text)
	if err != nil {
		return nil, errors.New("invalid regular expression: " + strings.Join(patterns, "|"))
	}
	re.Longest()
	return re, nil
}

func (g *grepper) files(names []string) {
	recursive := g.o.has('r') || g.o.has('R')
	if len(names) == 0 && recursive {
		names = []string{"."}
	}
	g.titles = (len(names) > 1 || recursive || g.o.has('H')) && !g.o.has('h')
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		if g.walk(name, recursive, true) {
			return
		}
	}
}

// walk greps a file or, when recursive, a tree; it tells whether nothing more is needed.
func (g *grepper) walk(name string, recursive, argument bool) bool {
	if name == "-" {
		return g.file("(standard input)", g.Stdin)
	}
	info, err := g.lstat(name)
	if err == nil && (argument || g.o.has('R')) {
		info, err = g.stat(name)
	}
	switch {
	case err != nil:
		g.complain(name, err)
		return false
	case info.IsDir() && recursive:
		return g.dir(name, argument)
	case info.IsDir():
		if !g.o.has('s') {
			fmt.Fprintf(g.Stderr, "%s: %s: Is a directory\n", g.name, name)
		}
		return false
	case !argument && (!info.Mode().IsRegular() || !g.selected(path.Base(name))):
		return false
	}
	f, err := g.open(name)
	if err != nil {
		g.complain(name, err)
		return false
	}
	defer f.Close()
	return g.file(name, f)
}

func (g *grepper) dir(name string, argument bool) bool {
	for _, pattern := range g.o.values('3') {
		if !argument && wildcard(pattern, path.Base(name)) {
			return false
		}
	}
	entries, err := g.FS.ReadDir(g.abs(name))
	if err != nil {
		g.complain(name, err)
	}
	for _, e := range entries {
		child := strings.TrimSuffix(name, "/") + "/" + e.Name()
		if g.walk(child, true, false) {
			return true
		}
	}
	return false
}

func (g *grepper) selected(base string) bool {
	for _, pattern := range g.o.values('2') {
		if wildcard(pattern, base) {
			return false
		}
	}
	include := g.o.values('1')
	for _, pattern := range include {
		if wildcard(pattern, base) {
			return true
		}
	}
	return len(include) == 0
}

func (g *grepper) complain(name string, err error) {
	g.failed = true
	if !g.o.has('s') {
		g.fail(name, err)
	}
}

// file greps one stream; it tells whether nothing more is needed.
func (g *grepper) file(name string, r io.Reader) bool {
	s := grepStream{g: g, name: name}
	err := g.lines(r, s.line)
	if err != nil && !errors.Is(err, errStop) {
		g.complain(name, err)
	}
	g.any = g.any || s.count > 0
	title := ""
	if g.titles {
		title = name + ":"
	}
	switch {
	case g.o.has('q'):
		return s.count > 0
	case g.o.has('l'):
		if s.count > 0 {
			g.print(name + "\n")
		}
	case g.o.has('L'):
		if s.count == 0 {
			g.print(name + "\n")
		}
	case g.o.has('c'):
		g.print(title + strconv.Itoa(s.count) + "\n")
	}
	return false
}

// grepStream is the state of one file: its line number and the context around matches.
type grepStream struct {
	g          *grepper
	name       string
	number     int
	count      int
	held       []string
	trail      int
	lastShown  int
	everOutput bool
	binary     bool
}

func (s *grepStream) line(line []byte, _ bool) error {
	g := s.g
	s.number++
	if bytes.IndexByte(line, 0) >= 0 && !g.o.has('a') {
		s.binary = true
	}
	if g.match.Match(line) == g.o.has('v') {
		s.miss(line)
		if g.limit >= 0 && s.count >= g.limit && s.trail == 0 {
			return errStop
		}
		return nil
	}
	s.count++
	switch {
	case g.o.has('q') || g.o.has('l') || g.o.has('L'):
		return errStop
	case g.o.has('c'):
	case s.binary:
		g.printf("Binary file %s matches\n", s.name)
		return errStop
	case g.o.has('o'):
		s.parts(line)
	default:
		s.hit(line)
	}
	if g.limit >= 0 && s.count >= g.limit && g.after == 0 {
		return errStop
	}
	return nil
}

func (s *grepStream) parts(line []byte) {
	if s.g.o.has('v') {
		return
	}
	for _, part := range s.g.match.FindAll(line, -1) {
		if len(part) > 0 {
			s.show(s.number, string(part), ':')
		}
	}
}

func (s *grepStream) hit(line []byte) {
	first := s.number - len(s.held)
	if (s.g.before > 0 || s.g.after > 0) && s.everOutput && first > s.lastShown+1 {
		s.g.print("--\n")
	}
	for i, held := range s.held {
		s.show(first+i, held, '-')
	}
	s.held = s.held[:0]
	s.show(s.number, string(line), ':')
	s.trail = s.g.after
}

func (s *grepStream) miss(line []byte) {
	switch {
	case s.g.o.has('c') || s.g.o.has('q') || s.g.o.has('l') || s.g.o.has('L') || s.g.o.has('o'):
	case s.trail > 0:
		s.trail--
		s.show(s.number, string(line), '-')
	case s.g.before > 0:
		if len(s.held) == s.g.before {
			s.held = s.held[1:]
		}
		s.held = append(s.held, string(line))
	}
}

func (s *grepStream) show(number int, line string, mark byte) {
	if s.g.titles {
		s.g.printf("%s%c", s.name, mark)
	}
	if s.g.o.has('n') {
		s.g.printf("%d%c", number, mark)
	}
	s.g.print(line + "\n")
	s.lastShown, s.everOutput = number, true
}
