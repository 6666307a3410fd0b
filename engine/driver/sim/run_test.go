package sim

import (
	"errors"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

func TestRunPrintsAndExits(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		out, exit := l.sh(t, "echo out; echo err >&2; exit 7")
		if exit.Code != 7 || exit.Signal != 0 || exit.At.IsZero() {
			t.Errorf("exit = %+v, want code 7", exit)
		}
		if !strings.Contains(out, "out\n") || !strings.Contains(out, "err\n") {
			t.Errorf("output = %q", out)
		}
	})
}

func TestCommandErrors(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		for _, tc := range []struct {
			arg  string
			code int
			msg  string
		}{
			{"foo", 127, `exec: "foo": executable file not found in $PATH`},
			{"/x", 127, `exec: "/x": stat /x: no such file or directory`},
			{"/etc/passwd", 126, `exec: "/etc/passwd": permission denied`},
			{"/bin/broken", 126, `exec /bin/broken: exec format error`},
		} {
			tk := l.create(t, l.spec(t, tc.arg))
			err := tk.Start(limited(t), driver.Streams{})
			var cmd *driver.CommandError
			if !errors.As(err, &cmd) || cmd.Code != tc.code || cmd.Msg != tc.msg {
				t.Errorf("error = %v, want %d %s", err, tc.code, tc.msg)
			}
			if st, err := tk.Status(t.Context()); err != nil || st.State != driver.Ready {
				t.Errorf("status = %+v, %v, want ready", st, err)
			}
		}
	})
}
