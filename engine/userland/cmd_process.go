package userland

import (
	"errors"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func processTable() []entry {
	return []entry{
		{name: "ps", run: runPs, process: true}, {name: "kill", run: runKill}, {name: "pgrep", run: runPgrep}, {name: "pkill", run: runPkill},
		{name: "pidof", run: runPidof}, {name: "killall", run: runPkill}, {name: "sleep", run: runSleep, process: true},
		{name: "timeout", run: runTimeout, process: true}, {name: "nohup", run: runNohup, process: true}, {name: "env", run: runEnv},
		{name: "printenv", run: runPrintenv}, {name: "id", run: runID}, {name: "whoami", run: runWhoami}, {name: "groups", run: runGroups},
		{name: "which", run: runWhich}, {name: "nice", run: runNice}, {name: "logname", run: runWhoami}, {name: "tty", run: runTty},
		{name: "setsid", run: runSetsid, process: true},
	}
}

func runKill(t *task, args []string) int {
	signal := 15
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--" {
		flag, value := args[0], ""
		args = args[1:]
		switch {
		case flag == "-l" || flag == "-L":
			return t.listSignals(args)
		case flag == "-s" || flag == "-n" || flag == "--signal":
			if len(args) == 0 {
				return t.errorf("option requires an argument -- 's'")
			}
			value, args = args[0], args[1:]
		default:
			value = flag[1:]
		}
		n, ok := signalNumber(value)
		if !ok {
			return t.errorf("%s: invalid signal", value)
		}
		signal = n
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return t.usage("[-s SIGNAL | -SIGNAL] PID...")
	}
	if t.Procs == nil {
		return t.unable("process table")
	}
	for _, a := range args {
		pid, err := strconv.Atoi(a)
		if err != nil {
			t.errorf("invalid number '%s'", a)
			continue
		}
		if err := t.Procs.Kill(pid, signal); err != nil {
			t.errorf("can't kill pid %d: %s", pid, reason(err))
		}
	}
	return t.code()
}

func (t *task) listSignals(args []string) int {
	for _, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil {
			number, ok := signalNumber(a)
			if !ok {
				return t.errorf("%s: invalid signal", a)
			}
			t.printf("%d\n", number)
			continue
		}
		t.print(signalName(n&0x7f) + "\n")
	}
	if len(args) == 0 {
		for i, name := range strings.Fields(signalNames) {
			t.printf("%2d) %s\n", i+1, name)
		}
	}
	return 0
}

// matching are the processes whose name, or whole command line, matches; itself is none of them.
func (t *task) matching(o opts, pattern string) ([]Process, error) {
	if t.Procs == nil {
		return nil, errors.New("process table: not available here")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	all, err := t.Procs.List()
	if err != nil {
		return nil, err
	}
	self, _ := t.Procs.Self()
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return slices.DeleteFunc(all, func(p Process) bool {
		text := processName(p)
		if o.has('f') && len(p.Args) > 0 {
			text = strings.Join(p.Args, " ")
		}
		match := re.MatchString(text)
		if o.has('x') {
			match = re.FindString(text) == text && text != ""
		}
		return p.PID == self || !match
	}), nil
}

// processName is the name a process was called by. All programs of the built-in image have one binary, whose
// own name says nothing.
func processName(p Process) string {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return p.Name
	}
	return strings.TrimPrefix(path.Base(p.Args[0]), "-")
}

func runPgrep(t *task, args []string) int {
	o, ok := t.options(args, "flaxn", "full=f list-name=l list-full=a exact=x")
	if !ok || len(o.args) != 1 {
		return t.usage("[-flax] PATTERN")
	}
	found, err := t.matching(o, o.args[0])
	if err != nil {
		return t.errorf("%s", err) + 1
	}
	for _, p := range found {
		switch {
		case o.has('a'):
			t.printf("%d %s\n", p.PID, commandLine(p))
		case o.has('l'):
			t.printf("%d %s\n", p.PID, processName(p))
		default:
			t.printf("%d\n", p.PID)
		}
	}
	if len(found) == 0 {
		return 1
	}
	return 0
}

func runPkill(t *task, args []string) int {
	signal := 15
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if n, ok := signalNumber(args[0][1:]); ok {
			signal, args = n, args[1:]
		}
	}
	o, ok := t.options(args, "fxqes:", "full=f exact=x signal=s")
	if !ok || len(o.args) != 1 {
		return t.usage("[-SIGNAL] [-fx] PATTERN")
	}
	if s, given := o.value('s'); given {
		signal, _ = signalNumber(s)
	}
	if t.name == "killall" {
		o.set = append(o.set, opt{letter: 'x'})
	}
	found, err := t.matching(o, o.args[0])
	if err != nil {
		return t.errorf("%s", err) + 1
	}
	if len(found) == 0 {
		if t.name == "killall" {
			t.errorf("%s: no process killed", o.args[0])
		}
		return 1
	}
	for _, p := range found {
		if err := t.Procs.Kill(p.PID, signal); err != nil {
			t.errorf("killing pid %d failed: %s", p.PID, reason(err))
		}
	}
	return t.code()
}

