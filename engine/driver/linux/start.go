//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/ahead"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Start implements driver.Task. The supervisor is spawned first, so that it wakes up while its orders are written.
func (t *task) Start(ctx context.Context, streams driver.Streams) error {
	if t.spec == nil {
		return fmt.Errorf("start %s: this task was loaded, not created", t.id)
	}
	failpoint.Hit("runtime.start.before-shim")
	conn, err := t.spawn()
	if err != nil {
		return fmt.Errorf("start %s: %w", t.id, err)
	}
	failpoint.Hit("runtime.start.after-shim")
	cfg, err := t.config(ctx, streams)
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", t.id, err), conn.Close())
	}
	failpoint.Hit("runtime.start.before-go")
	l, err := newWire(conn, shim.Request{Do: shim.DoStart, Config: cfg, Detach: unattended(streams)}, streams)
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", t.id, err), conn.Close())
	}
	reply, err := l.receive(ctx)
	failpoint.Hit("runtime.start.after-go")
	t.handOutThrough(ctx, vocab.ProcExec) // what the program does comes after the news that it runs
	if err == nil {
		err = t.replyError(reply)
	}
	if err != nil {
		l.close()
		return t.startError(err)
	}
	t.keep(ctx, l, streams)
	return nil
}

// startError adds what a supervisor that died left on its standard error.
func (t *task) startError(err error) error {
	var cmd *driver.CommandError
	if errors.As(err, &cmd) {
		return err
	}
	if errors.Is(err, io.EOF) {
		if said, rerr := os.ReadFile(filepath.Join(t.dir, shim.StderrFile)); rerr == nil && len(said) > 0 {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said[:min(len(said), 2000)])))
		}
	}
	return fmt.Errorf("start %s: %w", t.id, err)
}

// keep holds the connection open for Wait, and closes it when ctx ends. A container that nobody listens to is left alone at once.
func (t *task) keep(ctx context.Context, l *wire, s driver.Streams) {
	if unattended(s) {
		l.close()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link, t.leave = l, context.AfterFunc(ctx, l.close)
}

// unattended: whoever connects no stream does not wait on the connection that starts the task.
func unattended(s driver.Streams) bool { return s.Stdin == nil && s.Stdout == nil && s.Stderr == nil }

// spawn starts the supervisor, or takes the one that was begun when this process started.
func (t *task) spawn() (*shim.Conn, error) {
	s, ok := ahead.Take()
	if !ok {
		var err error
		if s, err = ahead.Spawn(t.runtime.mode.Rootless); err != nil {
			return nil, fmt.Errorf("start supervisor: %w", namespaceHint(err))
		}
	}
	// The supervisor outlives most commands; one that stays takes its exit status, so that no zombie remains.
	go func() { _, _ = syscall.Wait4(s.Pid, nil, 0, nil) }()
	return shim.NewConn(s.Conn)
}

// config writes down everything that the supervisor needs.
func (t *task) config(ctx context.Context, s driver.Streams) (*shim.Config, error) {
	spec := t.spec
	root, err := t.root(spec.Key)
	if err != nil {
		return nil, err
	}
	p, err := stageProcess(spec.Process, s)
	if err != nil {
		return nil, err
	}
	if spec.Net = resolvable(spec.Net, hostResolv()); spec.Net != nil && spec.Network != driver.NetworkPrivate {
		return nil, fmt.Errorf("network %q: a container that is connected has a network of its own", spec.Network)
	}
	if err := writeNames(spec); err != nil {
		return nil, err
	}
	cfg := &shim.Config{Owner: ownerTag(t.runtime.home.Root()), ID: spec.ID, Dir: spec.Dir, Key: spec.Key, Hostname: spec.Hostname, Root: root, Process: p,
		Limits: limitsOf(spec.Limits), ShmBytes: spec.ShmBytes, ReadOnly: spec.ReadOnly, OpenStdin: spec.OpenStdin, StdinOnce: spec.StdinOnce,
		Log: logOf(spec), Ephemeral: spec.Ephemeral, OnExit: spec.OnExit, OnEnd: spec.OnEnd, Rested: spec.Rested, Health: spec.Health, Rootless: t.runtime.mode.Rootless, Trace: trace.From(ctx) != nil}
	if cfg.Trace {
		cfg.Process.Refused = refusedCalls(p.Seccomp)
	}
	if cfg.Mounts, err = t.mounts(); err != nil {
		return nil, err
	}
	cfg.Process.Init = spec.Init
	if cfg.Net, err = t.runtime.netOf(spec.Net); err != nil {
		return nil, err
	}
	if err := t.secure(cfg); err != nil {
		return nil, err
	}
	if spec.Runtime != "" {
		if cfg.Foreign, err = t.foreign(cfg); err != nil {
			return nil, err
		}
	}
	cfg.Scratch = root.Lowers[len(root.Lowers)-1]
	if len(spec.OnExit)+len(spec.OnEnd) > 0 {
		cfg.OnExitEnv = withoutFailpoint(os.Environ())
	}
	return cfg, nil
}

func limitsOf(l driver.Limits) shim.Limits {
	return shim.Limits{MemoryBytes: l.MemoryBytes, MemorySwapBytes: l.MemorySwapBytes, MemoryLowBytes: l.MemoryLowBytes, Pids: l.Pids,
		CPUQuota: l.CPUQuota, CPUPeriod: l.CPUPeriod, CPUShares: l.CPUShares, CPUs: l.CPUs, Mems: l.Mems, BlkioWeight: l.BlkioWeight,
		OOMKillDisabled: l.OOMKillDisabled, Swappiness: l.Swappiness}
}

func logOf(s *driver.Spec) shim.Log {
	return shim.Log{Path: s.Log, MaxBytes: s.Rotation.MaxBytes, MaxFiles: s.Rotation.MaxFiles, Compress: s.Rotation.Compress, Attrs: s.LogAttrs}
}

func withoutFailpoint(env []string) []string {
	var kept []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, failpoint.Variable+"=") {
			kept = append(kept, kv)
		}
	}
	return kept
}

