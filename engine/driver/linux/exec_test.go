//go:build linux

package linux

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// execOnce runs a program that prints both of its words, and fails the test unless both come back in good time.
func execOnce(t *testing.T, tk driver.Task, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), drivertest.Patience())
	defer cancel()
	var out, errs bytes.Buffer
	streams := driver.Streams{Stdout: &out, Stderr: &errs}
	if n%3 == 0 {
		streams.Stderr = &out
	}
	if n%5 == 0 {
		streams.Stdin = strings.NewReader("in")
	}
	type result struct {
		exit driver.Exit
		err  error
	}
	done := make(chan result, 1)
	go func() {
		exit, err := tk.(driver.Execer).Exec(ctx, driver.Process{Args: []string{"sh", "-c", fmt.Sprintf("echo %d; echo e%d >&2; exit %d", n, n, n%7)},
			Env: []string{"PATH=/bin"}}, streams)
		done <- result{exit, err}
	}()
	select {
	case r := <-done:
		got := strings.Fields(out.String() + errs.String())
		slices.Sort(got)
		if want := []string{fmt.Sprint(n), fmt.Sprint("e", n)}; r.err != nil || r.exit.Code != n%7 || !slices.Equal(got, want) {
			t.Errorf("exec %d: %+v, %v, output %q", n, r.exit, r.err, got)
		}
	case <-time.After(drivertest.Patience() + 5*time.Second):
		t.Fatalf("exec %d hangs", n)
	}
}

func TestExecManyTimes(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	times := drivertest.Times(90, 300)
	if testing.Short() {
		times = 30
	}
	for n := range times {
		if execOnce(t, tk, n); t.Failed() {
			return
		}
	}
	var wg sync.WaitGroup
	for n := range times / 3 {
		wg.Go(func() { execOnce(t, tk, n) })
	}
	wg.Wait()
}

func TestExecKilledSupervisorFreesEverybodyWaiting(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	var out, errs syncBuffer
	must(t, tk.Start(t.Context(), driver.Streams{Stdin: blocked(t), Stdout: &out, Stderr: &errs}))
	rec, _ := shim.ReadRecord(tk.(*task).dir)
	waits := map[string]func() error{
		"wait":   func() error { _, err := tk.Wait(t.Context()); return err },
		"attach": func() error { _, err := tk.(driver.Attacher).Attach(t.Context(), streamsWith(&out)); return err },
		"exec": func() error {
			_, err := tk.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"sh", "-c", "echo up; exec sleep 1000"}, Env: []string{"PATH=/bin"}},
				driver.Streams{Stdin: blocked(t), Stdout: &errs})
			return err
		},
	}
	type end struct {
		name string
		err  error
	}
	ended := make(chan end, len(waits))
	for name, f := range waits {
		go func() { ended <- end{name, f()} }()
	}
	eventually(t, "exec prints", func() bool { return errs.String() == "up\n" })
	time.Sleep(20 * time.Millisecond)
	must(t, unix.Kill(rec.ShimPid, unix.SIGKILL))
	for range waits {
		select {
		case e := <-ended:
			if e.err == nil && e.name != "attach" {
				t.Errorf("%s: no error", e.name)
			}
		case <-time.After(drivertest.Patience()):
			t.Fatal("somebody waits for a dead supervisor")
		}
	}
}

// blocked is an input that gives nothing until the test ends.
func blocked(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r
}
