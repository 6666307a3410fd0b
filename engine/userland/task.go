package userland

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// task is one run of one program.
type task struct {
	Env
	ctx    context.Context
	name   string
	failed bool
	broken bool // its buffered output can't be written
	mortal bool // writing where nobody reads any more ends it
	main   bool // it is the process, not a program that a shell runs within itself

	told, untold int64 // bytes that the machine's Memory knows of, and not yet
}

func (t *task) printf(format string, a ...any) { fmt.Fprintf(t.Stdout, format, a...) }

func (t *task) print(s string) { io.WriteString(t.Stdout, s) }

// put prints and tells by an exit code whether that worked.
func (t *task) put(s string) int {
	_, err := io.WriteString(t.Stdout, s)
	switch {
	case err == nil:
		return 0
	case t.mortal && errors.Is(err, syscall.EPIPE):
		return codeBrokenPipe
	}
	return t.errorf("write error: %s", reason(err))
}

// errorf writes "name: message" to standard error and remembers the failure.
func (t *task) errorf(format string, a ...any) int {
	t.failed = true
	fmt.Fprintf(t.Stderr, t.name+": "+format+"\n", a...)
	return 1
}

// fail reports that something about a named file went wrong, in coreutils' words.
func (t *task) fail(name string, err error) int {
	return t.errorf("%s: %s", name, reason(err))
}

// usage reports a mistake in the arguments.
func (t *task) usage(synopsis string) int {
	fmt.Fprintf(t.Stderr, "usage: %s %s\n", t.name, synopsis)
	t.failed = true
	return 2
}

// unable says that this Env lacks an ability.
func (t *task) unable(what string) int {
	return t.errorf("%s: not available here", what)
}

// code is the exit code of a program that goes on after an error.
func (t *task) code() int {
	if t.failed {
		return 1
	}
	return 0
}

// abs makes a name absolute and clean.
func (t *task) abs(name string) string {
	if name == "" {
		return ""
	}
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(t.Dir, name)
}

func (t *task) env(name string) string {
	v, _ := lookupEnv(t.Environ, name)
	return v
}

func lookupEnv(environ []string, name string) (string, bool) {
	for i := len(environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(environ[i], "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

func (t *task) stat(name string) (fs.FileInfo, error) {
	if name == "" {
		return nil, syscall.ENOENT
	}
	return t.FS.Stat(t.slashed(name))
}

func (t *task) lstat(name string) (fs.FileInfo, error) {
	if name == "" {
		return nil, syscall.ENOENT
	}
	if strings.HasSuffix(name, "/") {
		return t.stat(name)
	}
	return t.FS.Lstat(t.abs(name))
}

// slashed keeps a trailing slash's meaning: what it names must be a folder.
func (t *task) slashed(name string) string {
	abs := t.abs(name)
	if strings.HasSuffix(name, "/") && abs != "/" {
		return abs + "/."
	}
	return abs
}

// open opens a file for reading; "-" is standard input. A folder is an error.
func (t *task) open(name string) (io.ReadCloser, error) {
	if name == "-" || name == "/dev/stdin" && !t.onHost() {
		return io.NopCloser(t.Stdin), nil
	}
	if name == "" {
		return nil, syscall.ENOENT
	}
	f, err := t.FS.OpenFile(t.abs(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, syscall.EISDIR
	}
	return f, nil
}

func (t *task) create(name string, flag int, perm fs.FileMode) (File, error) {
	if name == "" {
		return nil, syscall.ENOENT
	}
	return t.FS.OpenFile(t.abs(name), os.O_WRONLY|os.O_CREATE|flag, perm)
}

func (t *task) readFile(name string) ([]byte, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return t.readAll(f)
}

func (t *task) writeFile(name string, data []byte, perm fs.FileMode) error {
	f, err := t.create(name, os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// inputs calls visit with each named file, or standard input when there is none, and reports errors.
func (t *task) inputs(names []string, visit func(name string, r io.Reader) error) {
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		r, err := t.open(name)
		if err != nil {
			t.fail(name, err)
			continue
		}
		err = visit(name, r)
		r.Close()
		if errors.Is(err, errStop) {
			return
		}
		if err != nil {
			t.fail(name, err)
		}
	}
}

// errStop ends a walk early without an error.
var errStop = errors.New("stop")

// lines calls visit with each line without its newline; ended tells whether it had one. It ends with the task's context, and when
// nobody takes the output any more.
func (t *task) lines(r io.Reader, visit func(line []byte, ended bool) error) error {
	b := bufio.NewReaderSize(r, 64<<10)
	for !t.broken {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		line, err := t.readLine(b, '\n')
		if len(line) > 0 {
			ended := line[len(line)-1] == '\n'
			if ended {
				line = line[:len(line)-1]
			}
			if verr := visit(line, ended); verr != nil {
				return verr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLine reads through delim; the slice is valid until the next read.
func (t *task) readLine(b *bufio.Reader, delim byte) ([]byte, error) {
	line, err := b.ReadSlice(delim)
	if err != bufio.ErrBufferFull {
		return line, err
	}
	long := append([]byte(nil), line...)
	defer func() { t.grow(-int64(cap(long))) }()
	t.grow(int64(cap(long)))
	for err == bufio.ErrBufferFull {
		line, err = b.ReadSlice(delim)
		room := cap(long)
		long = append(long, line...)
		if gerr := t.grow(int64(cap(long) - room)); gerr != nil {
			return nil, gerr
		}
	}
	return long, err
}

// buffered gives a task whose output is buffered, and the flush to defer.
func (t *task) buffered() func() {
	b := bufio.NewWriterSize(outlet{t, t.Stdout}, 32<<10)
	plain := t.Stdout
	t.Stdout = b
	return func() { b.Flush(); t.Stdout = plain }
}

// outlet notes that nobody takes a task's output any more.
type outlet struct {
	t *task
	w io.Writer
}

func (o outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.t.broken = o.t.broken || err != nil
	return n, err
}

func (t *task) tree() (Tree, error) {
	if tree, ok := t.FS.(Tree); ok {
		return tree, nil
	}
	return nil, syscall.EROFS
}

func (t *task) links() (Links, error) {
	if links, ok := t.FS.(Links); ok {
		return links, nil
	}
	return nil, errors.ErrUnsupported
}

func (t *task) meta() (Meta, error) {
	if meta, ok := t.FS.(Meta); ok {
		return meta, nil
	}
	return nil, errors.ErrUnsupported
}

// attr tells what is known of a file beside its FileInfo.
func (t *task) attr(info fs.FileInfo) Attr {
	if a, ok := t.FS.(Attrs); ok {
		return a.Attr(info)
	}
	return Attr{Links: 1, Blocks: (info.Size() + 511) / 512, Atime: info.ModTime(), Ctime: info.ModTime()}
}
