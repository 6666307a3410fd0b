package userland

import (
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"mvdan.cc/sh/v3/syntax"
)

// The interpreter knows the descriptors 0, 1 and 2. Higher ones are kept here: a rewritten script opens and
// closes them by calls of ours, and names an open one by a path that openRedirect understands.

// highRedirects rewrites the redirections of a statement that are about descriptors above 2.
func highRedirects(st *syntax.Stmt) bool {
	var high, low []*syntax.Redirect
	changed := false
	for _, r := range st.Redirs {
		if r.N != nil && len(r.N.Value) > 0 && isNumber(r.N.Value) && number(r.N.Value) > 2 {
			inlineDocument(r) // the interpreter has documents for the lower ones only
			high = append(high, r)
			continue
		}
		if r.Op == syntax.DplOut || r.Op == syntax.DplIn {
			changed = namedDescriptor(r) || changed
		}
		low = append(low, r)
	}
	if len(high) == 0 {
		return changed
	}
	if call, ok := st.Cmd.(*syntax.CallExpr); ok && len(call.Args) == 1 && call.Args[0].Lit() == "exec" {
		st.Cmd, st.Redirs = &syntax.Block{Stmts: inSequence(st.Redirs)}, nil
		return true
	}
	inner := &syntax.Stmt{Cmd: st.Cmd, Redirs: low}
	block := &syntax.Block{}
	last := &syntax.CallExpr{Args: []*syntax.Word{literal(wordOurs + "fds"), {Parts: []syntax.WordPart{&syntax.ParamExp{Short: true, Param: &syntax.Lit{Value: "?"}}}}}}
	for i, r := range high {
		if closes(r) && slices.ContainsFunc(high[:i], func(o *syntax.Redirect) bool { return o.N.Value == r.N.Value }) {
			continue // it is closed after the command; until then others may be copies of it
		}
		block.Stmts = append(block.Stmts, descriptorCall(r))
		last.Args = append(last.Args, literal(r.N.Value))
	}
	block.Stmts = append(block.Stmts, inner, &syntax.Stmt{Cmd: last})
	st.Cmd, st.Redirs = block, nil
	return true
}

// closes tells whether a redirection closes its descriptor.
func closes(r *syntax.Redirect) bool {
	return (r.Op == syntax.DplOut || r.Op == syntax.DplIn) && r.Word.Lit() == "-"
}

// namedDescriptor turns >&3 into >>NAME, when the number is above 2.
func namedDescriptor(r *syntax.Redirect) bool {
	arg := r.Word.Lit()
	if !isNumber(arg) || number(arg) < 3 {
		return false
	}
	if r.Op == syntax.DplIn {
		r.Op = syntax.RdrIn
	} else {
		r.Op = syntax.AppOut
	}
	r.Word = literal(wordDescriptor + arg)
	return true
}

// inSequence makes one statement of each redirection of an exec.
func inSequence(all []*syntax.Redirect) []*syntax.Stmt {
	var list []*syntax.Stmt
	for _, r := range all {
		if r.N != nil && isNumber(r.N.Value) && number(r.N.Value) > 2 {
			list = append(list, descriptorCall(r))
			continue
		}
		list = append(list, &syntax.Stmt{Cmd: &syntax.CallExpr{Args: []*syntax.Word{literal("exec")}}, Redirs: []*syntax.Redirect{r}})
	}
	return list
}

// descriptorCall is the call that opens, copies or closes one descriptor.
func descriptorCall(r *syntax.Redirect) *syntax.Stmt {
	return &syntax.Stmt{Cmd: &syntax.CallExpr{Args: []*syntax.Word{literal(wordOurs + "fd"), literal(r.N.Value), literal(r.Op.String()), r.Word}}}
}

// descriptor is the call of descriptorCall.
func (sh *shell) descriptor(ctx context.Context, t *task, args []string) int {
	n := int(number(args[0]))
	if len(args) != 3 {
		return t.errorf("ambiguous redirect")
	}
	op, name := args[1], args[2]
	if strings.HasSuffix(op, "&") {
		if name == "-" {
			sh.closeFile(n)
			return 0
		}
		f, err := sh.copyOf(t, name)
		if err != nil {
			return t.errorf("%s: %s", name, reason(err))
		}
		sh.keepFile(n, f)
		return 0
	}
	flag := os.O_RDONLY
	switch op {
	case ">", ">|":
		flag = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	case ">>":
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	case "<>":
		flag = os.O_RDWR | os.O_CREATE
	}
	f, err := sh.openPath(ctx, name, flag)
	if err != nil {
		t.Stderr.Write([]byte(err.Error() + "\n"))
		return 1
	}
	sh.keepFile(n, f)
	return 0
}

// endDescriptors closes descriptors after the command that they were for, and passes its exit code on.
func (sh *shell) endDescriptors(args []string) int {
	for _, a := range args[1:] {
		sh.closeFile(int(number(a)))
	}
	return int(number(args[0]))
}

// descriptor is one number of an open stream. Copies share the stream, which is closed with the last of them.
type descriptor struct {
	io.ReadWriteCloser
	users  *atomic.Int32
	closed atomic.Bool
}

func newDescriptor(stream io.ReadWriteCloser) *descriptor {
	d := &descriptor{ReadWriteCloser: stream, users: new(atomic.Int32)}
	d.users.Add(1)
	return d
}

func (d *descriptor) copy() *descriptor {
	d.users.Add(1)
	return &descriptor{ReadWriteCloser: d.ReadWriteCloser, users: d.users}
}

