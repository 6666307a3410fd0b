package userland

import (
	"context"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// firstSubstitute is the first descriptor of process substitutions, from which they go down.
const firstSubstitute = 63

// processSubstitutions rewrites the <( ) and >( ) among the words of a simple command and in the redirections of any. The other end
// of a pipe gets a high descriptor for as long as the command runs; the command finds it as /dev/fd/N.
func processSubstitutions(st *syntax.Stmt) bool {
	block := &syntax.Block{}
	last := &syntax.CallExpr{Args: []*syntax.Word{literal(wordOurs + "fds"), parameterWord("?")}}
	next := firstSubstitute
	begin := func(ps *syntax.ProcSubst) string {
		number := itoa(next)
		next--
		block.Stmts = append(block.Stmts, &syntax.Stmt{Cmd: &syntax.CallExpr{Args: []*syntax.Word{
			literal(wordOurs + "psub"), literal(number), literal(ps.Op.String()), literal(source(&syntax.File{Stmts: ps.Stmts}))}}})
		last.Args = append(last.Args, literal(number))
		return number
	}
	for _, r := range st.Redirs {
		if r.Word != nil && len(r.Word.Parts) == 1 {
			if ps, ok := r.Word.Parts[0].(*syntax.ProcSubst); ok {
				r.Word = literal(wordDescriptor + begin(ps))
			}
		}
	}
	if call, ok := st.Cmd.(*syntax.CallExpr); ok {
		for _, w := range call.Args {
			for i, part := range w.Parts {
				if ps, ok := part.(*syntax.ProcSubst); ok {
					w.Parts[i] = &syntax.SglQuoted{Value: "/dev/fd/" + begin(ps)}
				}
			}
		}
	}
	if len(block.Stmts) == 0 {
		return false
	}
	inner := &syntax.Stmt{Cmd: st.Cmd, Redirs: st.Redirs}
	block.Stmts = append(block.Stmts, inner, &syntax.Stmt{Cmd: last})
	st.Cmd, st.Redirs = block, nil
	return true
}

func parameterWord(name string) *syntax.Word {
	return &syntax.Word{Parts: []syntax.WordPart{&syntax.ParamExp{Short: true, Param: &syntax.Lit{Value: name}}}}
}

// substitute starts the process of one substitution.
func (sh *shell) substitute(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	r, w, err := sh.Pipes.Pipe()
	if err != nil {
		return status(t.errorf("pipe: %s", reason(err)))
	}
	if args[1] == "<(" {
		t.Stdout = w
	} else {
		t.Stdin = r
	}
	child, err := t.Starter.Start(sh.ctx, sh.scriptCommand(ctx, hc, t, args[2]))
	if args[1] == "<(" {
		w.Close()
		sh.keepFile(int(number(args[0])), sharedStream{Reader: r, close: r.Close})
	} else {
		r.Close()
		sh.keepFile(int(number(args[0])), sharedStream{Writer: w, close: w.Close})
	}
	if err != nil {
		return status(t.cannotRun("sh", err))
	}
	j := newJob(args[2])
	j.child, j.pid = child, child.PID()
	sh.spawn(func() { sh.follow(j) })
	return nil
}

// substitutes tells whether a process substitution is open: programs that look for it under /dev/fd have to be processes.
func (sh *shell) substitutes() bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.files[firstSubstitute] != nil
}

// timed rewrites a time clause, whose clock has to be the machine's.
func (sh *shell) timed(st *syntax.Stmt) bool {
	clause, ok := st.Cmd.(*syntax.TimeClause)
	if !ok {
		return false
	}
	style := "bash"
	if clause.PosixFormat {
		style = "posix"
	}
	block := &syntax.Block{Stmts: []*syntax.Stmt{{Cmd: &syntax.CallExpr{Args: []*syntax.Word{literal(wordOurs + "timed")}}}}}
	if clause.Stmt != nil {
		block.Stmts = append(block.Stmts, clause.Stmt)
	}
	block.Stmts = append(block.Stmts, &syntax.Stmt{Cmd: &syntax.CallExpr{Args: []*syntax.Word{literal(wordOurs + "timed"), literal(style), parameterWord("?")}}})
	st.Cmd = block
	return true
}

// timeClause is the call of timed: without words it begins, with them it ends and passes the exit code on.
func (sh *shell) timeClause(t *task, args []string) int {
	if len(args) == 0 {
		sh.timers = append(sh.timers, t.now())
		return 0
	}
	began := sh.timers[len(sh.timers)-1]
	sh.timers = sh.timers[:len(sh.timers)-1]
	took := t.now().Sub(began)
	if args[0] == "posix" {
		t.printf("real %.2f\nuser 0.00\nsys 0.00\n", took.Seconds())
	} else {
		t.printf("\nreal\t%dm%.3fs\nuser\t0m0.000s\nsys\t0m0.000s\n", int(took.Minutes()), (took % time.Minute).Seconds())
	}
	return int(number(args[1]))
}
