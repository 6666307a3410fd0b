package userland

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// call sees every simple command before it runs: it lets due traps run first and sends the builtins that
// are ours to exec.
func (sh *shell) call(ctx context.Context, args []string) ([]string, error) {
	sh.inputs.sweep()
	sh.account(interp.HandlerCtx(ctx).Env)
	if sh.due() {
		return append([]string{wordTrap}, args...), nil
	}
	name := args[0]
	sh.mu.Lock()
	function := sh.defined[name]
	sh.mu.Unlock()
	if sh.replaceLast.Load() && (function || interp.IsBuiltin(name)) { // which may run commands that are not the last
		sh.replaceLast.Store(false)
	}
	if function {
		return args, nil
	}
	switch name {
	case "wait", "jobs", "fg", "bg":
		if sh.Starter == nil {
			return args, nil
		}
		return append([]string{wordOurs + name}, args[1:]...), nil
	case "echo", "kill", "trap", "umask", "ulimit", "type", "printf", "disown", "times":
		return append([]string{wordOurs + name}, args[1:]...), nil
	case "exec":
		if len(args) > 1 {
			return append([]string{wordOurs + name}, args[1:]...), nil
		}
	case "command":
		if len(args) > 1 && (args[1] == "-v" || args[1] == "-V") {
			return append([]string{wordOurs + name}, args[1:]...), nil
		}
	case "eval":
		return []string{"eval", sh.prepared(strings.Join(args[1:], " "))}, nil
	case ".", "source":
		return sh.sourced(ctx, args), nil
	case "read":
		if !sh.onHost() || needsOurRead(args[1:]) {
			return append([]string{wordOurs + name}, args[1:]...), nil
		}
	case "mapfile", "readarray":
		if !sh.onHost() {
			return append([]string{wordOurs + "mapfile"}, args[1:]...), nil
		}
	case "pwd":
		if !sh.onHost() && slices.Contains(args, "-P") {
			return append([]string{wordOurs + name}, args[1:]...), nil
		}
	case "test", "[":
		if !sh.onHost() && slices.ContainsFunc(args, func(a string) bool { return slices.Contains([]string{"-t", "-ef", "-O", "-G"}, a) }) {
			return append([]string{wordOurs + name}, args[1:]...), nil
		}
	case "set":
		return setArgs(args), nil
	case "cd":
		return sh.cd(ctx, args), nil
	}
	return args, nil
}

// setArgs drops the options of set that change nothing here.
func setArgs(args []string) []string {
	out := args[:1:1]
	for i, a := range args[1:] {
		if a == "--" || len(a) < 2 || a[0] != '-' && a[0] != '+' {
			return append(out, args[1+i:]...)
		}
		letters := strings.Map(func(c rune) rune {
			if strings.ContainsRune("mhbvBHPTE", c) {
				return -1
			}
			return c
		}, a[1:])
		if letters != "" {
			out = append(out, a[:1]+letters)
		}
	}
	if len(out) == 1 && len(args) > 1 {
		return []string{":"}
	}
	return out
}

// cd checks the folder first, for the message that shells give.
func (sh *shell) cd(ctx context.Context, args []string) []string {
	hc := interp.HandlerCtx(ctx)
	for len(args) > 1 && (args[1] == "-P" || args[1] == "-L" || args[1] == "--") {
		args = append([]string{"cd"}, args[2:]...)
	}
	if len(args) != 2 || args[1] == "-" || args[1] == "" {
		return args
	}
	dir := args[1]
	if !path.IsAbs(dir) {
		dir = path.Join(hc.Dir, dir)
	}
	info, err := sh.FS.Stat(dir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = sh.mayAccess(dir, 1)
	}
	if err != nil {
		return []string{wordFail, fmt.Sprintf("cd: can't cd to %s: %s", args[1], reason(err))}
	}
	return args
}