// Close gives this number up.
func (d *descriptor) Close() error {
	if d.closed.Swap(true) || d.users.Add(-1) > 0 {
		return nil
	}
	return d.ReadWriteCloser.Close()
}

// under is the one stream that a pair of directions was made of.
func under(stream io.ReadWriteCloser) io.Closer {
	pair, ok := stream.(sharedStream)
	if !ok {
		return stream
	}
	if c, ok := pair.Reader.(io.Closer); ok {
		return c
	}
	if c, ok := pair.Writer.(io.Closer); ok {
		return c
	}
	return stream
}

// bare is the stream that a program can be given for what the shell uses itself.
func bare[S any](stream S) S {
	if d, ok := any(stream).(*descriptor); ok {
		if bottom, ok := under(d.ReadWriteCloser).(S); ok {
			return bottom
		}
	}
	return stream
}

func (sh *shell) keepFile(n int, f io.ReadWriteCloser) {
	d, ok := f.(*descriptor)
	if !ok {
		d = newDescriptor(f)
	}
	sh.closeFile(n)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.files == nil {
		sh.files = map[int]*descriptor{}
	}
	sh.files[n] = d
}

func (sh *shell) closeFile(n int) {
	sh.mu.Lock()
	d := sh.files[n]
	delete(sh.files, n)
	sh.mu.Unlock()
	if d != nil {
		d.Close()
	}
}

// copyOf is a copy of an open descriptor that can be closed by itself.
func (sh *shell) copyOf(t *task, name string) (io.ReadWriteCloser, error) {
	n, err := strconv.Atoi(name)
	if err != nil {
		return nil, syscall.EBADF
	}
	switch n {
	case 0:
		return copyStream(t.Stdin)
	case 1:
		return copyStream(t.Stdout)
	case 2:
		return copyStream(t.Stderr)
	}
	sh.mu.Lock()
	d, ok := sh.files[n]
	sh.mu.Unlock()
	if !ok {
		return t.given(n)
	}
	if f, ok := d.ReadWriteCloser.(*os.File); ok {
		return duplicate(f)
	}
	return d.copy(), nil
}

// given is a descriptor that whoever started the shell left open for it.
func (t *task) given(n int) (io.ReadWriteCloser, error) {
	if t.onHost() {
		return inherited(n)
	}
	if n >= 3 && n-3 < len(t.Files) && t.Files[n-3] != nil {
		return copyStream(t.Files[n-3])
	}
	return nil, syscall.EBADF
}

func copyStream(stream any) (io.ReadWriteCloser, error) {
	if f, ok := stream.(*os.File); ok {
		return duplicate(f)
	}
	s := sharedStream{}
	s.Reader, _ = stream.(io.Reader)
	s.Writer, _ = stream.(io.Writer)
	return newDescriptor(s), nil
}

// sharedStream is a stream with both directions. Without a close of its own it stays open when this use of it ends.
type sharedStream struct {
	io.Reader
	io.Writer
	close func() error
}

func (s sharedStream) Read(p []byte) (int, error) {
	if s.Reader == nil {
		return 0, syscall.EBADF
	}
	return s.Reader.Read(p)
}

func (s sharedStream) Write(p []byte) (int, error) {
	if s.Writer == nil {
		return 0, syscall.EBADF
	}
	return s.Writer.Write(p)
}

func (s sharedStream) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// withFiles lets a command inherit the descriptors above 2.
func (sh *shell) withFiles(c Command) Command {
	c.Files = append(c.Files, sh.Files...)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for n, d := range sh.files {
		if n > 255 {
			continue
		}
		for len(c.Files) < n-2 {
			c.Files = append(c.Files, nil)
		}
		c.Files[n-3] = under(d.ReadWriteCloser)
	}
	return c
}

// tracedErrors is standard error of the interpreter: what set -x shows of our own words is taken out.
type tracedErrors struct{ io.Writer }

func (w tracedErrors) Write(p []byte) (int, error) {
	line, traced := strings.CutPrefix(string(p), "+ ")
	switch {
	case !traced:
		return w.Writer.Write(p)
	case strings.HasPrefix(line, wordBackground+" "):
		io.WriteString(w.Writer, "+ "+line[len(wordBackground)+1:])
	case strings.HasPrefix(line, "\x01"), strings.HasPrefix(line, "\x02"), strings.HasPrefix(line, lastJob+"="):
	default:
		return w.Writer.Write(p)
	}
	return len(p), nil
}

// plain is the stream under what the interpreter was given.
func plain(w io.Writer) io.Writer {
	if t, ok := w.(tracedErrors); ok {
		return t.Writer
	}
	return w
}

// apartScript tells whether a subshell changes what our subshells share with the shell: it has to be a process. So has a
// substitution that starts jobs, because it ends when the last of them closes its output.
func apartScript(list []*syntax.Stmt, substitution bool) bool {
	found := false
	for _, st := range list {
		syntax.Walk(st, func(n syntax.Node) bool {
			if st, ok := n.(*syntax.Stmt); ok && st.Background && substitution {
				found = true
			}
			if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 1 {
				switch call.Args[0].Lit() {
				case "trap", "umask", "ulimit", "exec":
					found = true
				}
			}
			return !found
		})
	}
	return found
}

// asProcess is the call that runs a list of commands in a shell of its own.
func asProcess(list []*syntax.Stmt) *syntax.CallExpr {
	text := source(&syntax.File{Stmts: list})
	return &syntax.CallExpr{Args: []*syntax.Word{literal(wordProcess), literal(text)}}
}

// descriptorName is the number that a path of namedDescriptor means.
func descriptorName(name string) (string, bool) { return strings.CutPrefix(name, wordDescriptor) }
