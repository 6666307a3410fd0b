package build

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/passwd"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// command is one command to run on top of a stage's tree.
type command struct {
	in      dockerfile.Instruction
	id      int // of its progress
	argv    []string
	network string
	program dockerfile.Script // a here-document that is executed
	mounts  []dockerfile.Mount
	bound   []boundTree // of its bind mounts
}

// execute runs a command on top of the stage's tree and keeps what it changed as a layer.
func (st *stage) execute(ctx context.Context, c command) (l image.Layer, err error) {
	chain, err := st.unpack(ctx)
	if err != nil {
		return l, err
	}
	s := st.session
	key, err := s.scratch(ctx, chain)
	if err != nil {
		return l, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.snapshots.Remove(context.WithoutCancel(ctx), key))
		}
	}()
	spec, done, err := st.spec(ctx, key, c)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, done()) }()
	failpoint.Hit("build.step.before-run")
	if err := s.runTask(ctx, spec, c.id); err != nil {
		return l, st.debug(ctx, c, spec, err)
	}
	failpoint.Hit("build.step.after-run")
	return st.commit(ctx, key, chain)
}

// scratch makes a writable layer on chain that goes with the build, and whose task may be found again.
func (s *session) scratch(ctx context.Context, chain digest.Digest) (key string, err error) {
	if key, err = s.randomKey(); err != nil {
		return "", err
	}
	if err := s.op.Claim("snapshot", key); err != nil {
		return "", err
	}
	if err := driver.PrepareVolatile(ctx, s.snapshots, key, chain); err != nil {
		return "", fmt.Errorf("prepare build step: %w", err)
	}
	return key, s.op.Claim("task", key)
}

// taskDir is where the runtime keeps the state of a RUN: among the containers, where it is found again by its id when the
// build was killed and its command must be ended. The name is no container's, so none is listed.
func (b *Builder) taskDir(key string) string { return filepath.Join(b.home.Containers(), key) }

const keyPrefix = "build-"

// UndoClaim undoes what a killed build claimed: the command under way and its writable layer. Other claims it leaves alone;
// done tells whether it was one of a build's.
func (b *Builder) UndoClaim(ctx context.Context, c home.Claim) (done bool, err error) {
	if !strings.HasPrefix(c.ID, keyPrefix) || filepath.Base(c.ID) != c.ID {
		return false, nil
	}
	switch c.What {
	case "snapshot":
		return true, b.snapshots.Remove(ctx, c.ID)
	case "task":
		task, err := b.runtime.Load(ctx, c.ID)
		if err == nil {
			err = task.Delete(ctx)
		} else if errors.Is(err, driver.ErrNotFound) {
			err = nil
		}
		return true, errors.Join(err, os.RemoveAll(b.taskDir(c.ID)))
	}
	return false, nil
}

func (b *Builder) randomKey() (string, error) {
	var bytes [8]byte
	if _, err := io.ReadFull(b.Random, bytes[:]); err != nil {
		return "", fmt.Errorf("name build step: %w", err)
	}
	return keyPrefix + hex.EncodeToString(bytes[:]), nil
}

// spec describes the container of one RUN. done gives back what its mounts needed.
func (st *stage) spec(ctx context.Context, key string, c command) (spec driver.Spec, done func() error, err error) {
	who, err := st.user(ctx, key)
	if err != nil {
		return driver.Spec{}, nil, err
	}
	dir := st.session.taskDir(key)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return driver.Spec{}, nil, fmt.Errorf("prepare build step: %w", err)
	}
	spec = driver.Spec{
		ID: key, Key: key, Dir: dir, Hostname: hostname, Ephemeral: true,
		Process: driver.Process{
			Args: c.argv, Env: st.environ(who.Home), Cwd: st.workdirOr("/"),
			UID: who.UID, GID: who.GID, Groups: who.Groups,
		},
	}
	spec.Hosts = st.session.opts.Hosts
	if c.network == "host" {
		spec.Network = driver.NetworkHost
	}
	done, err = st.mount(ctx, &spec, c)
	if err != nil {
		return spec, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return spec, done, nil
}

func (st *stage) user(ctx context.Context, key string) (passwd.Account, error) {
	spec := st.config.Config.User
	if passwd.IsRoot(spec) {
		return passwd.Root(), nil
	}
	tree, err := st.session.trees.OpenKey(ctx, key)
	if err != nil {
		return passwd.Account{}, fmt.Errorf("look up user %s: %w", spec, err)
	}
	defer tree.Close()
	return passwd.LookUp(tree, spec, nil)
}

// environ is what RUN sees: the config's variables, the ARGs and proxies over them, and PATH and HOME if nothing sets them.
func (st *stage) environ(home string) []string {
	env := slices.Clone(st.config.Config.Env)
	set := func(name, value string, replace bool) {
		i := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		switch {
		case i < 0:
			env = append(env, name+"="+value)
		case replace:
			env[i] = name + "=" + value
		}
	}
	for _, p := range st.session.plan.Proxies() {
		set(p.Name, p.Value, false)
	}
	for _, a := range st.scope.Args() {
		set(a.Name, a.Value, true)
	}
	name, path, _ := strings.Cut(defaultPath, "=")
	set(name, path, false)
	set("HOME", home, false)
	return env
}

