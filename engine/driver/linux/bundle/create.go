//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// CreateOptions are what create and run are told besides the bundle.
type CreateOptions struct {
	Bundle        string // folder with config.json
	ConsoleSocket string // unix socket that gets the terminal's master
	PidFile       string
	PreserveFDs   int  // descriptors after the standard streams that the process inherits
	NoNewKeyring  bool // stay in this process's session keyring
}

// creation is a container that is being made.
type creation struct {
	*Container
	spec   *specs.Spec
	o      CreateOptions
	conn   *shim.Conn
	stage  int
	wait   bool // for the command start
	mount  int  // mount namespace to enter, or -1
	master int  // the terminal, if it is this process's
}

// Create makes a container of a bundle. Its process exists and waits for Start. After an error nothing is left.
func (r *Runtime) Create(id string, o CreateOptions) error {
	c, err := r.create(id, o, true)
	if err != nil {
		return err
	}
	return c.conn.Close()
}

func (r *Runtime) create(id string, o CreateOptions, wait bool) (*creation, error) {
	c, err := r.begin(id, o)
	if err != nil {
		return nil, fmt.Errorf("create container %s: %w", id, err)
	}
	c.wait = wait
	if err := c.carryOut(); err != nil {
		c.undo()
		return nil, fmt.Errorf("create container %s: %w", id, err)
	}
	return c, nil
}

// begin reads the config and takes the id.
func (r *Runtime) begin(id string, o CreateOptions) (*creation, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	bundle, err := filepath.Abs(o.Bundle)
	if err != nil {
		return nil, err
	}
	spec, err := loadConfig(bundle)
	if err != nil {
		return nil, err
	}
	if spec.Process == nil {
		return nil, errors.New("config.json has no process: there is nothing to start")
	}
	if spec.Process.Terminal == (o.ConsoleSocket == "") && o.ConsoleSocket != "" {
		return nil, errors.New("--console-socket needs process.terminal to be true")
	}
	if spec.Linux.MountLabel != "" && !enabled("/sys/fs/selinux/enforce") {
		r.Warn(fmt.Errorf("linux.mountLabel %q is left out: SELinux is not enabled on this machine", spec.Linux.MountLabel))
		spec.Linux.MountLabel = ""
	}
	rootfs := spec.Root.Path
	if !filepath.IsAbs(rootfs) {
		rootfs = filepath.Join(bundle, rootfs)
	}
	if rootfs, err = filepath.EvalSymlinks(rootfs); err != nil {
		return nil, fmt.Errorf("root.path: %w", err)
	}
	if st, err := os.Stat(rootfs); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("root.path: %s is not a folder", rootfs)
	}
	c := &creation{spec: spec, o: o, mount: -1, master: -1, Container: &Container{dir: filepath.Join(r.Root, id), warn: r.Warn,
		rec: record{Version: spec.Version, ID: id, BootID: shim.BootID(), Bundle: bundle, Rootfs: rootfs, Annotations: spec.Annotations, Created: time.Now().UTC(), Owner: os.Getuid()}}}
	return c, c.claim(r.Root)
}

// claim makes the state folder; whoever comes second finds it there.
func (c *creation) claim(root string) error {
	if err := os.MkdirAll(root, 0o711); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	err := os.Mkdir(c.dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(c.rec.Bundle, configFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(c.dir, configFile), data, 0o600)
	}
	if err == nil {
		err = c.save()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep config: %w", err), os.RemoveAll(c.dir))
	}
	return nil
}

func (c *creation) carryOut() error {
	var err error
	c.rec.Groups, err = makeGroups(c.spec, c.rec.ID)
	if err != nil {
		return err
	}
	listener := -1
	if c.wait {
		if listener, err = listenAt(c.dir); err != nil {
			return err
		}
		defer unix.Close(listener)
	}
	f, o, err := c.fork()
	if err != nil {
		return err
	}
	if err := c.settle(f); err != nil {
		return err
	}
	if err := c.sendOrders(o, listener); err != nil {
		return err
	}
	if err := c.serve(); err != nil {
		return err
	}
	c.rec.Ready = true
	if err := c.save(); err != nil {
		return err
	}
	return c.writePidFile(c.rec.Pid)
}

// fork makes the stage in its namespaces, where it waits for its orders.
func (c *creation) fork() (forked, *orders, error) {
	sp, err := openSpaces(c.spec.Linux.Namespaces)
	if err != nil {
		return forked{}, nil, err
	}
	c.mount, sp.mount = sp.mount, -1
	defer sp.close()
	o := &orders{Spec: c.spec, Process: c.spec.Process, Bundle: c.rec.Bundle, Rootfs: c.rec.Rootfs, Groups: c.rec.Groups,
		Wait: c.wait, Preserve: c.o.PreserveFDs, Fresh: sp.fresh}
	if o.Filter, err = compileFilter(c.spec.Linux.Seccomp); err != nil {
		return forked{}, nil, err
	}
	if !c.o.NoNewKeyring {
		o.Keyring = "_ses." + c.rec.ID
	}
	plan := &forkPlan{joins: sp.joins, fresh: sp.fresh, mapped: sp.fresh&unix.CLONE_NEWUSER != 0}
	if plan.offsets, err = timeOffsets(c.spec.Linux.TimeOffsets); err != nil {
		return forked{}, nil, err
	}
	if plan.cgroup, err = groups(c.rec.Groups).unified(); err != nil {
		return forked{}, nil, fmt.Errorf("open control group: %w", err)
	}
	f, conn, err := plan.startStage(StageCreate, c.o.PreserveFDs)
	if plan.cgroup >= 0 {
		unix.Close(plan.cgroup)
	}
	c.conn, c.stage = conn, f.pid
	return f, o, err
}

