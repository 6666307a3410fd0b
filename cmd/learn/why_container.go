package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/program"
	"github.com/learn-containers/learn/trace/narrate"
)

// verdict is why a container is as it is, in sentences.
type verdict struct {
	w     *container.Why
	now   time.Time
	says  []string
	hints []string
}

// explainContainer writes what is known, made harmless to print.
func explainContainer(out io.Writer, w containerWhy, now time.Time) error {
	a := &verdict{w: w.Why, now: now}
	a.think()
	b := bufio.NewWriter(out)
	line := func(prefix, text string) { fmt.Fprintln(b, prefix+format.Clean(text)) }
	line("", a.head())
	for _, s := range a.says {
		line("  ", s)
	}
	for _, h := range a.hints {
		line("What to do: ", h)
	}
	if len(w.LastWords) > 0 {
		line("", "Its last words:")
		for _, l := range w.LastWords {
			line("  | ", strings.TrimRight(l, "\r"))
		}
	}
	for _, way := range w.Ways {
		writeWay(b, way)
	}
	if w.Unseen != "" {
		line("", "How it is reached can't be said: "+w.Unseen+".")
	}
	return b.Flush()
}

func (a *verdict) say(spec string, args ...any) { a.says = append(a.says, fmt.Sprintf(spec, args...)) }
func (a *verdict) hint(spec string, args ...any) {
	a.hints = append(a.hints, fmt.Sprintf(spec, args...))
}

func (a *verdict) head() string {
	w := a.w
	name := fmt.Sprintf("Container %s (%s", w.Name, format.ID(w.ID))
	if w.Image != "" {
		name += ", image " + w.Image
	}
	name += ") "
	switch {
	case w.Problem != "":
		return name + "can't be read."
	case w.Status == "exited":
		return name + fmt.Sprintf("has ended with exit code %d, %s.", w.ExitCode, ago(w.FinishedAt, a.now))
	case w.Status == "created" && w.Cause == container.CauseNoStart:
		return name + fmt.Sprintf("was made, and could not be started: exit code %d.", w.ExitCode)
	case w.Status == "created":
		return name + "was made and never started."
	case w.Status == "running" || w.Status == "paused":
		return name + fmt.Sprintf("is %s: process %d, started %s.", w.Status, w.Pid, ago(w.StartedAt, a.now))
	}
	return name + "is " + string(w.Status) + "."
}

// think puts all that is known into sentences, the nearest cause first.
func (a *verdict) think() {
	w := a.w
	if w.Problem != "" {
		a.say("%s.", w.Problem)
		return
	}
	if w.Status == "running" || w.Status == "paused" {
		a.lives()
	} else {
		a.ended()
	}
	a.oomElsewhere()
	a.refused()
	a.health()
	if w.Restart != nil {
		a.restarts()
	}
}

func (a *verdict) restarts() {
	w := a.w
	a.say("Its restart policy is %s.", restartWords(w))
	if w.RestartCount > 0 {
		a.say("The policy has started it again %s since somebody last did.", narrate.Count(int64(w.RestartCount), "time"))
	}
	switch {
	case w.Status != "exited":
	case w.Stopped:
		a.say("It is left alone because somebody stopped it.")
	case w.Restart.MaximumRetryCount > 0 && w.RestartCount >= w.Restart.MaximumRetryCount:
		a.say("It is left alone because that was the last time.")
	case w.Restart.Name == "on-failure" && w.ExitCode == 0:
		a.say("It is left alone because it succeeded.")
	}
}

func restartWords(w *container.Why) string {
	s := string(w.Restart.Name)
	if w.Restart.MaximumRetryCount > 0 {
		s += fmt.Sprintf(", at most %d times", w.Restart.MaximumRetryCount)
	}
	switch s {
	case "always":
		return s + ": it is started again whenever it ends by itself"
	case "unless-stopped":
		return s + ": it is started again unless somebody stopped it"
	}
	return s + ": it is started again when its exit code is not 0"
}

func (a *verdict) lives() {
	w := a.w
	if w.Status == "paused" {
		a.say("docker pause froze its processes: they keep their memory and get no time. docker unpause lets them go on.")
	}
	if w.Caught != nil && !*w.Caught && !w.Init {
		a.say("Its first process has no handler for %s, which docker stop sends: the kernel drops such a signal for number 1 of a container, so docker stop will wait out its time and kill it.", sigName(w.StopSignal))
		a.stopHint()
	}
}

