package userland

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Names under which the interpreter hands its work over to us. They begin like no command does.
const (
	wordBackground = "\x02bg"  // a simple command and its words
	wordJob        = "\x02job" // the source of any other command
	wordTrap       = "\x02trap"
	wordFail       = "\x02fail"
	wordOurs       = "\x01"     // + the name of a builtin that we do ourselves
	wordProcess    = "\x02proc" // the source of a subshell that must be a process
	wordPipe       = "\x02pipe" // the parts of a pipeline
	wordTerminal   = "\x02tty"  // + a number: a file that is there if the descriptor is a terminal
	wordDescriptor = "\x02fd"   // + a number: an open descriptor as a path
	lastJob        = "_LAST_JOB"
)

func itoa(n int) string { return strconv.Itoa(n) }

// rewrite prepares a parsed script: what the interpreter would ask the operating system for, or do in threads of its own, becomes
// calls of ours. Commands in the background, and pipelines where the machine makes the pipes, become processes; $! and $$ become
// variables that we set; functions are remembered for the shells that run parts of the script. Where no process can be started
// the script stays as it is. It tells whether anything changed.
func (sh *shell) rewrite(node syntax.Node) bool {
	changed := false
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			sh.mu.Lock()
			sh.funcs[n.Name.Value] = source(n)
			sh.defined[n.Name.Value] = true
			sh.mu.Unlock()
		case *syntax.ParamExp:
			changed = sh.parameter(n) || changed
		case *syntax.Assign:
			changed = unescapeWord(n.Value) || changed
		case *syntax.ArrayElem:
			changed = unescapeWord(n.Value) || changed
		case *syntax.UnaryTest:
			if w, ok := n.X.(*syntax.Word); ok && n.Op == syntax.TsFdTerm && !sh.onHost() {
				n.Op, changed = syntax.TsExists, true
				n.X = &syntax.Word{Parts: append([]syntax.WordPart{&syntax.SglQuoted{Value: wordTerminal}}, w.Parts...)}
			}
		case *syntax.CaseClause:
			changed = unescapeWord(n.Word) || changed
		case *syntax.Redirect:
			if n.Op != syntax.Hdoc && n.Op != syntax.DashHdoc {
				changed = unescapeWord(n.Word) || changed
			}
		case *syntax.Stmt:
			did, over := sh.statement(n)
			changed = changed || did
			return !over
		case *syntax.CmdSubst:
			did, over := sh.substitution(n)
			changed = changed || did
			return !over
		}
		return true
	})
	return changed
}

