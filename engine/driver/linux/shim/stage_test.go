//go:build linux

package shim

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// executesVariable makes the test binary a process of several threads that executes itself again and again.
const executesVariable = "LEARN_TEST_EXECUTES"

// TestEnterTargetWhileItExecutes: whenever a process of several threads executes a program, there is a moment in which setns takes it for ended.
func TestEnterTargetWhileItExecutes(t *testing.T) {
	if os.Getenv(executesVariable) != "" {
		failed := make(chan error)
		go func() {
			runtime.LockOSThread() // not the first thread: that one stays with the test
			failed <- syscall.Exec("/proc/self/exe", os.Args, os.Environ())
		}()
		t.Fatal(<-failed)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestEnterTargetWhileItExecutes$")
	cmd.Env = append(os.Environ(), executesVariable+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	target, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(target)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const own = unix.CLONE_NEWUTS | unix.CLONE_NEWIPC // they are this process's, too: entering them changes nothing
	for n := range 200_000 {
		err := enterTarget(target, own)
		if errors.Is(err, unix.EPERM) && os.Getenv("CI") == "" {
			t.Skip("entering namespaces needs root")
		}
		if err != nil {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := enterTarget(target, own); !errors.Is(err, unix.ESRCH) {
		t.Errorf("after its end: %v; expected %v", err, unix.ESRCH)
	}
}
