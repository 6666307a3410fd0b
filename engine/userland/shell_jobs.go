package userland

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// job is one background process.
type job struct {
	number int
	pid    int
	text   string
	child  Child         // nil when the program could not be started
	change chan struct{} // holds a token when the process stopped
	done   chan struct{}
	code   int  // valid when done is closed
	halted bool // the process is stopped; guarded by the shell's lock
}

func newJob(text string) *job {
	return &job{text: text, change: make(chan struct{}, 1), done: make(chan struct{})}
}

// follow waits for the job's process until it ends.
func (sh *shell) follow(j *job) {
	defer close(j.done)
	for {
		code, err := j.child.Wait()
		if !errors.Is(err, ErrStopped) {
			j.code = code
			return
		}
		sh.mu.Lock()
		j.halted = true
		sh.mu.Unlock()
		select {
		case j.change <- struct{}{}:
		default:
		}
	}
}

func (j *job) running() bool {
	select {
	case <-j.done:
		return false
	default:
		return true
	}
}

// startCommand starts a simple command in the background; functions and builtins need a shell.
func (sh *shell) startCommand(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	if !sh.external(args[0]) {
		return sh.startScript(ctx, hc, t, quote(args))
	}
	file, err := t.lookPath(args[0])
	if err != nil {
		// Said by a child that failed, as other shells have it: the job exists and its code tells.
		j := newJob(strings.Join(args, " "))
		j.code = t.cannotRun(args[0], err)
		close(j.done)
		return sh.enter(ctx, hc, t, j)
	}
	child, err := t.startFile(sh.ctx, sh.apart(sh.withFiles(t.commandFor(file, args))))
	if err != nil {
		return status(t.cannotRun(args[0], err))
	}
	return sh.launched(ctx, hc, t, child, strings.Join(args, " "))
}

// startScript starts any other command in a shell of its own that knows our variables and functions.
func (sh *shell) startScript(ctx context.Context, hc interp.HandlerContext, t *task, text string) error {
	child, err := t.Starter.Start(sh.ctx, sh.apart(sh.scriptCommand(ctx, hc, t, text)))
	if err != nil {
		return status(t.cannotRun("sh", err))
	}
	return sh.launched(ctx, hc, t, child, text)
}

// runScript is startScript in the foreground.
func (sh *shell) runScript(ctx context.Context, hc interp.HandlerContext, t *task, text string) error {
	defer t.relayed()()
	child, err := t.Starter.Start(ctx, sh.scriptCommand(ctx, hc, t, text))
	if err != nil {
		return status(t.cannotRun("sh", err))
	}
	code, err := child.Wait()
	if err != nil {
		return status(t.cannotRun("sh", err))
	}
	return status(code)
}

// scriptCommand is a shell that runs text and knows our variables, functions and options.
func (sh *shell) scriptCommand(ctx context.Context, hc interp.HandlerContext, t *task, text string) Command {
	var b strings.Builder
	declareAll(&b, hc.Env)
	if v := hc.Env.Get(varPID); v.IsSet() {
		b.WriteString(varPID + "=" + quote([]string{v.String()}) + "\n")
	}
	sh.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(sh.funcs)) {
		b.WriteString(sh.funcs[name] + "\n")
	}
	sh.mu.Unlock()
	sh.ignores(&b)
	for _, name := range []string{"allexport", "errexit", "noglob", "nounset", "pipefail", "xtrace"} {
		if sh.option(ctx, hc, name) {
			b.WriteString("set -o " + name + "\n")
		}
	}
	b.WriteString(text)
	return sh.withFiles(t.commandFor(t.shellFile(), append([]string{"sh", "-c", b.String(), sh.name}, sh.parameters(hc)...)))
}

// ignores writes the traps that a subshell keeps: those that ignore.
func (sh *shell) ignores(b *strings.Builder) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(sh.traps)) {
		if sh.traps[n] == "" {
			b.WriteString("trap '' " + itoa(n) + "\n")
		}
	}
}

// parameters are $1 and so on where a handler was called.
func (sh *shell) parameters(hc interp.HandlerContext) []string {
	if v := hc.Env.Get("@"); v.Kind == expand.Indexed {
		return v.List
	}
	return sh.runner.Params
}