// unescapeWord quotes what backslashes escape in a word that the interpreter does not split into fields: it would leave the
// backslashes there.
func unescapeWord(w *syntax.Word) bool {
	if w == nil {
		return false
	}
	changed := false
	var parts []syntax.WordPart
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok || !strings.Contains(lit.Value, `\`) {
			parts = append(parts, part)
			continue
		}
		changed = true
		for text := lit.Value; text != ""; {
			before, after, escaped := strings.Cut(text, `\`)
			if before != "" {
				parts = append(parts, &syntax.Lit{Value: before})
			}
			if text = after; !escaped || after == "" {
				break
			}
			_, size := utf8.DecodeRuneInString(after)
			parts = append(parts, literal(after[:size]).Parts...)
			text = after[size:]
		}
	}
	w.Parts = parts
	return changed
}

// parameter renames the parameters that the interpreter would ask the operating system for.
func (sh *shell) parameter(n *syntax.ParamExp) bool {
	if n.Param == nil {
		return false
	}
	switch name := n.Param.Value; {
	case name == "!" && sh.Starter != nil:
		n.Param.Value = lastJob
	case name == "$":
		n.Param.Value = varPID
	case name == "PPID":
		n.Param.Value = varParent
	default:
		return false
	}
	n.Short = false
	return true
}

// statement rewrites one statement; over tells that nothing within it is left to do.
func (sh *shell) statement(st *syntax.Stmt) (changed, over bool) {
	if sh.Starter != nil && st.Background {
		sh.background(st)
		return true, true
	}
	if pipe, ok := st.Cmd.(*syntax.BinaryCmd); ok && sh.pipes() && (pipe.Op == syntax.Pipe || pipe.Op == syntax.PipeAll) {
		sh.asPipeline(st, pipe)
		return true, true
	} else if ok && (pipe.Op == syntax.Pipe || pipe.Op == syntax.PipeAll) && sh.ownLast(pipe.Y) {
		pipe.Y, changed = &syntax.Stmt{Cmd: &syntax.Subshell{Stmts: []*syntax.Stmt{pipe.Y}}}, true
	}
	if sub, ok := st.Cmd.(*syntax.Subshell); ok && sh.Starter != nil && apartScript(sub.Stmts, false) {
		st.Cmd, changed = asProcess(sub.Stmts), true
	}
	if !sh.onHost() {
		changed = sh.timed(st) || changed
		for _, r := range st.Redirs {
			changed = inlineDocument(r) || changed
		}
		changed = sh.pipes() && processSubstitutions(st) || changed
	}
	return highRedirects(st) || changed, false
}

// ownLast tells whether the last part of a pipeline needs a subshell, because the interpreter would run it in the shell itself,
// where it could set variables or end the shell.
func (sh *shell) ownLast(st *syntax.Stmt) bool {
	switch cmd := st.Cmd.(type) {
	case *syntax.Subshell:
		return false
	case *syntax.CallExpr:
		return len(cmd.Args) == 0 || len(cmd.Assigns) > 0 || !sh.external(cmd.Args[0].Lit())
	}
	return true
}

// substitution rewrites $( ).
func (sh *shell) substitution(n *syntax.CmdSubst) (changed, over bool) {
	if sh.Starter != nil && apartScript(n.Stmts, true) {
		n.Stmts = []*syntax.Stmt{{Cmd: asProcess(n.Stmts)}}
		return true, true
	}
	if sh.onHost() || len(n.Stmts) != 1 {
		return false, false
	}
	// The interpreter reads $(<file) itself, from what it takes for a file.
	if st := n.Stmts[0]; st.Cmd == nil && len(st.Redirs) == 1 && st.Redirs[0].Op == syntax.RdrIn {
		st.Cmd = &syntax.CallExpr{Args: []*syntax.Word{literal(wordOurs + "cat")}}
		return true, false
	}
	return false, false
}

// pipes tells whether the parts of pipelines are processes joined by pipes of the machine's.
func (sh *shell) pipes() bool { return sh.Pipes != nil && sh.Starter != nil }

// background turns "command &" into a call of ours.
func (sh *shell) background(st *syntax.Stmt) {
	st.Background = false
	input, apart := false, false
	for _, r := range st.Redirs {
		apart = apart || r.N != nil && number(r.N.Value) > 2 || opensFile(r)
		input = input || r.Op == syntax.RdrIn || r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc || r.Op == syntax.WordHdoc
	}
	call, simple := st.Cmd.(*syntax.CallExpr)
	if simple && !apart && len(call.Args) > 0 && len(call.Assigns) == 0 && !st.Negated {
		for _, w := range call.Args {
			sh.rewrite(w)
		}
		highRedirects(st)
		st.Cmd = &syntax.CallExpr{Args: append([]*syntax.Word{literal(wordBackground)}, call.Args...)}
	} else {
		text := source(st)
		st.Redirs, st.Negated = nil, false
		st.Cmd = &syntax.CallExpr{Args: []*syntax.Word{literal(wordJob), literal(text)}}
	}
	if !input {
		st.Redirs = append([]*syntax.Redirect{{Op: syntax.RdrIn, Word: literal("/dev/null")}}, st.Redirs...)
	}
}

// opensFile tells whether a redirection opens a file, for which the shell might have to wait: a FIFO. In the background that is
// the new process's business.
func opensFile(r *syntax.Redirect) bool {
	switch r.Op {
	case syntax.DplIn, syntax.DplOut, syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc:
		return false
	}
	return r.Word.Lit() != "/dev/null"
}

// literal is a word that expands to exactly s, and is printed so that it does.
func literal(s string) *syntax.Word {
	w := &syntax.Word{}
	for i, part := range strings.Split(s, "'") {
		if i > 0 {
			w.Parts = append(w.Parts, &syntax.DblQuoted{Parts: []syntax.WordPart{&syntax.Lit{Value: "'"}}})
		}
		w.Parts = append(w.Parts, &syntax.SglQuoted{Value: part})
	}
	return w
}

// source is a piece of script as text.
func source(n syntax.Node) string {
	var b strings.Builder
	if err := syntax.NewPrinter().Print(&b, n); err != nil {
		return ":"
	}
	return b.String()
}

// prepared is script text after rewrite, for eval.
func (sh *shell) prepared(text string) string {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), sh.name)
	if err != nil || !sh.rewrite(file) {
		return text
	}
	return source(file)
}

// quote makes one shell word of each argument.
func quote(args []string) string {
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("'" + strings.ReplaceAll(a, "'", `'"'"'`) + "'")
	}
	return b.String()
}
