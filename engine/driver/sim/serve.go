package sim

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// serveStart serves the connection that starts the container. false: it was not started, and the client knows why.
func (h *host) serveStart(w *wire, prepared error) bool {
	req, err := w.receiveRequest()
	if err == nil && req.Do != doStart {
		err = fmt.Errorf("start container: the first request is %q", req.Do)
	}
	var detach func()
	if err == nil {
		err = prepared
	}
	if err == nil {
		detach, err = h.start(w, &req)
	}
	if err != nil {
		h.giveUp(w, err)
		w.close()
		return false
	}
	if req.Detach {
		detach()
		w.close()
		return true
	}
	h.talks.Begin()
	go func() {
		defer h.talks.End()
		defer w.close()
		h.awaitEnd(w, &req, detach)
	}()
	return true
}

// reply answers a client. What it is told has happened at a time that everybody knows.
func (h *host) reply(w *wire, r reply) error {
	h.machine.publish()
	return w.sendJSON(frameReply, r)
}

// serve answers one request.
func (h *host) serve(w *wire) {
	defer h.talks.End()
	defer w.close()
	req, err := w.receiveRequest()
	if err != nil {
		return
	}
	h.machine.refresh()
	switch req.Do {
	case doWait:
		h.awaitEnd(w, &req, func() {})
	case doAttach:
		h.awaitEnd(w, &req, h.io.attach(w, &req))
	case doExec:
		h.exec(w, &req)
	case doFiles:
		h.serveFiles(w, &req)
	case doDelete:
		h.witness.sent(h.box.Source(), sigKILL, req.Why, req.Client)
		h.dismiss()
		h.end()
		h.awaitEnd(w, &req, func() {})
	default:
		h.answer(w, &req)
	}
}

// awaitEnd tells the client how the container ended, unless it leaves before or its time is over. What it types goes to the container
// meanwhile. Somebody waits, so the machine hurries.
func (h *host) awaitEnd(w *wire, req *request, detach func()) {
	left := make(chan struct{})
	go func() {
		h.io.feed(w, req.Stdin)
		close(left)
	}()
	var late <-chan struct{}
	if req.Within != nil {
		over := make(chan struct{})
		stop := h.machine.clock.AfterFunc(*req.Within, func() { close(over) })
		defer stop()
		late = over
		defer h.box.HurryFor(*req.Within)()
	} else {
		defer h.box.Hurry()()
	}
	select {
	case <-h.done:
		if h.reply(w, reply{Kind: replyExit, Exit: &h.exit}) == nil {
			h.told.Store(true)
		}
	case <-late:
		_ = h.reply(w, reply{Kind: replyLate})
	case <-left:
	}
	w.close()
	detach()
	<-left
}

// answer carries out the requests that are done at once.
func (h *host) answer(w *wire, req *request) {
	r := reply{Kind: replyOK}
	if err := h.control(req, &r); err != nil {
		r = errorReply(err)
	}
	_ = h.reply(w, r)
}

func (h *host) control(req *request, r *reply) error {
	if req.Do == doDismiss { // also where the end is on disk and not yet known here
		h.dismiss()
		return nil
	}
	h.mu.Lock()
	ended := h.ended
	h.mu.Unlock()
	if ended {
		return driver.ErrNotRunning
	}
	switch req.Do {
	case doOnEnd:
		return h.setOnEnd(req)
	case doSignal:
		return h.signal(req)
	case doResize:
		return h.io.resize(req.Cols, req.Rows)
	case doPause, doResume:
		return h.pause(req.Do == doPause)
	case doSync:
		return h.settle()
	case doTrace:
		return h.beginTrace()
	case doUpdate:
		return h.update(req.Limits)
	case doRewire:
		var err error
		r.Net, err = h.rewire(req.Net)
		return err
	case doUsage:
		r.Usage = h.usage()
		return nil
	case doReveal:
		r.Reveal = h.reveal()
		return nil
	case doProcesses:
		r.Processes = h.box.Processes()
		return nil
	}
	return fmt.Errorf("serve client: no such request: %q", req.Do)
}

