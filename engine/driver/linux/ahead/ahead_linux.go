package ahead

import (
	"errors"
	"os"
	"syscall"
)

// Supervisor is a started one: the connection to it, and its process.
type Supervisor struct {
	Conn int // a Unix stream socket, close-on-exec
	Pid  int
}

type outcome struct {
	s   Supervisor
	err error
}

// begun is the one supervisor that Start may have begun in this process, until Take has it: there is no object yet that could keep it.
var begun chan outcome

// Start begins a supervisor in the background if argv is a docker run by root.
func Start(argv []string) {
	if !runs(argv) || syscall.Geteuid() != 0 || os.Getenv("LEARN_DRIVER") == "sim" {
		return
	}
	begun = make(chan outcome, 1)
	go func() {
		s, err := Spawn(!ownsMachine())
		begun <- outcome{s, err}
	}()
}

// Take gives the supervisor that Start began, once.
func Take() (Supervisor, bool) {
	if begun == nil {
		return Supervisor{}, false
	}
	o, first := <-begun
	if first {
		close(begun)
	}
	return o.s, first && o.err == nil
}

// ownsMachine reports whether this is the first user namespace, whose map is the identity on all ids.
func ownsMachine() bool {
	fd, err := syscall.Open("/proc/self/uid_map", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer syscall.Close(fd)
	var buf [64]byte
	n, _ := syscall.Read(fd, buf[:])
	return n > 11 && string(buf[n-11:n]) == "4294967295\n"
}

// Spawn starts a supervisor in a session of its own, with an empty environment, and with a mount namespace that it may mount in if the
// present one belongs to somebody else.
func Spawn(mounts bool) (Supervisor, error) {
	if os.Getenv(StageVariable) == StageShim {
		return Supervisor{}, errors.New("this process was started as a supervisor and nothing took it over: the program has to import package boot/watch")
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return Supervisor{}, err
	}
	defer syscall.Close(pair[1])
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		syscall.Close(pair[0])
		return Supervisor{}, err
	}
	defer syscall.Close(null)
	attr := &syscall.SysProcAttr{Setsid: true}
	if mounts {
		attr.Cloneflags = syscall.CLONE_NEWNS
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"learn-shim"}, &syscall.ProcAttr{Dir: "/", Env: environment(),
		Files: []uintptr{uintptr(null), uintptr(null), uintptr(null), uintptr(pair[1])}, Sys: attr})
	if err != nil {
		syscall.Close(pair[0])
		return Supervisor{}, err
	}
	return Supervisor{pair[0], pid}, nil
}

// environment is all that a supervisor gets. A failpoint goes along only if it is meant for it.
func environment() []string {
	env := []string{StageVariable + "=" + StageShim, "GOMAXPROCS=1", "GOGC=25"}
	const failpoint = "LEARN_FAILPOINT"
	p := os.Getenv(failpoint)
	for _, prefix := range []string{"shim.", "init.", "log:"} {
		if len(p) >= len(prefix) && p[:len(prefix)] == prefix {
			env = append(env, failpoint+"="+p)
		}
	}
	return env
}
