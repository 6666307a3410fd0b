package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/thread"
)

// netnsVariable names the network namespace that the program is to work in when a test has one of its own.
const netnsVariable = "LEARN_TEST_NETNS"

// enterNetns makes this process one of the namespace that the environment names. A thread can change over, a process can't, so the thread that
// has becomes the process anew.
func enterNetns() error {
	path, ok := os.LookupEnv(netnsVariable)
	if !ok {
		return nil
	}
	runtime.LockOSThread()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	if err := os.Unsetenv(netnsVariable); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// ownNetns makes a network namespace that lasts until stop, with nothing in it but loopback, and gives the variable by which programs find it.
func ownNetns(t testing.TB) (variable string, stop func()) {
	t.Helper()
	type made struct {
		path string
		err  error
	}
	ready, done := make(chan made), make(chan struct{})
	go thread.Apart(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopbackUp()
		}
		ready <- made{fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()), err}
		<-done
	})
	m := <-ready
	if m.err != nil {
		close(done)
		t.Fatal(m.err)
	}
	return netnsVariable + "=" + m.path, func() { close(done) }
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}
