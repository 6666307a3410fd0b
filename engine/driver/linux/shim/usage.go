//go:build linux

package shim

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a container uses: driver.Usage without what concerns the machine.
type Usage struct {
	CPU           time.Duration `json:"cpu_ns"`
	MemoryBytes   int64         `json:"memory_bytes"`
	InactiveBytes int64         `json:"inactive_bytes"`
	LimitBytes    int64         `json:"limit_bytes"` // 0: none
	ReadBytes     int64         `json:"read_bytes"`
	WriteBytes    int64         `json:"write_bytes"`
	ReceivedBytes int64         `json:"received_bytes"`
	SentBytes     int64         `json:"sent_bytes"`
	Pids          int64         `json:"pids"`
	PidsLimit     int64         `json:"pids_limit"`
}

// Census is all processes of the machine at one moment.
type Census struct {
	children map[int][]Counted
	all      map[int]Counted
	network  string // of this process
}

// Counted is one process and what its status line says of it.
type Counted struct {
	pid     int
	waited  time.Duration
	own     time.Duration
	threads int64
	start   uint64
}

// TakeCensus reads /proc once. What many containers use can then be told without reading it again for each.
func TakeCensus() (*Census, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	c := &Census{children: map[int][]Counted{}, all: map[int]Counted{}}
	c.network, _ = os.Readlink("/proc/self/ns/net")
	buf := make([]byte, 4096)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		data, err := readInto(buf, "/proc/"+e.Name()+"/stat")
		if err != nil {
			continue // ended meanwhile
		}
		if st, err := parseStat(string(data)); err == nil && st.state != 'Z' {
			p := Counted{pid, ticks(st.waited), ticks(st.utime + st.stime), st.threads, st.start}
			c.all[pid] = p
			c.children[st.ppid] = append(c.children[st.ppid], p)
		}
	}
	return c, nil
}

func ticks(n uint64) time.Duration { return time.Duration(n) * time.Second / clockTicks }

// below lists everything that descends from a supervisor.
func (c *Census) below(root int) []Counted {
	found := append([]Counted(nil), c.children[root]...)
	for i := 0; i < len(found); i++ {
		found = append(found, c.children[found[i].pid]...)
	}
	return found
}

// Supervised is Record.Supervised at the moment of the census.
func (c *Census) Supervised(r Record, bootID string) bool {
	p, there := c.all[r.ShimPid]
	return there && r.BootID == bootID && p.start == r.ShimStartTime
}

// Usage tells what the container of a record uses. What its control groups count is taken from there; the rest is added up over its
// processes. An error is fs.ErrPermission where this user may not see that, and its supervisor may.
func (c *Census) Usage(rec Record) (Usage, error) {
	var u Usage
	var from counters
	for _, dir := range rec.Cgroups {
		from.read(dir, &u)
	}
	if !from.cpu {
		u.CPU = c.all[rec.ShimPid].waited // of processes that exec ran; the supervisor's own time is not the container's
	}
	counted := u.MemoryBytes
	if rec.Uncharged {
		u.MemoryBytes, from.memory = 0, false
	}
	err := u.addUp(c.below(rec.ShimPid), from)
	u.MemoryBytes = max(u.MemoryBytes, counted)
	u.addNetwork(rec.Pid, c.network)
	return u, err
}

// counters says which numbers the control groups gave.
type counters struct{ cpu, memory, io, pids bool }

func (f *counters) read(dir string, u *Usage) {
	at := func(name string) string { return filepath.Join(dir, name) }
	if n := keyed(at("cpu.stat"), "usage_usec"); n > 0 { // version 1 has a file of that name with other keys
		u.CPU, f.cpu = time.Duration(n)*time.Microsecond, true
	}
	if n, ok := lookNumber(at("memory.current")); ok {
		u.MemoryBytes, u.InactiveBytes, u.LimitBytes, f.memory = n, keyed(at("memory.stat"), "inactive_file"), number(at("memory.max")), true
	}
	if n, ok := lookNumber(at("memory.usage_in_bytes")); ok {
		u.MemoryBytes, u.InactiveBytes, f.memory = n, keyed(at("memory.stat"), "total_inactive_file"), true
		u.LimitBytes = number(at("memory.limit_in_bytes"))
	}
	if n, ok := lookNumber(at("pids.current")); ok {
		u.Pids, u.PidsLimit, f.pids = n, number(at("pids.max")), true
	}
	if data, err := os.ReadFile(at("io.stat")); err == nil {
		u.ReadBytes, u.WriteBytes = sumIO(string(data))
		f.io = true
	}
}

