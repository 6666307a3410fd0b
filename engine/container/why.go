package container

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/program"
)

// Why is what is known of why a container is as it is.
type Why struct {
	ID, Name, Image string
	Command         []string
	Status          container.ContainerState
	Pid             int                `json:",omitempty"`
	Init            bool               `json:",omitempty"` // a small init passes signals on
	Problem         string             `json:",omitempty"` // the record can't be used
	Error           string             `json:",omitempty"` // why it was not started, or its end is not known
	ExitCode        int                // of the last run, once that has ended; or of the start that failed
	Signal          driver.Signal      `json:",omitempty"` // that ended the first process
	Cause           Cause              `json:",omitempty"`
	Sent            *driver.SentSignal `json:",omitempty"` // the signal to which the end answers, if the engine sent it
	Unheeded        *driver.SentSignal `json:",omitempty"` // the stop signal that did not end it in time
	StartedAt       time.Time
	FinishedAt      time.Time
	OOMKilled       bool                     `json:",omitempty"`
	OOM             *driver.OOM              `json:",omitempty"` // what was counted then
	MemoryLimit     int64                    `json:",omitempty"` // bytes; 0: none
	Evidence        driver.Evidence          // what its supervisor saw of its last run
	Program         *program.Report          `json:",omitempty"` // with exit codes 126 and 127: what is wrong with its program
	Caught          *bool                    `json:",omitempty"` // running: whether it has a handler for its stop signal
	StopSignal      driver.Signal            // what docker stop sends
	ShellForm       bool                     `json:",omitempty"` // its first process is a shell that runs the command
	Restart         *container.RestartPolicy `json:",omitempty"`
	RestartCount    int                      `json:",omitempty"` // how often the policy started it again since somebody last did
	Stopped         bool                     `json:",omitempty"` // somebody stopped it or sent it a signal, so the policy lets it rest
	Health          *container.Health        `json:",omitempty"`
	LastWords       []string                 `json:",omitempty"` // the last lines of its output, after an end that was no success
}

// Cause is the kind of what ended a container.
type Cause string

// The causes.
const (
	CauseNone    Cause = ""
	CauseItself  Cause = "itself"      // its program ended
	CauseAsked   Cause = "asked"       // its program ended by itself after a signal of the engine's asked it to
	CauseEngine  Cause = "engine"      // a signal that the engine sent
	CauseOOM     Cause = "oom"         // the kernel, because memory ran out
	CauseFault   Cause = "fault"       // the kernel, because the program did what no program can do, or the program itself (abort)
	CauseFilter  Cause = "seccomp"     // the kernel, by the filter for system calls
	CauseOutside Cause = "outside"     // somebody who is not the engine
	CauseNoStart Cause = "not-started" // it never ran: its program could not be executed, or the engine could not make the container
	CauseLost    Cause = "lost"        // its supervisor, or the machine, died
)

const lastWords = 5

// Why finds out why a container is as it is.
func (m *Manager) Why(ctx context.Context, ref string) (*Why, error) {
	c, err := m.Find(ctx, ref)
	if err != nil {
		return nil, err
	}
	w := &Why{ID: c.ID, Name: c.Name, Image: c.ImageName, Status: c.State.Status, Pid: c.State.Pid, Error: c.State.Error, ExitCode: c.State.ExitCode}
	if c.Problem != nil {
		w.Problem = c.Problem.Error()
		return w, nil
	}
	w.Command = append([]string{c.Path}, c.Args...)
	w.StopSignal, w.OOMKilled, w.OOM, w.MemoryLimit, w.Health = stopSignal(c), c.State.OOMKilled, c.State.OOM, c.HostConfig.Memory, c.State.Health
	w.StartedAt, w.FinishedAt = parseStamp(c.State.StartedAt), parseStamp(c.State.FinishedAt)
	w.Init = c.HostConfig.Init != nil && *c.HostConfig.Init
	w.ShellForm = !w.Init && shellForm(w.Command)
	if !c.HostConfig.RestartPolicy.IsNone() {
		w.Restart, w.RestartCount, w.Stopped = &c.HostConfig.RestartPolicy, c.State.RestartCount, c.State.HasBeenManuallyStopped
	}
	if m.foreign(c) != nil {
		return w, nil // its driver is another one, which alone knows more
	}
	m.askTask(ctx, c, w)
	if w.Status == container.StateExited || w.ExitCode != 0 {
		w.Cause = w.cause()
		m.explainProgram(ctx, c, w)
		m.hear(ctx, c, w)
	}
	return w, nil
}

