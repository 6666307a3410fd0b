package userland

import (
	"context"
	"errors"
	"io"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// caught is the body of a trap that only keeps a signal from ending an interactive shell. Caught, not
// ignored: what is ignored stays so in the programs that the shell starts.
const caught = "\x00"

// converse is the interactive loop.
func (sh *shell) converse() int {
	sh.takeTerminal()
	in := newKeyboard(sh)
	code, ended := 0, false
	for !ended {
		parser := syntax.NewParser(syntax.Variant(syntax.LangBash))
		in.more = false
		var err error
		for stmts, failed := range parser.InteractiveSeq(in) {
			if err = failed; err != nil {
				break
			}
			if in.more = parser.Incomplete(); in.more {
				continue
			}
			if code, ended = sh.obeyAll(stmts); ended {
				break
			}
		}
		switch {
		case ended:
		case errors.Is(err, errInterrupted):
			code, in.line = 130, nil
		case err == nil || errors.Is(err, io.EOF):
			io.WriteString(sh.Stderr, "\n")
			return code
		default:
			sh.errorf("%s", syntaxError(err))
			code, in.line = 2, nil
		}
	}
	return code
}

// obeyAll runs the commands of one line until one ends the shell or is interrupted.
func (sh *shell) obeyAll(stmts []*syntax.Stmt) (code int, ended bool) {
	for _, st := range stmts {
		if code, ended = sh.obey(st); ended || sh.wasInterrupted() {
			break
		}
	}
	return code, ended
}

// obey runs one command; Ctrl-C gives it up.
func (sh *shell) obey(st *syntax.Stmt) (code int, ended bool) {
	ctx, cancel := context.WithCancel(sh.ctx)
	defer cancel()
	sh.mu.Lock()
	sh.giveUp, sh.interrupted = cancel, false
	sh.mu.Unlock()
	sh.rewrite(st)
	code = sh.result(sh.runner.Run(ctx, st))
	if sh.wasInterrupted() {
		io.WriteString(sh.Stderr, "\n")
		return 130, false
	}
	return code, sh.runner.Exited()
}

// interrupt gives up the command that runs, as Ctrl-C does.
func (sh *shell) interrupt() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.giveUp != nil {
		sh.interrupted = true
		sh.giveUp()
	}
}

func (sh *shell) wasInterrupted() bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.interrupted
}

// variable is the value of a variable of the running script.
func (sh *shell) variable(name string) string {
	if v, ok := sh.runner.Vars[name]; ok {
		return v.String()
	}
	return sh.env(name)
}

// promptText is a prompt; the usual one shows the folder and whether root types.
func (sh *shell) promptText(variable, usual string) string {
	text := sh.variable(variable)
	if text == "" && variable == "PS1" {
		text = `\w \$ `
	}
	if text == "" {
		return usual
	}
	mark := "$"
	if sh.User.UID == 0 {
		mark = "#"
	}
	host := "localhost"
	if sh.Host != nil {
		if u, err := sh.Host.Uname(); err == nil {
			host = u.Nodename
		}
	}
	dir := sh.runner.Dir
	user := (&directory{t: sh.task}).user(sh.User.UID)
	base := dir[strings.LastIndexByte(dir, '/')+1:]
	if base == "" {
		base = "/"
	}
	return strings.NewReplacer(`\w`, dir, `\W`, base, `\$`, mark, `\h`, host, `\H`, host, `\u`, user, `\n`, "\n", `\s`, "sh",
		`\[`, "", `\]`, "", `\e`, "\x1b").Replace(text)
}
