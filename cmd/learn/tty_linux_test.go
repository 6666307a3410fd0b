package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a command on a terminal, and the person before it.
type screen struct {
	t      testing.TB
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File // kept open: what the terminal is like can be asked when the command is gone
	ended  chan struct{}

	mu    sync.Mutex
	shown bytes.Buffer
}

// onTerminal runs a docker command line on a terminal of 80 columns and 24 rows.
func (m *machine) onTerminal(words ...string) *screen {
	m.t.Helper()
	s := &screen{t: m.t, ended: make(chan struct{})}
	s.openTerminal()
	exe, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	s.cmd = exec.Command(exe)
	s.cmd.Args, s.cmd.Dir = append([]string{"docker"}, words...), m.dir
	s.cmd.Env = append(append(os.Environ(), "LEARN_HOME="+m.home, "LEARN_TRACE=", "LEARN_OFFLINE=1"), m.env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.slave, s.slave, s.slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	go s.watch()
	m.t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.ended
		_, _ = s.slave.Close(), s.master.Close()
	})
	return s
}

func (s *screen) openTerminal() {
	s.t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		lacks(s.t, "no terminal can be opened: "+err.Error())
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		s.t.Fatal(err)
	}
	s.master = os.NewFile(uintptr(fd), "terminal")
	if s.slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		s.t.Fatal(err)
	}
	s.resize(80, 24)
}

func (s *screen) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.shown.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *screen) resize(cols, rows uint16) {
	s.t.Helper()
	if err := unix.IoctlSetWinsize(int(s.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) types(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until text was shown.
func (s *screen) shows(text string) {
	s.t.Helper()
	s.until("it shows "+strconv.Quote(text), func() bool { return strings.Contains(s.text(), text) })
}

func (s *screen) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not within 30 s: %s; the screen has %q", what, s.text())
		}
	}
}

// ends waits for the end of the command, looks whether the terminal is as it was, and gives the exit code; -1 for a signal.
func (s *screen) ends() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		s.t.Fatalf("it does not end; the screen has %q", s.text())
	}
	if s.raw() {
		s.t.Error("the terminal was left in raw mode")
	}
	s.drain()
	return s.cmd.ProcessState.ExitCode()
}

// drain waits until what a command that has ended wrote is on the screen: what is written after it comes after it.
func (s *screen) drain() {
	s.t.Helper()
	const mark = "\x00drained"
	if _, err := s.slave.WriteString(mark); err != nil {
		s.t.Fatal(err)
	}
	s.shows(mark)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.Truncate(s.shown.Len() - len(mark))
}

func (s *screen) raw() bool {
	s.t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.slave.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return mode.Lflag&unix.ICANON == 0
}

// A session as docker's: a shell, another size, an interrupt, leaving, coming back from elsewhere, and the end.
func TestTerminalSession(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		m := newMachine(t, driver)
		s := m.onTerminal("run", "-it", "--name", "tt", "learn/base", "sh", "-c",
			"trap 'echo si\"\"ze' WINCH; trap 'echo inter\"\"rupted' INT; echo u\"\"p; while read x; do echo got $x; [ \"$x\" = end ] && exit 7; done; exit 8")
		s.shows("up\r\n")
		s.types("one\r")
		s.shows("got one\r\n")
		s.types("\x10two\r") // half of the keys that detach
		s.shows("\x10two\r\n")
		s.types("\x10\x11")
		if code := s.ends(); code != 0 {
			t.Errorf("left with code %d", code)
		}
		if state := m.must("inspect", "-f", "{{.State.Status}}", "tt"); state != "running" {
			t.Errorf("after leaving it is %s", state)
		}
		one := m.onTerminal("attach", "--detach-keys", "ctrl-x,x", "tt")
		two := m.onTerminal("attach", "--no-stdin", "--sig-proxy=false", "tt")
		one.until("it hears of a size: to have programs draw, it was another one for a moment", func() bool {
			one.types("again\r")
			time.Sleep(20 * time.Millisecond)
			return strings.Contains(one.text(), "size")
		})
		two.until("both listen", func() bool {
			one.types("both\r")
			time.Sleep(20 * time.Millisecond)
			return strings.Contains(two.text(), "got both")
		})
		one.types("\x10\x11\rthree\r") // keys as any others here
		two.shows("got three")
		one.types("\x18x")
		if code := one.ends(); code != 1 || !strings.HasSuffix(one.text(), "read escape sequence\r\n") {
			t.Errorf("left with code %d, %q", code, one.text())
		}
		last := m.onTerminal("start", "-ai", "tt")
		last.until("it listens", func() bool {
			last.types("end\r")
			time.Sleep(20 * time.Millisecond)
			return strings.Contains(last.text(), "got end")
		})
		if a, b := last.ends(), two.ends(); a != 7 || b != 7 {
			t.Errorf("ended with codes %d and %d", a, b)
		}
	})
}

