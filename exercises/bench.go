package exercises

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
)

// Bench is where an exercise is worked on.
type Bench struct {
	Engine   lessons.Engine
	Programs lessons.Programs // nil: the machine's own programs
	Folder   string           // the learner's
	Scratch  string           // an empty folder, or none yet, for copies of it; whoever gives it removes it
	Epoch    int64            // SOURCE_DATE_EPOCH of what setup and checks build, seconds since 1970
	Began    uint64           // Seq of the last event of the setup, as Begin returned it
}

// Begin writes the setup's files into the folder, which is made if it is not there, and runs its commands. It returns the Seq of the last event
// that it caused. A command that fails is an error that shows what was printed.
func (t Task) Begin(ctx context.Context, b Bench) (began uint64, err error) {
	if err := b.apply(ctx, t.Setup); err != nil {
		return 0, err
	}
	events, err := b.Engine.Trace(ctx, 0)
	if err != nil {
		return 0, fmt.Errorf("read the engine's trace: %w", err)
	}
	return lastSeq(events), nil
}

func lastSeq(events []trace.Event) uint64 {
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].Seq
}

// Apply makes an attempt, for a proof: files, then commands, one of which may fail only if the script says so.
func (t Task) Apply(ctx context.Context, b Bench, a Attempt) error { return b.apply(ctx, a) }

func (b Bench) apply(ctx context.Context, a Attempt) error {
	if err := os.MkdirAll(b.Folder, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	root, err := os.OpenRoot(b.Folder)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer root.Close()
	for _, f := range a.Files {
		if err := f.write(root); err != nil {
			return fmt.Errorf("write %s of %s: %w", f.Path, a.Name, err)
		}
	}
	if a.Do == "" {
		return nil
	}
	code, out, err := b.run(ctx, b.Folder, "set -e\n"+a.Do)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d: %s", code, bytes.TrimSpace(out))
	}
	if err != nil {
		return fmt.Errorf("run commands of %s: %w", a.Name, err)
	}
	return nil
}

func (f File) write(root *os.Root) error {
	name := filepath.FromSlash(f.Path)
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := root.WriteFile(name, []byte(f.Content), 0o644); err != nil {
		return err
	}
	return root.Chmod(name, fs.FileMode(f.Mode))
}

// run carries out a script in dir. What it prints, errors too, is bounded.
func (b Bench) run(ctx context.Context, dir, script string) (int, []byte, error) {
	sh, err := lessons.NewShell(b.Engine, b.Programs, dir, b.Epoch)
	if err != nil {
		return 0, nil, err
	}
	out := &bounded{left: maxOutput}
	code, err := sh.Run(ctx, script, out)
	return code, out.Bytes(), err
}

const maxOutput = 1 << 20

// bounded keeps the first bytes and drops the rest without an error: what prints must not notice.
type bounded struct {
	bytes.Buffer
	left int
}

func (w *bounded) Write(p []byte) (int, error) {
	keep := p[:min(len(p), w.left)]
	w.left -= len(keep)
	w.Buffer.Write(keep)
	return len(p), nil
}

const (
	maxCopyFiles = 10_000
	maxCopyBytes = 256 << 20
)

// copyFolder copies the learner's regular files and folders into dst, so that a check may change and build what it likes. Links are made again as they
// are; what is neither is left out. More files or more bytes than allowed are an error.
func copyFolder(from *os.Root, dst string, maxFiles int, maxBytes int64) error {
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return err
	}
	to, err := os.OpenRoot(dst)
	if err != nil {
		return err
	}
	defer to.Close()
	files, size := 0, int64(0)
	return fs.WalkDir(from.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("the folder has more than %d files; expected those of the exercise", maxFiles)
		}
		n, err := copyEntry(from, to, name, d, maxBytes-size)
		size += n
		if errors.Is(err, errNoRoom) {
			err = fmt.Errorf("the folder holds more than %d bytes; expected the files of the exercise", maxBytes)
		}
		return err
	})
}

// errNoRoom says that a file is larger than what may still be copied.
var errNoRoom = errors.New("no room for the file")

func copyEntry(from, to *os.Root, name string, d fs.DirEntry, room int64) (int64, error) {
	info, err := d.Info()
	if err != nil {
		return 0, err
	}
	switch {
	case d.IsDir():
		return 0, to.Mkdir(name, 0o755)
	case d.Type() == fs.ModeSymlink:
		target, err := from.Readlink(name)
		if err != nil {
			return 0, err
		}
		return 0, to.Symlink(target, name)
	case !d.Type().IsRegular():
		return 0, nil
	case info.Size() > room:
		return 0, errNoRoom
	}
	in, err := from.Open(name)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, room))
	return n, errors.Join(err, out.Close(), to.Chtimes(name, info.ModTime(), info.ModTime()))
}

// maxRead bounds what an expression gets of a learner's file.
const maxRead = 1 << 20

// readFile returns a file of the learner's folder, empty if there is no regular one of that name.
func readFile(root *os.Root, name string) string {
	if name == "" || path.IsAbs(name) {
		return ""
	}
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRead))
	if err != nil {
		return ""
	}
	return string(data)
}
