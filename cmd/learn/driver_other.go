//go:build !linux

package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

// nativeName is empty: no driver uses this machine's own kernel.
const nativeName = ""

func openNative(*home.Home, string) (engine.Driver, error) {
	return engine.Driver{}, fmt.Errorf("this is %s, and real containers need a Linux kernel", systemName())
}

func systemName() string {
	switch runtime.GOOS {
	case "darwin":
		return "macOS"
	case "windows":
		return "Windows"
	case "js":
		return "WebAssembly"
	}
	return runtime.GOOS
}

// nativeLimits has nothing to say where there is no driver to limit anything.
func nativeLimits() error { return nil }

func becomeRoot() error { return nil }

// interrupts delivers the signals that a foreground container is to be sent instead of this process, with their numbers on Linux.
func interrupts() (<-chan driver.Signal, func()) {
	in, out, quit, done := make(chan os.Signal, 16), make(chan driver.Signal), make(chan struct{}), make(chan struct{})
	signal.Notify(in, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer close(done)
		for {
			select {
			case s := <-in:
				select {
				case out <- linuxSignal(s):
				case <-quit:
					return
				}
			case <-quit:
				return
			}
		}
	}()
	return out, func() { signal.Stop(in); close(quit); <-done }
}

func linuxSignal(s os.Signal) driver.Signal {
	const sigint, sigterm = 2, 15
	if s == os.Interrupt {
		return sigint
	}
	return sigterm
}

// die ends this process with the code of a process that a signal has ended.
func die(s driver.Signal) { os.Exit(128 + int(s)) }

// resized has no signal to listen to on every such system: a terminal keeps the size it had.
func resized() (<-chan struct{}, func()) { return nil, func() {} }

func doctor(*home.Home) []finding {
	return []finding{{"kernel", false, "this is " + systemName() + ": containers run on the simulator", "real containers need Linux, or a Linux virtual machine"}}
}

// runBundles tells why there is no OCI runtime.
func runBundles([]string) (int, error) {
	return 1, fmt.Errorf("run a bundle: this is %s, and real containers need a Linux kernel", systemName())
}

// apart is how a process is started that confine is to be called in; nil where there is no such thing.
func apart() *syscall.SysProcAttr { return nil }

// confine can't be had here: a process sees the whole file system.
func confine(string, map[string]string, uint64) error {
	return fmt.Errorf("this is %s, where a process can't be shut in", systemName())
}

// memoryFolder is empty: no folder is known to be kept in memory.
func memoryFolder() string { return "" }
