package kernel

import (
	"cmp"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// BoxConfig describes a box.
type BoxConfig struct {
	ID, Hostname string
	NS           *vfs.Namespace  // its file tree; further mounts may follow
	Pts          *vfs.Tmpfs      // /dev/pts, where the nodes of its terminals are made; may be nil
	Limits       driver.Limits   // zero: none
	Host         userland.Dialer // its network; nil: none
	// Links are its interfaces besides the loopback, and Sockets what is open on its network; nil: none.
	Links   func() []vfs.Interface
	Sockets func() []vfs.Socket
	// Refused is told of calls that the kernel refuses because the container is not privileged; nil for nobody.
	Refused func(call string, pid int, program string)
}

// Box is the processes of one container, with numbers of their own. Its first process is its init: when that ends, all end.
type Box struct {
	m    *Machine
	cfg  BoxConfig
	root *vfs.View // the kernel's own eyes
	done chan struct{}

	// Guarded by the clock's lock.
	hostname   string
	procs      map[int]*Process // with the zombies
	lastPID    int
	init       *Process
	dead       bool
	ended      bool // done is closed
	goroutines int  // of all programs, also of those that are dead and have not noticed
	frozen     bool
	held       queue // threads that may not go on: stopped, frozen or over their share
	memory     int64 // of processes and tmpfs
	peak       int64
	shared     int64 // of tmpfs alone
	cpu        time.Duration
	ooms       int
	window     time.Time     // since when used is counted
	used       time.Duration // of the quota
	terminals  map[int]*tty
	fifos      map[fifoKey]*pipe
	guards     map[any]*guard // of foreign streams in use
}

// grace is how long a dead box waits for goroutines that compute without a call.
const grace = time.Second

// NewBox makes a box without processes.
func (m *Machine) NewBox(c BoxConfig) *Box {
	b := &Box{m: m, cfg: c, hostname: c.Hostname, done: make(chan struct{}), procs: map[int]*Process{}, terminals: map[int]*tty{}, fifos: map[fifoKey]*pipe{}, guards: map[any]*guard{}}
	b.root = c.NS.View(vfs.Cred{Privileged: true}, nobody{m.clock})
	return b
}

// nobody is the kernel itself, as vfs sees it.
type nobody struct{ clock *Clock }

func (nobody) Enter() error                                  { return nil }
func (nobody) Device(uint64, bool) (vfs.Stream, error)       { return nil, syscall.ENXIO }
func (nobody) Pipe(fsys.FS, uint64, int) (vfs.Stream, error) { return nil, syscall.ENXIO }
func (n nobody) Now() time.Time                              { return n.clock.Now() }

// Freeze stops all processes at their next call. Time stands still for those that sleep.
func (b *Box) Freeze() {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	b.frozen = true
	b.m.clock.arm()
}

// Thaw lets them go on. What became due meanwhile, and signals that came, come now.
func (b *Box) Thaw() {
	c := b.m.clock
	c.lock()
	defer c.unlock()
	b.frozen = false
	b.held.wake()
	for _, p := range b.sorted() {
		if !p.stopped {
			p.deliverPending()
		}
	}
	c.arm()
	c.consider()
}

// Kill ends every process at once, by SIGKILL. A box without processes can have none afterwards.
func (b *Box) Kill() {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	b.extinguish()
}

// extinguish is the end of init, or of the box.
func (b *Box) extinguish() {
	if b.dead {
		return
	}
	b.dead = true
	for _, p := range b.sorted() {
		p.end(exitBySignal(sigKILL))
	}
	if b.goroutines > 0 {
		time.AfterFunc(grace, b.abandon)
	}
	b.settle()
}

// settle notes when the last goroutine of a dead box has ended.
func (b *Box) settle() {
	if b.dead && b.goroutines == 0 && !b.ended {
		b.ended = true
		close(b.done)
	}
}

// abandon gives up on goroutines that still have not noticed.
func (b *Box) abandon() {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	if !b.ended {
		b.ended = true
		close(b.done)
	}
}

// Done is closed when the box's init has ended, everybody else is dead, and no call of theirs is under way any more. Only a
// program that computes without any call is not waited for longer than a second.
func (b *Box) Done() <-chan struct{} { return b.done }

// Ending reports whether the box's init has ended, which is before it takes the others along.
func (b *Box) Ending() bool {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	return b.dead
}

// OOM tells what was counted if processes were killed for want of memory, or nil.
func (b *Box) OOM() *driver.OOM {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	if b.ooms == 0 {
		return nil
	}
	return &driver.OOM{LimitBytes: b.cfg.Limits.MemoryBytes, PeakBytes: b.peak, Kills: int64(b.ooms)}
}

// Usage is what the processes of a box use.
type Usage struct {
	MemoryBytes, PeakBytes int64
	Pids                   int
	CPU                    time.Duration
	Limits                 driver.Limits // as they are now
}

// Usage tells what the box uses now.
func (b *Box) Usage() Usage {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	return Usage{MemoryBytes: b.memory, PeakBytes: b.peak, Pids: len(b.procs), CPU: b.cpu, Limits: b.cfg.Limits}
}

// Processes lists what lives, by the numbers of the outside, parents before their children's children.
func (b *Box) Processes() []driver.ProcessInfo {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	var all []driver.ProcessInfo
	for _, p := range b.sorted() {
		if p.zombie {
			continue
		}
		info := driver.ProcessInfo{Pid: p.hostPID, UID: uint32(p.cred.UID), CPU: p.cpu, StartedAt: p.started, TTY: p.ttyName(), Argv: slices.Clone(p.Args),
			Comm: p.name(), Stat: string(p.state()), PGID: b.outside(p.pgid), SID: b.outside(p.sid), Threads: 1, Priority: usualPriority,
			VSZ: p.memory + programSize, RSS: p.memory}
		if p.cred.UID == 0 {
			info.User = "root" // the machine's only user
		}
		if p.sid == p.pid {
			info.Stat += "s"
		}
		if p.parent != nil {
			info.PPid = p.parent.hostPID
		}
		all = append(all, info)
	}
	return all
}

const usualPriority = 20

// outside is the number on the outside of a process, or of a group that is called by one that has ended.
func (b *Box) outside(pid int) int {
	if p := b.procs[pid]; p != nil {
		return p.hostPID
	}
	return pid
}

func (b *Box) sorted() []*Process {
	return slices.SortedFunc(maps.Values(b.procs), func(x, y *Process) int { return cmp.Compare(x.pid, y.pid) })
}
