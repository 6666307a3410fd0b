package driver

import (
	"context"
	"time"
)

// Evidence is what a supervisor saw of a run that its exit status does not tell: it answers who ended a container, and what it was refused.
// It is kept with the task until that is deleted, and may be lost when the machine stops.
type Evidence struct {
	Signals []SentSignal  `json:"signals,omitempty"` // those sent through the engine, oldest first; the last MaxSignals
	Refused []RefusedCall `json:"refused,omitempty"` // system calls that the filter refused with EPERM, each once
}

// MaxSignals bounds how many signals are kept as evidence.
const MaxSignals = 16

// SentSignal is a signal that the engine sent to the first process.
type SentSignal struct {
	Signal Signal    `json:"signal"`
	Why    string    `json:"why,omitempty"` // the command: stop, stop-timeout, kill, remove ...; empty if it did not say
	At     time.Time `json:"at"`
	Client int       `json:"client,omitempty"` // the process that asked
	Fate   Fate      `json:"fate"`
}

// Fate is what a process had arranged for a signal when it came (signal(7), proc_pid_status(5)).
type Fate string

// The fates. The first process of a process namespace gets no signal that it has no handler for, but SIGKILL and SIGSTOP from outside.
const (
	FateUnknown Fate = ""
	FateHandler Fate = "handler" // a function of its own is called
	FateIgnored Fate = "ignored"
	FateBlocked Fate = "blocked" // it waits until the process unblocks it
	FateDefault Fate = "default" // nothing was arranged
	FateForced  Fate = "forced"  // SIGKILL, SIGSTOP: nothing can be arranged
)

// FateOf tells the fate of sig from the three masks of a process, in which bit n-1 stands for signal n.
func FateOf(sig Signal, blocked, ignored, caught uint64) Fate {
	const kill, stop = 9, 19
	if sig < 1 || sig > 64 {
		return FateUnknown
	}
	bit := uint64(1) << (sig - 1)
	switch {
	case sig == kill || sig == stop:
		return FateForced
	case caught&bit != 0:
		return FateHandler
	case ignored&bit != 0:
		return FateIgnored
	case blocked&bit != 0: // asked last: the mask is that of one thread, and another may take the signal
		return FateBlocked
	}
	return FateDefault
}

// RefusedCall is a system call that the filter refused.
type RefusedCall struct {
	Name    string `json:"name"` // or its number, if it has no name here
	Count   int    `json:"count"`
	PID     int    `json:"pid"`     // on the host, of the process that tried it first
	Program string `json:"program"` // its name, as the process itself chose it: at most 15 bytes of anything
}

// Witness is an ability that a Task may have besides: to tell what was seen of its present or last run.
type Witness interface {
	// Evidence is empty where nothing was seen. It is no error if the task has ended.
	Evidence(ctx context.Context) (Evidence, error)
}

// Sender is an ability that a Task may have besides: Signal, with the reason, which is kept as evidence.
type Sender interface {
	SignalFor(ctx context.Context, sig Signal, why string) error
}

// Send is t.Signal with the reason where it can be kept.
func Send(ctx context.Context, t Task, sig Signal, why string) error {
	if s, ok := t.(Sender); ok {
		return s.SignalFor(ctx, sig, why)
	}
	return t.Signal(ctx, sig)
}
