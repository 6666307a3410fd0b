package events

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/home"
)

// Message is one event in docker's shape. Time and TimeNano are filled in by Append if they are zero, and so is Scope.
type Message = events.Message

// MaxBytes is how long a file of the log gets before the next one is begun.
const MaxBytes = 4 << 20

// maxLine bounds one event: what is longer loses its attributes, and a reader takes no more than that for a line.
const maxLine = 64 << 10

// Log is the event log of one home. It holds no open file; it is safe for concurrent use by any number of processes. A nil Log takes
// everything and keeps nothing.
type Log struct {
	home *home.Home
	now  func() time.Time
	max  int64
}

// New returns the log in h. now is the machine's clock.
func New(h *home.Home, now func() time.Time) *Log { return &Log{h, now, MaxBytes} }

func (l *Log) path(name string) string { return filepath.Join(l.home.Root(), "events", name) }

const (
	currentName = "log"
	olderName   = "log.1"
)

// Add appends one event that happens now. id and attributes describe the actor as docker does: a container's id, an image's reference,
// a volume's name. What can't be written is lost: nothing that was done is undone for want of its event.
func (l *Log) Add(kind events.Type, action events.Action, id string, attributes map[string]string) {
	l.Append(Message{Type: kind, Action: action, Actor: events.Actor{ID: id, Attributes: attributes}})
}

// Append appends events, in this order. Like Add it has no error.
func (l *Log) Append(messages ...Message) {
	if l == nil || len(messages) == 0 {
		return
	}
	var lines []byte
	for _, m := range messages {
		lines = append(lines, l.line(m)...)
	}
	f, err := os.OpenFile(l.path(currentName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if os.MkdirAll(filepath.Dir(l.path(currentName)), 0o700) == nil {
			f, err = os.OpenFile(l.path(currentName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		}
	}
	if err != nil {
		return
	}
	_, err = f.Write(lines)
	info, serr := f.Stat()
	_ = f.Close()
	if err == nil && serr == nil && info.Size() > l.max {
		l.rotate()
	}
}

// line encodes an event. Labels come from outside and may be of any size.
func (l *Log) line(m Message) []byte {
	if m.TimeNano == 0 {
		m.TimeNano = l.now().UnixNano()
	}
	m.Time = m.TimeNano / int64(time.Second)
	if m.Scope == "" {
		m.Scope = "local"
	}
	data, err := json.Marshal(m)
	if err == nil && len(data) >= maxLine {
		kept := map[string]string{}
		for _, key := range []string{"name", "image", "exitCode", "signal", "execID", "oldName", "container", "driver"} {
			if v, ok := m.Actor.Attributes[key]; ok && len(v) < maxLine/16 {
				kept[key] = v
			}
		}
		m.Actor.Attributes = kept
		data, err = json.Marshal(m)
	}
	if err != nil || len(data) >= maxLine {
		return nil
	}
	return append(data, '\n')
}

// rotate begins a new file, if no other process has done so meanwhile.
func (l *Log) rotate() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	unlock, err := l.home.Lock(ctx, "events", true)
	if err != nil {
		return // the next event tries again
	}
	defer unlock()
	if info, err := os.Stat(l.path(currentName)); err == nil && info.Size() > l.max {
		_ = os.Rename(l.path(currentName), l.path(olderName))
	}
}
