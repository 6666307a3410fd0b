package userland

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// trapBuiltin is trap: ERR is the interpreter's, the rest ours.
func (sh *shell) trapBuiltin(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 || args[0] == "-p" {
		sh.showTraps(t)
		return nil
	}
	if args[0] == "-l" {
		return status(runKill(t, []string{"-l"}))
	}
	body, names := args[0], args[1:]
	if len(names) == 0 || isNumber(body) {
		body, names = "-", args
	}
	for _, name := range names {
		switch name = strings.ToUpper(name); name {
		case "EXIT", "ERR", "0":
			if name == "0" {
				name = "EXIT"
			}
			if err := sh.trapEvent(ctx, hc, name, body); err != nil {
				return err
			}
		case "DEBUG", "RETURN":
		default:
			n, ok := signalNumber(name)
			if !ok {
				return status(t.errorf("trap: %s: bad trap", name))
			}
			sh.trap(body, n)
		}
	}
	return nil
}

// trapEvent sets the trap of EXIT or ERR. That of EXIT is ours, except where subshells can't be processes: the interpreter's neither
// ends with an exit in it nor changes the exit code.
func (sh *shell) trapEvent(ctx context.Context, hc interp.HandlerContext, event, body string) error {
	sh.mu.Lock()
	delete(sh.events, event)
	if body != "-" {
		sh.events[event] = body
	}
	sh.mu.Unlock()
	if event == "EXIT" && sh.Starter != nil {
		return nil
	}
	return hc.Builtin(ctx, []string{"trap", "--", sh.prepared(body), event})
}

// finish runs the trap of EXIT, which has the last word on the exit code.
func (sh *shell) finish(code int) int {
	sh.mu.Lock()
	body := sh.events["EXIT"]
	delete(sh.events, "EXIT")
	sh.mu.Unlock()
	if sh.Starter == nil {
		body = "" // the interpreter has run it
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(body), "trap")
	if err != nil || len(file.Stmts) == 0 {
		return code
	}
	sh.rewrite(file)
	sh.replaceLast.Store(false)
	ended := sh.result(sh.runner.Run(sh.ctx, file))
	if sh.runner.Exited() {
		return ended
	}
	return code
}

func (sh *shell) showTraps(t *task) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, event := range slices.Sorted(maps.Keys(sh.events)) {
		t.printf("trap -- %s %s\n", quote([]string{sh.events[event]}), event)
	}
	for n := 1; n < 65; n++ {
		if body, ok := sh.traps[n]; ok && body != caught {
			t.printf("trap -- %s %s\n", quote([]string{body}), signalName(n))
		}
	}
}

// trap sets what a signal does: "-" the default, "" nothing.
func (sh *shell) trap(body string, n int) {
	if sh.Signals == nil {
		return
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch body {
	case "-":
		delete(sh.traps, n)
		sh.Signals.Default(n)
		return
	case "":
		sh.traps[n] = ""
		sh.Signals.Ignore(n)
		return
	}
	sh.traps[n] = body
	if body != caught {
		sh.Signals.Notify(sh.signals, n)
		return
	}
	if sh.keys == nil {
		sh.keys = make(chan int, signalRoom)
		sh.spawn(sh.heed)
	}
	sh.Signals.Notify(sh.keys, n)
}

// heed takes the signals that an interactive shell only survives, for as long as it lives.
func (sh *shell) heed() {
	for n := -1; n != 0; {
		sh.block(func() {
			select {
			case n = <-sh.keys:
			case <-sh.ended:
				n = 0
			}
		})
		if n == sigINT {
			sh.interrupt()
		}
	}
}

// due tells whether traps are to be run. Nobody else takes the signals from where the machine puts them, so one that came before
// a command ended is seen after it.
func (sh *shell) due() bool {
	for {
		select {
		case n := <-sh.signals:
			sh.note(n)
		default:
			sh.mu.Lock()
			defer sh.mu.Unlock()
			return len(sh.pending) > 0
		}
	}
}

// note remembers a signal until its trap is run.
func (sh *shell) note(n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if body := sh.traps[n]; body != "" && body != caught {
		sh.pending = append(sh.pending, n)
	}
}

// settle waits for a signal that the shell has just sent itself: on a single thread it would come before kill returns.
func (sh *shell) settle(signal int) {
	const moment = 100 * time.Millisecond
	sh.mu.Lock()
	body := sh.traps[signal]
	sh.mu.Unlock()
	if body == "" || body == caught || sh.due() {
		return
	}
	if n, came := first(sh.task, sh.signals, moment); came {
		sh.note(n)
	}
}

// runTraps runs the traps of the signals that came. An error means that a trap ended the shell.
func (sh *shell) runTraps(ctx context.Context, hc interp.HandlerContext) error {
	for {
		sh.mu.Lock()
		if len(sh.pending) == 0 {
			sh.mu.Unlock()
			return nil
		}
		body := sh.traps[sh.pending[0]]
		sh.pending = sh.pending[1:]
		sh.mu.Unlock()
		// A last success parts "the trap ended the shell" from "its last command failed".
		if err := hc.Builtin(ctx, []string{"eval", sh.prepared(body) + "\n:"}); err != nil {
			return err
		}
	}
}

// signalOf is the signal that the arguments of kill mean.
func signalOf(args []string) (int, bool) {
	switch {
	case len(args) > 1 && (args[0] == "-s" || args[0] == "-n"):
		return signalNumber(args[1])
	case len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--":
		return signalNumber(args[0][1:])
	}
	return sigTERM, true
}
