package userland

import (
	"context"
	"strings"

	"mvdan.cc/sh/v3/interp"
)

// Signals of a terminal, by Linux's numbers.
const (
	sigINT, sigQUIT, sigTERM            = 2, 3, 15
	sigCONT, sigTSTP, sigTTIN, sigTTOU  = 18, 20, 21, 22
	codeInterrupted, codeStoppedByCtrlZ = 128 + sigINT, 128 + sigTSTP
	sigPIPE, codeBrokenPipe             = 13, 128 + sigPIPE
)

// takeTerminal makes the shell the one that a person talks to: the keys of the terminal do not end it, and it
// hands the terminal to the commands that it starts.
func (sh *shell) takeTerminal() {
	if sh.Signals == nil {
		return
	}
	for _, n := range []int{sigINT, sigQUIT, sigTERM, sigTSTP, sigTTIN} {
		sh.trap(caught, n)
	}
	sh.Signals.Ignore(sigTTOU) // else the shell would stop when it takes the terminal back
	if tty, ok := sh.Starter.(Terminals); ok && isTerminal(sh.Stdin) {
		sh.control = tty.Foreground(sh.Stdin, 0) == nil
	}
}

// attended runs a command in the foreground of the terminal until it ends or stops. The commands of a
// pipeline share a group.
func (sh *shell) attended(t *task, c Command) int {
	j := newJob(strings.Join(c.Args, " "))
	if err := sh.startAttended(t, c, j); err != nil {
		return t.cannotRun(c.Args[0], err)
	}
	return sh.attend(t, j)
}

// startAttended starts a command that may outlive the command line it was typed in, when Ctrl-Z stops it.
func (sh *shell) startAttended(t *task, c Command, j *job) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c.Group = Group{ID: OwnGroup, Foreground: isTerminal(c.Stdin)}
	if sh.members > 0 && sh.group > 0 {
		c.Group = Group{ID: sh.group}
	}
	child, err := t.startFile(sh.ctx, c)
	if err != nil && c.Group.ID > 0 { // the group's first command is gone
		c.Group = Group{ID: OwnGroup, Foreground: isTerminal(c.Stdin)}
		child, err = t.startFile(sh.ctx, c)
	}
	if err != nil {
		return err
	}
	j.child, j.pid = child, child.PID()
	if c.Group.ID == OwnGroup {
		sh.group = j.pid
		sh.giveTerminal(j.pid)
	}
	sh.members++
	sh.spawn(func() { sh.follow(j) })
	return nil
}

func (sh *shell) giveTerminal(group int) {
	if tty, ok := sh.Starter.(Terminals); ok {
		tty.Foreground(sh.Stdin, group)
	}
}

// attend waits for a job that has the terminal and takes the terminal back.
func (sh *shell) attend(t *task, j *job) int {
	code, halted := 0, false
	sh.block(func() {
		select {
		case <-j.done:
			code = j.code
		case <-j.change:
			code, halted = codeStoppedByCtrlZ, true
		}
	})
	sh.mu.Lock()
	if sh.members--; sh.members == 0 {
		sh.group = 0
		sh.giveTerminal(0)
	}
	sh.mu.Unlock()
	if halted {
		sh.keep(j)
		sh.errorLine(t, "\n"+strings.TrimSuffix(sh.jobLine(j, true), "\n"))
	}
	if code == codeInterrupted {
		sh.interrupt()
	}
	return code
}

// keep puts a job in the table, if it is not there yet.
func (sh *shell) keep(j *job) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if j.number != 0 {
		return
	}
	j.number = 1
	if n := len(sh.jobs); n > 0 {
		j.number = sh.jobs[n-1].number + 1
	}
	sh.jobs = append(sh.jobs, j)
}

func (sh *shell) namedJob(t *task, name string, args []string) *job {
	spec := "%%"
	if len(args) > 0 {
		spec = args[0]
	}
	j := sh.findJob(spec)
	if j == nil {
		t.errorf("%s: %s", name, errNoJob)
	}
	return j
}

// foregroundJob is fg.
func (sh *shell) foregroundJob(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	j := sh.namedJob(t, "fg", args)
	if j == nil {
		return status(1)
	}
	t.print(j.text + "\n")
	if !sh.control || !j.running() {
		return sh.wait(ctx, hc, t, []string{itoa(j.pid)})
	}
	sh.mu.Lock()
	sh.group = j.pid
	sh.members++
	sh.giveTerminal(j.pid)
	sh.mu.Unlock()
	sh.wakeJob(j)
	code := sh.attend(t, j)
	sh.forget(j)
	return status(code)
}

// backgroundJob is bg.
func (sh *shell) backgroundJob(t *task, args []string) int {
	j := sh.namedJob(t, "bg", args)
	if j == nil {
		return 1
	}
	sh.wakeJob(j)
	t.printf("[%d]+ %s &\n", j.number, j.text)
	return 0
}

// wakeJob lets a stopped job go on.
func (sh *shell) wakeJob(j *job) {
	sh.mu.Lock()
	j.halted = false
	sh.mu.Unlock()
	select {
	case <-j.change:
	default:
	}
	if sh.Procs != nil {
		sh.Procs.Kill(-j.pid, sigCONT)
	}
}
