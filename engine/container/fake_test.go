package container_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// machine is a driver without a machine: trees are maps, programs are goroutines that know a few words.
type machine struct {
	mu          sync.Mutex
	chains      map[digest.Digest]bool
	keys        map[string]map[string]string // what each writable layer holds
	files       map[string]string            // what every tree holds besides
	tasks       map[string]*task
	pids        int
	kept        map[string]bool // folders
	failPrepare error
	failRewire  bool
	failStart   error
	failLoad    string // id of a task that cannot be asked
}

func newMachine() *machine {
	return &machine{chains: map[digest.Digest]bool{}, keys: map[string]map[string]string{}, files: map[string]string{}, tasks: map[string]*task{}, pids: 100}
}

type (
	layers    struct{ *machine }
	snapshots struct{ *machine }
	trees     struct{ *machine }
	runtime   struct{ *machine }
)

func (m layers) Apply(_ context.Context, chain, _, _ digest.Digest, r io.Reader) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chains[chain] {
		return driver.ErrExists
	}
	m.chains[chain] = true
	_, err := io.Copy(io.Discard, r)
	return err
}

func (m layers) Has(chain digest.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chains[chain]
}

func (m layers) List(context.Context) ([]digest.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.chains)), nil
}

func (m layers) Drop(_ context.Context, chain digest.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.chains, chain)
	return nil
}

func (m snapshots) Prepare(_ context.Context, key string, _ digest.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failPrepare != nil {
		return m.failPrepare
	}
	if m.keys[key] != nil {
		return driver.ErrExists
	}
	m.keys[key] = map[string]string{}
	return nil
}

func (m snapshots) Diff(_ context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var stats driver.DiffStats
	tw := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(m.keys[key])) {
		body := m.keys[key][name]
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
			return stats, err
		}
		if _, err := io.WriteString(tw, body); err != nil {
			return stats, err
		}
		stats.Files++
	}
	return stats, tw.Close()
}

func (m snapshots) Changes(_ context.Context, key string) ([]driver.Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []driver.Change
	for _, name := range slices.Sorted(maps.Keys(m.keys[key])) {
		all = append(all, driver.Change{Path: "/" + name, Kind: driver.Added})
	}
	return all, nil
}

func (m snapshots) Commit(context.Context, string, digest.Digest, digest.Digest) error {
	return driver.ErrUnsupported
}

func (m snapshots) Remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, key)
	return nil
}

func (m snapshots) List(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.keys)), nil
}

func (m trees) OpenChain(context.Context, digest.Digest) (driver.Tree, error) {
	return tree(m.files), nil
}
func (m trees) OpenKey(context.Context, string) (driver.Tree, error) { return tree(m.files), nil }

type tree map[string]string

func (t tree) Open(path string) (io.ReadCloser, error) {
	body, ok := t[path]
	if !ok {
		return nil, driver.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(body)), nil
}
func (t tree) Stat(string) (fs.FileInfo, error) { return nil, driver.ErrNotFound }
func (t tree) Export(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, strings.Repeat("x", 512))
	return err
}
func (t tree) Close() error { return nil }

func (m runtime) Create(_ context.Context, spec driver.Spec) (driver.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tasks[spec.ID] != nil {
		return nil, driver.ErrExists
	}
	t := &task{m: m.machine, spec: spec, again: spec.OnEnd, st: driver.Status{State: driver.Ready}, signals: make(chan driver.Signal, 16), ended: make(chan struct{})}
	m.tasks[spec.ID] = t
	return t, nil
}

func (m runtime) Load(_ context.Context, id string) (driver.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id == m.failLoad {
		return nil, errors.New("permission denied")
	}
	if t := m.tasks[id]; t != nil {
		return loaded{t}, nil
	}
	return nil, driver.ErrNotFound
}

// loaded is a task seen from elsewhere: it knows nothing of the streams of Start.
type loaded struct{ *task }

func (l loaded) Wait(ctx context.Context) (driver.Exit, error) { return l.task.awaitEnd(ctx) }

// crash makes every task of the machine end without a trace, as when it loses its power.
func (m *machine) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tasks)
}

func (m *machine) task(id string) *task {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks[id]
}

type task struct {
	m       *machine
	spec    driver.Spec
	mu      sync.Mutex
	st      driver.Status
	signals chan driver.Signal
	ended   chan struct{}
	copies  sync.WaitGroup
	again   []string       // what its supervisor runs after a rest
	exec    driver.Process // the last one
}

