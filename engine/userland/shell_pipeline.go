package userland

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// Words that begin a part of a pipeline among the words of its call.
const (
	partWords  = "\x02words" // a simple command follows, word by word
	partScript = "\x02code"  // the source of any other command follows
	partBoth   = "\x02both"  // after the part: standard error goes into the pipe, too
)

// stage is one part of a pipeline.
type stage struct {
	args   []string // of a simple command; else there is a script
	script string
	both   bool
}

// asPipeline turns a pipeline into a call of ours.
func (sh *shell) asPipeline(st *syntax.Stmt, pipe *syntax.BinaryCmd) {
	call := &syntax.CallExpr{Args: []*syntax.Word{literal(wordPipe)}}
	sh.addParts(call, pipe)
	st.Cmd = call
}

func (sh *shell) addParts(call *syntax.CallExpr, pipe *syntax.BinaryCmd) {
	for i, st := range []*syntax.Stmt{pipe.X, pipe.Y} {
		inner, ok := st.Cmd.(*syntax.BinaryCmd)
		if ok && (inner.Op == syntax.Pipe || inner.Op == syntax.PipeAll) && len(st.Redirs) == 0 && !st.Negated {
			sh.addParts(call, inner)
		} else {
			call.Args = append(call.Args, sh.partOf(st)...)
		}
		if i == 0 && pipe.Op == syntax.PipeAll {
			call.Args = append(call.Args, literal(partBoth))
		}
	}
}

// partOf are the words that hand one part over. The words of a simple command are expanded here and now when that can have no
// effect on anything else.
func (sh *shell) partOf(st *syntax.Stmt) []*syntax.Word {
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(st.Redirs) > 0 || st.Negated || len(call.Args) == 0 || len(call.Assigns) > 0 || !harmless(call) {
		return []*syntax.Word{literal(partScript), literal(source(st))}
	}
	for _, w := range call.Args {
		sh.rewrite(w)
	}
	return append([]*syntax.Word{literal(partWords)}, call.Args...)
}

// harmless tells whether expanding the words of a command only reads variables.
func harmless(call *syntax.CallExpr) bool {
	good := true
	syntax.Walk(call, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ArithmExp:
			good = false
		case *syntax.ParamExp:
			good = good && n.Exp == nil && n.Index == nil
		}
		return good
	})
	return good
}

// stages reads the words of the call back.
func stages(args []string) []stage {
	var all []stage
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == partBoth && len(all) > 0:
			all[len(all)-1].both = true
		case args[i] == partScript && i+1 < len(args):
			i++
			all = append(all, stage{script: args[i]})
		case args[i] == partWords:
			all = append(all, stage{})
		case len(all) > 0:
			all[len(all)-1].args = append(all[len(all)-1].args, args[i])
		}
	}
	return all
}

// pipeline runs the parts as processes and waits for all of them. Its exit code is the last one's; with pipefail that of the last
// one that failed.
func (sh *shell) pipeline(ctx context.Context, hc interp.HandlerContext, t *task, args []string) int {
	defer t.relayed()()
	all := stages(args)
	jobs := make([]*job, len(all))
	in, ours := t.Stdin, io.Closer(nil)
	for i, s := range all {
		one := &task{Env: t.Env, ctx: ctx, name: t.name}
		one.Stdin = in
		var r io.ReadCloser
		var w io.WriteCloser
		if i < len(all)-1 {
			var err error
			if r, w, err = sh.Pipes.Pipe(); err != nil {
				t.errorf("pipe: %s", reason(err))
				closeStream(ours)
				jobs = jobs[:i]
				break
			}
			if one.Stdout = w; s.both {
				one.Stderr = w
			}
		}
		jobs[i] = sh.startStage(ctx, hc, one, s)
		closeStream(ours)
		if w != nil {
			w.Close()
		}
		in, ours = r, r
	}
	return sh.codeOf(t, jobs, sh.option(ctx, hc, "pipefail"))
}

func closeStream(c io.Closer) {
	if c != nil {
		c.Close()
	}
}