// declareAll writes the assignments of the variables that are not in the environment, by name.
func declareAll(b *strings.Builder, env expand.Environ) {
	last := map[string]expand.Variable{}
	for name, v := range env.Each {
		last[name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		declare(b, name, last[name])
	}
}

// declare writes the assignment of a variable that is not in the environment.
func declare(b *strings.Builder, name string, v expand.Variable) {
	if v.Exported || !v.IsSet() && len(v.Map) == 0 || ownVariable(name) {
		return
	}
	switch v.Kind {
	case expand.String:
		b.WriteString(name + "=" + quote([]string{v.Str}) + "\n")
	case expand.Indexed:
		words := make([]string, len(v.List))
		for i, item := range v.List {
			words[i] = quote([]string{item})
			if i < len(v.Indexes) {
				words[i] = "[" + itoa(v.Indexes[i]) + "]=" + words[i]
			}
		}
		b.WriteString(name + "=(" + strings.Join(words, " ") + ")\n")
	case expand.Associative:
		b.WriteString("declare -A " + name + "=(")
		for _, key := range slices.Sorted(maps.Keys(v.Map)) {
			b.WriteString("[" + quote([]string{key}) + "]=" + quote([]string{v.Map[key]}) + " ")
		}
		b.WriteString(")\n")
	}
	if v.ReadOnly {
		b.WriteString("readonly " + name + "\n")
	}
}

// apart puts a command in the background out of the reach of Ctrl-C when a person types the commands.
func (sh *shell) apart(c Command) Command {
	if sh.control {
		c.Group.ID = OwnGroup
	}
	return c
}

// launched waits for a child in the background; the goroutine ends with the child.
func (sh *shell) launched(ctx context.Context, hc interp.HandlerContext, t *task, child Child, text string) error {
	j := newJob(text)
	j.child, j.pid = child, child.PID()
	sh.spawn(func() { sh.follow(j) })
	return sh.enter(ctx, hc, t, j)
}

// enter puts a job in the table and sets $!.
func (sh *shell) enter(ctx context.Context, hc interp.HandlerContext, t *task, j *job) error {
	sh.keep(j)
	if sh.interactive {
		sh.errorLine(t, "["+itoa(j.number)+"] "+itoa(j.pid))
	}
	return hc.Builtin(ctx, []string{"eval", lastJob + "=" + itoa(j.pid)})
}

func (sh *shell) errorLine(t *task, line string) { t.Stderr.Write([]byte(line + "\n")) }

// findJob finds a job by %n, %%, %+ or pid.
func (sh *shell) findJob(spec string) *job {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	number, percent := strings.CutPrefix(spec, "%")
	if percent && (number == "" || number == "%" || number == "+") && len(sh.jobs) > 0 {
		return sh.jobs[len(sh.jobs)-1]
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	for _, j := range sh.jobs {
		if percent && j.number == n || !percent && j.pid == n {
			return j
		}
	}
	return nil
}

func (sh *shell) listJobs(t *task) {
	sh.mu.Lock()
	all := slices.Clone(sh.jobs)
	sh.mu.Unlock()
	for i, j := range all {
		t.print(sh.jobLine(j, i == len(all)-1))
		if !j.running() {
			sh.forget(j)
		}
	}
}

// jobLine is the row of a job in the list of jobs.
func (sh *shell) jobLine(j *job, last bool) string {
	mark, state := " ", "Running"
	if last {
		mark = "+"
	}
	sh.mu.Lock()
	halted := j.halted
	sh.mu.Unlock()
	switch {
	case halted && j.running():
		state = "Stopped"
	case j.running():
	case j.code > 128:
		state = "Killed by " + signalName(j.code-128)
	case j.code != 0:
		state = "Exit " + itoa(j.code)
	default:
		state = "Done"
	}
	return fmt.Sprintf("[%d]%s  %-22s  %s\n", j.number, mark, state, j.text)
}

// announceJobs tells of the jobs that ended since the last prompt.
func (sh *shell) announceJobs() {
	sh.mu.Lock()
	all := slices.Clone(sh.jobs)
	sh.mu.Unlock()
	for i, j := range all {
		if !j.running() {
			sh.errorLine(sh.task, strings.TrimSuffix(sh.jobLine(j, i == len(all)-1), "\n"))
			sh.forget(j)
		}
	}
}

var errNoJob = errors.New("no such job")
