package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/home"
)

func newLog(t testing.TB) *Log {
	t.Helper()
	h, err := home.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return New(h, time.Now)
}

// all reads what the log holds.
func (l *Log) all(t testing.TB) []Message {
	t.Helper()
	var got []Message
	err := l.Follow(context.Background(), func(m Message) error { got = append(got, m); return nil }, func() error { return io.EOF })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAppendAndRead(t *testing.T) {
	l := newLog(t)
	if got := l.all(t); len(got) != 0 {
		t.Fatalf("a new log holds %v", got)
	}
	before := time.Now()
	l.Add("container", "create", "abc", map[string]string{"name": "web"})
	then := time.Unix(1000, 5)
	l.Append(Message{Type: "container", Action: "die", TimeNano: then.UnixNano()})
	got := l.all(t)
	if len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	if m := got[0]; m.Action != "create" || m.Actor.ID != "abc" || m.Actor.Attributes["name"] != "web" || m.Scope != "local" || m.TimeNano < before.UnixNano() || m.Time != m.TimeNano/1e9 {
		t.Errorf("first is %+v", m)
	}
	if m := got[1]; m.Time != 1000 || m.TimeNano != then.UnixNano() {
		t.Errorf("the second has time %d, want its own", m.TimeNano)
	}
}

func TestNilLogTakesEverything(t *testing.T) {
	var l *Log
	l.Add("container", "create", "abc", nil)
}

// TestEachEventOnceOverRotation has several writers fill the log many times over while one reader follows: it gets every event once.
func TestEachEventOnceOverRotation(t *testing.T) {
	l := newLog(t)
	l.max = 16000
	const writers, each = 4, 60
	seen := map[string]int{}
	var wg sync.WaitGroup
	read := make(chan struct{}, 1)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Add("container", "start", fmt.Sprintf("%d-%d", w, i), map[string]string{"image": strings.Repeat("x", 100)})
				if i%10 == 9 {
					<-read // the reader keeps up: an event lives for two files only
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	over := false
	err := l.Follow(context.Background(), func(m Message) error { seen[m.Actor.ID]++; return nil }, func() error {
		if over {
			return io.EOF
		}
		select {
		case <-ended:
			over = true // once more
		case read <- struct{}{}:
		default:
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != writers*each {
		t.Errorf("%d events, want %d", len(seen), writers*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	var size int64
	for _, name := range []string{currentName, olderName} {
		if info, err := os.Stat(l.path(name)); err == nil {
			size += info.Size()
		}
	}
	if size > 4*l.max {
		t.Errorf("the log takes %d bytes", size)
	}
}

func TestBadLinesAreSkipped(t *testing.T) {
	l := newLog(t)
	l.Add("container", "create", "a", nil)
	f, err := os.OpenFile(l.path(currentName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("\x00\x00\x00\n{\"Type\":\"container\"\n" + strings.Repeat("y", 3*maxLine) + "\n\n")
	_ = f.Close()
	l.Add("container", "start", "b", map[string]string{"name": "n", "huge": strings.Repeat("z", 2*maxLine)})
	got := l.all(t)
	if len(got) != 2 || got[1].Actor.ID != "b" || got[1].Actor.Attributes["name"] != "n" {
		t.Errorf("got %d events: %.300v", len(got), got)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	l := newLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	err := l.Follow(ctx, func(Message) error { return nil }, func() error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Type":"container","Action":"create","Actor":{"ID":"x","Attributes":{"a":"b"}},"scope":"local","time":1,"timeNano":1000000000}`))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if m, ok := parse(line); ok && (m.Type == "" || m.Action == "" || m.TimeNano <= 0) {
			t.Errorf("an event without type, action or time: %+v", m)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	l := newLog(b)
	attrs := map[string]string{"name": "web", "image": "learn/base"}
	_ = os.MkdirAll(filepath.Dir(l.path(currentName)), 0o700)
	for b.Loop() {
		l.Add("container", "start", strings.Repeat("a", 64), attrs)
	}
}
