//go:build linux

package shim

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Clients that come and are cut off leave nothing in a supervisor: neither goroutines nor descriptors.
func TestAThousandClientsLeaveNothing(t *testing.T) {
	s, err := newStdio(&Process{}, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.run()
	defer func() {
		s.discard()
		s.drain()
	}()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 1000 {
		in, out := pair(t), pair(t)
		client := s.attach(streams{in[0], out[1], -1})
		if _, err := unix.Write(in[1], []byte("x")); err != nil {
			t.Fatal(err)
		}
		unix.Close(in[1]) // it dies
		unix.Close(out[0])
		client.left()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		g, f := runtime.NumGoroutine(), openFiles(t)
		if g <= goroutines && f <= files {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d files; before it were %d and %d", g, f, goroutines, files)
		}
	}
	if n, err := unix.Read(s.child[0], make([]byte, 2000)); err != nil || n != 1000 {
		t.Errorf("%d bytes of 1000 clients arrived, %v", n, err)
	}
}

func pair(t *testing.T) [2]int {
	t.Helper()
	r, w, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	return [2]int{r, w}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
