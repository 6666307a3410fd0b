//go:build linux

package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/trace"
)

func eventLine(host string) string {
	e := trace.Event{Kind: "hostname.set", Phase: trace.Note, Attrs: []trace.Attr{trace.String("hostname", host)}}
	return string(trace.AppendJSON(nil, e)) + "\n"
}

func appendEvents(t *testing.T, tk *task, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(tk.dir, shim.EventsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func takenHosts(t *testing.T, tk *task) []string {
	t.Helper()
	events, err := tk.takeEvents("")
	if err != nil {
		t.Error(err)
	}
	var hosts []string
	for _, e := range events {
		hosts = append(hosts, e.Attrs[0].Value.String())
	}
	return hosts
}

func TestTakeEvents(t *testing.T) {
	mark := string(shim.EventsMark(shim.EventsStart))
	a, b := eventLine("a"), eventLine("b")
	for name, c := range map[string]struct {
		file, later string
		want, then  []string
	}{
		"no events":          {file: mark},
		"new events":         {file: mark + a, later: b, want: []string{"a"}, then: []string{"b"}},
		"a line half there":  {file: mark + a + b[:10], later: b[10:], want: []string{"a"}, then: []string{"b"}},
		"a line that isn't":  {file: mark + "{\n" + a, want: []string{"a"}},
		"a mark that isn't":  {file: strings.Repeat("x", shim.EventsStart-1) + "\n" + a, later: b, want: []string{"a"}, then: []string{"b"}},
		"a mark behind all":  {file: string(shim.EventsMark(1<<30)) + a, later: b},
		"a mark in the mark": {file: string(shim.EventsMark(3)) + a, want: []string{"a"}},
		"an empty file":      {file: ""},
	} {
		t.Run(name, func(t *testing.T) {
			tk := &task{dir: t.TempDir()}
			appendEvents(t, tk, c.file)
			if diff := cmp.Diff(c.want, takenHosts(t, tk)); diff != "" {
				t.Error(diff)
			}
			appendEvents(t, tk, c.later)
			if diff := cmp.Diff(c.then, takenHosts(t, tk)); diff != "" {
				t.Errorf("later: %s", diff)
			}
		})
	}
}

func TestTakeEventsWithoutFile(t *testing.T) {
	if got := takenHosts(t, &task{dir: t.TempDir()}); got != nil {
		t.Errorf("took %q from nothing", got)
	}
}

// However many commands take at once, while events arrive, each event goes to one of them.
func TestEventsAreTakenOnce(t *testing.T) {
	tk := &task{dir: t.TempDir()}
	appendEvents(t, tk, string(shim.EventsMark(shim.EventsStart)))
	const total = 400
	var want, got []string
	var mu sync.Mutex
	var takers sync.WaitGroup
	done := make(chan struct{})
	take := func() {
		hosts := takenHosts(t, tk)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, hosts...)
	}
	for range 4 {
		takers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					take()
				}
			}
		})
	}
	for i := range total {
		host := fmt.Sprintf("h%03d", i)
		want = append(want, host)
		appendEvents(t, tk, eventLine(host))
	}
	close(done)
	takers.Wait()
	take()
	sort.Strings(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEventsAreHandedOutUpToOne(t *testing.T) {
	line := func(kind string) string {
		return string(trace.AppendJSON(nil, trace.Event{Kind: kind, Phase: trace.Note})) + "\n"
	}
	data := line("mount") + "torn\n" + line("proc.exec") + line("proc.exit")
	events, length := parseEvents([]byte(data), "proc.exec")
	rest, _ := parseEvents([]byte(data[length:]), "")
	var kinds []string
	for _, e := range append(events, rest...) {
		kinds = append(kinds, e.Kind)
	}
	if len(events) != 2 || strings.Join(kinds, " ") != "mount proc.exec proc.exit" {
		t.Errorf("handed out %d, and in all %v", len(events), kinds)
	}
}
