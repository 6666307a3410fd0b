package sim

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
	"github.com/learn-containers/learn/engine/driver/sim/lan"
	"github.com/learn-containers/learn/engine/home"
)

// The simulated machine is the same everywhere, so that what its programs say of it is, too.
const (
	machineCPUs   = 2
	machineMemory = 1 << 30 // a program that grows without bound should hurt itself, not the host
)

// machine is this process's part of the simulated machine, of which a home has one: its time and the numbers of its processes are
// shared by all processes that use the home.
type machine struct {
	home   *home.Home
	frozen bool
	clock  *kernel.Clock
	kernel *kernel.Machine
	lan    *lan.Switch
	own    *lan.Host    // the network of the machine itself
	joined func() error // joins the networks of the machine's other processes, once

	mu        sync.Mutex // guards what follows
	published time.Duration
	pids      pidBlock
}

const clockFile = "clock.json"

// clockRecord is machine/clock.json.
type clockRecord struct {
	Skew time.Duration `json:"skew_ns"` // how far the machine's time is ahead of the host's
}

// openMachine joins the machine of h. A frozen one has a time of its own, which begins at the machine's. complaints is told of programs'
// panics.
func openMachine(h *home.Home, frozen bool, complaints io.Writer) *machine {
	m := &machine{home: h, frozen: frozen}
	begin := m.readSkew()
	if frozen {
		m.clock = kernel.NewClock(func() time.Time { return time.Now().Add(begin) }, true, nil)
	} else {
		m.clock = kernel.NewClock(time.Now, false, func(time.Duration) { m.publish() })
		m.clock.SetSkew(begin)
	}
	m.kernel = kernel.New(kernel.Options{Clock: m.clock, NextPID: m.nextPID, CPUs: machineCPUs, MemoryBytes: machineMemory, Log: complaints})
	m.lan = lan.NewSwitch()
	m.own = m.lan.Machine(machineName)
	m.joined = sync.OnceValue(func() error { return m.lan.Trunk(m.file(trunkFolder)) })
	return m
}

// close leaves the machine. The time that a frozen clock came to is where the next process goes on.
func (m *machine) close() error {
	if m.frozen {
		m.storeSkew(time.Until(m.clock.Now()))
	}
	return m.lan.Close()
}

// network is what a container has for a network: one of its own, or the machine's, which it shares with all that ask for it. The machine
// has the gateways of the containers' networks and its loopback addresses, and each process of the host that carries containers has these for
// itself: what containers in different supervisors listen for there they do not find, and nothing of the real host is reached.
func (m *machine) network(spec *driver.Spec) *lan.Host {
	if spec.Network == driver.NetworkHost {
		return m.own
	}
	return m.lan.Host(spec.ID, spec.Hostname)
}

func (m *machine) now() time.Time {
	m.refresh()
	return m.clock.Now()
}

func (m *machine) sleep(ctx context.Context, d time.Duration) error {
	m.refresh()
	defer m.publish()
	return m.clock.Sleep(ctx, d)
}

// refresh takes in what other processes skipped.
func (m *machine) refresh() {
	if !m.frozen {
		m.clock.SetSkew(m.readSkew())
	}
}

// publish lets the other processes know what was skipped here. It comes before anybody is told of something that happened since.
func (m *machine) publish() {
	if m.frozen {
		return
	}
	skew := m.clock.Skew()
	m.mu.Lock()
	news := skew > m.published
	m.mu.Unlock()
	if news {
		m.storeSkew(skew)
		m.mu.Lock()
		m.published = max(m.published, skew)
		m.mu.Unlock()
	}
}

// How often follow looks: soon after something was skipped, seldom in a machine at rest.
const (
	followSoon   = 100 * time.Millisecond
	followSeldom = 800 * time.Millisecond
)

// follow refreshes until ctx ends: timers of this process become due by what others skip. Whoever asks something of a container in this
// process need not wait for it.
func (m *machine) follow(ctx context.Context) {
	wait := followSoon
	t := time.NewTimer(wait)
	defer t.Stop()
	var seen fs.FileInfo
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		wait = min(2*wait, followSeldom)
		if now, err := os.Stat(m.file(clockFile)); err == nil && !sameState(seen, now) {
			seen, wait = now, followSoon
			m.refresh()
		}
		t.Reset(wait)
	}
}

// sameState tells whether a file that is only ever replaced as a whole was not. There need not be an earlier state.
func sameState(before, now fs.FileInfo) bool {
	return before != nil && os.SameFile(before, now) && before.ModTime().Equal(now.ModTime())
}

func (m *machine) file(name string) string { return filepath.Join(m.home.Root(), "machine", name) }

// readSkew reads how far the machine's time is ahead. A broken file counts as absent.
func (m *machine) readSkew() time.Duration {
	var r clockRecord
	if !readJSON(m.file(clockFile), &r) {
		return 0
	}
	return max(r.Skew, 0)
}

// storeSkew lets the other processes know; the skew only grows. What can't be written costs them the skipped time, not more.
func (m *machine) storeSkew(skew time.Duration) {
	unlock, err := m.lock()
	if err != nil {
		return
	}
	defer unlock()
	if skew <= m.readSkew() {
		return
	}
	if data, err := json.Marshal(clockRecord{skew}); err == nil {
		_ = home.WriteVolatile(m.file(clockFile), append(data, '\n'), 0o600)
	}
}

// lock keeps the other processes of the home away from the machine's files.
func (m *machine) lock() (func(), error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	unlock, err := m.home.Lock(ctx, "machine", true)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(m.file(""), 0o700); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// Numbers of processes on the simulated host, as its /proc/sys/kernel/pid_max bounds them. Each process of ours takes a block of them.
const (
	firstPID = 1000
	lastPID  = 4194304
	blockLen = 64
)

type pidBlock struct{ next, end int }

// nextPID gives a number that no other process of the machine has. Where the file can't be had, the numbers of this process are at
// least different from each other.
func (m *machine) nextPID() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pids.next >= m.pids.end {
		m.pids = m.takePIDs(m.pids)
	}
	m.pids.next++
	return m.pids.next - 1
}

func (m *machine) takePIDs(old pidBlock) pidBlock {
	begin := max(old.end, firstPID)
	unlock, err := m.lock()
	if err == nil {
		defer unlock()
		if data, err := os.ReadFile(m.file("pids")); err == nil {
			if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && n >= firstPID {
				begin = n
			}
		}
	}
	if begin+blockLen > lastPID {
		begin = firstPID
	}
	b := pidBlock{begin, begin + blockLen}
	if err == nil {
		_ = home.WriteVolatile(m.file("pids"), []byte(strconv.Itoa(b.end)+"\n"), 0o600)
	}
	return b
}
