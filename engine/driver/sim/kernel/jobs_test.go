package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/lan"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// A person stops a program, lists it, lets it go on in the background, takes it back and interrupts it.
func TestJobControl(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	p := l.person("sh")
	p.until("# ")
	p.types("echo go; cat\r")
	p.until("go\r\n")
	p.types("line\r")
	p.until("line\r\nline\r\n")
	p.types("\x1a")
	p.until("Stopped")
	p.types("jobs > /tmp/j; cut -c1-13 /tmp/j; echo listed\r")
	p.until("[1]+  Stopped\r\nlisted")
	p.types("bg\r")
	p.until("[1]+ cat &") // it reads in the background, which stops it again
	p.types("fg\r")
	p.until("fg\r\ncat\r\n")
	p.types("more\r")
	p.until("more\r\nmore\r\n")
	p.types("\x03")
	p.types("echo code $?\r")
	p.until("code 130\r\n")
	p.types("sleep 1000 & jobs | cut -c1-13; kill %1; wait; echo waited\r")
	p.until("waited\r\n")
	p.types("[[ -t 0 ]] && echo terminal; [[ -t 0 ]] < /dev/null || echo none; exit 7\r")
	if e := p.wait(); e.Code != 7 {
		t.Errorf("%+v", e)
	}
	p.until("terminal\r\nnone\r\n")
}

// Both programs of a pipeline get the terminal's signals, the shell goes on.
func TestInterruptedPipeline(t *testing.T) {
	p := newLab(t, true, driver.Limits{}).person("sh")
	p.until("# ")
	p.types("echo begin; cat | cat; echo after\r")
	p.until("begin\r\n")
	p.types("x\r")
	p.until("x\r\nx\r\n")
	p.types("\x03")
	p.types("ps -o comm > /tmp/o; grep -c cat /tmp/o; exit\r")
	p.wait()
	p.until("\r\n0\r\n")
}

func TestTerminalKeepsTheBackgroundOut(t *testing.T) {
	p := newLab(t, true, driver.Limits{}).person("sh")
	p.until("# ")
	p.types("(sleep 0.01; read x < /dev/tty) & sleep 1; jobs > /tmp/j; cut -c1-13 /tmp/j; kill -9 %1; exit\r")
	p.wait()
	p.until("[1]+  Stopped\r\n")
}

func TestNetworkInOneBox(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"nc", `nc -l -p 99 > /tmp/got & sleep 1; echo hi | nc -w 1 127.0.0.1 99; wait; cat /tmp/got`, "hi\n"},
		{"httpd", `echo page > /tmp/p; httpd -p 80 -h /tmp & sleep 1; wget -q -O - http://127.0.0.1/p; kill $!`, "page\n"},
		{"nobody", `nc -w 1 127.0.0.1 9 2>/dev/null; echo $?`, "1\n"},
		{"killed with its listener", `nc -l -p 99 & sleep 1; kill $!; wait $!; echo $?; nc -w 1 127.0.0.1 99 2>/dev/null; echo $?`, "143\n1\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, true, driver.Limits{})
			s := lan.NewSwitch()
			t.Cleanup(func() { s.Close() })
			l.box.cfg.Host = s.Host("box", "box")
			if out, _ := l.script(tc.script); out != tc.want {
				t.Errorf("%q, want %q", out, tc.want)
			}
		})
	}
}

// The real binary is found by what its build says of it, whatever it is called.
func TestRealBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("this machine has no go")
	}
	file := filepath.Join(t.TempDir(), "learn")
	build := exec.Command(tool, "build", "-o", file, "github.com/learn-containers/learn/cmd/learn")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, true, driver.Limits{})
	view := l.ns.View(vfs.Cred{Privileged: true}, nil)
	l.file(view, "/tmp/real", string(data), 0o755)
	l.must(view.Symlink("real", "/tmp/echo"))
	if out, exit := l.script("/tmp/echo found; (exec -a seq /tmp/real 2)"); out != "found\n1\n2\n" || exit.Code != 0 {
		t.Errorf("%q %+v", out, exit)
	}
}