func (a *verdict) stopHint() {
	if a.w.ShellForm {
		a.hint("its first process is a shell that waits for the real program and passes no signals on; use the exec form (CMD [\"program\", \"argument\"]), or put exec before the last command")
	}
	a.hint("run it with --init, which makes a small init number 1 that passes signals on, or let the program handle the signal")
}

func (a *verdict) ended() {
	w := a.w
	switch w.Cause {
	case container.CauseNoStart:
		if w.Error != "" {
			a.say("It was not started: %s.", strings.TrimSuffix(w.Error, "."))
		}
		a.program()
	case container.CauseLost:
		a.say("%s.", upperFirst(w.Error))
		a.say("Nobody was left to take its exit code: 255 stands for that.")
	case container.CauseItself:
		a.itself()
	case container.CauseAsked:
		a.say("%s; the program took it and ended by itself with %d.", a.sentBy(w.Sent), w.ExitCode)
	case container.CauseEngine:
		a.killed()
	case container.CauseOOM:
		a.say("The kernel killed it with SIGKILL because %s.", a.memory())
		a.counted()
		a.say("137 is 128 and the number of SIGKILL, 9.")
		a.hint("give it more with --memory, or make the program use less; docker stats shows what a container uses")
	case container.CauseFilter:
		a.say("The kernel ended it with SIGSYS: the filter for system calls (seccomp) kills who makes a certain call.")
		a.hint("the profile given with --security-opt seccomp= has such a rule; let it refuse the call instead (SCMP_ACT_ERRNO) to see which one it is here")
	case container.CauseFault:
		a.say("%s ended it: %s.", sigName(w.Signal), faultWords(w.Signal))
		a.say("%d is 128 and the number of %s, %d. Nobody sent it from outside by way of the engine.", w.ExitCode, sigName(w.Signal), w.Signal)
	case container.CauseOutside:
		a.outside()
	}
}

func (a *verdict) itself() {
	w := a.w
	switch {
	case w.ExitCode == 0:
		a.say("Its program ended by itself and reported success. A container lives as long as its first process.")
		return
	case w.ExitCode == 127 || w.ExitCode == 126:
		a.program()
		if w.Program == nil || w.Program.Fault == program.None {
			what := "was not found"
			if w.ExitCode == 126 {
				what = "could not be executed"
			}
			a.say("Its program ran and ended by itself with %d, with which shells say that a command %s.", w.ExitCode, what)
		}
		return
	case w.ExitCode > 128 && w.ExitCode <= 128+64:
		sig := driver.Signal(w.ExitCode - 128)
		a.say("Its program ended by itself with %d: so shells report that a program which they had started was ended by %s (128 and its number, %d).", w.ExitCode, sigName(sig), sig)
		return
	}
	a.say("Its program ended by itself with exit code %d: %s.", w.ExitCode, codeWords(w.ExitCode))
}

func codeWords(code int) string {
	switch code {
	case 1:
		return "the usual code for an error of whatever kind"
	case 2:
		return "many programs say so that they were called in a wrong way"
	case 125:
		return "docker itself uses it for its own errors, but here the program gave it"
	}
	return "what it means is the program's own affair"
}

// killed tells of an end by a signal of the engine's.
func (a *verdict) killed() {
	w := a.w
	if w.Unheeded == nil {
		a.say("%s, which ended it.", a.sentBy(w.Sent))
		a.say("%d is 128 and the number of %s, %d.", w.ExitCode, sigName(w.Signal), w.Signal)
		return
	}
	waited := w.Sent.At.Sub(w.Unheeded.At).Round(100 * time.Millisecond)
	a.say("docker stop asked it to end by %s at %s, and killed it with SIGKILL after %v, because it still ran (process %d asked for both).", sigName(w.Unheeded.Signal), clock(w.Unheeded.At), waited, w.Unheeded.Client)
	a.say("137 is 128 and the number of SIGKILL, 9.")
	switch w.Unheeded.Fate {
	case driver.FateDefault:
		a.say("Its first process had no handler for %s. Elsewhere that would have ended it, but the kernel drops a signal without handler for number 1 of a container.", sigName(w.Unheeded.Signal))
		a.stopHint()
	case driver.FateIgnored:
		a.say("Its first process had asked the kernel to ignore %s.", sigName(w.Unheeded.Signal))
		a.hint("let the program handle %s, or name another signal with --stop-signal", sigName(w.Unheeded.Signal))
	case driver.FateBlocked:
		a.say("Its first process had blocked %s.", sigName(w.Unheeded.Signal))
	case driver.FateHandler:
		a.say("Its first process had a handler for %s and was called, but did not end in that time.", sigName(w.Unheeded.Signal))
		if w.ShellForm {
			a.say("A shell runs its handlers only when the program that it waits for has ended.")
		}
		a.hint("give it more time with docker stop -t or --stop-timeout, or find out what it was doing")
	}
}

