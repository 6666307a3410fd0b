package drivertest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// terminal is a container with a terminal, and the keyboard before it.
type terminal struct {
	*box
	keys *io.PipeWriter
}

// openTerminal runs a script on a terminal of 100 columns and 30 rows.
func (l *lab) openTerminal(t testing.TB, text string) terminal {
	t.Helper()
	spec := l.spec(t, script(text)...)
	spec.Process.Terminal, spec.OpenStdin = true, true
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	b := l.create(t, spec)
	s := b.streams(r)
	s.Cols, s.Rows = 100, 30
	must(t, b.Start(t.Context(), s))
	return terminal{b, w}
}

// types sends keys.
func (c terminal) types(keys string) {
	c.t.Helper()
	_, err := io.WriteString(c.keys, keys)
	must(c.t, err)
}

// shows waits until the screen holds text.
func (c terminal) shows(text string) {
	c.t.Helper()
	for end := time.Now().Add(Patience()); !strings.Contains(c.out.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("the screen shows %q, want %q; the container is %s", c.out.String(), text, c.state())
		}
	}
}

func testTerminals(t *testing.T, l *lab) {
	each(t, screenCases(), func(c programCase) string { return c.rule }, func(t *testing.T, c programCase) {
		spec := l.spec(t, script(c.script)...)
		spec.Process.Terminal = true
		b := l.create(t, spec)
		s := b.streams(nil)
		s.Cols, s.Rows = 100, 30
		must(t, b.Start(t.Context(), s))
		if r := b.wait(); r.Code != c.code || r.out != c.out || r.errs != "" {
			t.Errorf("%+v, want code %d, output %q", r, c.code, c.out)
		}
	})
	l.tests(t, keyboardTests(), terminalTests())
}

func screenCases() []programCase {
	return []programCase{
		{rule: "all three streams are the terminal", script: "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2", out: strings.Repeat("/dev/pts/0\r\n", 3)},
		{rule: "errors go to the same screen", script: "echo out; echo err >&2; exit 3", out: "out\r\nerr\r\n", code: 3},
		{rule: "a terminal has a name", script: "tty; ls -l /dev/console | cut -c1", out: "/dev/pts/0\r\nc\r\n"},
		{rule: "/dev/tty is the terminal", script: "echo x > /dev/tty", out: "x\r\n"},
		{rule: "a pipe on a terminal is none", script: "test -t 1 | cat; echo x | test -t 0; echo $?", out: "1\r\n"},
		{rule: "bytes that are no newline pass as they are", script: `printf 'a\tb\033[1m\001z'`, out: "a\tb\x1b[1m\x01z"},
	}
}

func keyboardTests() []test {
	return []test{
		{"what is typed is shown, and read by the line", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, `echo up; read a; echo "got $a"`)
			c.shows("up\r\n")
			c.types("hello\r")
			if r := c.wait(); r.out != "up\r\nhello\r\ngot hello\r\n" {
				t.Errorf("%q", r.out)
			}
		}},
		{"ctrl-C interrupts what runs in the foreground", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, "trap 'echo interrupted; exit 9' INT; echo up; cat")
			c.shows("up\r\n")
			c.types("first\r")
			c.shows("first\r\nfirst\r\n") // cat is awake
			c.types("\x03")
			if r := c.wait(); r.Code != 9 || !strings.Contains(r.out, "interrupted") {
				t.Errorf("%+v", r)
			}
		}},
		{"ctrl-C does nothing to a first process without a handler", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, `echo up; while read a; do echo "got $a"; done`)
			c.shows("up\r\n")
			c.types("\x03still\r")
			c.shows("got still\r\n")
			if state := c.state(); state != driver.Running {
				t.Errorf("state %s", state)
			}
		}},
		{"ctrl-D ends the input", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, "echo up; cat; echo end")
			c.shows("up\r\n")
			c.types("line\r")
			c.shows("line\r\nline\r\n")
			c.types("\x04")
			if r := c.wait(); r.out != "up\r\nline\r\nline\r\nend\r\n" {
				t.Errorf("%q", r.out)
			}
		}},
		{"a backspace takes back what was typed", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, `echo up; read a; echo "got $a"`)
			c.shows("up\r\n")
			c.types("abx\x7fc\r")
			if r := c.wait(); !strings.HasSuffix(r.out, "got abc\r\n") {
				t.Errorf("%q", r.out)
			}
		}},
	}
}

func terminalTests() []test {
	return []test{
		{"a new size is announced to the programs", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, idle+"trap 'echo changed' WINCH; echo up; cat /tmp/idle & wait; cat")
			c.shows("up\r\n")
			must(t, c.Task.(driver.Resizer).Resize(t.Context(), 80, 24))
			c.shows("changed\r\n")
		}},
		{"a further process hears of the sizes of its own terminal", func(t *testing.T, l *lab) {
			b := l.up(t)
			p := process(script(idle + "trap 'echo changed; exit 5' WINCH; echo up; cat /tmp/idle & wait")...)
			p.Terminal = true
			var out buffer
			sizes := make(chan driver.Size)
			ended := make(chan driver.Exit, 1)
			go func() {
				exit, err := b.Task.(driver.Execer).Exec(t.Context(), p, driver.Streams{Stdout: &out, Cols: 100, Rows: 30, Sizes: sizes})
				if err != nil {
					t.Error(err)
				}
				ended <- exit
			}()
			eventually(t, "the further process", func() bool { return out.String() == "up\r\n" })
			sizes <- driver.Size{Cols: 80, Rows: 24}
			if exit := <-ended; exit.Code != 5 || out.String() != "up\r\nchanged\r\n" {
				t.Errorf("%+v, %q", exit, out.String())
			}
		}},
		{"a client leaves and another comes, with a size of its own", func(t *testing.T, l *lab) {
			spec := l.spec(t, script(`echo up; while read a; do echo "got $a"; done`)...)
			spec.Process.Terminal, spec.OpenStdin = true, true
			b := l.create(t, spec)
			ctx, leave := context.WithCancel(t.Context())
			keys, typed := io.Pipe()
			must(t, b.Start(ctx, driver.Streams{Stdin: keys, Stdout: &b.out, Cols: 100, Rows: 30}))
			b.says("up\r\n")
			leave()
			_ = typed.Close()
			keys, typed = io.Pipe()
			defer typed.Close()
			second, _ := b.attached(keys)
			eventually(t, "the second client", func() bool {
				_, _ = io.WriteString(typed, "here\r")
				time.Sleep(2 * time.Millisecond)
				return strings.Contains(second.String(), "got here\r\n")
			})
			if state := b.state(); state != driver.Running || strings.Contains(b.out.String(), "here") {
				t.Errorf("%s, the first client has %q", state, b.out.String())
			}
		}},
		{"a terminal without keyboard shows what is printed", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("echo hi")...)
			spec.Process.Terminal = true
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), driver.Streams{Stdout: &b.out}))
			if r := b.wait(); r.out != "hi\r\n" {
				t.Errorf("%q", r.out)
			}
		}},
		{"KILL ends a container with a terminal", func(t *testing.T, l *lab) {
			c := l.openTerminal(t, "echo up; cat")
			c.shows("up\r\n")
			must(t, c.Signal(t.Context(), sigKill))
			if r := c.wait(); r.Code != 137 {
				t.Errorf("%+v", r)
			}
		}},
	}
}
