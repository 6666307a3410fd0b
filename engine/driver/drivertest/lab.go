package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// Patience is how long a case waits, by the host's clock, for what must happen soon.
func Patience() time.Duration {
	if slow() {
		return 4 * time.Minute
	}
	return 20 * time.Second
}

// slow tells whether the processor is made of software.
func slow() bool { return os.Getenv("LEARN_TEST_SLOW") != "" }

// lab is the machine that all cases share.
type lab struct {
	Machine
	serial atomic.Int64
}

func newLab(m Machine) *lab { return &lab{Machine: m} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another process is about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience()); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, Patience())
}

// sleep lets the machine's time pass.
func (l *lab) sleep(t testing.TB, d time.Duration) {
	t.Helper()
	if l.Sleep == nil {
		time.Sleep(d)
		return
	}
	must(t, l.Sleep(t.Context(), d))
}

// now is the machine's time.
func (l *lab) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

// key is a name that no other case has.
func (l *lab) key() string { return fmt.Sprintf("case%04d", l.serial.Add(1)) }

func chainOf(parent, diffID digest.Digest) digest.Digest {
	if parent == "" {
		return diffID
	}
	return digest.FromString(parent.String() + " " + diffID.String())
}

// tryApply unpacks a layer on top of parent.
func (l *lab) tryApply(t testing.TB, parent digest.Digest, entries ...entry) (digest.Digest, error) {
	t.Helper()
	data := archive(t, entries...)
	diffID := digest.FromBytes(data)
	chain := chainOf(parent, diffID)
	return chain, l.Layers.Apply(t.Context(), chain, parent, diffID, bytes.NewReader(data))
}

// apply is tryApply of a layer that is good. Other cases may have applied the same layer before.
func (l *lab) apply(t testing.TB, parent digest.Digest, entries ...entry) digest.Digest {
	t.Helper()
	chain, err := l.tryApply(t, parent, entries...)
	if err != nil && !errors.Is(err, driver.ErrExists) {
		t.Fatal(err)
	}
	return chain
}

// stack applies layers, lowest first, on top of parent.
func (l *lab) stack(t testing.TB, parent digest.Digest, layers ...[]entry) digest.Digest {
	t.Helper()
	for _, entries := range layers {
		parent = l.apply(t, parent, entries...)
	}
	return parent
}

// prepare makes a writable layer that is gone when the case ends.
func (l *lab) prepare(t testing.TB, chain digest.Digest) string {
	t.Helper()
	key := l.key()
	must(t, l.Snapshots.Prepare(t.Context(), key, chain))
	t.Cleanup(func() {
		if err := l.Snapshots.Remove(context.Background(), key); err != nil {
			t.Error(err)
		}
	})
	return key
}

// spec is a container on a fresh writable layer on top of the base, with the variables that an image would set.
func (l *lab) spec(t testing.TB, args ...string) driver.Spec {
	t.Helper()
	return l.specOn(t, l.prepare(t, l.Base), args...)
}

// specOn is spec on a writable layer that is there already.
func (l *lab) specOn(t testing.TB, key string, args ...string) driver.Spec {
	t.Helper()
	id := l.key()
	folder := filepath.Join(l.Home.Containers(), id)
	must(t, os.MkdirAll(folder, 0o700))
	return driver.Spec{ID: id, Dir: folder, Key: key, Hostname: "lab", Process: process(args...)}
}

// script is the command line that has the shell run text.
func script(text string) []string { return []string{"sh", "-c", text} }

// process is what runs args as root in the root folder.
func process(args ...string) driver.Process {
	return driver.Process{Args: args, Env: []string{"PATH=/bin"}, Cwd: "/"}
}

// box is a container of a case.
type box struct {
	driver.Task
	t         testing.TB
	spec      driver.Spec
	out, errs buffer
}

// create makes a container that is gone when the case ends.
func (l *lab) create(t testing.TB, spec driver.Spec) *box {
	t.Helper()
	task, err := l.Runtime.Create(t.Context(), spec)
	must(t, err)
	t.Cleanup(func() {
		if err := task.Delete(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &box{Task: task, t: t, spec: spec}
}

// start runs a container whose output is collected.
func (l *lab) start(t testing.TB, spec driver.Spec) *box {
	t.Helper()
	b := l.create(t, spec)
	must(t, b.Start(t.Context(), b.streams(nil)))
	return b
}

// staying is a container in which the shell runs text, which may end in read to stay for ever: nobody gives its input an end.
// (A shell that is just starting a program is no good to send signals to: the kernel may deliver one that it would ignore.)
func (l *lab) staying(t testing.TB, text string) driver.Spec {
	t.Helper()
	spec := l.spec(t, script(text)...)
	spec.OpenStdin = true
	return spec
}

// started is staying, running already.
func (l *lab) started(t testing.TB, text string) *box {
	t.Helper()
	return l.start(t, l.staying(t, text))
}

// run runs a container to its end.
func (l *lab) run(t testing.TB, spec driver.Spec) result {
	t.Helper()
	return l.start(t, spec).wait()
}

// sh runs a script in a container of its own.
func (l *lab) sh(t testing.TB, text string) result {
	t.Helper()
	return l.run(t, l.spec(t, script(text)...))
}

// up is a container that is awake and stays.
func (l *lab) up(t testing.TB) *box {
	t.Helper()
	b := l.started(t, "echo up; read x")
	b.says("up\n")
	return b
}

func (b *box) streams(stdin io.Reader) driver.Streams {
	return driver.Streams{Stdin: stdin, Stdout: &b.out, Stderr: &b.errs}
}

// result is how a process ended and what it wrote.
type result struct {
	driver.Exit
	out, errs string
}

// wait waits for the container's end.
func (b *box) wait() result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), Patience())
	defer cancel()
	exit, err := b.Wait(ctx)
	if err != nil {
		b.t.Fatalf("wait: %v; output %q, errors %q", err, b.out.String(), b.errs.String())
	}
	return result{exit, b.out.String(), b.errs.String()}
}

