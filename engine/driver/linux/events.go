//go:build linux

package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/trace"
)

// Events implements driver.Eventer. A file beside the events says how far they have been handed out; whoever holds its lock
// hands out the rest.
func (t *task) Events(ctx context.Context) error {
	if trace.From(ctx) == nil {
		return nil
	}
	t.settle(ctx)
	return t.importEvents(ctx)
}

// settle has a living supervisor record everything that has happened so far.
func (t *task) settle(ctx context.Context) {
	if _, err := os.Lstat(filepath.Join(t.dir, shim.EventsFile)); err != nil {
		return
	}
	l, err := t.dial(shim.Request{Do: shim.DoSync}, driver.Streams{})
	if err != nil {
		return // it has ended: all is recorded
	}
	defer l.close()
	_, _ = l.receive(ctx)
}

func (t *task) importEvents(ctx context.Context) error {
	events, err := t.takeEvents()
	if err != nil {
		return fmt.Errorf("read events of %s: %w", t.id, err)
	}
	trace.Import(ctx, events)
	return nil
}

// handOut hands out what is recorded, where nobody can do anything about an error: a trace that lacks events is no reason to fail.
func (t *task) handOut(ctx context.Context) {
	if trace.From(ctx) != nil {
		_ = t.importEvents(ctx)
	}
}

func (t *task) takeEvents() ([]trace.Event, error) {
	f, err := os.Open(filepath.Join(t.dir, shim.EventsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mark, err := os.OpenFile(filepath.Join(t.dir, shim.OffsetFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer mark.Close()
	if err := unix.Flock(int(mark.Fd()), unix.LOCK_EX); err != nil {
		return nil, err
	}
	offset := readOffset(mark)
	data, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<40))
	if err != nil {
		return nil, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return nil, nil
	}
	_, err = mark.WriteAt(fmt.Appendf(nil, "%020d", offset+int64(len(data))), 0)
	return parseEvents(data), err
}

func readOffset(f *os.File) int64 {
	buf := make([]byte, 20)
	n, _ := f.ReadAt(buf, 0)
	v, err := strconv.ParseInt(string(buf[:n]), 10, 64)
	if err != nil || v < 0 {
		return 0
	}
	return v
}

// parseEvents passes over lines that are no events: a process may have died while it wrote one.
func parseEvents(data []byte) []trace.Event {
	var events []trace.Event
	for line := range bytes.Lines(data) {
		if e, err := trace.ParseJSON(line); err == nil {
			events = append(events, e)
		}
	}
	return events
}