// Start runs the first process. Its words: exit N; print WORD...; sleep; stubborn (ends by SIGKILL only); nope (not there);
// noexec (not executable).
func (t *task) Start(_ context.Context, streams driver.Streams) error {
	switch t.spec.Process.Args[0] {
	case "nope":
		return &driver.CommandError{Code: 127, Msg: `exec: "nope": executable file not found in $PATH`}
	case "noexec":
		return &driver.CommandError{Code: 126, Msg: `exec: "noexec": permission denied`}
	}
	if t.m.failStart != nil {
		return t.m.failStart
	}
	t.m.mu.Lock()
	t.m.pids++
	pid := t.m.pids
	t.m.mu.Unlock()
	t.mu.Lock()
	t.st = driver.Status{State: driver.Running, Pid: pid, StartedAt: time.Now(), Net: t.m.connect(t.spec.Net)}
	t.mu.Unlock()
	go t.run(streams)
	return nil
}

func (t *task) run(streams driver.Streams) {
	args := t.spec.Process.Args
	switch args[0] {
	case "exit":
		code, _ := strconv.Atoi(args[1])
		t.end(driver.Exit{Code: code})
		return
	case "print":
		t.print(strings.Join(args[1:], " ")+"\n", streams)
		t.end(driver.Exit{})
		return
	}
	for s := range t.signals {
		for s != 9 && t.frozen() {
			time.Sleep(time.Millisecond)
		}
		if s == 9 || s == 15 && args[0] != "stubborn" {
			t.end(driver.Exit{Code: 128 + int(s), Signal: s})
			return
		}
	}
}

func (t *task) frozen() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.st.State == driver.Paused
}

func (t *task) print(text string, streams driver.Streams) {
	if streams.Stdout != nil {
		t.copies.Go(func() {
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(streams.Stdout, text)
		})
	}
	if t.spec.Log == "" {
		return
	}
	line, _ := json.Marshal(map[string]any{"log": text, "stream": "stdout", "time": time.Now().UTC()})
	f, err := os.OpenFile(t.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.Write(append(line, '\n'))
		_ = f.Close()
	}
}

func (t *task) end(exit driver.Exit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.st.State == driver.Stopped {
		return
	}
	exit.At = time.Now()
	t.st.State, t.st.Pid, t.st.Net, t.st.Exit, t.st.Resting = driver.Stopped, 0, nil, exit, len(t.again) > 0
	close(t.ended)
}

func (t *task) Signal(_ context.Context, sig driver.Signal) error {
	t.mu.Lock()
	state := t.st.State
	t.mu.Unlock()
	if state != driver.Running && state != driver.Paused {
		return driver.ErrNotRunning
	}
	t.signals <- sig
	return nil
}

func (t *task) Wait(ctx context.Context) (driver.Exit, error) {
	exit, err := t.awaitEnd(ctx)
	if err == nil {
		t.copies.Wait()
	}
	return exit, err
}

func (t *task) awaitEnd(ctx context.Context) (driver.Exit, error) {
	select {
	case <-t.ended:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.st.Exit, nil
	case <-ctx.Done():
		return driver.Exit{}, ctx.Err()
	}
}

func (t *task) Status(context.Context) (driver.Status, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.st, nil
}

func (t *task) Delete(context.Context) error {
	t.mu.Lock()
	state := t.st.State
	t.mu.Unlock()
	if state == driver.Running || state == driver.Paused {
		t.signals <- 9
		<-t.ended
	}
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	if t.m.tasks[t.spec.ID] == t {
		delete(t.m.tasks, t.spec.ID)
	}
	return nil
}

// SetOnEnd implements driver.Rester.
func (t *task) SetOnEnd(_ context.Context, command []string, _ time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.st.State == driver.Stopped {
		return driver.ErrNotRunning
	}
	t.again = command
	return nil
}

// Dismiss implements driver.Rester. That is also what a supervisor that is killed while it rests looks like.
func (t *task) Dismiss(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.st.Resting = false
	return nil
}

func (t *task) Pause(context.Context) error  { return t.flip(driver.Running, driver.Paused) }
func (t *task) Resume(context.Context) error { return t.flip(driver.Paused, driver.Running) }

func (t *task) flip(from, to driver.State) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.st.State != from {
		return errors.New("the task is " + string(t.st.State))
	}
	t.st.State = to
	return nil
}

func (t *task) Exec(_ context.Context, p driver.Process, streams driver.Streams) (driver.Exit, error) {
	t.mu.Lock()
	t.exec = p
	t.mu.Unlock()
	if p.Args[0] == "nope" {
		return driver.Exit{}, &driver.CommandError{Code: 127, Msg: "not found"}
	}
	if streams.Stdout != nil {
		_, _ = io.WriteString(streams.Stdout, strings.Join(p.Args, " "))
	}
	return driver.Exit{Code: len(p.Args)}, nil
}

func (t *task) Processes(context.Context) ([]driver.ProcessInfo, error) {
	return []driver.ProcessInfo{{Pid: 7, PPid: 1, CPU: 3 * time.Second, StartedAt: time.Now().Add(-59 * time.Second), TTY: "?", Argv: t.spec.Process.Args}}, nil
}

// archive is a small layer.
func archive() []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755})
	_ = w.Close()
	return b.Bytes()
}