func runPidof(t *task, args []string) int {
	var pids []string
	for _, name := range args {
		found, err := t.matching(opts{set: []opt{{letter: 'x'}}}, regexp.QuoteMeta(name))
		if err != nil {
			return t.errorf("%s", err)
		}
		for _, p := range slices.Backward(found) {
			pids = append(pids, strconv.Itoa(p.PID))
		}
	}
	if len(pids) == 0 {
		return 1
	}
	t.print(strings.Join(pids, " ") + "\n")
	return 0
}

func runSleep(t *task, args []string) int {
	if len(args) == 0 {
		return t.errorf("missing operand")
	}
	var total time.Duration
	for _, a := range args {
		d, err := span(a)
		if err != nil {
			return t.errorf("%s", err)
		}
		if total += d; total < 0 {
			total = 1<<63 - 1
		}
	}
	if t.pause(total) != nil {
		return 130
	}
	return 0
}

func runTimeout(t *task, args []string) int {
	o, ok := t.options(args, "+s:k:v", "signal=s kill-after=k foreground=f preserve-status=p")
	if !ok {
		return 125
	}
	if len(o.args) < 2 {
		t.usage("[-s SIGNAL] [-k SECONDS] DURATION COMMAND [ARG]...")
		return 125
	}
	limit, err := span(o.args[0])
	signal, known := 15, true
	if s, given := o.value('s'); given {
		signal, known = signalNumber(s)
	}
	grace := time.Duration(0)
	if k, given := o.value('k'); given && err == nil {
		grace, err = span(k)
	}
	if err != nil || !known {
		t.errorf("invalid time interval or signal")
		return 125
	}
	if t.Starter == nil {
		return t.timeoutWithin(o.args[1:], limit)
	}
	file, err := t.lookPath(o.args[1])
	if err != nil {
		return t.cannotRun(o.args[1], err)
	}
	child, err := t.startFile(t.ctx, t.commandFor(file, o.args[1:]))
	if err != nil {
		return t.cannotRun(o.args[1], err)
	}
	return t.timed(child, limit, grace, signal, o.has('p'))
}

// timed waits for a child and signals it when its time is up.
func (t *task) timed(child Child, limit, grace time.Duration, signal int, keep bool) int {
	done := make(chan int, 1)
	t.spawn(func() {
		code, _ := child.Wait()
		done <- code
	})
	if limit <= 0 {
		var code int
		t.block(func() { code = <-done })
		return code
	}
	if code, ended := first(t, done, limit); ended {
		return code
	}
	child.Signal(signal)
	code := 124
	if grace > 0 {
		if real, ended := first(t, done, grace); ended {
			if keep {
				code = real
			}
			return code
		}
		child.Signal(int(syscall.SIGKILL))
		code = 137
	}
	var real int
	t.block(func() { real = <-done })
	if keep || signal == int(syscall.SIGKILL) {
		code = real
	}
	return code
}

func (t *task) timeoutWithin(args []string, limit time.Duration) int {
	ctx, cancel := t.limited(limit)
	defer cancel()
	one := &task{Env: t.Env, ctx: ctx, name: t.name}
	code := one.command(args)
	if ctx.Err() != nil && t.ctx.Err() == nil {
		return 124
	}
	return code
}

func runNohup(t *task, args []string) int {
	if len(args) == 0 {
		return t.usage("COMMAND [ARG]...")
	}
	if t.Signals != nil {
		t.Signals.Ignore(1)
	}
	if isTerminal(t.Stdout) {
		f, err := t.create("nohup.out", os.O_APPEND, 0o600)
		if err == nil {
			defer f.Close()
			t.Stdout = f
		}
	}
	return t.replaceOr(args)
}

// replaceOr lets a command take this program's place where that can be, else runs it.
func (t *task) replaceOr(args []string) int {
	file, err := t.lookPath(args[0])
	if err != nil {
		return t.cannotRun(args[0], err)
	}
	if t.Starter != nil && t.replaceable() {
		flush(t.Stdout)
		if err := t.Starter.Replace(t.commandFor(file, args)); !errors.Is(err, errors.ErrUnsupported) {
			return t.cannotRun(args[0], err)
		}
	}
	return t.command(args)
}

// replaceable tells whether this task is the process, so that execve is allowed to end it.
func (t *task) replaceable() bool {
	if _, real := t.Starter.(osStarter); real {
		return len(os.Args) > 0 && strings.HasSuffix(os.Args[0], t.name)
	}
	return t.main
}

func runNice(t *task, args []string) int {
	o, ok := t.options(args, "+n:cfw", "adjustment=n")
	if !ok || len(o.args) == 0 {
		return t.usage("COMMAND [ARG]...")
	}
	return t.command(o.args)
}

func runWhich(t *task, args []string) int {
	o, ok := t.options(args, "a", "all=a")
	if !ok {
		return 2
	}
	code := 0
	for _, name := range o.args {
		file, err := t.lookPath(name)
		if err != nil {
			code = 1
			continue
		}
		t.print(file + "\n")
	}
	return code
}

func runTty(t *task, _ []string) int {
	if !isTerminal(t.Stdin) {
		t.print("not a tty\n")
		return 1
	}
	name := "/dev/tty"
	if links, err := t.links(); err == nil {
		if at, err := links.Readlink("/proc/self/fd/0"); err == nil {
			name = at
		}
	}
	t.print(name + "\n")
	return 0
}