// says waits until the container's output is text.
func (b *box) says(text string) {
	b.t.Helper()
	for end := time.Now().Add(Patience()); b.out.String() != text; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("output is %q, errors %q; want output %q", b.out.String(), b.errs.String(), text)
		}
	}
}

// try runs a further process in the container.
func (b *box) try(p driver.Process, stdin io.Reader) (result, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), Patience())
	defer cancel()
	var out, errs buffer
	exit, err := b.Task.(driver.Execer).Exec(ctx, p, driver.Streams{Stdin: stdin, Stdout: &out, Stderr: &errs})
	return result{exit, out.String(), errs.String()}, err
}

// exec is try of a script that can be started.
func (b *box) exec(text string) result {
	b.t.Helper()
	r, err := b.try(process(script(text)...), nil)
	must(b.t, err)
	return r
}

// state is how the container is now.
func (b *box) state() driver.State {
	b.t.Helper()
	st, err := b.Status(b.t.Context())
	must(b.t, err)
	return st.State
}

// buffer collects what several writers write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// complaints compares what a program said on standard error: as many lines as wanted, each ending as wanted. How a program begins
// its complaints is its own affair.
func complaints(got, want string) bool {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	return slices.EqualFunc(g, w, func(g, w string) bool { return strings.HasSuffix(g, w) && (w != "" || g == "") })
}

// Ends of complaints.
const (
	noEntry     = "No such file or directory\n"
	denied      = "Permission denied\n"
	notAllowed  = "Operation not permitted\n"
	readOnlyFS  = "Read-only file system\n"
	noSpace     = "No space left on device\n"
	busy        = "Device or resource busy\n"
	manyLinks   = "Too many levels of symbolic links\n"
	notEmpty    = "Directory not empty\n"
	noProcess   = "No such process\n"
	noDevice    = "No such device or address\n"
	crossDevice = "Invalid cross-device link\n"
	badHandle   = "Bad file descriptor\n"
	tooLong     = "File name too long\n"
)

// each runs a case for every row, side by side.
func each[C any](t *testing.T, rows []C, rule func(C) string, run func(*testing.T, C)) {
	for _, c := range rows {
		t.Run(rule(c), func(t *testing.T) {
			t.Parallel()
			run(t, c)
		})
	}
}

// test is a case that fits no table.
type test struct {
	rule string
	run  func(*testing.T, *lab)
}

func (l *lab) tests(t *testing.T, groups ...[]test) {
	each(t, slices.Concat(groups...), func(c test) string { return c.rule }, func(t *testing.T, c test) { c.run(t, l) })
}

// archiveOf writes the changes in key as an archive.
func (l *lab) archiveOf(t testing.TB, key string) ([]byte, driver.DiffStats) {
	t.Helper()
	var buf bytes.Buffer
	stats, err := l.Snapshots.Diff(t.Context(), key, &buf)
	must(t, err)
	return buf.Bytes(), stats
}

// changes lists the changes in key, a line each.
func (l *lab) changes(t testing.TB, key string) []string {
	t.Helper()
	list, err := l.Snapshots.Changes(t.Context(), key)
	must(t, err)
	var lines []string
	for _, c := range list {
		lines = append(lines, string(c.Kind)+" "+c.Path)
	}
	return lines
}

// export writes a tree as an archive; equal archives are equal trees, metadata and all.
func export(t testing.TB, tree driver.Tree, err error) []byte {
	t.Helper()
	must(t, err)
	defer tree.Close()
	var buf bytes.Buffer
	must(t, tree.Export(t.Context(), &buf))
	return buf.Bytes()
}

func (l *lab) exportKey(t testing.TB, key string) []byte {
	t.Helper()
	tree, err := l.Trees.OpenKey(t.Context(), key)
	return export(t, tree, err)
}

func (l *lab) exportChain(t testing.TB, chain digest.Digest) []byte {
	t.Helper()
	tree, err := l.Trees.OpenChain(t.Context(), chain)
	return export(t, tree, err)
}
