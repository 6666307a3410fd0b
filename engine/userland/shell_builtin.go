package userland

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// builtin runs one of the shell's commands that are ours.
func (sh *shell) builtin(ctx context.Context, hc interp.HandlerContext, t *task, name string, args []string) error {
	switch name {
	case "wait":
		return sh.wait(ctx, hc, t, args)
	case "jobs":
		sh.listJobs(t)
		return nil
	case "fg":
		return sh.foregroundJob(ctx, hc, t, args)
	case "bg":
		return status(sh.backgroundJob(t, args))
	case "disown":
		return nil
	case "trap":
		return sh.trapBuiltin(ctx, hc, t, args)
	case "umask":
		return status(t.umask(args))
	case "ulimit":
		return status(t.ulimit(args))
	case "type", "command":
		return status(sh.describe(t, name, args))
	case "times":
		t.print("0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n")
		return nil
	case "read":
		return sh.read(ctx, hc, t, args)
	case "mapfile":
		return sh.mapfile(ctx, hc, t, args)
	case "test", "[":
		t.name = name
		return status(runTest(t, args))
	case "pwd":
		return status(runPwd(t, args))
	case "cat":
		t.name = name
		return status(runCat(t, args))
	case "psub":
		return sh.substitute(ctx, hc, t, args)
	case "timed":
		return status(sh.timeClause(t, args))
	case "fd":
		return status(sh.descriptor(ctx, t, args))
	case "fds":
		return status(sh.endDescriptors(args))
	case "printf":
		return sh.printfBuiltin(ctx, hc, t, args)
	}
	return sh.replace(ctx, hc, t, args)
}

// replace is exec: the command takes the shell's place.
func (sh *shell) replace(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	argv0 := ""
	if len(args) > 2 && args[0] == "-a" {
		argv0, args = args[1], args[2:]
	}
	file, err := t.lookPath(args[0])
	code := 0
	switch {
	case err != nil:
		code = t.cannotRun(args[0], err)
	case sh.Starter == nil:
		code = sh.foreground(ctx, t, args)
	default:
		c := sh.withFiles(t.commandFor(file, args))
		if argv0 != "" {
			c.Args = append([]string{argv0}, args[1:]...)
		}
		err := sh.Starter.Replace(c)
		if errors.Is(err, errors.ErrUnsupported) {
			code = sh.foreground(ctx, t, args)
		} else {
			code = t.cannotRun(args[0], err)
		}
	}
	return hc.Builtin(ctx, []string{"exit", itoa(code)})
}

// said is a builtin that prints. Where nobody reads any more the shell, or the subshell, ends, as by SIGPIPE.
func (sh *shell) said(ctx context.Context, hc interp.HandlerContext, t *task, print program, args []string) error {
	sh.mu.Lock()
	_, trapped := sh.traps[sigPIPE]
	sh.mu.Unlock()
	t.mortal = !trapped
	code := print(t, args)
	if code == codeBrokenPipe && t.mortal {
		return hc.Builtin(ctx, []string{"exit", itoa(code)})
	}
	return status(code)
}

// printfBuiltin has printf's -v, which sets a variable.
func (sh *shell) printfBuiltin(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	if len(args) < 3 || args[0] != "-v" || !syntax.ValidName(args[1]) {
		return sh.said(ctx, hc, t, runPrintf, args)
	}
	t.name = "printf"
	var b strings.Builder
	t.Stdout = &b
	if code := runPrintf(t, args[2:]); code != 0 {
		return status(code)
	}
	return hc.Builtin(ctx, []string{"eval", args[1] + "=" + quote([]string{b.String()})})
}

// kill is the program with jobs for pids.
func (sh *shell) kill(t *task, args []string) int {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if strings.HasPrefix(a, "%") {
			j := sh.findJob(a)
			if j == nil {
				return t.errorf("kill: %s: %s", a, errNoJob)
			}
			out[i] = itoa(j.pid)
		}
	}
	t.name = sh.name + ": kill"
	code := runKill(t, out)
	if sh.Procs == nil || code != 0 {
		return code
	}
	if self, _ := sh.Procs.Self(); slices.Contains(out, itoa(self)) || slices.Contains(out, "0") {
		if n, ok := signalOf(out); ok {
			sh.settle(n)
		}
	}
	return code
}

func (t *task) umask(args []string) int {
	if t.Signals == nil {
		return t.unable("umask")
	}
	if len(args) == 0 || args[0] == "-S" {
		old := t.Signals.Umask(0o22)
		t.Signals.Umask(old)
		if len(args) > 0 {
			s := modeString(fileMode(0o777 &^ uint32(old)))
			t.printf("u=%s,g=%s,o=%s\n", strings.ReplaceAll(s[1:4], "-", ""), strings.ReplaceAll(s[4:7], "-", ""), strings.ReplaceAll(s[7:10], "-", ""))
		} else {
			t.printf("%04o\n", old)
		}
		return 0
	}
	n, err := strconv.ParseUint(args[0], 8, 32)
	if err != nil {
		old := t.Signals.Umask(0o22)
		t.Signals.Umask(old)
		mode, merr := applyMode(args[0], fileMode(0o777&^uint32(old)), 0)
		if merr != nil {
			return t.errorf("umask: Illegal mode: %s", args[0])
		}
		n = uint64(0o777 &^ bits(mode))
	}
	t.Signals.Umask(int(n & 0o777))
	return 0
}

// ulimit shows limits that this process has; it changes none but accepts what is already so.
func (t *task) ulimit(args []string) int {
	flag := "-f"
	if len(args) > 0 {
		flag = args[0]
	}
	limits, ok := t.Procs.(Rlimits)
	limit := ""
	if ok {
		limit, ok = limits.Limit(flag)
	}
	if !ok {
		return t.errorf("ulimit: %s: not supported", flag)
	}
	if len(args) > 1 {
		if err := limits.SetLimit(flag, args[1]); err != nil {
			return t.errorf("ulimit: %s: %s", args[1], reason(err))
		}
		return 0
	}
	t.print(limit + "\n")
	return 0
}

// describe is command -v, command -V and type.
func (sh *shell) describe(t *task, name string, args []string) int {
	brief := name == "command" && args[0] == "-v"
	if name == "command" {
		args = args[1:]
	}
	if name == "type" && len(args) > 0 && (args[0] == "-p" || args[0] == "-P") {
		brief, args = true, args[1:]
	}
	code := 0
	for _, a := range args {
		kind, text := sh.kindOf(t, a)
		switch {
		case kind == "":
			if code = 1; name == "command" {
				code = 127
			}
			if !brief {
				t.errorf("%s: not found", a)
			}
		case brief:
			t.print(text + "\n")
		default:
			t.printf("%s is %s\n", a, kind)
		}
	}
	return code
}

func (sh *shell) kindOf(t *task, name string) (kind, text string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case slices.Contains([]string{"if", "then", "else", "fi", "for", "while", "do", "done", "case", "esac", "function", "time", "[["}, name):
		return "a shell keyword", name
	case sh.defined[name]:
		return "a shell function", name
	case interp.IsBuiltin(name):
		return "a shell builtin", name
	}
	file, err := t.lookPath(name)
	if err != nil {
		return "", ""
	}
	return file, file
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}
