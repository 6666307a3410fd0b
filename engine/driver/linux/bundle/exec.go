//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// ExecOptions are those of exec. What is empty is as for the container's first process.
type ExecOptions struct {
	Process       *specs.Process // as a whole, from a file; nil: the container's own with the changes below
	Args          []string
	Env           []string // added
	Cwd           string
	User          *specs.User
	Terminal      bool
	NoNewPrivs    bool
	Caps          []string // added
	ConsoleSocket string
	PidFile       string
	PreserveFDs   int
	Detach        bool
}

// Exec runs a further process in a container; code is its exit code unless it is left alone.
func (c *Container) Exec(o ExecOptions) (code int, err error) {
	e, err := c.startExec(o)
	if err != nil {
		return 0, fmt.Errorf("exec in container %s: %w", c.rec.ID, err)
	}
	if o.Detach {
		return 0, nil
	}
	return follow(e.stage, e.master), nil
}

func (c *Container) startExec(o ExecOptions) (*creation, error) {
	if st := c.Status(); st != specs.StateRunning && st != specs.StateCreated {
		return nil, fmt.Errorf("the container is %s", st)
	}
	spec, err := c.config()
	if err != nil {
		return nil, err
	}
	p, err := execProcess(spec, &o)
	if err != nil {
		return nil, err
	}
	e := &creation{Container: c, spec: spec, mount: -1, master: -1, wait: o.Detach, o: CreateOptions{ConsoleSocket: o.ConsoleSocket, PidFile: o.PidFile, PreserveFDs: o.PreserveFDs}}
	if err := e.runExec(p); err != nil {
		if e.conn != nil {
			_ = e.conn.Close()
		}
		if e.stage > 0 {
			_ = unix.Kill(e.stage, unix.SIGKILL)
			_ = waitFor(e.stage)
		}
		return nil, err
	}
	_ = e.conn.Close()
	return e, nil
}

// execProcess is the process that exec is to run.
func execProcess(spec *specs.Spec, o *ExecOptions) (*specs.Process, error) {
	p := o.Process
	if p == nil {
		own := *spec.Process
		p = &own
		p.Args, p.Terminal, p.OOMScoreAdj = o.Args, o.Terminal, own.OOMScoreAdj
		p.Env = append(append([]string(nil), p.Env...), o.Env...)
		p.NoNewPrivileges = p.NoNewPrivileges || o.NoNewPrivs
		if o.Cwd != "" {
			p.Cwd = o.Cwd
		}
		if o.User != nil {
			p.User.UID, p.User.GID = o.User.UID, o.User.GID
			if o.User.AdditionalGids != nil {
				p.User.AdditionalGids = o.User.AdditionalGids
			}
		}
		addCaps(p, o.Caps)
	}
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	if err := checkProcess(p); err != nil {
		return nil, err
	}
	if o.ConsoleSocket != "" && !p.Terminal {
		return nil, errors.New("--console-socket needs a process with a terminal")
	}
	return p, nil
}

func addCaps(p *specs.Process, names []string) {
	if len(names) == 0 {
		return
	}
	c := specs.LinuxCapabilities{}
	if p.Capabilities != nil {
		c = *p.Capabilities
	}
	for _, set := range []*[]string{&c.Bounding, &c.Effective, &c.Inheritable, &c.Permitted, &c.Ambient} {
		*set = append(append([]string(nil), *set...), names...)
	}
	p.Capabilities = &c
}

func (e *creation) runExec(p *specs.Process) error {
	pidfd, err := unix.PidfdOpen(e.rec.Pid, 0)
	if err != nil || !shim.Alive(e.rec.Pid, e.rec.StartTime) {
		return errors.New("container not running")
	}
	defer unix.Close(pidfd)
	flags, users := foreign(e.rec.Pid)
	if flags&unix.CLONE_NEWNS != 0 {
		if e.mount, err = unix.FcntlInt(uintptr(pidfd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return err
		}
		flags &^= unix.CLONE_NEWNS
	}
	plan := &forkPlan{cgroup: -1}
	if flags != 0 {
		plan.joins = []join{{pidfd, flags}}
	}
	plan.becomeRoot = users
	linux := *e.spec.Linux
	filter, err := compileFilter(linux.Seccomp)
	if err != nil {
		return err
	}
	linux.Seccomp = nil
	if plan.cgroup, err = groups(e.rec.Groups).unified(); err != nil {
		return fmt.Errorf("open control group: %w", err)
	}
	f, conn, err := plan.startStage(StageExec, e.o.PreserveFDs)
	if plan.cgroup >= 0 {
		unix.Close(plan.cgroup)
	}
	if err != nil {
		return err
	}
	e.conn, e.stage = conn, f.pid
	raiseLimits(f.pid, p.Rlimits)
	if err := adjustOOM(f.pid, p.OOMScoreAdj); err != nil {
		return err
	}
	o := &orders{Spec: &specs.Spec{Linux: &specs.Linux{Personality: linux.Personality}}, Process: p, Filter: filter, Preserve: e.o.PreserveFDs}
	if a := p.ExecCPUAffinity; a != nil {
		if err := setAffinity(f.pid, a.Initial); err != nil {
			return err
		}
		o.CPUs = a.Final
	}
	fds, err := e.passed(o)
	if err != nil {
		return err
	}
	defer closeAll(fds)
	if err := conn.Send(o, fds...); err != nil {
		return fmt.Errorf("send orders: %w", err)
	}
	if err := e.serve(); err != nil {
		return err
	}
	if err := e.writePidFile(f.pid); err != nil {
		return err
	}
	if err := conn.Send(report{}); err != nil {
		return err
	}
	return e.awaitProgram(conn, e.spec)
}

// ReadProcess reads the file of exec's --process.
func ReadProcess(name string) (*specs.Process, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read process: %w", err)
	}
	var p specs.Process
	if len(data) > maxConfig {
		return nil, fmt.Errorf("read process %s: more than %d bytes", name, maxConfig)
	}
	if err := decodeOne(data, &p); err != nil {
		return nil, fmt.Errorf("read process %s: %w", name, err)
	}
	return &p, nil
}