// startStage starts one part; a part that can't be started is a job that has failed.
func (sh *shell) startStage(ctx context.Context, hc interp.HandlerContext, t *task, s stage) *job {
	j := newJob(s.script)
	c, code := sh.stageCommand(ctx, hc, t, s)
	if code == 0 {
		j.text = s.script + quote(s.args)
		err := sh.startJob(ctx, t, c, j)
		if err == nil {
			return j
		}
		code = t.cannotRun(c.Args[0], err)
	}
	j.code = code
	close(j.done)
	return j
}

func (sh *shell) stageCommand(ctx context.Context, hc interp.HandlerContext, t *task, s stage) (Command, int) {
	switch {
	case len(s.args) == 0 && s.script == "":
		s.script = ":"
	case len(s.args) > 0 && !sh.external(s.args[0]):
		s.script = quote(s.args)
	case len(s.args) > 0:
		file, err := t.lookPath(s.args[0])
		if err != nil {
			return Command{}, t.cannotRun(s.args[0], err)
		}
		if sh.option(ctx, hc, "xtrace") {
			sh.errorLine(t, "+ "+strings.Join(s.args, " "))
		}
		return sh.withFiles(t.commandFor(file, s.args)), 0
	}
	return sh.scriptCommand(ctx, hc, t, s.script), 0
}

// startJob starts a process in the foreground: on a terminal that the shell shares out, in the group of its pipeline.
func (sh *shell) startJob(ctx context.Context, t *task, c Command, j *job) error {
	if sh.control {
		return sh.startAttended(t, c, j)
	}
	child, err := t.startFile(ctx, c)
	if err == nil {
		j.child, j.pid = child, child.PID()
	}
	return err
}

// codeOf waits for the parts of a pipeline.
func (sh *shell) codeOf(t *task, jobs []*job, pipefail bool) int {
	code := 1
	for i, j := range jobs {
		switch {
		case j.child == nil:
		case sh.control:
			j.code = sh.attend(t, j)
		default:
			var err error
			if j.code, err = j.child.Wait(); err != nil {
				j.code = t.errorf("%s: %s", j.text, reason(err))
			}
		}
		if i == 0 || !pipefail || j.code != 0 {
			code = j.code
		}
	}
	return code
}

// external tells whether a simple command is a program, not a function or a builtin that works on the shell itself.
func (sh *shell) external(name string) bool {
	sh.mu.Lock()
	function := sh.defined[name]
	sh.mu.Unlock()
	return !function && (!interp.IsBuiltin(name) || slices.Contains([]string{"echo", "printf", "test", "[", "true", "false", "kill", "pwd"}, name)) &&
		!slices.Contains([]string{"umask", "ulimit", "jobs", "disown", "fg", "bg", "wait"}, name)
}

// option tells whether the running script has set an option.
func (sh *shell) option(ctx context.Context, hc interp.HandlerContext, name string) bool {
	return hc.Builtin(ctx, []string{"test", "-o", name}) == nil
}

// relayed makes a task's output streams such that a process of the machine can have them, where the interpreter or another program
// keeps what is written in memory. done waits until all of it has come.
func (t *task) relayed() (done func()) {
	if t.Pipes == nil || t.Starter == nil {
		return func() {}
	}
	shared := inMemory(t.Stdout) && inMemory(t.Stderr) && t.Stdout == t.Stderr
	out, waitOut := t.piped(t.Stdout)
	errs, waitErr := out, func() {}
	if !shared {
		errs, waitErr = t.piped(t.Stderr)
	}
	t.Stdout, t.Stderr = out, errs
	return func() { waitOut(); waitErr() }
}

func (t *task) piped(w io.Writer) (io.Writer, func()) {
	if !inMemory(w) {
		return w, func() {}
	}
	r, pw, err := t.Pipes.Pipe()
	if err != nil {
		return w, func() {}
	}
	done := make(chan struct{})
	counted := &counter{t: t, w: w}
	t.spawn(func() {
		defer close(done)
		defer r.Close()
		if _, err := io.Copy(counted, r); err != nil && !errors.Is(err, io.EOF) {
			t.failed = true
		}
	})
	return pw, func() {
		pw.Close()
		t.block(func() { <-done })
	}
}
