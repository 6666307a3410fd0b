package lan

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"
)

// childEnv makes the test binary a host in a process of its own: it has the address in the variable, on the trunk in the
// folder that is its argument, and says everything back on port 7.
const childEnv = "LAN_TEST_CHILD"

func TestMain(m *testing.M) {
	if address := os.Getenv(childEnv); address != "" {
		if err := child(address, os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(address, dir string) error {
	s := NewSwitch()
	defer s.Close()
	if err := s.Trunk(dir); err != nil {
		return err
	}
	h := s.Host("child", "child")
	if _, err := s.Plug(h, at(address)); err != nil {
		return err
	}
	l, err := h.Listen(context.Background(), ":7")
	if err != nil {
		return err
	}
	go echoAll(l)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// quickly fails the test when it hangs.
func quickly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