func lookNumber(file string) (int64, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}

// sumIO adds up io.stat of version 2: "8:0 rbytes=1 wbytes=2 rios=..." for each device.
func sumIO(text string) (read, written int64) {
	for _, word := range strings.Fields(text) {
		if v, ok := strings.CutPrefix(word, "rbytes="); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			read += n
		}
		if v, ok := strings.CutPrefix(word, "wbytes="); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			written += n
		}
	}
	return read, written
}

// addUp counts over processes what no group counted. Memory is what is the process's alone: pages of files, which the kernel can take back
// at any time, are not in it.
func (u *Usage) addUp(procs []Counted, have counters) error {
	var refused error
	buf := make([]byte, 4096)
	for _, p := range procs {
		dir := "/proc/" + strconv.Itoa(p.pid)
		if !have.cpu {
			u.CPU += p.waited + p.used()
		}
		if !have.pids {
			u.Pids += p.threads
		}
		if !have.memory {
			data, _ := readInto(buf, dir+"/status")
			u.MemoryBytes += (after(data, "RssAnon:") + after(data, "RssShmem:")) << 10
		}
		if !have.io {
			data, err := readInto(buf, dir+"/io")
			if errors.Is(err, fs.ErrPermission) {
				refused = err
			}
			u.ReadBytes += after(data, "\nread_bytes:")
			u.WriteBytes += after(data, "\nwrite_bytes:")
		}
	}
	return refused
}

// used is the time of the process itself, by its clock where there is one: the status line counts in hundredths of a second.
func (p Counted) used() time.Duration {
	const sched = 2 // CPUCLOCK_SCHED of a whole process, which clock_getcpuclockid(3) makes of a number
	var t unix.Timespec
	if unix.ClockGettime(^int32(p.pid)<<3|sched, &t) != nil {
		return p.own
	}
	return time.Duration(t.Nano())
}

// addNetwork adds what came and went by the interfaces of the process's own network.
func (u *Usage) addNetwork(pid int, ours string) {
	dir := "/proc/" + strconv.Itoa(pid)
	theirs, err := os.Readlink(dir + "/ns/net")
	if err != nil || theirs == ours {
		return // with the machine's own network it counts nothing, as in docker
	}
	data, err := os.ReadFile(dir + "/net/dev")
	if err != nil {
		return
	}
	u.ReceivedBytes, u.SentBytes = sumInterfaces(string(data))
}

// sumInterfaces adds up /proc/net/dev, without the loopback interface.
func sumInterfaces(text string) (received, sent int64) {
	for line := range strings.Lines(text) {
		name, numbers, ok := strings.Cut(line, ":")
		f := strings.Fields(numbers)
		if !ok || strings.TrimSpace(name) == "lo" || len(f) < 9 {
			continue
		}
		in, _ := strconv.ParseInt(f[0], 10, 64)
		out, _ := strconv.ParseInt(f[8], 10, 64)
		received, sent = received+in, sent+out
	}
	return received, sent
}

// after reads the number that follows key; 0 if there is none.
func after(data []byte, key string) int64 {
	i := bytes.Index(data, []byte(key))
	if i < 0 {
		return 0
	}
	rest := bytes.TrimLeft(data[i+len(key):], " \t")
	n := int64(0)
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// readInto reads the beginning of a file with as few calls as can be.
func readInto(buf []byte, file string) ([]byte, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	n, err := unix.Read(fd, buf)
	unix.Close(fd)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	return buf[:n], nil
}

// MachineCPU is the time that all CPUs of the machine have had, idling or not, and how many of them run now.
func MachineCPU() (total time.Duration, cpus int) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		switch {
		case len(f) > 7 && f[0] == "cpu":
			for _, word := range f[1:8] { // user nice system idle iowait irq softirq, as docker adds them up
				n, _ := strconv.ParseUint(word, 10, 64)
				total += ticks(n)
			}
		case len(f) > 0 && strings.HasPrefix(f[0], "cpu"):
			cpus++
		default:
			return total, cpus
		}
	}
	return total, cpus
}

// MachineMemory is all memory of the machine, in bytes.
func MachineMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return after(data, "MemTotal:") << 10
}

// usage answers for a client that may not look by itself.
func (s *shim) usage() (Usage, error) {
	census, err := TakeCensus()
	if err != nil {
		return Usage{}, err
	}
	s.mu.Lock()
	rec := s.record
	s.mu.Unlock()
	return census.Usage(rec)
}