// sentBy says who sent a signal, and when.
func (a *verdict) sentBy(s *driver.SentSignal) string {
	who := map[string]string{"stop": "docker stop sent it", "stop-timeout": "docker stop sent it", "kill": "docker kill, or a key pressed in an attached terminal, sent it",
		"remove": "docker rm -f sent it", "health": "the health check sent it"}[s.Why]
	if who == "" {
		who = "somebody sent it by way of the engine"
	}
	text := fmt.Sprintf("%s %s at %s", who, sigName(s.Signal), clock(s.At))
	if s.Client != 0 {
		text += fmt.Sprintf(" (process %d)", s.Client)
	}
	return text
}

func clock(t time.Time) string { return t.Local().Format("15:04:05") }

func (a *verdict) outside() {
	w := a.w
	a.say("%s ended it, and the engine did not send that: no docker stop, kill or rm did.", sigName(w.Signal))
	if w.Signal == 9 {
		a.say("It was not the memory limit either. Nothing inside a container can kill its number 1, so it was somebody outside: a process of the host (kill -9 %s), or the kernel when the whole machine ran out of memory, which dmesg would tell.", "PID")
	} else {
		a.say("A process inside (kill 1) or of the host sent it.")
	}
	a.say("%d is 128 and the number of %s, %d.", w.ExitCode, sigName(w.Signal), w.Signal)
}

func (a *verdict) memory() string {
	if a.w.MemoryLimit > 0 {
		return "the container reached its memory limit of " + narrate.Bytes(a.w.MemoryLimit)
	}
	return "memory ran out"
}

// counted gives the numbers of the control group.
func (a *verdict) counted() {
	o := a.w.OOM
	if o == nil {
		return
	}
	text := "Its control group counted " + narrate.Count(o.Kills, "process", "processes") + " killed"
	if o.PeakBytes > 0 {
		text += ", and at most " + narrate.Bytes(o.PeakBytes) + " in use"
	}
	if o.LimitBytes > 0 {
		text += " of " + narrate.Bytes(o.LimitBytes)
	}
	a.say("%s.", text)
}

// oomElsewhere: another process than the first one was killed.
func (a *verdict) oomElsewhere() {
	if a.w.OOMKilled && a.w.Cause != container.CauseOOM {
		a.say("Meanwhile the kernel killed a process in it because %s.", a.memory())
		a.counted()
	}
}

func (a *verdict) refused() {
	if len(a.w.Evidence.Refused) == 0 {
		return
	}
	for _, r := range a.w.Evidence.Refused {
		a.say("The filter for system calls (seccomp) refused %s %s: \"Operation not permitted\"; %s (process %d) tried it first.", r.Name, narrate.Count(int64(r.Count), "time"), r.Program, r.PID)
	}
	a.hint("such calls are for programs that run the machine; if this one must make them, give --cap-add with the power that it needs, or a profile with --security-opt seccomp=FILE")
}

func (a *verdict) health() {
	h := a.w.Health
	if h == nil || h.Status != "unhealthy" {
		return
	}
	a.say("Its health check fails: %s in a row.", narrate.Count(int64(h.FailingStreak), "time"))
	if n := len(h.Log); n > 0 {
		a.say("The last check ended with exit code %d: %s", h.Log[n-1].ExitCode, format.Ellipsis(strings.TrimSpace(h.Log[n-1].Output), 300))
	}
}

// program tells what is wrong with the program itself.
func (a *verdict) program() {
	r := a.w.Program
	if r == nil || r.Fault == program.None {
		return
	}
	text, hint := faultOf(r)
	a.say("%s", text)
	if hint != "" {
		a.hint("%s", hint)
	}
}

func ago(t, now time.Time) string {
	s := format.Ago(t, now)
	return strings.ToLower(s[:1]) + s[1:]
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func sigName(s driver.Signal) string { return container.SignalName(s) }

func faultWords(s driver.Signal) string {
	switch s {
	case 4:
		return "it came to an instruction that this processor does not have"
	case 6:
		return "it called abort(), as programs do when they find themselves in an impossible state"
	case 7, 11:
		return "it used memory that it does not have, which is a mistake in the program"
	case 8:
		return "it divided by zero, or the like"
	}
	return "it came to a breakpoint"
}
