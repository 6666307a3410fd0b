package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/engine/driver/jsonfile"
	"github.com/learn-containers/learn/engine/driver/relay"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
	"github.com/learn-containers/learn/engine/driver/sim/lan"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// host carries one container: it starts its first process, serves its clients and tells its end. It lives in a supervisor process or in
// a command; the code is the same.
type host struct {
	machine *machine
	trees   *tree.Snapshots
	orders  *orders
	spec    *driver.Spec
	address string // of the socket; empty in a command

	events *eventlog.Log
	group  group
	log    *jsonfile.Log
	root   *tree.Union
	unions map[string]*tree.Union // writable layers that are mounted besides the root
	volume map[string]*watchedVolume
	ns     *vfs.Namespace
	net    *lan.Host
	conn   *connection // nil: its network is the machine's
	view   *vfs.View   // the kernel's own, into the container
	box    *kernel.Box
	io     *stdio
	proc   *kernel.Process // nil until it was started

	mu      sync.Mutex // guards what follows
	record  record
	started bool        // proc runs, or has run
	killed  bool        // it is to be killed as soon as it runs
	closed  bool        // the tree is
	ended   bool        // the exit is recorded
	talks   relay.Talks // connections being served

	run       func(argv []string) (ended <-chan struct{}, err error) // starts what is to be done after the rest
	resting   bool                                                   // guarded by mu: after the end, clients are served still
	monitor   *health.Monitor                                        // nil: its health is not checked
	dismissed chan struct{}                                          // closed when nobody is to start the container again
	dismiss   func()

	told atomic.Bool // somebody got to know the end, and will see to what is to be done then

	witness witness

	exit exitRecord
	done chan struct{} // closed when exit is recorded
}

func newHost(m *machine, trees *tree.Snapshots, o *orders, address string) *host {
	h := &host{machine: m, trees: trees, orders: o, spec: &o.Spec, address: address, events: new(eventlog.Log), done: make(chan struct{}), dismissed: make(chan struct{})}
	h.witness.dir, h.witness.now, h.witness.complain = o.Spec.Dir, m.clock.Now, h.complain
	h.dismiss = sync.OnceFunc(func() { close(h.dismissed) })
	h.run = func(argv []string) (<-chan struct{}, error) { return startDetached(argv, h.orders.OnExitEnv) }
	return h
}

// prepare does what needs no client: it opens the tree and the logs and puts the container together. What it made is in h also after
// an error.
func (h *host) prepare(ctx context.Context) error {
	if h.orders.Trace {
		if err := h.events.Begin(filepath.Join(h.spec.Dir, eventsFile)); err != nil {
			return err
		}
	}
	h.events.Hold()
	h.group = makeGroup(h.machine.home.Root(), h.spec.ID, h.spec.Limits, h.events)
	var err error
	if h.log, err = openLog(h.spec, h.machine.clock.Now); err != nil {
		return err
	}
	if err := writeNames(h.spec); err != nil {
		return err
	}
	if h.root, err = h.trees.Open(ctx, h.spec.Key, h.reporter()); err != nil {
		return err // which names the layer
	}
	numbers := namespaces(h.spec, h.machine.nextPID(), h.events)
	h.group.joined(h.events)
	if h.spec.Network != driver.NetworkHost {
		h.events.Fact(vocab.LoopbackUp, trace.String("container", h.spec.ID), trace.String("interface", "lo"))
	}
	name := h.spec.Hostname
	if h.spec.Shared.UTS == driver.NamespaceHost {
		name = machineName
	} else {
		h.events.Fact(vocab.HostnameSet, trace.String("container", h.spec.ID), trace.String("hostname", name))
	}
	h.net = h.machine.network(h.spec)
	b := newBuilder(h)
	h.unions, h.volume, h.view, h.ns = b.unions, b.volumes, b.view, b.ns
	box := kernel.BoxConfig{ID: h.spec.ID, Hostname: name, NS: b.ns, Pts: b.pts, Limits: h.spec.Limits, Host: h.net, Refused: h.witness.refused, Sockets: sockets(h.net)}
	if h.spec.Network != driver.NetworkHost {
		h.conn = newConnection(h)
		box.Links = h.conn.interfaces
	}
	h.box = h.machine.kernel.NewBox(box)
	if err := b.build(h.box, numbered{h.box.Source(), numbers}); err != nil {
		return err
	}
	noteLimits(h.spec, h.events)
	if h.conn == nil || h.spec.Net == nil {
		return nil
	}
	return h.conn.connect(ctx, *h.spec.Net)
}