// root puts the folder of empty mount points below all layers, so that mounting leaves no trace in the writable one.
func (t *task) root(key string) (shim.Root, error) {
	lowers, upper, work, diffIDs, err := t.runtime.snapshots.RootMount(key)
	if err != nil {
		return shim.Root{}, err
	}
	points, err := mountPoints(t.runtime.home)
	if err != nil {
		return shim.Root{}, err
	}
	r := shim.Root{Upper: upper, Work: work, UserXattr: t.runtime.mode.UserXattr, Volatile: t.spec.Ephemeral}
	r.Lowers = append(append(r.Lowers, lowers...), points)
	for _, d := range diffIDs {
		r.DiffIDs = append(r.DiffIDs, d.String())
	}
	return r, nil
}

// mountPoints makes, once per home, the folders and files that every container has something mounted on.
func mountPoints(h *home.Home) (string, error) {
	dir := filepath.Join(h.Root(), "mountpoints")
	if _, err := os.Lstat(dir); err == nil {
		return dir, nil
	}
	tmp, err := os.MkdirTemp(h.Root(), ".mountpoints-")
	if err != nil {
		return "", fmt.Errorf("make mount points: %w", err)
	}
	err = os.Chmod(tmp, 0o755)
	folders, files := standard.MountPoints()
	for _, d := range folders {
		err = errors.Join(err, os.Mkdir(filepath.Join(tmp, d), 0o755))
	}
	for _, f := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(tmp, f), nil, 0o644))
	}
	if err == nil {
		err = os.Rename(tmp, dir)
	}
	if err != nil {
		_ = os.RemoveAll(tmp)
		if _, there := os.Lstat(dir); there == nil {
			return dir, nil // another process was faster
		}
		return "", fmt.Errorf("make mount points: %w", err)
	}
	return dir, nil
}

// stageProcess checks a process and adds its system call filter.
func stageProcess(p driver.Process, s driver.Streams) (shim.Process, error) {
	const maxID = 1<<31 - 1
	if p.UID > maxID || p.GID > maxID {
		return shim.Process{}, fmt.Errorf("user %d:%d: ids must be between 0 and %d", p.UID, p.GID, maxID)
	}
	out := shim.Process{Args: p.Args, Env: p.Env, Cwd: p.Cwd, UID: p.UID, GID: p.GID, Groups: p.Groups, Terminal: p.Terminal,
		Cols: s.Cols, Rows: s.Rows, NoNewPrivs: p.NoNewPrivs, AppArmor: p.AppArmor, OOMScoreAdj: p.OOMScoreAdj}
	var err error
	if out.Rlimits, err = rlimitsOf(p.Rlimits); err != nil {
		return out, err
	}
	if out.Powers, err = powersOf(&p); err != nil {
		return out, err
	}
	f, err := filterOf(&p, out.Powers)
	if err != nil {
		return out, err
	}
	out.Seccomp, out.SeccompFlags = f.program, f.flags
	out.Refusals = p.Seccomp == "" || f.flags == 0 && reports(f.program)
	return out, nil
}
