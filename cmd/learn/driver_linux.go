package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux"
	"github.com/learn-containers/learn/engine/driver/linux/bundle/command"
	"github.com/learn-containers/learn/engine/home"
)

// nativeName is the driver that uses this machine's own kernel.
const nativeName = "linux"

// openNative returns the kernel's driver, or why it can't work here. What was found out about the kernel is remembered in the folder memory.
func openNative(h *home.Home, memory string) (engine.Driver, error) {
	if err := linux.Usable(h, memory); err != nil {
		return engine.Driver{}, err
	}
	mode := linux.Detect()
	layers := linux.NewLayers(h, mode)
	snapshots := linux.NewSnapshots(h, mode, layers)
	return engine.Driver{Name: nativeName, Reason: mode.String(), Storage: "overlay2", Layers: layers, Snapshots: snapshots, Trees: snapshots, Folders: snapshots,
		Runtime: linux.NewRuntime(h, mode, snapshots)}, nil
}

// nativeLimits tells why the kernel's driver can't limit containers here; nil if it can.
func nativeLimits() error { return linux.Limits(linux.Detect()) }

// becomeRoot puts an ordinary user's command into a user namespace, where the engine can work. It returns where there is no need.
func becomeRoot() error { return linux.Reexec() }

// interrupts delivers the signals that a foreground container is to be sent instead of this process.
func interrupts() (<-chan driver.Signal, func()) {
	in, out, quit := make(chan os.Signal, 16), make(chan driver.Signal), make(chan struct{})
	signal.Notify(in, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case s := <-in:
				select {
				case out <- driver.Signal(s.(syscall.Signal)):
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

// die ends this process by a signal that interrupts has delivered.
func die(s driver.Signal) {
	signal.Reset(syscall.Signal(s))
	_ = syscall.Kill(os.Getpid(), syscall.Signal(s))
	time.Sleep(time.Second) // it is on its way
	os.Exit(128 + int(s))
}

func resized() (<-chan struct{}, func()) {
	in, out, quit := make(chan os.Signal, 1), make(chan struct{}, 1), make(chan struct{})
	signal.Notify(in, syscall.SIGWINCH)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-in:
				select {
				case out <- struct{}{}:
				default:
				}
			case <-quit:
				return
			}
		}
	}()
	return out, func() { signal.Stop(in); close(quit); <-done }
}

func doctor(h *home.Home) []finding {
	var out []finding
	for _, f := range linux.Doctor(h) {
		out = append(out, finding{f.Name, f.OK, f.Detail, f.Remedy})
	}
	return out
}

// runBundles carries out a command line of the OCI runtime.
func runBundles(words []string) (int, error) { return command.Main(words, docker.Version()), nil }

// apart is how a process is started that confine is to be called in; nil where there is no such thing.
func apart() *syscall.SysProcAttr { return linux.Apart() }

// confine leaves this process nothing but root with the files that are lent to it, and bounded means.
func confine(root string, lent map[string]string, cpuSeconds uint64) error {
	return linux.Confine(root, lent, linux.Bounds{CPU: cpuSeconds, Memory: gradeMemory, Addresses: 8 << 30, FileSize: gradeDisk / 2, Processes: 512})
}

// memoryFolder is where files of little use are kept in memory, if there is room for those of some submissions.
func memoryFolder() string {
	if dir := "/dev/shm"; linux.Room(dir) >= 4*gradeDisk {
		return dir
	}
	return ""
}
