package tree

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/learn-containers/learn/trace"
)

// Programs of a container work at the same time, others look on, and each program's own events come in its order.
func TestManyAtOnce(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	var mu sync.Mutex
	told := map[string]int{}
	u, err := s.snapshots.Open(context.Background(), "k", func(kind string, attrs ...trace.Attr) {
		mu.Lock()
		defer mu.Unlock()
		told[kind]++
	})
	must(t, err)
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			dir := fmt.Sprintf("w%d", worker)
			_ = run(u, "mkdir", []string{dir})
			for i := range 30 {
				name := fmt.Sprintf("%s/f%d", dir, i)
				if err := write(u, name, "text", true); err != nil {
					t.Error(err)
				}
				_ = write(u, "etc/passwd", "+", true)
				_, _ = u.ReadDir(".")
				if i%3 == 0 {
					_ = u.Remove(name)
				}
			}
		})
	}
	for range 5 {
		var buf bytes.Buffer
		_, _ = s.snapshots.Diff(context.Background(), "k", &buf) // may meet a file that goes away
		_, err := s.snapshots.Changes(context.Background(), "k")
		must(t, err)
		must(t, u.Sync())
	}
	wg.Wait()
	if a, err := u.Lstat("etc/passwd"); err != nil || a.Size != int64(len("root\n"))+6*30 {
		t.Errorf("appended bytes were lost: %+v, %v", a, err)
	}
	must(t, u.Close())
	if told["cow.create"] != 6*31 || told["cow.remove"] != 6*10 {
		t.Errorf("events %v", told)
	}
}