func openLog(s *driver.Spec, now func() time.Time) (*jsonfile.Log, error) {
	return jsonfile.Open(jsonfile.Options{Path: s.Log, Now: now, MaxBytes: s.Rotation.MaxBytes, MaxFiles: s.Rotation.MaxFiles, Compress: s.Rotation.Compress, Attrs: s.LogAttrs})
}

// reporter is nil where nobody records: the tree then need not look.
func (h *host) reporter() tree.Report {
	if !h.events.On() {
		return nil
	}
	return h.events.Observed
}

// start runs the container's first process for the client that made the request.
func (h *host) start(w *wire, req *request) (detach func(), err error) {
	c := kernel.ProcessConfig{Process: h.spec.Process, Init: h.spec.Init}
	h.io = newStdio(h.machine.kernel, &c, req, req.Stdin || h.spec.OpenStdin, h.spec.StdinOnce || !h.spec.OpenStdin, h.log)
	failpoint.Hit("sim.host.before-go")
	h.events.Postpone()
	h.proc, err = h.box.Start(c)
	if err != nil {
		h.events.Resume()
		h.io.discard(&c)
		return nil, err
	}
	h.events.Resume(h.executed(h.proc, &c.Process))
	h.events.Flush()
	if err := h.writeRecord(); err != nil {
		return nil, err
	}
	detach = h.io.attach(w, req)
	h.io.run()
	h.watchHealth()
	failpoint.Hit("sim.host.after-go")
	return detach, h.reply(w, reply{Kind: replyStarted, Pid: h.proc.HostPID()})
}

func (h *host) executed(p *kernel.Process, c *driver.Process) trace.Event {
	return eventlog.Note(vocab.ProcExec, trace.String("container", h.spec.ID), trace.Int("pid", int64(p.HostPID())), trace.String("program", p.File()), trace.Strings("argv", c.Args))
}

func (h *host) writeRecord() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.started = true; h.killed {
		h.box.Kill()
	}
	h.record = record{Pid: h.proc.HostPID(), Supervisor: os.Getpid(), Address: h.address, StartedAt: h.machine.clock.Now().UTC(), Ephemeral: h.spec.Ephemeral,
		Rests: len(h.spec.OnEnd) > 0}
	if h.conn != nil && h.spec.Net != nil {
		plan := h.conn.present()
		h.record.Net = &plan
	}
	return writeState(h.spec.Dir, taskFile, h.record, false)
}

// giveUp undoes a start that did not come to the user's program, and tells why.
func (h *host) giveUp(w *wire, cause error) {
	if h.box != nil {
		h.box.Kill()
		if h.proc != nil {
			<-h.box.Done()
			h.proc.Settled()
		}
	}
	h.monitor.Stop()
	h.closeParts()
	h.group.remove(h.events)
	h.events.Close()
	_ = removeState(h.spec.Dir, taskFile)
	_ = h.reply(w, errorReply(cause))
}

// closeParts closes what a container has on disk and on the switch.
func (h *host) closeParts() {
	h.events.Flush()
	h.log.Close()
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	if h.root != nil {
		if err := h.root.Close(); err != nil {
			h.complain("close writable layer", err)
		}
	}
	h.settleVolumes()
	for key, u := range h.unions {
		if err := u.Close(); err != nil {
			h.complain("close writable layer "+key, err)
		}
	}
	if h.conn != nil {
		if err := h.conn.close(); err != nil {
			h.complain("disconnect", err)
		}
	}
	if h.net != nil && h.spec.Network != driver.NetworkHost { // a program's own connections end with it
		_ = h.net.Close()
	}
}

// complain is for what nobody can be told any more.
func (h *host) complain(what string, err error) {
	fmt.Fprintf(os.Stderr, "container %s: %s: %v\n", h.spec.ID, what, err)
}

