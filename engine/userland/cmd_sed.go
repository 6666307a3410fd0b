package userland

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"strings"
)

// sed is one run over one stream, or over each file by itself with -i.
type sed struct {
	*task
	cmds          []sedCmd
	quiet         bool
	in            *bufio.Reader
	next          []byte // the line after this one, to know the last
	nextOK        bool
	nextEnded     bool
	space, hold   []byte
	ended         bool
	number        int
	appended      [][]byte
	lastMatch     *regexp.Regexp
	replaced      bool
	quit, deleted bool
	exit          int
	separator     byte
}

func runSed(t *task, args []string) int {
	args = sedInPlace(args)
	o, ok := t.options(args, "nEre:f:i:sz", "quiet=n silent=n expression=e file=f regexp-extended=E in-place=i separate=s null-data=z")
	if !ok {
		return 1
	}
	script, names, code := t.sedScript(o)
	if code != 0 {
		return code
	}
	cmds, err := parseSed(strings.Join(script, "\n"), o.has('E') || o.has('r'))
	if err != nil {
		return t.errorf("%s", err)
	}
	s := &sed{task: t, cmds: cmds, quiet: o.has('n'), separator: '\n'}
	if o.has('z') {
		s.separator = 0
	}
	if suffix, ok := o.value('i'); ok {
		return s.inPlace(names, suffix)
	}
	defer t.buffered()()
	s.runAll(names)
	return max(s.exit, t.code()*2)
}

// sedScript collects the script from the flags, or takes the first argument for it; the rest are names of files.
func (t *task) sedScript(o opts) (script, names []string, code int) {
	for _, f := range o.set {
		switch f.letter {
		case 'e':
			script = append(script, f.value)
		case 'f':
			data, err := t.readFile(f.value)
			if err != nil {
				return nil, nil, t.errorf("couldn't open file %s: %s", f.value, reason(err))
			}
			script = append(script, strings.TrimSuffix(string(data), "\n"))
		}
	}
	if len(script) > 0 {
		return script, o.args, 0
	}
	if len(o.args) == 0 {
		return nil, nil, t.usage("[-nEi] SCRIPT [FILE]...")
	}
	return o.args[:1], o.args[1:], 0
}

// runAll edits the files as one stream.
func (s *sed) runAll(names []string) {
	if len(names) < 2 {
		s.inputs(names, func(_ string, r io.Reader) error { s.run(r); return nil })
		return
	}
	var readers []io.Reader
	s.inputs(names, func(_ string, r io.Reader) error {
		all, err := s.readAll(r)
		readers = append(readers, bytes.NewReader(all))
		return err
	})
	s.run(io.MultiReader(readers...))
}

// sedInPlace gives -i, whose value is optional and attached, the value that options expects.
func sedInPlace(args []string) []string {
	var out []string
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		switch {
		case a == "--in-place":
			out = append(out, "--in-place=")
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Trim(a[1:], "nErsz") == "i":
			if a != "-i" {
				out = append(out, strings.Replace(a, "i", "", 1))
			}
			out = append(out, "--in-place=")
		default:
			out = append(out, a)
		}
	}
	return out
}

func (s *sed) inPlace(names []string, suffix string) int {
	for _, name := range names {
		info, err := s.stat(name)
		var data []byte
		if err == nil {
			data, err = s.readFile(name)
		}
		if err != nil {
			s.errorf("can't read %s: %s", name, reason(err))
			continue
		}
		var out bytes.Buffer
		one := &task{Env: s.Env, ctx: s.ctx, name: s.name}
		one.Stdout = &out
		each := &sed{task: one, cmds: append([]sedCmd(nil), s.cmds...), quiet: s.quiet, separator: s.separator}
		each.run(bytes.NewReader(data))
		if suffix != "" {
			err = s.writeFile(name+suffix, data, info.Mode().Perm())
		}
		if err == nil {
			err = s.writeFile(name, out.Bytes(), info.Mode().Perm())
		}
		if err != nil {
			s.errorf("couldn't write %s: %s", name, reason(err))
		}
		s.exit = max(s.exit, each.exit)
	}
	return max(s.exit, s.code()*2)
}

func (s *sed) run(r io.Reader) {
	s.in = bufio.NewReaderSize(r, 64<<10)
	s.number = 0
	s.fetch()
	for !s.quit && s.advance() {
		s.cycle()
	}
}
