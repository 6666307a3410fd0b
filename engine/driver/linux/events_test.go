//go:build linux

package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver/eventlog"
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

func TestTakeEventsWithoutFile(t *testing.T) {
	if got := takenHosts(t, &task{dir: t.TempDir()}); got != nil {
		t.Errorf("took %q from nothing", got)
	}
}

// However many commands take at once, while events arrive, each event goes to one of them.
func TestEventsAreTakenOnce(t *testing.T) {
	tk := &task{dir: t.TempDir()}
	var log eventlog.Log // makes the file
	must(t, log.Begin(filepath.Join(tk.dir, shim.EventsFile)))
	log.Close()
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
