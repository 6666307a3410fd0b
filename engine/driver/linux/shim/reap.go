//go:build linux

package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reapOrders is the descriptor of what the small init is to run; its connection is stageConn.
const reapOrders = 4

// errand is what the small init runs.
type errand struct {
	Program string   `json:"program"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
}

// becomeInit turns the calling thread into the small init, which runs the program as its child. It is the engine's binary again, from the same
// read-only mount, with all the powers gone that the program is not to have, and nothing of the image's environment.
func becomeInit(program string, p *Process, self int) error {
	orders, err := writeErrand(errand{program, p.Args, p.Env})
	if err != nil {
		return err
	}
	for _, fd := range [][2]int{{orders, reapOrders}, {stageConn, stageConn}} {
		if fd[0] != fd[1] {
			if err := unix.Dup3(fd[0], fd[1], 0); err != nil {
				return fmt.Errorf("start init: %w", err)
			}
		} else if _, err := unix.FcntlInt(uintptr(fd[1]), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("start init: %w", err)
		}
	}
	env := []string{StageVariable + "=" + StageReap, "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}
	err = syscall.Exec(procFD(self), append([]string{"learn-init", "--"}, p.Args...), env)
	if errors.Is(err, unix.EACCES) {
		return fmt.Errorf("start init: %w: user %d may not execute the engine's own binary; make it executable for all (chmod a+rx), or leave --init out", err, p.UID)
	}
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("start init: %w: the engine's own binary is linked dynamically, and its loader is not in the container; build it with CGO_ENABLED=0", err)
	}
	return fmt.Errorf("start init: %w", err)
}

// writeErrand puts it into memory: an environment may be larger than a pipe.
func writeErrand(e errand) (int, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return -1, fmt.Errorf("start init: %w", err)
	}
	fd, err := unix.MemfdCreate("init", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("start init: %w", err)
	}
	for off := int64(0); off < int64(len(data)); {
		n, err := unix.Pwrite(fd, data[off:], off)
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("start init: %w", err)
		}
		off += int64(n)
	}
	return fd, nil
}

// reapStage is the small init: it runs the program, passes signals on to it, takes the exit status of every process that is left to it, and ends
// when the program does, as it did.
func reapStage() {
	runtime.LockOSThread() // the first thread, whose name is the process's
	if name, err := unix.BytePtrFromString("learn-init"); err == nil {
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0)
	}
	conn, err := NewConn(stageConn)
	if err != nil {
		os.Exit(125)
	}
	signals := make(chan os.Signal, 256)
	signal.Notify(signals)
	child, err := runErrand()
	if err != nil {
		rep := report{Error: err.Error()}
		var cmd *commandError
		if errors.As(err, &cmd) {
			rep.Code = cmd.code
		}
		_ = conn.Send(rep)
		os.Exit(125)
	}
	_ = conn.Close()
	time.AfterFunc(trimDelay, trim)
	for sig := range signals {
		if sig != syscall.SIGCHLD {
			_ = syscall.Kill(child, sig.(syscall.Signal))
			continue
		}
		if ws, ended := reapAll(child); ended {
			os.Exit(exitOf(ws).Code)
		}
	}
}

// runErrand starts the program in a process group of its own, which gets the terminal if there is one.
func runErrand() (int, error) {
	f := os.NewFile(reapOrders, "orders")
	var e errand
	if err := errors.Join(json.NewDecoder(f).Decode(&e), f.Close()); err != nil {
		return 0, fmt.Errorf("start init: %w", err)
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
		attr.Foreground = true // on descriptor 0
	}
	pid, err := syscall.ForkExec(e.Program, e.Args, &syscall.ProcAttr{Env: e.Env, Files: []uintptr{0, 1, 2}, Sys: attr})
	if err != nil {
		return 0, execError(e.Args[0], e.Program, err)
	}
	return pid, nil
}

// reapAll takes every exit status that there is, and tells whether the child's was among them.
func reapAll(child int) (status unix.WaitStatus, ended bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return status, ended
		}
		if pid == child && (ws.Exited() || ws.Signaled()) {
			status, ended = ws, true
		}
	}
}