// startStage forks the plan's stage with this process's streams and a connection.
func (p *forkPlan) startStage(name string, preserve int) (forked, *shim.Conn, error) {
	if preserve < 0 || preserve > 1024 {
		return forked{}, nil, fmt.Errorf("hand %d descriptors down: at most 1024", preserve)
	}
	self, err := shim.OpenSelf()
	if err != nil {
		return forked{}, nil, err
	}
	defer unix.Close(self)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return forked{}, nil, fmt.Errorf("make connection: %w", err)
	}
	defer unix.Close(pair[1])
	std, err := ownStreams()
	if err != nil {
		return forked{}, nil, err
	}
	files := std[:]
	for i := range preserve {
		files = append(files, 3+i)
	}
	files = append(files, pair[1])
	p.argv, p.env = "learn-"+name, stageEnv(name, len(files)-1)
	// Out of the way of what they are to become.
	high := make([]int, 0, len(files)+1)
	defer func() { closeAll(high) }()
	for _, fd := range append(files[:len(files):len(files)], self) {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, len(files)+16)
		if err != nil {
			unix.Close(pair[0])
			return forked{}, nil, fmt.Errorf("hand down descriptor %d: %w", fd, err)
		}
		high = append(high, n)
	}
	p.files, p.self = high[:len(files)], high[len(files)]
	f, err := p.fork()
	if err != nil {
		unix.Close(pair[0])
		return forked{}, nil, err
	}
	conn, err := shim.NewConn(pair[0])
	return f, conn, err
}

// settle gives the stage what only the command can: its ids, its place among the victims of a full memory. From here on it can be found.
func (c *creation) settle(f forked) error {
	var err error
	c.rec.Pid = f.pid
	if c.rec.StartTime, err = shim.StartTime(f.pid); err != nil {
		return fmt.Errorf("identify process: %w", err)
	}
	if err := c.save(); err != nil {
		return err
	}
	if f.wake >= 0 {
		if err := mapIDs(f.pid, c.spec.Linux); err != nil {
			unix.Close(f.wake)
			return err
		}
		_, err := unix.Write(f.wake, []byte{1})
		unix.Close(f.wake)
		if err != nil {
			return fmt.Errorf("wake stage: %w", err)
		}
	}
	raiseLimits(f.pid, c.spec.Process.Rlimits)
	return adjustOOM(f.pid, c.spec.Process.OOMScoreAdj)
}

func adjustOOM(pid int, score *int) error {
	if score == nil {
		return nil
	}
	err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte(strconv.Itoa(*score)), 0)
	if err != nil && !initialUsers() {
		return nil // lowering it is the machine's own to do
	}
	if err != nil {
		return fmt.Errorf("set process.oomScoreAdj: %w", err)
	}
	return nil
}

// serve answers the stage until everything stands.
func (c *creation) serve() error {
	for {
		var r report
		if err := c.conn.Receive(&r); err != nil {
			return fmt.Errorf("set up process: its stage ended early: %w", err)
		}
		switch r.Kind {
		case reportError:
			return &stageError{r.Error, r.Code}
		case reportWarning:
			c.warn(errors.New(r.Error))
		case reportHooks:
			if err := c.runtimeHooks(); err != nil {
				return err
			}
			if err := c.conn.Send(report{}); err != nil {
				return err
			}
		case reportTerminal:
			if err := c.takeTerminal(); err != nil {
				return err
			}
		case reportReady:
			return nil
		}
	}
}

// stageError is what a stage had to say. Code is the exit code if the container's command is at fault.
type stageError struct {
	msg  string
	code int
}

func (e *stageError) Error() string { return e.msg }

// CommandCode is what docker exits with if the container's own command could not be executed; 0 for any other error.
func CommandCode(err error) int {
	var s *stageError
	if errors.As(err, &s) {
		return s.code
	}
	return 0
}

func (c *creation) runtimeHooks() error {
	h := c.spec.Hooks
	// Prestart hooks are older than the state "creating", and know it not.
	if err := runHooks("prestart", prestart(h), c.rec.Bundle, c.state(specs.StateCreated)); err != nil {
		return err
	}
	return runHooks("createRuntime", h.CreateRuntime, c.rec.Bundle, c.state(specs.StateCreating))
}

func (c *creation) takeTerminal() error {
	fds, err := c.conn.TakeFDs(1)
	if err != nil {
		return err
	}
	if c.o.ConsoleSocket == "" {
		if c.wait {
			unix.Close(fds[0])
			return errors.New("process.terminal needs --console-socket: a socket that takes the terminal")
		}
		c.master = fds[0]
		return nil
	}
	defer unix.Close(fds[0])
	return sendConsole(c.o.ConsoleSocket, fds[0])
}

func (c *creation) writePidFile(pid int) error { return writePidFile(c.o.PidFile, pid) }

func writePidFile(name string, pid int) error {
	if name == "" {
		return nil
	}
	if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return os.WriteFile(name, []byte(strconv.Itoa(pid)), 0o644) // a rename would replace a device or a pipe
	}
	tmp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".tmp")
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return fmt.Errorf("write pid file: %w", err)
	}
	return os.Rename(tmp, name)
}

// undo takes back a creation that failed. The specification wants the poststop hooks to run for it.
func (c *creation) undo() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	if c.stage > 0 {
		_ = unix.Kill(c.stage, unix.SIGKILL)
		_, _ = unix.Wait4(c.stage, nil, 0, nil)
	}
	if c.master >= 0 {
		unix.Close(c.master)
	}
	if err := c.destroy(c.spec); err != nil {
		c.warn(err)
	}
}
