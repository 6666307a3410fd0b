package container

import (
	"errors"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

func TestSignals(t *testing.T) {
	tests := []struct {
		text string
		want driver.Signal
		name string
	}{
		{"KILL", 9, "SIGKILL"}, {"SIGTERM", 15, "SIGTERM"}, {"sigusr1", 10, "SIGUSR1"}, {"9", 9, "SIGKILL"}, {"WINCH", 28, "SIGWINCH"},
		{"SYS", 31, "SIGSYS"}, {"RTMIN+3", 37, "SIGRTMIN+3"}, {"SIGRTMAX", 64, "SIGRTMIN+30"}, {"RTMAX-1", 63, "SIGRTMIN+29"}, {"CLD", 17, "SIGCHLD"},
		{"0", 0, ""}, {"65", 0, ""}, {"", 0, ""}, {"NOTHING", 0, ""}, {"RTMIN+99", 0, ""}, {"RTMINx", 0, ""},
	}
	for _, tt := range tests {
		got, err := ParseSignal(tt.text)
		if got != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("ParseSignal(%q) = %d, %v, want %d", tt.text, got, err, tt.want)
		}
		if err == nil && SignalName(got) != tt.name {
			t.Errorf("SignalName(%d) = %q, want %q", got, SignalName(got), tt.name)
		}
		if err != nil && !errors.As(err, new(*InvalidError)) {
			t.Errorf("ParseSignal(%q): error is %T", tt.text, err)
		}
	}
}