// shellForm reports whether a command is a shell that runs another one: CMD in shell form becomes that.
func shellForm(command []string) bool {
	if len(command) < 3 || command[1] != "-c" {
		return false
	}
	return slices.Contains([]string{"sh", "bash", "ash", "dash"}, command[0][strings.LastIndexByte(command[0], '/')+1:])
}

// askTask takes in what the task knows. A task that is gone knows nothing.
func (m *Manager) askTask(ctx context.Context, c *Container, w *Why) {
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return
	}
	if st, err := task.Status(ctx); err == nil && st.State == driver.Stopped {
		w.Signal = st.Exit.Signal
	}
	if t, ok := task.(driver.Witness); ok {
		w.Evidence, _ = t.Evidence(ctx)
	}
	if !c.State.Live() {
		w.weighSignals()
		return
	}
	if r, ok := task.(driver.Revealer); ok {
		if shown, err := r.Reveal(ctx); err == nil {
			caught := catches(shown.Files["status"], w.StopSignal)
			w.Caught = &caught
		}
	}
}

// weighSignals finds the signal that the end answers to, and the one before it that was not heeded.
func (w *Why) weighSignals() {
	sent := w.Evidence.Signals
	for i := len(sent) - 1; i >= 0; i-- {
		s := &sent[i]
		if s.Why == "stop" && w.Sent != nil && w.Sent.Why == "stop-timeout" {
			w.Unheeded = s
			return
		}
		ends := s.Signal == w.Signal || w.Signal == 0 && (w.ExitCode == 128+int(s.Signal) || s.Why == "stop")
		if w.Sent == nil && ends {
			w.Sent = s
		}
	}
}

// cause weighs the facts.
func (w *Why) cause() Cause {
	const illegal, trap, abort, bus, arithmetic, segment, system = 4, 5, 6, 7, 8, 11, 31
	switch {
	case w.StartedAt.IsZero() || w.Status == container.StateCreated:
		return CauseNoStart
	case w.Error == lostMessage || w.Error == brokenMessage:
		return CauseLost
	case w.Error != "":
		return CauseNoStart
	case w.OOMKilled && (w.Signal == sigKill || w.ExitCode == 128+int(sigKill)):
		return CauseOOM
	case w.Sent != nil && w.Signal != 0:
		return CauseEngine
	case w.Sent != nil:
		return CauseAsked
	case w.Signal == 0:
		return CauseItself
	case w.Signal == system:
		return CauseFilter
	case slices.Contains([]driver.Signal{illegal, trap, abort, bus, arithmetic, segment}, w.Signal):
		return CauseFault
	}
	return CauseOutside
}

// explainProgram looks for what is missing where an exit code says that something is.
func (m *Manager) explainProgram(ctx context.Context, c *Container, w *Why) {
	if w.ExitCode != 126 && w.ExitCode != 127 {
		return
	}
	tree, err := m.trees.OpenKey(ctx, c.ID)
	if err != nil {
		return
	}
	defer tree.Close()
	machine := runtime.GOARCH
	if machine == "wasm" {
		machine = ""
	}
	r := program.Examine(tree, program.Command{Args: w.Command, Env: c.Config.Env, Cwd: c.Config.WorkingDir, Machine: machine})
	w.Program = &r
}

// hear takes the last lines of the output of a run that was no success.
func (m *Manager) hear(ctx context.Context, c *Container, w *Why) {
	if w.ExitCode == 0 || w.Cause == CauseNoStart || c.LogPath == "" {
		return
	}
	var out tailBuffer
	if m.Logs(ctx, c.ID, LogOptions{Tail: "5"}, &out, &out) != nil {
		return
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) > lastWords {
		lines = lines[len(lines)-lastWords:]
	}
	if lines[0] != "" || len(lines) > 1 {
		w.LastWords = lines
	}
}

// tailBuffer keeps the end of what is written: a line can be as long as a container likes.
type tailBuffer struct{ b bytes.Buffer }

func (t *tailBuffer) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.b.Write(p)
	if over := t.b.Len() - most; over > 0 {
		t.b.Next(over)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string { return t.b.String() }

// catches reports whether a process with this status (proc_pid_status(5)) has a handler for sig.
func catches(status string, sig driver.Signal) bool {
	for line := range strings.Lines(status) {
		if hex, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			caught, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return driver.FateOf(sig, 0, 0, caught) == driver.FateHandler
		}
	}
	return false
}

// IsNotFound reports whether err says that there is no such container.
func IsNotFound(err error) bool { return errors.As(err, new(*NotFoundError)) }
