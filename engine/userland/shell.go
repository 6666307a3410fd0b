package userland

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell is one running sh. The interpreter runs the language; this adds what it lacks: processes for
// background jobs, signals and traps, wait, kill, exec.
type shell struct {
	*task
	runner      *interp.Runner
	interactive bool
	replaceLast atomic.Bool // the last command of the script may take the shell's place
	inputs      standIns
	began       time.Time
	ended       chan struct{} // closed when the shell is
	reading     string        // the file that the interpreter's next open is to read itself
	ahead       *earlyByte
	timers      []time.Time // when the time clauses that run began
	counted     int64       // bytes of variables that the machine was told of

	mu      sync.Mutex
	jobs    []*job
	traps   map[int]string
	events  map[string]string // bodies of the traps of EXIT and ERR
	pending []int
	signals chan int          // that have traps and came
	keys    chan int          // that came and are only to be survived
	funcs   map[string]string // functions declared so far: name to source
	defined map[string]bool
	files   map[int]*descriptor // open descriptors above 2

	// An interactive shell on a terminal:
	control     bool   // it hands the terminal to the commands it starts
	group       int    // the process group that has the terminal now, 0 for the shell's own
	members     int    // how many commands of that group are awaited
	giveUp      func() // cancels the command that runs
	interrupted bool   // by Ctrl-C
}

// signalRoom is how many signals may come before the shell looks.
const signalRoom = 64

// shellArgs are the arguments of sh.
type shellArgs struct {
	options     []string // for the interpreter's set
	command     string
	isCommand   bool
	interactive bool
	stdin       bool
	login       bool
	rest        []string
}

func runShell(t *task, args []string) int {
	a, err := parseShellArgs(args)
	if err != nil {
		t.errorf("%s", err)
		return 2
	}
	sh := &shell{task: t, traps: map[int]string{}, events: map[string]string{}, signals: make(chan int, signalRoom), funcs: map[string]string{}, defined: map[string]bool{},
		began: t.now(), ended: make(chan struct{})}
	defer sh.end()
	name, params := t.name, a.rest
	var source io.Reader
	switch {
	case a.isCommand:
		source = strings.NewReader(a.command)
		if len(params) > 0 {
			name, params = params[0], params[1:]
		}
	case len(params) > 0 && !a.stdin:
		data, err := t.readFile(params[0])
		if err != nil {
			t.errorf("can't open '%s': %s", params[0], reason(err))
			return 127
		}
		source = strings.NewReader(string(data))
		name, params = params[0], params[1:]
	default:
		sh.interactive = a.interactive || isTerminal(t.Stdin) && isTerminal(t.Stderr)
	}
	if err := sh.start(a.options, params); err != nil {
		return t.errorf("%s", err)
	}
	if a.login {
		sh.profile()
	}
	if source == nil {
		return sh.finish(sh.readEval())
	}
	return sh.finish(sh.script(source, name, a.isCommand))
}

// parseShellArgs reads sh's flags: those of set, and c, i, s, l.
func parseShellArgs(args []string) (shellArgs, error) {
	var a shellArgs
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			break
		}
		if strings.HasPrefix(arg, "--") {
			switch arg {
			case "--login":
				a.login = true
			case "--norc", "--noprofile", "--posix":
			default:
				return a, errors.New("unrecognized option '" + arg + "'")
			}
			continue
		}
		for _, c := range arg[1:] {
			switch c {
			case 'c':
				a.isCommand = true
			case 'i':
				a.interactive = true
			case 's':
				a.stdin = true
			case 'l':
				a.login = true
			case 'o':
				if len(args) == 0 {
					return a, errors.New("option requires an argument -- 'o'")
				}
				a.options, args = append(a.options, arg[:1]+"o", args[0]), args[1:]
			case 'a', 'e', 'f', 'n', 'u', 'x':
				a.options = append(a.options, arg[:1]+string(c))
			case 'm', 'h', 'b', 'v', 'B', 'H', 'p':
			default:
				return a, errors.New("invalid option -- '" + string(c) + "'")
			}
		}
	}
	if a.isCommand {
		if len(args) == 0 {
			return a, errors.New("-c: option requires an argument")
		}
		a.command, args = args[0], args[1:]
	}
	a.rest = args
	return a, nil
}

// start makes the interpreter.
func (sh *shell) start(options, params []string) error {
	runner, err := interp.New(
		func(r *interp.Runner) error { r.Dir = sh.Dir; return nil },
		interp.Env(newVariables(sh)),
		interp.StdIO(sh.stdin(sh.Stdin), sh.Stdout, tracedErrors{sh.Stderr}),
		interp.CallHandler(sh.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return sh.exec }),
		interp.OpenHandler(sh.openRedirect),
		interp.StatHandler(sh.statPath),
		interp.ReadDirHandler2(sh.readDir),
		interp.AccessHandler(sh.access),
		interp.Params(append(append(options, "--"), params...)...),
	)
	sh.runner = runner
	return err
}

