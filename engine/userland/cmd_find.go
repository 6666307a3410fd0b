package userland

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// finder walks a tree and judges each file by an expression.
type finder struct {
	*task
	expr               test
	minDepth, maxDepth int
	depthFirst         bool
	acts               bool // an action was given, so printing is not implied
	follow             bool
	prune, quit        bool
	batches            []*batch
	oneDevice          bool // -xdev
	device             uint64
}

// found is the file at hand.
type found struct {
	name  string
	info  fs.FileInfo
	depth int
}

type test func(f found) bool

func runFind(t *task, args []string) int {
	f := &finder{task: t, maxDepth: 1 << 30}
	for len(args) > 0 && (args[0] == "-L" || args[0] == "-H" || args[0] == "-P") {
		f.follow = args[0] == "-L"
		args = args[1:]
	}
	var roots []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "(" && args[0] != "!" {
		roots, args = append(roots, args[0]), args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	defer t.buffered()()
	p := &findParser{finder: f, args: args}
	expr, err := p.or()
	if err == nil && len(p.args) > 0 {
		err = errors.New("paths must precede expression: '" + p.args[0] + "'")
	}
	if err != nil {
		return t.errorf("%s", err)
	}
	f.expr = expr
	if !f.acts {
		f.expr = func(x found) bool { return expr(x) && f.show(x, "\n") }
	}
	for _, root := range roots {
		f.walk(root, 0)
	}
	for _, b := range f.batches {
		b.flush(f)
	}
	return t.code()
}

func (f *finder) show(x found, end string) bool {
	f.print(x.name + end)
	return true
}

func (f *finder) walk(name string, depth int) {
	if f.quit {
		return
	}
	info, err := f.lstat(name)
	if err == nil && f.follow {
		if at, serr := f.stat(name); serr == nil {
			info = at
		}
	}
	if err != nil {
		if depth == 0 || !errors.Is(err, fs.ErrNotExist) { // what is removed meanwhile is no mistake
			f.errorf("'%s': %s", name, reason(err))
		}
		return
	}
	device := f.attr(info).Dev
	if depth == 0 {
		f.device = device
	}
	if f.oneDevice && device != f.device {
		return
	}
	x := found{name, info, depth}
	f.prune = false
	if !f.depthFirst && depth >= f.minDepth {
		f.expr(x)
	}
	if info.IsDir() && depth < f.maxDepth && !f.prune {
		entries, err := f.FS.ReadDir(f.abs(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.errorf("'%s': %s", name, reason(err))
		}
		for _, e := range entries {
			f.walk(strings.TrimSuffix(name, "/")+"/"+e.Name(), depth+1)
		}
	}
	if f.depthFirst && depth >= f.minDepth && !f.quit {
		f.expr(x)
	}
}

// batch collects names for -exec ... {} +.
type batch struct {
	command []string
	names   []string
}

func (b *batch) flush(f *finder) {
	if len(b.names) == 0 {
		return
	}
	var argv []string
	for _, a := range b.command {
		if a == "{}" {
			argv = append(argv, b.names...)
		} else {
			argv = append(argv, a)
		}
	}
	if f.command(argv) != 0 {
		f.failed = true
	}
	b.names = nil
}

type findParser struct {
	*finder
	args []string
}

func (p *findParser) next() string {
	if len(p.args) == 0 {
		return ""
	}
	return p.args[0]
}

func (p *findParser) or() (test, error) {
	left, err := p.and()
	for err == nil && (p.next() == "-o" || p.next() == "-or") {
		p.args = p.args[1:]
		var right test
		a := left
		if right, err = p.and(); err == nil {
			left = func(x found) bool { return a(x) || right(x) }
		}
	}
	return left, err
}

func (p *findParser) and() (test, error) {
	left := func(found) bool { return true }
	for {
		switch p.next() {
		case "", "-o", "-or", ")":
			return left, nil
		case "-a", "-and":
			p.args = p.args[1:]
		}
		right, err := p.not()
		if err != nil {
			return nil, err
		}
		a := left
		left = func(x found) bool { return a(x) && right(x) }
	}
}

func (p *findParser) not() (test, error) {
	word := p.next()
	if word == "" {
		return nil, errors.New("expected an expression")
	}
	p.args = p.args[1:]
	switch word {
	case "!", "-not":
		inner, err := p.not()
		if err != nil {
			return nil, err
		}
		return func(x found) bool { return !inner(x) }, nil
	case "(":
		inner, err := p.or()
		if err == nil && p.next() != ")" {
			err = errors.New("missing closing ')'")
		}
		if err != nil {
			return nil, err
		}
		p.args = p.args[1:]
		return inner, nil
	}
	return p.primary(word)
}

func (p *findParser) primary(word string) (test, error) {
	if action, err := p.action(word); action != nil || err != nil {
		return action, err
	}
	switch word {
	case "-depth":
		p.depthFirst = true
		return always, nil
	case "-xdev", "-mount":
		p.oneDevice = true
		return always, nil
	case "-noleaf", "-follow":
		return always, nil
	case "-true":
		return always, nil
	case "-false":
		return func(found) bool { return false }, nil
	case "-empty":
		return p.empty, nil
	case "-executable":
		return func(x found) bool { return x.info.Mode()&0o111 != 0 }, nil
	}
	if len(p.args) == 0 {
		return nil, errors.New("missing argument to '" + word + "'")
	}
	value := p.args[0]
	p.args = p.args[1:]
	return p.valued(word, value)
}

func always(found) bool { return true }

func (p *findParser) empty(x found) bool {
	if x.info.IsDir() {
		entries, err := p.FS.ReadDir(p.abs(x.name))
		return err == nil && len(entries) == 0
	}
	return x.info.Mode().IsRegular() && x.info.Size() == 0
}

func (p *findParser) action(word string) (test, error) {
	f := p.finder
	switch word {
	case "-print":
		f.acts = true
		return func(x found) bool { return f.show(x, "\n") }, nil
	case "-print0":
		f.acts = true
		return func(x found) bool { return f.show(x, "\x00") }, nil
	case "-prune":
		return func(found) bool { f.prune = true; return true }, nil
	case "-quit":
		f.acts = true
		return func(found) bool { f.quit = true; return true }, nil
	case "-delete":
		f.acts, f.depthFirst = true, true
		return f.delete, nil
	case "-ls":
		f.acts = true
		return func(x found) bool { return Run(f.ctx, f.Env, []string{"ls", "-dils", x.name}) == 0 }, nil
	case "-exec", "-ok", "-execdir":
		f.acts = true
		return p.exec()
	case "-printf":
		if len(p.args) == 0 {
			return nil, errors.New("missing argument to '-printf'")
		}
		format := p.args[0]
		p.args, f.acts = p.args[1:], true
		return func(x found) bool { f.print(f.formatted(format, x)); return true }, nil
	}
	return nil, nil
}

func (f *finder) delete(x found) bool {
	if x.name == "." {
		return true
	}
	tree, err := f.tree()
	if err == nil {
		err = tree.Remove(f.abs(x.name))
	}
	if err != nil {
		f.errorf("cannot delete '%s': %s", x.name, reason(err))
	}
	return err == nil
}

func (p *findParser) exec() (test, error) {
	f := p.finder
	for i, a := range p.args {
		if a == "+" && i > 0 && p.args[i-1] == "{}" {
			b := &batch{command: p.args[:i]}
			f.batches = append(f.batches, b)
			p.args = p.args[i+1:]
			return func(x found) bool {
				if b.names = append(b.names, x.name); len(b.names) >= 1000 {
					b.flush(f)
				}
				return true
			}, nil
		}
		if a == ";" && i > 0 {
			words := p.args[:i]
			p.args = p.args[i+1:]
			return func(x found) bool {
				argv := make([]string, len(words))
				for n, w := range words {
					argv[n] = strings.ReplaceAll(w, "{}", x.name)
				}
				return f.command(argv) == 0
			}, nil
		}
	}
	return nil, errors.New("missing argument to '-exec'")
}

// formatted is -printf's text for one file.
func (f *finder) formatted(format string, x found) string {
	s := statted{f.task, x.name, x.info, f.attr(x.info), &directory{t: f.task}}
	format = unescape(format)
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case 'p':
			b.WriteString(x.name)
		case 'f':
			b.WriteString(path.Base(x.name))
		case 'h':
			b.WriteString(path.Dir(x.name))
		case 'd':
			b.WriteString(strconv.Itoa(x.depth))
		case 'm':
			b.WriteString(s.directive('a', 0))
		case 'M':
			b.WriteString(s.directive('A', 0))
		case 'n':
			b.WriteString(s.directive('h', 0))
		case 'y':
			b.WriteByte(findType(x.info))
		case 'T':
			i = min(i+1, len(format)-1)
			b.WriteString(strconv.FormatInt(x.info.ModTime().Unix(), 10))
		default:
			b.WriteString(s.directive(format[i], 0))
		}
	}
	return b.String()
}