// output hands a stream of a command to the progress, and keeps the last of it.
type output struct {
	display *display
	id      int
	stream  Stream
	tail    *tail
}

func (o output) Write(p []byte) (int, error) {
	o.display.Output(o.id, o.stream, p)
	o.tail.add(p)
	return len(p), nil
}

// tail is the last of what both streams of a command wrote.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 8 << 10

func (t *tail) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 2*maxTail {
		t.text = append([]byte(nil), t.text[len(t.text)-maxTail:]...)
	}
}

// runTask runs the command of a RUN to its end. Nothing of the task is left afterwards.
func (s *session) runTask(ctx context.Context, spec driver.Spec, id int) error {
	last := &tail{}
	streams := driver.Streams{Stdout: output{s.display, id, Stdout, last}, Stderr: output{s.display, id, Stderr, last}}
	exit, err := s.task(ctx, spec, streams)
	failed := &RunError{Command: strings.Join(spec.Process.Args, " "), Code: exit.Code, Output: last.text}
	var cannot *driver.CommandError
	switch {
	case errors.As(err, &cannot):
		failed.Code, failed.Err = cannot.Code, cannot
	case err != nil:
		return err
	case exit.Code == 0:
		return nil
	case exit.OOMKilled:
		failed.Err = errors.New("it used more memory than there is and was killed")
	}
	return failed
}

// task runs one process in a container of its own, and removes everything but the writable layer.
func (s *session) task(ctx context.Context, spec driver.Spec, streams driver.Streams) (exit driver.Exit, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(spec.Dir)) }()
	task, err := s.runtime.Create(ctx, spec)
	if err != nil {
		return exit, fmt.Errorf("prepare build step: %w", err)
	}
	defer func() {
		quiet := context.WithoutCancel(ctx) // a cancelled build cleans up too
		if e, ok := task.(driver.Eventer); ok {
			err = errors.Join(err, e.Events(quiet))
		}
		err = errors.Join(err, task.Delete(quiet))
	}()
	if err := task.Start(ctx, streams); err != nil {
		return exit, fmt.Errorf("start build step: %w", err)
	}
	if exit, err = task.Wait(ctx); err != nil {
		return exit, fmt.Errorf("wait for build step: %w", err)
	}
	return exit, nil
}

// commit turns the writable layer key into a read-only one: one pass to write its archive, one rename.
func (st *stage) commit(ctx context.Context, key string, parent digest.Digest) (l image.Layer, err error) {
	s := st.session
	ctx, end := trace.Step(ctx, vocab.LayerCommit, trace.String("key", key), trace.String("parent", parent.String()))
	var stats driver.DiffStats
	defer func() {
		if err != nil {
			end(err)
			return
		}
		end(nil, layerFacts(l, stats.Files, stats.Whiteouts)...)
	}()
	w, err := s.blobs.NewWriter(s.op)
	if err != nil {
		return l, err
	}
	defer w.Close()
	if stats, err = s.diff(ctx, key, w); err != nil {
		return l, fmt.Errorf("commit build step: %w", err)
	}
	failpoint.Hit("build.step.after-diff")
	desc, err := w.Commit(ctx, "", oci.MediaTypeLayer)
	if err != nil {
		return l, err
	}
	l = st.layer(desc)
	if s.opts.Epoch != nil { // the tree has other times than its archive: whoever needs it unpacks that
		return l, s.snapshots.Remove(ctx, key)
	}
	if err := s.op.Claim("chain", l.ChainID.String()); err != nil {
		return l, err
	}
	if err := s.snapshots.Commit(ctx, key, l.ChainID, l.DiffID); err != nil {
		return l, fmt.Errorf("commit build step: %w", err)
	}
	failpoint.Hit("build.step.after-commit")
	st.unpacked = len(st.layers) + 1
	return l, nil
}

// diff writes the changes in key as an archive. With SOURCE_DATE_EPOCH nothing in it is later than that.
func (s *session) diff(ctx context.Context, key string, w io.Writer) (stats driver.DiffStats, err error) {
	var latest time.Time
	if s.opts.Epoch != nil {
		latest = *s.opts.Epoch
	}
	err = layer.Dated(w, latest, func(w io.Writer) (err error) {
		stats, err = s.snapshots.Diff(ctx, key, w)
		return err
	})
	return stats, err
}

// layer names an uncompressed archive as the next layer of the stage.
func (st *stage) layer(desc v1.Descriptor) image.Layer {
	return image.Layer{Descriptor: desc, DiffID: desc.Digest, Size: desc.Size, ChainID: oci.ChainID(append(st.diffIDs(), desc.Digest))}
}

func layerFacts(l image.Layer, files, whiteouts int) []trace.Attr {
	return []trace.Attr{
		trace.String("diff_id", l.DiffID.String()), trace.String("chain_id", l.ChainID.String()), trace.Int("size_bytes", l.Size),
		trace.Int("files", int64(files)), trace.Int("whiteouts", int64(whiteouts)),
	}
}

// seconds is a duration as records keep it.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
