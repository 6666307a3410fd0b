package lint

import (
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// call is one simple command of a RUN.
type call struct {
	words []string // literal ones as they are, others empty
	dir   string   // where it runs, as far as cd says so
	last  bool     // nothing comes after it in its RUN
	bare  bool     // a top-level command, not in a subshell, a condition or a loop
}

func (c call) name() string {
	if len(c.words) == 0 {
		return ""
	}
	return path.Base(c.words[0])
}

// has tells whether one of words is an argument.
func (c call) has(words ...string) bool {
	for _, a := range c.words[1:] {
		if contains(words, a) {
			return true
		}
	}
	return false
}

// maxScript bounds the scripts that are looked at, in bytes: advice is for what people write.
const maxScript = 64 << 10

// calls lists the simple commands of a RUN, in order. There are none if its shell is not one that is understood.
func (w *walk) calls(st step, c *dockerfile.Run) []call {
	text := strings.Join(c.CmdLine, " ")
	switch {
	case len(c.Files) > 0:
		script, err := w.file.Script(st.in, c)
		if first, _, _ := strings.Cut(script.Text, "\n"); err != nil || script.Path != "" && !understood(strings.Fields(first+" ")...) {
			return nil
		}
		text = script.Text
	case len(c.CmdLine) == 0:
		return nil
	case !c.PrependShell:
		return []call{{words: c.CmdLine, dir: dirOr(st.workdir), last: true}}
	}
	if len(st.shell) > 0 && !understood(st.shell[0]) || len(text) > maxScript {
		return nil
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	f := &finder{dir: dirOr(st.workdir)}
	for i, stmt := range file.Stmts {
		f.stmt(stmt, i == len(file.Stmts)-1, true)
	}
	return f.calls
}

// understood tells whether one of words names a shell whose language is read here.
func understood(words ...string) bool {
	for _, w := range words {
		switch path.Base(strings.TrimPrefix(w, "#!")) {
		case "sh", "bash", "ash", "dash", "ksh", "zsh", "busybox":
			return true
		}
	}
	return false
}

func dirOr(dir string) string {
	if dir == "" {
		return "/"
	}
	return dir
}

// finder collects calls and follows cd.
type finder struct {
	calls []call
	dir   string
}

func (f *finder) stmt(s *syntax.Stmt, last, bare bool) {
	switch c := s.Cmd.(type) {
	case *syntax.BinaryCmd:
		inPipe := c.Op == syntax.Pipe || c.Op == syntax.PipeAll
		f.stmt(c.X, false, bare && !inPipe)
		f.stmt(c.Y, last, bare && !inPipe && c.Op == syntax.AndStmt)
	case *syntax.CallExpr:
		f.call(c.Args, last, bare)
		for _, r := range s.Redirs {
			if w := literal(r.Word); w != "" && (r.Op == syntax.RdrOut || r.Op == syntax.AppOut) {
				f.calls = append(f.calls, call{words: []string{">", w}, dir: f.dir})
			}
		}
	case *syntax.DeclClause:
		words := []string{c.Variant.Value}
		f.calls = append(f.calls, call{words: words, dir: f.dir, last: last, bare: bare})
	case nil:
	default:
		f.inner(c)
	}
}

// inner looks into loops, conditions and subshells: what they do to the shell is not known.
func (f *finder) inner(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok {
			dir := f.dir
			f.call(c.Args, false, false)
			f.dir = dir
		}
		return true
	})
}

func (f *finder) call(args []*syntax.Word, last, bare bool) {
	var words []string
	for _, a := range args {
		words = append(words, literal(a))
	}
	for len(words) > 1 && (words[0] == "sudo" || words[0] == "exec" || words[0] == "command") {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	f.calls = append(f.calls, call{words: words, dir: f.dir, last: last, bare: bare})
	if words[0] == "cd" && len(words) > 1 && words[1] != "" && bare {
		f.dir = absolute(f.dir, words[1])
	}
}

func absolute(dir, p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", dir, p)
}

// literal is a word without its quotes, empty if it holds anything that only a shell can tell.
func literal(w *syntax.Word) string {
	if w == nil {
		return ""
	}
	var b strings.Builder
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			for _, in := range p.Parts {
				lit, ok := in.(*syntax.Lit)
				if !ok {
					return ""
				}
				b.WriteString(lit.Value)
			}
		default:
			return ""
		}
	}
	return b.String()
}
