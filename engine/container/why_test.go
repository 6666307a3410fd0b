package container

import (
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

func TestCauses(t *testing.T) {
	sent := func(list ...driver.SentSignal) driver.Evidence { return driver.Evidence{Signals: list} }
	term, kill := driver.SentSignal{Signal: sigTerm, Why: "stop"}, driver.SentSignal{Signal: sigKill, Why: "stop-timeout"}
	for _, tt := range []struct {
		name           string
		w              Why
		want           Cause
		sent, unheeded string
	}{
		{"ended", Why{ExitCode: 3}, CauseItself, "", ""},
		{"stopped in good order", Why{Evidence: sent(term)}, CauseAsked, "stop", ""},
		{"stopped by its handler's code", Why{ExitCode: 143, Evidence: sent(term)}, CauseAsked, "stop", ""},
		{"stopped by the signal", Why{ExitCode: 143, Signal: sigTerm, Evidence: sent(term)}, CauseEngine, "stop", ""},
		{"a stop that was not heeded", Why{ExitCode: 137, Signal: sigKill, Evidence: sent(term, kill)}, CauseEngine, "stop-timeout", "stop"},
		{"killed", Why{ExitCode: 137, Signal: sigKill, Evidence: sent(driver.SentSignal{Signal: sigKill, Why: "kill"})}, CauseEngine, "kill", ""},
		{"a signal long before another end", Why{ExitCode: 1, Evidence: sent(driver.SentSignal{Signal: 10, Why: "kill"})}, CauseItself, "", ""},
		{"killed by somebody else after a signal of ours", Why{ExitCode: 137, Signal: sigKill, Evidence: sent(driver.SentSignal{Signal: 10, Why: "kill"})}, CauseOutside, "", ""},
		{"memory", Why{ExitCode: 137, Signal: sigKill, OOMKilled: true}, CauseOOM, "", ""},
		{"memory, of a child", Why{ExitCode: 1, OOMKilled: true}, CauseItself, "", ""},
		{"a fault", Why{ExitCode: 139, Signal: 11}, CauseFault, "", ""},
		{"a filter that kills", Why{ExitCode: 159, Signal: 31}, CauseFilter, "", ""},
		{"not started", Why{ExitCode: 127, Error: "exec: no", Status: container.StateCreated}, CauseNoStart, "", ""},
		{"not started again", Why{ExitCode: 127, Error: "exec: no"}, CauseNoStart, "", ""},
		{"lost", Why{ExitCode: 255, Error: lostMessage}, CauseLost, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.w
			w.StartedAt = time.Unix(1, 0)
			if w.Status == "" {
				w.Status = container.StateExited
			}
			w.weighSignals()
			if got := w.cause(); got != tt.want {
				t.Errorf("cause %q, want %q", got, tt.want)
			}
			for _, s := range []struct {
				got  *driver.SentSignal
				want string
			}{{w.Sent, tt.sent}, {w.Unheeded, tt.unheeded}} {
				if (s.got == nil) != (s.want == "") || s.got != nil && s.got.Why != s.want {
					t.Errorf("signal %+v, want %q", s.got, s.want)
				}
			}
		})
	}
}

func TestShellForm(t *testing.T) {
	for _, tt := range []struct {
		command []string
		want    bool
	}{{[]string{"/bin/sh", "-c", "x"}, true}, {[]string{"bash", "-c", "x"}, true}, {[]string{"sh", "x"}, false}, {[]string{"python", "-c", "x"}, false}, {nil, false}} {
		if got := shellForm(tt.command); got != tt.want {
			t.Errorf("%q: %v", tt.command, got)
		}
	}
}
