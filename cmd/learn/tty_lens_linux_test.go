package main

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLayersOnATerminal goes through an image's layers by keys; whatever ends it, the terminal is as it was.
func TestLayersOnATerminal(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		m := newMachine(t, driver)
		for _, end := range []string{"q", "\x03", "signal"} {
			s := m.onTerminal("image", "layers", "-i", "learn/base")
			before := s.settings()
			s.shows("Files at layer 1")
			s.shows("q leave")
			s.types("\t\x1b[B\x1b[B ")
			s.shows("[Files at layer 1]")
			s.resize(120, 40)
			s.shows("\x1b[40;1H")
			want := 0
			if end == "signal" {
				want = 128 + int(unix.SIGTERM)
				if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
					t.Fatal(err)
				}
			} else {
				s.types(end)
			}
			if code := s.ends(); code != want {
				t.Errorf("%q ends it with code %d", end, code)
			}
			if after := s.settings(); after != before {
				t.Errorf("%q leaves the terminal as %+v, it was %+v", end, after, before)
			}
			if !strings.HasSuffix(s.text(), "\x1b[?7h\x1b[?25h\x1b[?1049l") {
				t.Errorf("%q doesn't give the screen back", end)
			}
		}
	})
}

// settings are those of the terminal's line discipline.
func (s *screen) settings() unix.Termios {
	s.t.Helper()
	state, err := unix.IoctlGetTermios(int(s.slave.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *state
}
