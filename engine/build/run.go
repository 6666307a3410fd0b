package build

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// hostname is what RUN sees, as with docker's builder: it must not differ between machines.
const hostname = "buildkitsandbox"

// run carries out a RUN, or takes its layer from the cache.
func (st *stage) run(ctx context.Context, in dockerfile.Instruction, c *dockerfile.Run) (outcome, error) {
	argv, err := st.runCommand(in, c)
	if err != nil {
		return outcome{}, err
	}
	key := st.key(in.Text, nil)
	for _, a := range st.scope.Args() {
		key.Args = append(key.Args, a.Name+"="+a.Value)
	}
	key.Instruction, key.Command = st.runText(argv), argv
	key.Env, key.User, key.Workdir = st.config.Config.Env, st.config.Config.User, st.workdirOr("/")
	step := treeStep{in: in, key: key, text: in.Text, history: key.Instruction + " # buildkit"}
	return st.cached(ctx, step, func(ctx context.Context, id int) (image.Layer, error) {
		return st.execute(ctx, id, argv)
	})
}

// runText is the command as the history has it: the ARGs that it sees, counted, come first.
func (st *stage) runText(argv []string) string {
	words := []string{"RUN"}
	if args := st.scope.Args(); len(args) > 0 {
		words = append(words, "|"+strconv.Itoa(len(args)))
		for _, a := range args {
			words = append(words, a.Name+"="+a.Value)
		}
	}
	return strings.Join(append(words, argv...), " ")
}

// runCommand is what is executed: in shell form by the shell, with here-documents put back into the script.
func (st *stage) runCommand(in dockerfile.Instruction, c *dockerfile.Run) ([]string, error) {
	if len(c.Files) == 0 {
		if len(c.CmdLine) == 0 {
			return nil, st.session.plan.File.Errorf(in, "", "RUN needs a command")
		}
		return st.commandLine(c.CmdLine, c.PrependShell), nil
	}
	if len(c.CmdLine) != 1 || !c.PrependShell {
		return nil, st.session.plan.File.Errorf(in, "<<", "a here-document needs the shell form of RUN")
	}
	script, err := dockerfile.Script(c.CmdLine[0], c.Files)
	if err != nil {
		return nil, st.session.plan.File.Errorf(in, "<<", "%v", err)
	}
	return st.commandLine([]string{script}, true), nil
}

func (st *stage) workdirOr(otherwise string) string {
	if w := st.config.Config.WorkingDir; w != "" {
		return w
	}
	return otherwise
}

// execute runs argv on top of the stage's tree and keeps what it changed as a layer.
func (st *stage) execute(ctx context.Context, id int, argv []string) (l image.Layer, err error) {
	chain, err := st.unpack(ctx)
	if err != nil {
		return l, err
	}
	s := st.session
	key, err := randomKey()
	if err != nil {
		return l, err
	}
	if err := s.op.Claim("snapshot", key); err != nil {
		return l, err
	}
	if err := s.snapshots.Prepare(ctx, key, chain); err != nil {
		return l, fmt.Errorf("prepare build step: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.snapshots.Remove(context.WithoutCancel(ctx), key))
		}
	}()
	spec, err := st.spec(ctx, key, argv)
	if err != nil {
		return l, err
	}
	failpoint.Hit("build.step.before-run")
	if err := s.runTask(ctx, spec, id); err != nil {
		return l, err
	}
	failpoint.Hit("build.step.after-run")
	return st.commit(ctx, key, chain)
}

func randomKey() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("name build step: %w", err)
	}
	return "build-" + hex.EncodeToString(b[:]), nil
}

// spec describes the container of one RUN.
func (st *stage) spec(ctx context.Context, key string, argv []string) (driver.Spec, error) {
	who, err := st.user(ctx, key)
	if err != nil {
		return driver.Spec{}, err
	}
	s := st.session
	s.runs++
	dir := filepath.Join(s.op.Dir(), "run"+strconv.Itoa(s.runs))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return driver.Spec{}, fmt.Errorf("prepare build step: %w", err)
	}
	return driver.Spec{
		ID: key, Key: key, Dir: dir, Hostname: hostname, Ephemeral: true,
		Process: driver.Process{
			Args: argv, Env: st.environ(who.home), Cwd: st.workdirOr("/"),
			UID: who.uid, GID: who.gid, Groups: who.groups,
		},
	}, nil
}

func (st *stage) user(ctx context.Context, key string) (account, error) {
	spec := st.config.Config.User
	if isRoot(spec) {
		return account{home: "/root"}, nil
	}
	tree, err := st.session.trees.OpenKey(ctx, key)
	if err != nil {
		return account{}, fmt.Errorf("look up user %s: %w", spec, err)
	}
	defer tree.Close()
	return lookUpUser(tree, spec)
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

// output hands a stream of a command to the progress.
type output struct {
	progress Progress
	id       int
	stream   Stream
}

func (o output) Write(p []byte) (int, error) {
	o.progress.Output(o.id, o.stream, p)
	return len(p), nil
}

// runTask runs one command to its end. Nothing of the task is left afterwards.
func (s *session) runTask(ctx context.Context, spec driver.Spec, id int) (err error) {
	if err := s.op.Claim("task", spec.ID); err != nil {
		return err
	}
	task, err := s.runtime.Create(ctx, spec)
	if err != nil {
		return fmt.Errorf("prepare build step: %w", err)
	}
	defer func() {
		quiet := context.WithoutCancel(ctx) // a cancelled build cleans up too
		if e, ok := task.(driver.Eventer); ok {
			err = errors.Join(err, e.Events(quiet))
		}
		err = errors.Join(err, task.Delete(quiet))
	}()
	failed := &RunError{Command: strings.Join(spec.Process.Args, " ")}
	guard := &locked{Progress: s.opts.Progress}
	streams := driver.Streams{Stdout: output{guard, id, Stdout}, Stderr: output{guard, id, Stderr}}
	if err := task.Start(ctx, streams); err != nil {
		var cannot *driver.CommandError
		if errors.As(err, &cannot) {
			failed.Code, failed.Err = cannot.Code, cannot
			return failed
		}
		return fmt.Errorf("start build step: %w", err)
	}
	exit, err := task.Wait(ctx)
	if err != nil {
		return fmt.Errorf("wait for build step: %w", err)
	}
	if exit.Code == 0 {
		return nil
	}
	failed.Code = exit.Code
	if exit.OOMKilled {
		failed.Err = errors.New("it used more memory than there is and was killed")
	}
	return failed
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
	if stats, err = s.snapshots.Diff(ctx, key, w); err != nil {
		return l, fmt.Errorf("commit build step: %w", err)
	}
	failpoint.Hit("build.step.after-diff")
	desc, err := w.Commit(ctx, "", oci.MediaTypeLayer)
	if err != nil {
		return l, err
	}
	l = st.layer(desc)
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