func (h *host) signal(req *request) error {
	sig := req.Signal
	const last = 64 // SIGRTMAX
	if sig < 0 || sig > last {
		return fmt.Errorf("signal process %d: %w", h.proc.HostPID(), syscall.EINVAL)
	}
	if sig != 0 {
		h.witness.sent(h.box.Source(), driver.Signal(sig), req.Why, req.Client)
	}
	h.events.Postpone()
	if err := h.proc.Signal(driver.Signal(sig)); err != nil {
		h.events.Resume()
		return fmt.Errorf("signal process %d: %w", h.proc.HostPID(), err)
	}
	h.events.Resume(eventlog.Note(vocab.ProcSignal, trace.String("container", h.spec.ID), trace.Int("pid", int64(h.proc.HostPID())),
		trace.String("signal", signalName(sig))))
	return nil
}

func (h *host) pause(on bool) error {
	if on {
		h.monitor.Pause() // a probe that is under way has to end before it can't
	}
	err := h.freeze(on)
	if on == (err != nil) {
		h.monitor.Resume()
	}
	if err != nil {
		return err
	}
	return h.settle()
}

func (h *host) freeze(on bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return driver.ErrNotRunning
	}
	if on {
		h.box.Freeze()
	} else {
		h.box.Thaw()
	}
	h.record.Paused = on
	return writeState(h.spec.Dir, taskFile, h.record, false)
}

const sigKILL = 9

// end kills the container for Delete, also a paused one.
func (h *host) end() {
	_ = h.proc.Signal(sigKILL)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.record.Paused && !h.ended {
		h.box.Thaw()
	}
}

// beginTrace records events of a container that was started without.
func (h *host) beginTrace() error {
	if h.events.On() {
		return nil
	}
	if err := h.events.Begin(filepath.Join(h.spec.Dir, eventsFile)); err != nil {
		return err
	}
	h.root.SetReport(h.events.Observed)
	for _, v := range h.volume {
		v.setReport(h.events.Observed)
	}
	return nil
}

// exec runs a further process in the container for one client.
func (h *host) exec(w *wire, req *request) {
	p, std, err := h.startExec(req)
	if err != nil {
		_ = h.reply(w, errorReply(err))
		return
	}
	defer p.Settled() // when nobody hurries any more
	detach := std.attach(w, req)
	std.run()
	_ = h.reply(w, reply{Kind: replyStarted, Pid: p.HostPID()})
	left := make(chan struct{})
	if req.Detach {
		w.close()
		close(left)
	} else {
		defer p.Hurry()()
		go func() {
			std.feed(w, req.Stdin)
			detach() // a client that left takes its streams along
			close(left)
		}()
	}
	exit, _ := p.Wait(context.Background())
	std.drain()
	if err := h.settle(); err != nil {
		h.complain("write down writable layer", err)
	}
	rec := recordOf(exit)
	h.events.Fact(vocab.ProcExit, exitAttrs(h.spec.ID, p.HostPID(), rec)...)
	_ = h.reply(w, reply{Kind: replyExit, Exit: &rec})
	w.close()
	detach()
	<-left
}

// startExec returns when the user's program runs.
func (h *host) startExec(req *request) (*kernel.Process, *stdio, error) {
	if req.Process == nil {
		return nil, nil, errors.New("start process: none was given")
	}
	c := kernel.ProcessConfig{Process: *req.Process}
	std := newStdio(h.machine.kernel, &c, req, req.Stdin, true, nil)
	h.events.Postpone()
	p, err := h.box.Start(c)
	if err != nil {
		h.events.Resume()
		std.discard(&c)
		return nil, nil, err
	}
	h.events.Resume(h.executed(p, &c.Process))
	return p, std, nil
}
