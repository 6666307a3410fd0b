package kernel

import (
	"io"
	"sync"
	"time"
)

// Options are the facts of a machine. Clock and NextPID are required.
type Options struct {
	Clock       *Clock
	NextPID     func() int // gives the numbers that processes have on the outside; called one at a time
	CPUs        int        // 2 if zero
	MemoryBytes int64      // 4 GiB if zero
	Log         io.Writer  // is told of panics of programs; nil: nobody is
}

// Machine is one simulated computer. It has nothing to close: it is at rest when its boxes are done.
type Machine struct {
	clock   *Clock
	nextPID func() int
	cpus    int
	memory  int64
	log     io.Writer
	boot    time.Time
	numbers sync.Mutex // held while nextPID is called
	kinds   sync.Map   // of programKey: whether the file holds our programs

	// Guarded by the clock's lock.
	used   int64 // memory of all boxes
	lastID uint64
}

const (
	defaultCPUs   = 2
	defaultMemory = 4 << 30
)

// New makes a machine without boxes.
func New(o Options) *Machine {
	m := &Machine{clock: o.Clock, nextPID: o.NextPID, cpus: o.CPUs, memory: o.MemoryBytes, log: o.Log, boot: o.Clock.Now()}
	if m.cpus <= 0 {
		m.cpus = defaultCPUs
	}
	if m.memory <= 0 {
		m.memory = defaultMemory
	}
	return m
}

func (m *Machine) hostPID() int {
	m.numbers.Lock()
	defer m.numbers.Unlock()
	return m.nextPID()
}

// id gives a number that nothing else on the machine has, as an inode number of a pipe.
func (m *Machine) id() uint64 {
	m.lastID++
	return m.lastID
}