// sourced prepares the file that "." names; when nothing in it needs us, the interpreter reads it itself.
func (sh *shell) sourced(ctx context.Context, args []string) []string {
	if len(args) < 2 {
		return args
	}
	t := sh.inner(interp.HandlerCtx(ctx))
	name := args[1]
	if !containsSlash(name) {
		if file, err := t.lookPath(name); err == nil {
			name = file
		}
	}
	data, err := t.readFile(name)
	if err != nil {
		return []string{wordFail, fmt.Sprintf(".: can't open '%s': %s", args[1], reason(err))}
	}
	text := string(data)
	if !sh.onHost() {
		sh.mu.Lock()
		sh.reading = t.abs(name)
		sh.mu.Unlock()
	}
	if ready := sh.prepared(text); ready != text && len(args) == 2 {
		return []string{"eval", ready}
	}
	return append([]string{args[0], t.abs(name)}, args[2:]...)
}

// inner is a task within the interpreter's current streams, variables and folder.
func (sh *shell) inner(hc interp.HandlerContext) *task {
	t := &task{Env: sh.Env, ctx: sh.ctx, name: sh.name}
	t.Stdin, t.Stdout, t.Stderr, t.Dir = sh.input(hc.Stdin), bare(plain(hc.Stdout)), bare(plain(hc.Stderr)), hc.Dir
	t.Environ = exported(hc.Env)
	return t
}

// input is the stream that commands read from when the interpreter has this standard input.
func (sh *shell) input(stdin io.Reader) io.Reader {
	if stdin == nil {
		return strings.NewReader("")
	}
	stream, ok := sh.inputs.behind(stdin)
	if !ok {
		return stdin
	}
	if own, ok := stream.(struct{ io.Reader }); ok {
		return own.Reader
	}
	return bare(stream)
}

