package lessons

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// reset begins the lesson anew: an empty home, an empty workspace, a new trace.
func (p *player) reset() error {
	if err := p.Engine.Reset(p.ctx); err != nil {
		return fmt.Errorf("reset the engine: %w", err)
	}
	if err := emptyDir(p.Workspace); err != nil {
		return err
	}
	var err error
	if p.shell, err = newShell(p.Engine, p.Programs, p.Workspace, p.Epoch); err != nil {
		return err
	}
	p.events, p.first, p.done = nil, 0, 0
	return p.collect()
}

// collect takes over the events since the last call. They belong to the step that is at hand.
func (p *player) collect() error {
	p.first = len(p.events)
	var since uint64
	if p.first > 0 {
		since = p.events[p.first-1].Seq
	}
	events, err := p.Engine.Trace(p.ctx, since)
	if err != nil {
		return fmt.Errorf("read the engine's trace: %w", err)
	}
	p.events = append(p.events, events...)
	return nil
}

// perform runs a step's command, with its output to out.
func (p *player) perform(step Step, out io.Writer) (int, error) {
	code, err := p.shell.run(p.ctx, step.Command, out)
	if err != nil {
		return 0, err
	}
	p.done = step.Number
	return code, p.collect()
}

// goTo makes everything as it is right before step n runs. Going back is a reset and a replay from the start.
func (p *player) goTo(n int) error {
	n = min(max(n, 1), len(p.lesson.Steps)+1)
	if n <= p.done {
		if err := p.reset(); err != nil {
			return err
		}
	}
	for p.done+1 < n {
		if err := p.quietly(p.lesson.Steps[p.done]); err != nil {
			return err
		}
	}
	p.line(p.say(sayWentTo, "n", n))
	return nil
}

// quietly does a step without a word and without questions. What the command prints is shown if it goes wrong.
func (p *player) quietly(step Step) error {
	for _, b := range step.Before {
		if b.File == nil {
			continue
		}
		if err := p.writeFile(b.File); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	code, err := p.perform(step, &out)
	if err != nil {
		return err
	}
	if code != step.Exit {
		return fmt.Errorf("replay step %d: %q returned %d; expected %d: %s", step.Number, step.Command, code, step.Exit, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

func (p *player) writeFile(f *File) error {
	name := filepath.Join(p.Workspace, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("make folder for %s: %w", f.Path, err)
	}
	if err := os.WriteFile(name, []byte(f.Content), os.FileMode(f.Mode)); err != nil {
		return fmt.Errorf("write file %s: %w", f.Path, err)
	}
	if err := os.Chmod(name, os.FileMode(f.Mode)); err != nil {
		return fmt.Errorf("set mode of %s: %w", f.Path, err)
	}
	return nil
}

// emptyDir makes dir and removes what is in it; dir itself stays, a shell may stand in it.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read workspace: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("empty workspace: %w", err)
		}
	}
	return nil
}