// stdin is a stream as the interpreter can have it for its standard input.
func (sh *shell) stdin(stream io.Reader) io.Reader {
	switch stream.(type) {
	case nil, *os.File:
		return stream
	}
	return sh.inputs.add(struct{ io.Reader }{stream}) // without its Close: it is not the interpreter's to close
}

// end lets the shell's threads and descriptors go.
func (sh *shell) end() {
	close(sh.ended)
	sh.mu.Lock()
	open := sh.files
	sh.files = nil
	sh.mu.Unlock()
	for _, d := range open {
		d.Close()
	}
}

// script runs a whole script.
func (sh *shell) script(r io.Reader, name string, command bool) int {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(r, name)
	if err != nil {
		sh.errorf("%s", syntaxError(err))
		return 2
	}
	sh.rewrite(file)
	sh.replaceLast.Store(command && sh.Starter != nil && sh.replaceable(file))
	return sh.result(sh.runner.Run(sh.ctx, file))
}

// syntaxError is the parser's message in a shell's form.
func syntaxError(err error) string {
	var pe syntax.ParseError
	if errors.As(err, &pe) {
		return "line " + itoa(int(pe.Pos.Line())) + ": syntax error: " + pe.Text
	}
	return err.Error()
}

// result turns what the interpreter returned into an exit code, after the traps that are still due.
func (sh *shell) result(err error) int {
	code := 0
	var status interp.ExitStatus
	switch {
	case err == nil:
	case errors.As(err, &status):
		code = int(status)
	case errors.Is(err, context.Canceled):
		code = 130
	default:
		sh.errorf("%s", err)
		code = 1
	}
	return code
}

// replaceable tells whether a script ends with a simple command and has before it only what a shell tells a shell that it starts:
// plain assignments, functions and options.
func (sh *shell) replaceable(file *syntax.File) bool {
	if len(file.Stmts) == 0 {
		return false
	}
	last := len(file.Stmts) - 1
	for _, st := range file.Stmts[:last] {
		if !preparing(st) {
			return false
		}
	}
	st := file.Stmts[last]
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || st.Negated || st.Background || st.Coprocess || last > 0 && sh.defined[call.Args[0].Lit()] {
		return false
	}
	good := true
	syntax.Walk(st, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ProcSubst, *syntax.CmdSubst: // a command within them is not the last one
			good = false
		case *syntax.Redirect:
			good = good && n.Hdoc == nil && n.Op != syntax.WordHdoc
		}
		return good
	})
	return good && (last == 0 || call.Args[0].Lit() != "")
}

// preparing tells whether a statement only prepares the shell and runs nothing.
func preparing(st *syntax.Stmt) bool {
	if len(st.Redirs) > 0 || st.Negated || st.Background {
		return false
	}
	switch cmd := st.Cmd.(type) {
	case *syntax.FuncDecl:
		return true
	case *syntax.CallExpr:
		if len(cmd.Args) > 0 && cmd.Args[0].Lit() != "set" {
			return false
		}
		plain := true
		syntax.Walk(cmd, func(n syntax.Node) bool {
			switch n.(type) {
			case *syntax.CmdSubst, *syntax.ProcSubst:
				plain = false
			}
			return plain
		})
		return plain
	}
	return false
}

// profile runs the files that a login shell begins with.
func (sh *shell) profile() {
	for _, name := range []string{"/etc/profile", sh.env("HOME") + "/.profile"} {
		data, err := sh.readFile(name)
		if err != nil {
			continue
		}
		file, err := syntax.NewParser().Parse(strings.NewReader(string(data)), name)
		if err != nil {
			sh.errorf("%s: %s", name, syntaxError(err))
			continue
		}
		for _, st := range file.Stmts {
			sh.rewrite(st)
			sh.runner.Run(sh.ctx, st)
		}
	}
}

// readEval runs commands from standard input, each as soon as it is complete.
func (sh *shell) readEval() int {
	if sh.interactive {
		return sh.converse()
	}
	code := 0
	for st, err := range syntax.NewParser(syntax.Variant(syntax.LangBash)).StmtsSeq(&byteReader{r: sh.Stdin}) {
		if err != nil {
			sh.errorf("%s", syntaxError(err))
			code = 2
			break
		}
		sh.rewrite(st)
		code = sh.result(sh.runner.Run(sh.ctx, st))
		if sh.runner.Exited() {
			break
		}
	}
	return code
}

// byteReader reads byte by byte, so that commands of the script find the rest of its input.
type byteReader struct{ r io.Reader }

func (b *byteReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return b.r.Read(p[:1])
}

// isTerminal tells whether a stream is a terminal.
func isTerminal(stream any) bool {
	if _, ok := stream.(Terminal); ok {
		return true
	}
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && terminalFile(f)
}

func (t *task) terminalOut() bool { return isTerminal(t.Stdout) }

// onHost tells whether the program works on the operating system's own files.
func (t *task) onHost() bool {
	_, ok := t.FS.(osFS)
	return ok
}
