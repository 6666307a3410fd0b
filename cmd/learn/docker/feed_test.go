package docker

import (
	"io"
	"testing"
)

// TestFeedTakesTurns ends the turn of a reader that waits, and wants what is typed next to go to the next reader, whole.
func TestFeedTakesTurns(t *testing.T) {
	r, w := io.Pipe()
	f := newFeed(r)
	go func() { _, _ = w.Write([]byte("s\necho 1\n")) }()
	if line, err := f.line(); line != "s\n" || err != nil {
		t.Fatalf("the prompt read %q, %v", line, err)
	}
	shell := f.turn()
	buf := make([]byte, 100)
	if n, err := shell.Read(buf); string(buf[:n]) != "echo 1\n" || err != nil {
		t.Fatalf("the shell read %q, %v", buf[:n], err)
	}
	left := make(chan error)
	go func() {
		n, err := shell.Read(buf)
		if n > 0 {
			t.Errorf("the shell read %q after its turn", buf[:n])
		}
		left <- err
	}()
	shell.end()
	if err := <-left; err != io.EOF {
		t.Errorf("the shell's read ended with %v, want io.EOF", err)
	}
	go func() { _, _ = w.Write([]byte("c\nrest")); _ = w.Close() }()
	if line, err := f.line(); line != "c\n" || err != nil {
		t.Errorf("the prompt then read %q, %v", line, err)
	}
	if line, err := f.line(); line != "rest" || err != io.EOF {
		t.Errorf("at the end it read %q, %v", line, err)
	}
}
