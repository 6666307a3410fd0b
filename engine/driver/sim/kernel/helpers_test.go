package kernel

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// lab is a machine with one box, whose root has all programs.
type lab struct {
	t     *testing.T
	clock *Clock
	m     *Machine
	ns    *vfs.Namespace
	box   *Box
	log   *syncBuffer
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newLab(t *testing.T, frozen bool, limits driver.Limits) *lab {
	t.Helper()
	now := time.Now
	if frozen {
		now = func() time.Time { return epoch }
	}
	l := &lab{t: t, clock: NewClock(now, frozen, nil), log: new(syncBuffer)}
	var pid atomic.Int64
	l.m = New(Options{Clock: l.clock, NextPID: func() int { return 1000 + int(pid.Add(1)) }, Log: l.log})
	root := vfs.NewTmpfs(0, 0o755, l.clock.Now, nil)
	l.ns = vfs.New(root)
	pts := vfs.NewPts(l.clock.Now)
	view := l.ns.View(vfs.Cred{Privileged: true}, nil)
	for _, dir := range []string{"/bin", "/tmp", "/dev", "/proc"} {
		l.must(view.Mkdir(dir, 0o777))
	}
	l.file(view, "/bin/learn", "#!learn\n", 0o755)
	for _, name := range userland.Names() {
		l.must(view.Symlink("learn", "/bin/"+name))
	}
	dev := vfs.NewTmpfs(0, 0o755, l.clock.Now, nil)
	for name, number := range map[string]uint64{"null": fsys.MakeDev(1, 3), "zero": fsys.MakeDev(1, 5), "tty": fsys.MakeDev(5, 0)} {
		l.must(dev.Make(name, fsys.New{Kind: fsys.CharDevice, Mode: 0o666, Rdev: number}))
	}
	l.must(dev.Make("pts", fsys.New{Kind: fsys.Dir, Mode: 0o755}))
	l.must(l.ns.Mount("/dev", vfs.Mount{FS: dev, Source: "tmpfs", Type: "tmpfs", Options: []string{"rw"}}))
	l.must(l.ns.Mount("/dev/pts", vfs.Mount{FS: pts, Source: "devpts", Type: "devpts"}))
	l.box = l.m.NewBox(BoxConfig{ID: "box", Hostname: "box", NS: l.ns, Pts: pts, Limits: limits})
	l.must(l.ns.Mount("/proc", vfs.Mount{FS: vfs.NewProc(l.box.Source()), Source: "proc", Type: "proc"}))
	t.Cleanup(func() {
		l.box.Kill()
		select {
		case <-l.box.Done():
		case <-time.After(5 * time.Second):
			t.Error("the box did not end")
		}
		if s := l.log.String(); s != "" {
			t.Errorf("a program panicked: %s", s)
		}
	})
	return l
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) file(view *vfs.View, name, text string, mode uint32) {
	l.t.Helper()
	f, err := view.OpenFile(name, os.O_CREATE|os.O_WRONLY, os.FileMode(mode))
	l.must(err)
	_, err = io.WriteString(f, text)
	l.must(err)
	l.must(f.Close())
	l.must(view.Chmod(name, os.FileMode(mode)))
}

// syncBuffer is a buffer for many goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// running is a process with its output.
type running struct {
	*Process
	t      *testing.T
	stdin  io.WriteCloser
	output *syncBuffer
	pumped chan struct{}
}

func (l *lab) start(args ...string) *running {
	l.t.Helper()
	return l.startAs(driver.Process{Args: args, Env: []string{"PATH=/bin"}, Cwd: "/"})
}

func (l *lab) startAs(p driver.Process) *running {
	l.t.Helper()
	inR, inW := l.m.Pipe()
	outR, outW := l.m.Pipe()
	proc, err := l.box.Start(ProcessConfig{Process: p, Stdin: inR, Stdout: outW, Stderr: outW})
	l.must(err)
	r := &running{Process: proc, t: l.t, stdin: inW, output: new(syncBuffer), pumped: make(chan struct{})}
	go func() {
		defer close(r.pumped)
		io.Copy(r.output, outR)
		outR.Close()
	}()
	l.t.Cleanup(func() { inW.Close() })
	return r
}

func (r *running) wait() driver.Exit {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	exit, err := r.Wait(ctx)
	if err != nil {
		r.t.Fatalf("wait: %v; output so far: %q", err, r.output)
	}
	r.Settled()
	return exit
}

// all is the whole output, when everybody who could write is gone.
func (r *running) all() string {
	r.t.Helper()
	select {
	case <-r.pumped:
	case <-time.After(10 * time.Second):
		r.t.Fatalf("output did not end: %q", r.output)
	}
	return r.output.String()
}

// until waits for a text in the output.
func (r *running) until(text string) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if strings.Contains(r.output.String(), text) {
			return
		}
	}
	r.t.Fatalf("no %q in the output: %q", text, r.output)
}

// script runs a shell script as the box's first process, with somebody waiting.
func (l *lab) script(text string) (string, driver.Exit) {
	l.t.Helper()
	defer l.box.Hurry()()
	r := l.start("sh", "-c", text)
	r.stdin.Close()
	exit := r.wait()
	return r.all(), exit
}
