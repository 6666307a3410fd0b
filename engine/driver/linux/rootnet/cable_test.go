//go:build linux

package rootnet

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stale makes a socket whose owner is gone.
func stale(t *testing.T, path string) {
	t.Helper()
	d, err := openFolder(filepath.Dir(path))
	must(t, err)
	defer d.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, unix.Bind(fd, d.address(filepath.Base(path))))
	must(t, unix.Close(fd))
}

func TestStaleCables(t *testing.T) {
	l := newLAN(t)
	dir := l.folder(bridge(1).Network)
	must(t, os.MkdirAll(dir, 0o700))
	mine, other, silent := filepath.Join(dir, "02420a4d0102"), filepath.Join(dir, "02420a4d0163"), filepath.Join(dir, "02420a4d0164")
	for _, s := range []string{mine, other, silent} {
		stale(t, s)
	}
	must(t, os.WriteFile(filepath.Join(dir, "0242cafe0000"), nil, 0o600)) // no socket
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))                          // in place of a dead one
	b.serve("10.77.1.3:80")
	a.reaches("10.77.1.3:80", "10.77.1.2")
	for _, s := range []string{other, silent} {
		if _, err := os.Lstat(s); !os.IsNotExist(err) {
			t.Errorf("a dead member's socket is still there: %v", err)
		}
	}
}

func TestKilledSupervisor(t *testing.T) {
	if os.Getenv(enterVariable) == insideMachine {
		newLAN(t)
		l := &lan{t, os.Getenv("TMPDIR")}
		l.add(plan(1, 2))
		_, _ = os.Stdout.WriteString("connected\n")
		select {}
	}
	if os.Getenv(enterVariable) != "" {
		t.Skip("is done by root")
	}
	needRoot(t)
	l := newLAN(t)
	must(t, os.MkdirAll(l.dir, 0o700))
	for range 5 {
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestKilledSupervisor$")
		cmd.Env = []string{"TMPDIR=" + l.dir, enterVariable + "=" + insideMachine}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = out.Read(make([]byte, 1))
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		must(t, err)
	}
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))
	b.serve("10.77.1.3:80")
	a.reaches("10.77.1.3:80", "10.77.1.2")
}

// Who dies is noticed by those who send to all, too.
func TestMemberDies(t *testing.T) {
	l := newLAN(t)
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))
	other := filepath.Join(l.folder(bridge(1).Network), "02420a4d0163")
	stale(t, other)
	b.serve("10.77.1.3:80")
	a.reaches("10.77.1.3:80", "10.77.1.2") // by asking all who has the address; the dead one may be asked last
	for end := time.Now().Add(hang); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(other); os.IsNotExist(err) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("a dead member's socket is still there")
		}
	}
}

// A member that doesn't read costs the others a moment, once.
func TestSilentMember(t *testing.T) {
	l := newLAN(t)
	dir := l.folder(bridge(1).Network)
	d, err := openFolder(dir)
	must(t, err)
	defer d.Close()
	f, _, err := d.listen("02420a4d0163")
	must(t, err)
	defer f.Close()
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))
	b.serve("10.77.1.3:80")
	p := &peers{dir: d, own: "02420a4d0164", by: map[string]*peer{}}
	defer p.close()
	msg := append(frame("02420a4d016302420a4d01640800"), make([]byte, 60000)...)
	for range 1000 {
		p.send("02420a4d0163", msg)
	}
	if c := p.by["02420a4d0163"]; c == nil || !c.late {
		t.Error("nobody noticed that a member does not read")
	}
	a.reaches("10.77.1.3:80", "10.77.1.2")
}

// What others send is passed on only if it is for the container.
func TestForgedFrames(t *testing.T) {
	l := newLAN(t)
	a := l.add(plan(1, 2))
	d, err := openFolder(l.folder(bridge(1).Network))
	must(t, err)
	defer d.Close()
	fd, err := d.dial("02420a4d0102")
	must(t, err)
	defer unix.Close(fd)
	sniffer := -1
	a.do(func() (err error) {
		if sniffer, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0x0300); err != nil {
			return err
		}
		const atMost = 20 * time.Second // on any machine: the frame comes at once
		tv := unix.NsecToTimeval(atMost.Nanoseconds())
		return unix.SetsockoptTimeval(sniffer, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	})
	defer unix.Close(sniffer)
	const marked = "88b5" // for experiments (IEEE 802)
	for _, s := range []string{"", "00", "02420a4d0102", "02420a4d0103" + "02420a4d0104" + marked, "02420a4d0102" + "02420a4d0102" + marked, "02420a4d0102" + "02420a4d0104" + marked + "77"} {
		if _, err := unix.Write(fd, frame(s)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 2048)
	for { // until the last one, which is for the container
		n, err := unix.Read(sniffer, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			t.Fatalf("the frame for the container did not come through: %v", err)
		case n <= 14 || buf[12] != 0x88 || buf[13] != 0xb5:
		case buf[14] == 0x77:
			return
		default:
			t.Errorf("a frame for another came through: %x", buf[:n])
		}
	}
}
