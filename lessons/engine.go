package lessons

import (
	"context"
	"io"

	"github.com/learn-containers/learn/trace"
)

// Streams are the standard streams of one command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Engine is what a lesson drives. The program that plays lessons supplies it; Play calls it from one goroutine,
// except that the commands of one pipeline run at the same time.
type Engine interface {
	// Run carries out one command, argv[0] being docker or learn, in dir, and returns its exit code. Errors are
	// printed on s.Err, as a process would. env is the whole environment, KEY=VALUE.
	Run(ctx context.Context, argv []string, s Streams, dir string, env []string) int
	// Trace returns the events after Seq since, in order. It waits until what finished commands caused has been
	// recorded, also by the supervisors of containers that still run.
	Trace(ctx context.Context, since uint64) ([]trace.Event, error)
	// Reset ends every container, empties the home and begins a new trace at Seq 1. Play calls it first of all.
	Reset(ctx context.Context) error
	// Home is the engine's folder, which lessons show as $LEARN_HOME.
	Home() string
}

// Programs runs small programs such as ls and cat, so that a lesson does not depend on those of the machine. It is
// optional; without it, and for names it does not know, the machine's own are used.
type Programs interface {
	// Program runs argv in dir and returns its exit code, or known false if it has no such program.
	Program(ctx context.Context, argv []string, s Streams, dir string, env []string) (code int, known bool)
}