func errorReply(err error) reply {
	var cmd *driver.CommandError
	switch {
	case errors.As(err, &cmd):
		return reply{Kind: replyCommand, Code: cmd.Code, Message: cmd.Msg}
	case errors.Is(err, driver.ErrNotRunning):
		return reply{Kind: replyGone, Message: err.Error()}
	case errors.Is(err, driver.ErrNotFound):
		return reply{Kind: replyMissing, Message: err.Error()}
	}
	return reply{Kind: replyError, Message: err.Error()}
}

// finish waits for the end of the container, records it and tells those who wait. leave is called when nobody can come any more;
// after it the folder may be gone at any time.
func (h *host) finish(leave func()) {
	exit, err := h.proc.Wait(context.Background())
	if err != nil {
		h.complain("wait for first process", err)
	}
	<-h.box.Done()
	failpoint.Hit("sim.host.before-record")
	h.exit = recordOf(exit)
	h.exit.OOM = h.box.OOM()
	h.exit.OOMKilled = h.exit.OOM != nil
	h.monitor.Stop()
	h.io.drain()
	h.closeParts()
	if o := h.exit.OOM; o != nil {
		h.events.Fact(vocab.ProcOOM, trace.String("container", h.spec.ID), trace.Int("limit_bytes", o.LimitBytes),
			trace.Int("peak_bytes", o.PeakBytes), trace.Int("kills", o.Kills))
	}
	h.events.Fact(vocab.ProcExit, exitAttrs(h.spec.ID, h.proc.HostPID(), h.exit)...)
	h.group.remove(h.events)
	h.events.Settle() // a signal that ended it
	h.events.Close()
	h.witness.close()
	h.machine.publish()
	if err := writeState(h.spec.Dir, exitFile, h.exit, !h.spec.Ephemeral); err != nil {
		h.complain("record exit", err)
	}
	failpoint.Hit("sim.host.after-record")
	h.mu.Lock()
	h.ended, h.resting = true, len(h.spec.OnEnd) > 0
	rests := h.resting
	h.mu.Unlock()
	if rests {
		failpoint.Hit("sim.host.rest")
	} else {
		leave()
	}
	close(h.done)
	h.farewell()
	h.proc.Settled()
	if !h.told.Load() && len(h.spec.OnExit) > 0 {
		if err := runDetached(h.spec.OnExit, h.orders.OnExitEnv); err != nil {
			h.complain("run command at exit", err)
		}
	}
	if rests {
		h.rest()
		h.mu.Lock()
		h.resting = false
		h.mu.Unlock()
		leave()
		h.farewell()
	}
}

// exitKilled is the exit code of a process that SIGKILL ended.
const exitKilled = 128 + 9

func exitAttrs(id string, pid int, e exitRecord) []trace.Attr {
	return []trace.Attr{trace.String("container", id), trace.Int("pid", int64(pid)), trace.Int("exit_code", int64(e.Code)),
		trace.String("signal", signalName(e.Signal)), trace.Bool("oom_killed", e.OOMKilled && e.Code == exitKilled)}
}

// farewell gives the connections a moment to take their answers.
func (h *host) farewell() {
	late := time.NewTimer(2 * time.Second)
	defer late.Stop()
	select {
	case <-h.talks.Quiet():
	case <-late.C:
	}
}

// kill ends the container whatever its processes want.
func (h *host) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed = true
	h.dismiss()
	if h.started && !h.ended {
		h.box.Kill()
	}
}

// admit lets one more connection in, which serve lets out; false before the start and after the end.
func (h *host) admit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.started || h.ended && !h.resting {
		return false
	}
	h.talks.Begin()
	return true
}

// settle reports and writes down everything that has happened in the tree.
func (h *host) settle() error {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return nil // and so it is written down already
	}
	h.settleVolumes()
	return h.root.Sync()
}

// settleVolumes tells what is not told yet of what was made in volumes.
func (h *host) settleVolumes() {
	for _, name := range slices.Sorted(maps.Keys(h.volume)) {
		h.volume[name].flush()
	}
}

// dropStderr removes the file for a supervisor's own complaints when there were none.
func dropStderr(dir string) {
	name := filepath.Join(dir, stderrFile)
	if st, err := os.Stat(name); err == nil && st.Size() == 0 {
		_ = os.Remove(name)
	}
}
