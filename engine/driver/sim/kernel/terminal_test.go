package kernel

import (
	"io"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

// person types at a terminal and sees what it shows.
type person struct {
	*running
	term *Terminal
}

func (l *lab) person(args ...string) person {
	l.t.Helper()
	term := l.m.NewTerminal(80, 24)
	s := term.Slave()
	proc, err := l.box.Start(ProcessConfig{Process: driver.Process{Args: args, Env: []string{"PATH=/bin"}, Terminal: true}, Stdin: s, Stdout: s, Stderr: s})
	l.must(err)
	r := &running{Process: proc, t: l.t, stdin: term.Master(), output: new(syncBuffer), pumped: make(chan struct{})}
	go func() {
		defer close(r.pumped)
		io.Copy(r.output, term.Master())
	}()
	l.t.Cleanup(func() { term.Master().Close() })
	return person{r, term}
}

func (p person) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, keys); err != nil {
		p.t.Fatal(err)
	}
}

func TestTerminalLines(t *testing.T) {
	for _, tc := range []struct{ name, keys, want string }{
		{"line", "hi\r\x04", "hi\r\nhi\r\n"},
		{"erase", "hx\x7fi\r\x04", "hx\b \bi\r\nhi\r\n"},
		{"kill", "ab\x15c\r\x04", "ab\b \b\b \bc\r\nc\r\n"},
		{"word", "a bc\x17d\r\x04", "a bc\b \b\b \bd\r\na d\r\n"},
		{"end of file", "\x04", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newLab(t, true, driver.Limits{}).person("cat")
			p.types(tc.keys)
			p.wait()
			if got := p.all(); len(got) != len(tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestTerminalSignals(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	p := l.person("sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.01; done")
	p.until("ready")
	p.types("\x03")
	if e := p.wait(); e.Code != 4 {
		t.Errorf("%+v: %q", e, p.output)
	}
}

func TestHangup(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	l.start("sleep", "100000")
	p := l.person("sh", "-c", "echo ready; sleep 100000; true")
	p.until("ready")
	l.must(p.stdin.Close())
	if e := p.wait(); e.Signal != sigHUP {
		t.Errorf("%+v", e)
	}
}

func TestTerminalSize(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	p := l.person("sh", "-c", "trap 'echo resized; exit' WINCH; tty; while :; do sleep 0.01; done")
	p.until("/dev/pts/0")
	l.must(p.term.Resize(100, 30))
	p.wait()
	p.until("resized")
}
