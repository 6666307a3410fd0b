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
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/trace"
)

// Events implements driver.Eventer. The events file itself says how far it has been handed out; whoever holds its lock hands
// out the rest.
func (t *task) Events(ctx context.Context) error {
	if trace.From(ctx) == nil {
		return nil
	}
	t.settle(ctx)
	return t.importEvents(ctx)
}

// settle has a living supervisor record everything that has happened so far.
func (t *task) settle(ctx context.Context) {
	if !shim.Listening(t.dir) {
		return // it has ended: all is recorded
	}
	l, err := t.dial(shim.Request{Do: shim.DoSync}, driver.Streams{})
	if err != nil {
		return // it has ended meanwhile
	}
	defer l.close()
	_, _ = l.receive(ctx)
}

func (t *task) importEvents(ctx context.Context) error { return t.importThrough(ctx, "") }

// importThrough hands out what is recorded up to the first event of kind, or all if there is none: what comes after it waits until the
// caller has told what it did itself.
func (t *task) importThrough(ctx context.Context, kind string) error {
	events, err := t.takeEvents(kind)
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

// handOutThrough is handOut up to an event of kind.
func (t *task) handOutThrough(ctx context.Context, kind string) {
	if trace.From(ctx) != nil {
		_ = t.importThrough(ctx, kind)
	}
}

// takeEvents returns what has not been handed out yet, up to the first event of kind, and marks it as handed out.
func (t *task) takeEvents(kind string) ([]trace.Event, error) {
	path := filepath.Join(t.dir, shim.EventsFile)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	offset := readMark(f)
	data, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<40))
	if err != nil {
		return nil, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return nil, nil
	}
	events, length := parseEvents(data, kind)
	_, err = f.WriteAt(shim.EventsMark(offset+int64(length)), 0)
	return events, err
}

func readMark(f *os.File) int64 {
	buf := make([]byte, shim.EventsStart)
	n, _ := f.ReadAt(buf, 0)
	v, err := strconv.ParseInt(strings.TrimSuffix(string(buf[:n]), "\n"), 10, 64)
	if err != nil || v < shim.EventsStart {
		return shim.EventsStart
	}
	return v
}

// parseEvents reads lines up to the first event of kind and tells how many bytes that were. It passes over lines that are no events: a
// process may have died while it wrote one.
func parseEvents(data []byte, kind string) (events []trace.Event, length int) {
	for line := range bytes.Lines(data) {
		length += len(line)
		e, err := trace.ParseJSON(line)
		if err != nil {
			continue
		}
		events = append(events, e)
		if e.Kind == kind {
			break
		}
	}
	return events, length
}
