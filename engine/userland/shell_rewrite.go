package userland

import (
	"strconv"
	"strings"

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
	wordDescriptor = "\x02fd"   // + a number: an open descriptor as a path
	lastJob        = "_LAST_JOB"
)

func itoa(n int) string { return strconv.Itoa(n) }

// rewrite prepares a parsed script: commands in the background become calls of ours that start real
// processes, $! becomes a variable that we set, and functions are remembered for the shells that run jobs.
// Where no process can be started the script stays as it is. It tells whether anything changed.
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
			if n.Param != nil && n.Param.Value == "!" && sh.Starter != nil {
				n.Param.Value, n.Short, changed = lastJob, false, true
			}
		case *syntax.Stmt:
			if n.Background && sh.Starter != nil {
				sh.background(n)
				changed = true
				return false
			}
			if sub, ok := n.Cmd.(*syntax.Subshell); ok && sh.Starter != nil && apartScript(sub.Stmts) {
				n.Cmd, changed = asProcess(sub.Stmts), true
			}
			changed = highRedirects(n) || changed
		case *syntax.CmdSubst:
			if sh.Starter != nil && apartScript(n.Stmts) {
				n.Stmts, changed = []*syntax.Stmt{{Cmd: asProcess(n.Stmts)}}, true
				return false
			}
		}
		return true
	})
	return changed
}

// background turns "command &" into a call of ours.
func (sh *shell) background(st *syntax.Stmt) {
	st.Background = false
	input, high := false, false
	for _, r := range st.Redirs {
		high = high || r.N != nil && number(r.N.Value) > 2
		input = input || r.Op == syntax.RdrIn || r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc || r.Op == syntax.WordHdoc
	}
	call, simple := st.Cmd.(*syntax.CallExpr)
	if simple && !high && len(call.Args) > 0 && len(call.Assigns) == 0 && !st.Negated {
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

// literal is a word that expands to exactly s.
func literal(s string) *syntax.Word {
	return &syntax.Word{Parts: []syntax.WordPart{&syntax.SglQuoted{Value: s}}}
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
		b.WriteString("'" + strings.ReplaceAll(a, "'", `'\''`) + "'")
	}
	return b.String()
}
