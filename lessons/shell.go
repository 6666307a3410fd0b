package lessons

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// shell runs a lesson's command lines in its workspace. Variables and the folder stay from line to line.
type shell struct {
	engine   Engine
	programs Programs
	dir      string
	epoch    int64 // SOURCE_DATE_EPOCH
	out      redirect
	runner   *interp.Runner
}

// redirect is a writer whose target changes from command to command. The commands of a pipeline share it.
type redirect struct {
	mu sync.Mutex
	w  io.Writer
}

func (r *redirect) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.w.Write(p)
}

func (r *redirect) to(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.w = w
}

// Shell runs command lines in a folder, where docker and learn are an engine. Variables and the folder stay from line to line.
type Shell struct{ sh *shell }

// NewShell starts in dir. programs may be nil: then the machine's own are used. epoch is SOURCE_DATE_EPOCH for what is built, in seconds since 1970.
func NewShell(engine Engine, programs Programs, dir string, epoch int64) (*Shell, error) {
	s, err := newShell(engine, programs, dir, epoch)
	return &Shell{s}, err
}

// Run carries out a script, whose output and errors go to out, and returns its exit code. An error is of the shell itself or of ctx.
func (s *Shell) Run(ctx context.Context, script string, out io.Writer) (int, error) {
	return s.sh.run(ctx, script, out)
}

func newShell(engine Engine, programs Programs, dir string, epoch int64) (*shell, error) {
	s := &shell{engine: engine, programs: programs, dir: dir, epoch: epoch}
	s.out.to(io.Discard)
	return s, s.restart()
}

// restart forgets variables and goes back to the top of the workspace.
func (s *shell) restart() error {
	r, err := interp.New(
		interp.Dir(s.dir),
		interp.Env(expand.ListEnviron(s.environ()...)),
		interp.StdIO(nil, &s.out, &s.out),
		interp.ExecHandlers(s.dispatch),
	)
	if err != nil {
		return fmt.Errorf("start the lesson's shell: %w", err)
	}
	s.runner = r
	return nil
}

// environ is small and the same everywhere, so that lessons are, too.
func (s *shell) environ() []string {
	env := []string{
		"HOME=" + s.dir, "PWD=" + s.dir, "LEARN_HOME=" + s.engine.Home(), "NO_COLOR=1", "LANG=C.UTF-8",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.epoch), // so what is built twice has the same digests, however long that takes
	}
	for _, key := range []string{"PATH", "TMPDIR", "SYSTEMROOT", "XDG_RUNTIME_DIR"} {
		if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}

// dispatch sends docker and learn to the engine, known small programs to Programs, and the rest to next.
func (s *shell) dispatch(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, argv []string) error {
		hc := interp.HandlerCtx(ctx)
		streams := Streams{In: hc.Stdin, Out: hc.Stdout, Err: hc.Stderr}
		if streams.In == nil {
			streams.In = strings.NewReader("") // what reads finds the end, not nothing at all
		}
		if argv[0] == "docker" || argv[0] == "learn" {
			return exitStatus(s.engine.Run(ctx, argv, streams, hc.Dir, exported(hc.Env)))
		}
		if s.programs != nil {
			if code, known := s.programs.Program(ctx, argv, streams, hc.Dir, exported(hc.Env)); known {
				return exitStatus(code)
			}
		}
		return next(ctx, argv)
	}
}

func exitStatus(code int) error {
	if code == 0 {
		return nil
	}
	return interp.ExitStatus(code)
}

func exported(env expand.Environ) []string {
	var out []string
	env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.IsSet() {
			out = append(out, name+"="+v.String())
		}
		return true
	})
	return out
}

// run carries out one command line and returns its exit code. The error is of the shell itself or of ctx.
func (s *shell) run(ctx context.Context, command string, out io.Writer) (int, error) {
	file, err := parseCommand(command)
	if err != nil {
		return 0, fmt.Errorf("parse command: %w", err)
	}
	s.out.to(out)
	defer s.out.to(io.Discard)
	code := 0
	for _, stmt := range file.Stmts {
		err := s.runner.Run(ctx, stmt)
		var status interp.ExitStatus
		if err != nil && !errors.As(err, &status) {
			return 0, fmt.Errorf("run %q: %w", command, err)
		}
		if code = int(status); s.runner.Exited() {
			return code, s.restart()
		}
	}
	return code, ctx.Err()
}