func TestFurtherProcessOnATerminal(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		m := newMachine(t, driver)
		m.must("run", "-d", "-i", "--name", "tt", "learn/base", "sh", "-c", "read x")
		s := m.onTerminal("exec", "-it", "tt", "sh", "-c", "trap 'echo si\"\"ze' WINCH; echo u\"\"p; while read x; do echo got $x; [ \"$x\" = end ] && exit 6; done")
		s.shows("up\r\n")
		s.until("the size arrives", func() bool {
			s.resize(100, uint16(30+len(s.text())%7))
			s.types("again\r")
			time.Sleep(20 * time.Millisecond)
			return strings.Contains(s.text(), "size\r\n")
		})
		s.types("end\r")
		if code := s.ends(); code != 6 {
			t.Errorf("code %d", code)
		}
		s = m.onTerminal("exec", "-it", "--detach-keys", "a", "tt", "sh", "-c", "echo u\"\"p; read x; echo $x > /left; read x")
		s.shows("up\r\n")
		s.types("before\ra")
		if code := s.ends(); code != 1 || !strings.HasSuffix(s.text(), "read escape sequence\r\n") {
			t.Errorf("left with code %d, %q", code, s.text())
		}
		s.until("what was typed before arrives", func() bool { return m.docker("exec", "tt", "cat", "/left").out == "before\n" })
	})
}

// However it ends, the terminal is as it was before.
func TestTheTerminalIsPutBack(t *testing.T) {
	hungUp := -1
	if signal.Ignored(syscall.SIGHUP) { // as under nohup, which it hands down
		hungUp = 128 + int(syscall.SIGHUP)
	}
	onBothDrivers(t, func(t *testing.T, driver string) {
		for name, c := range map[string]struct {
			do   func(m *machine, s *screen)
			code int
		}{
			"by a signal":           {func(_ *machine, s *screen) { _ = s.cmd.Process.Signal(syscall.SIGTERM) }, -1},
			"by the terminal's end": {func(_ *machine, s *screen) { _ = s.cmd.Process.Signal(syscall.SIGHUP) }, hungUp},
			"by the supervisor's end": {func(m *machine, s *screen) {
				for _, p := range m.processes() {
					pid, _ := strconv.Atoi(strings.TrimPrefix(strings.Fields(p)[1], "/proc/"))
					if pid != s.cmd.Process.Pid {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}
			}, 255},
			"by the container's end": {func(m *machine, _ *screen) { m.must("kill", "tt") }, 137},
		} {
			t.Run(name, func(t *testing.T) {
				m := newMachine(t, driver)
				m.must("run", "-d", "-it", "--name", "tt", "learn/base", "sh", "-c", "read x")
				s := m.onTerminal("attach", "tt")
				s.until("the terminal is raw", s.raw)
				s.types("key")
				s.shows("key") // it is connected
				c.do(m, s)
				if code := s.ends(); code != c.code {
					t.Errorf("code %d, want %d; %q", code, c.code, s.text())
				}
			})
		}
	})
}
