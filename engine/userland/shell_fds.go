package userland

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
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
		if r.N != nil && len(r.N.Value) > 0 && isNumber(r.N.Value) && number(r.N.Value) > 2 && r.Hdoc == nil && r.Op != syntax.WordHdoc {
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
	for _, r := range high {
		block.Stmts = append(block.Stmts, descriptorCall(r))
		last.Args = append(last.Args, literal(r.N.Value))
	}
	block.Stmts = append(block.Stmts, inner, &syntax.Stmt{Cmd: last})
	st.Cmd, st.Redirs = block, nil
	return true
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
	f, err := sh.openRedirect(ctx, name, flag, 0o666)
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

func (sh *shell) keepFile(n int, f io.ReadWriteCloser) {
	sh.closeFile(n)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.files == nil {
		sh.files = map[int]io.ReadWriteCloser{}
	}
	sh.files[n] = f
}

func (sh *shell) closeFile(n int) {
	sh.mu.Lock()
	f := sh.files[n]
	delete(sh.files, n)
	sh.mu.Unlock()
	if f != nil {
		f.Close()
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
	f, ok := sh.files[n]
	sh.mu.Unlock()
	if !ok {
		return inherited(n)
	}
	return copyStream(f)
}

func copyStream(stream any) (io.ReadWriteCloser, error) {
	if f, ok := stream.(*os.File); ok {
		return duplicate(f)
	}
	var s sharedStream
	s.Reader, _ = stream.(io.Reader)
	s.Writer, _ = stream.(io.Writer)
	return s, nil
}

// sharedStream is a stream that stays open when this use of it ends.
type sharedStream struct {
	io.Reader
	io.Writer
}

func (sharedStream) Close() error { return nil }

// withFiles lets a command inherit the descriptors above 2.
func (sh *shell) withFiles(c Command) Command {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for n, stream := range sh.files {
		f, ok := stream.(*os.File)
		if !ok || n > 255 {
			continue
		}
		for len(c.Files) < n-2 {
			c.Files = append(c.Files, nil)
		}
		c.Files[n-3] = f
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

// remember keeps the options that set was called with, for the shells that run a part of the script.
func (sh *shell) remember(args []string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := 0; i < len(args) && len(args[i]) > 1 && args[i] != "--" && strings.ContainsAny(args[i][:1], "-+"); i++ {
		option := args[i]
		if option[1:] == "o" && i+1 < len(args) {
			i++
			option += " " + args[i]
		}
		sh.options = append(sh.options, option)
	}
	if len(sh.options) > 16 {
		sh.options = sh.options[len(sh.options)-16:]
	}
}

// apartScript tells whether a subshell changes what our subshells share with the shell: it has to be a process.
func apartScript(list []*syntax.Stmt) bool {
	found := false
	for _, st := range list {
		syntax.Walk(st, func(n syntax.Node) bool {
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
