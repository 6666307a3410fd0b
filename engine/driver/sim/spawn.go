package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
)

// spawn starts a supervisor for the orders and connects to it.
func (r *Runtime) spawn(o *orders) (*wire, error) {
	cmd, err := command(r.options.Supervisor)
	if err != nil {
		return nil, err
	}
	complaints, err := os.OpenFile(filepath.Join(o.Spec.Dir, stderrFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer complaints.Close()
	cmd.Stderr = complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	wireTo, err := meet(in, out, o)
	// The supervisor outlives most commands; one that stays takes its exit status, so that no zombie remains.
	go func() { _ = cmd.Wait() }()
	return wireTo, err
}

// command builds the supervisor's command line, in a session of its own.
func command(argv []string) (*exec.Cmd, error) {
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Dir: rootFolder(), SysProcAttr: detached()}
	if filepath.Base(argv[0]) == argv[0] {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own program: %w", err)
		}
		cmd.Path = self
	}
	return cmd, nil
}

// rootFolder is a folder that nobody wants to remove.
func rootFolder() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return filepath.VolumeName(dir) + string(filepath.Separator)
}

// detached asks for a process that does not end with our terminal. Each system has a word of its own for that in this type, and some have
// none; asking for the words keeps the package free of a file for each.
func detached() *syscall.SysProcAttr {
	attr := new(syscall.SysProcAttr)
	v := reflect.ValueOf(attr).Elem()
	if f := v.FieldByName("Setsid"); f.IsValid() {
		f.SetBool(true)
	}
	if f := v.FieldByName("CreationFlags"); f.IsValid() {
		const newProcessGroup, noWindow = 0x200, 0x08000000
		f.SetUint(newProcessGroup | noWindow)
	}
	return attr
}

// meet hands the orders over, waits until the supervisor listens, and connects.
func meet(in io.WriteCloser, out io.Reader, o *orders) (*wire, error) {
	err := json.NewEncoder(in).Encode(o)
	err = errors.Join(err, in.Close())
	if err != nil {
		return nil, fmt.Errorf("give supervisor its orders: %w", err)
	}
	line, err := bufio.NewReader(io.LimitReader(out, 64<<10)).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("wait for supervisor: %w", err)
	}
	var g greeting
	if err := json.Unmarshal(line, &g); err != nil {
		return nil, fmt.Errorf("wait for supervisor: %w", err)
	}
	if g.Error != "" {
		return nil, errors.New(g.Error)
	}
	return dial(g.Address)
}

func dial(address string) (*wire, error) {
	conn, err := net.DialTimeout("unix", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return newWire(conn), nil
}

// runDetached starts a command that nobody waits for. Where no process can be started it is left undone.
func runDetached(argv, env []string) error {
	_, err := startDetached(argv, env)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return err
}

// startDetached starts a command that lives on when this process ends. ended is closed when it does.
func startDetached(argv, env []string) (ended <-chan struct{}, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = rootFolder(), env, detached()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	return over, nil
}

// ownEnv is this process's environment for a command that runs later.
func ownEnv() []string {
	var kept []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, failpoint.Variable+"=") {
			kept = append(kept, kv)
		}
	}
	return kept
}
