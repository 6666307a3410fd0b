package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// partialLine is where docker cuts a long line into several entries.
const partialLine = 16 << 10

// jsonLog writes a container's output as docker's json-file driver does: one object per line of output. A nil log drops it.
type jsonLog struct {
	mu  sync.Mutex
	f   *os.File
	now func() time.Time
}

func openLog(path string, now func() time.Time) (*jsonLog, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &jsonLog{f: f, now: now}, nil
}

// lineWriter cuts one stream into entries. Only its own goroutine uses it.
type lineWriter struct {
	log    *jsonLog
	stream string
	rest   []byte // the begin of a line whose end has not come yet
}

// Write logs all lines that p completes.
func (w *lineWriter) Write(p []byte) {
	if w.log == nil {
		return
	}
	var out []byte
	w.rest = append(w.rest, p...)
	for {
		n := bytes.IndexByte(w.rest, '\n') + 1
		if n == 0 || n > partialLine {
			n = partialLine
		}
		if len(w.rest) < n {
			break
		}
		out = w.entry(out, w.rest[:n])
		w.rest = w.rest[n:]
	}
	w.rest = bytes.Clone(w.rest)
	w.log.write(out)
}

// Flush logs an unfinished last line.
func (w *lineWriter) Flush() {
	if w.log == nil || len(w.rest) == 0 {
		return
	}
	w.log.write(w.entry(nil, w.rest))
	w.rest = nil
}

func (w *lineWriter) entry(out, line []byte) []byte {
	text, _ := json.Marshal(string(line)) // a string can always be encoded
	out = append(out, `{"log":`...)
	out = append(out, text...)
	out = append(out, `,"stream":"`...)
	out = append(out, w.stream...)
	out = append(out, `","time":"`...)
	out = w.log.now().UTC().AppendFormat(out, time.RFC3339Nano)
	return append(out, "\"}\n"...)
}

// write appends whole entries. A full disk costs the log its lines, not the container its life.
func (l *jsonLog) write(p []byte) {
	if len(p) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.f.Write(p)
}

func (l *jsonLog) Close() {
	if l != nil {
		_ = l.f.Close()
	}
}