// exported are the variables that programs are given, sorted. A variable hides one of the same name that came before.
func exported(env expand.Environ) []string {
	last := map[string]string{}
	for name, v := range env.Each {
		delete(last, name)
		if v.Exported && v.IsSet() && v.Kind == expand.String {
			last[name] = v.Str
		}
	}
	list := make([]string, 0, len(last))
	for name, value := range last {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// exec runs a command that is neither a function nor the interpreter's own.
func (sh *shell) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	if args[0] == wordOurs+"echo" {
		t := &task{Env: sh.Env, ctx: ctx, name: sh.name}
		t.Stdout, t.Stderr = bare(plain(hc.Stdout)), bare(plain(hc.Stderr))
		return sh.said(ctx, hc, t, runEcho, args[1:])
	}
	t := sh.inner(hc)
	t.ctx = ctx
	var err error
	switch args[0] {
	case wordTrap:
		if err := sh.runTraps(ctx, hc); err != nil {
			return err
		}
		return hc.Builtin(ctx, []string{"eval", quote(args[1:])})
	case wordFail:
		err = status(t.errorf("%s", args[1]))
	case wordBackground:
		return sh.startCommand(ctx, hc, t, args[1:])
	case wordProcess:
		err = sh.runScript(ctx, hc, t, args[1])
	case wordPipe:
		err = status(sh.pipeline(ctx, hc, t, args[1:]))
	case wordJob:
		return sh.startScript(ctx, hc, t, args[1])
	default:
		if ours, ok := strings.CutPrefix(args[0], wordOurs); ok && ours != "kill" {
			return sh.builtin(ctx, hc, t, ours, args[1:])
		} else if ok {
			err = status(sh.kill(t, args[1:]))
		} else {
			code := sh.foreground(ctx, t, args)
			if code == 128+int(syscall.SIGINT) { // the terminal sent it to the shell, too, which may be told a moment later
				sh.settle(int(syscall.SIGINT))
			}
			err = status(code)
		}
	}
	if sh.due() {
		if exit := sh.runTraps(ctx, hc); exit != nil {
			return exit
		}
	}
	return err
}

// status is an exit code as the interpreter wants it.
func status(code int) error {
	if code == 0 {
		return nil
	}
	return interp.ExitStatus(uint8(code))
}

// foreground runs a command and waits for it.
func (sh *shell) foreground(ctx context.Context, t *task, args []string) int {
	file, err := t.lookPath(args[0])
	if err != nil {
		return t.cannotRun(args[0], err)
	}
	if e, ok := sh.within(file, args); ok {
		one := &task{Env: t.Env, ctx: ctx, name: e.name}
		defer one.release()
		if _, substitution := one.Stdout.(*strings.Builder); substitution && t.Memory != nil {
			one.Stdout = &counter{t: one, w: one.Stdout}
		}
		return e.run(one, args[1:])
	}
	defer t.relayed()()
	c := sh.withFiles(t.commandFor(file, args))
	if sh.control {
		return sh.attended(t, c)
	}
	if sh.replaceLast.Load() && len(sh.traps) == 0 {
		if err := sh.Starter.Replace(c); !errors.Is(err, errors.ErrUnsupported) {
			return t.cannotRun(args[0], err)
		}
	}
	child, err := t.startFile(ctx, c)
	if err != nil {
		return t.cannotRun(args[0], err)
	}
	code, err := child.Wait()
	if err != nil {
		return t.errorf("%s: %s", args[0], reason(err))
	}
	return code
}

// within tells whether a command is one of our programs that the shell may run in itself.
func (sh *shell) within(file string, args []string) (entry, bool) {
	if sh.Starter != nil && sh.Own != nil && !sh.Own(file) {
		return entry{}, false
	}
	e, ok := lookup(path.Base(args[0]))
	if !ok || sh.Starter == nil {
		return e, ok
	}
	return e, !e.process && !sh.control && !longRunning(e.name, args) && !sh.substitutes() && !sh.setsID(file)
}

// setsID tells whether a file runs with another user's or group's rights.
func (t *task) setsID(file string) bool {
	info, err := t.FS.Stat(file)
	return err == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0
}

// longRunning tells whether a usually short program stays when called so.
func longRunning(name string, args []string) bool {
	switch name {
	case "tail":
		for _, a := range args[1:] {
			if strings.HasPrefix(a, "-") && strings.ContainsAny(a, "fF") {
				return true
			}
		}
	case "cat":
		return len(args) == 1
	}
	return false
}

func (t *task) commandFor(file string, args []string) Command {
	return Command{Path: file, Args: args, Environ: t.Environ, Dir: t.Dir, Stdin: t.Stdin, Stdout: t.Stdout, Stderr: t.Stderr}
}

// startFile starts a program; a text file without an interpreter line is a shell script.
func (t *task) startFile(ctx context.Context, c Command) (Child, error) {
	child, err := t.Starter.Start(ctx, c)
	if errors.Is(err, syscall.ENOEXEC) {
		script := c.Path
		c.Path = t.shellFile()
		c.Args = append([]string{"sh", script}, c.Args[1:]...)
		child, err = t.Starter.Start(ctx, c)
	}
	return child, err
}

// shellFile is the file that is our own shell when called sh.
func (t *task) shellFile() string {
	if !t.onHost() {
		file, err := t.lookPath("sh")
		switch {
		case err == nil && (t.Own == nil || t.Own(file)):
			return file
		case t.Shell != "":
			return t.Shell
		}
		return "/bin/sh"
	}
	self := selfExe()
	_, missing := t.FS.Stat(self)
	if file, err := t.lookPath("sh"); err == nil && (missing != nil || t.Own != nil && t.Own(file)) {
		return file
	}
	return self
}

// cannotRun reports why a command does not start: 127 not found, 126 not runnable.
func (t *task) cannotRun(name string, err error) int {
	if errors.Is(err, fs.ErrNotExist) && !containsSlash(name) {
		t.errorf("%s: not found", name)
		return 127
	}
	t.errorf("%s: %s", name, reason(err))
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// command runs a command for another program such as xargs, find, env or timeout: in itself when it is one
// of ours, else as a process.
func (t *task) command(args []string) int {
	sh := &shell{task: t}
	one := &task{Env: t.Env, ctx: t.ctx, name: t.name}
	if one.Stdin == nil {
		one.Stdin = strings.NewReader("")
	}
	flush(t.Stdout)
	defer flush(t.Stdout)
	return sh.foreground(t.ctx, one, args)
}

// flush empties a buffered output before somebody else writes to what is under it.
func flush(w io.Writer) {
	if b, ok := w.(interface{ Flush() error }); ok {
		b.Flush()
	}
}

func containsSlash(s string) bool { return strings.IndexByte(s, '/') >= 0 }

func splitPath(list string) []string { return strings.Split(list, ":") }
