//go:build linux

package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names of a task's files in the container's folder.
const (
	TaskFile     = "task.json"
	ExitFile     = "exit.json"
	EventsFile   = "events"
	StderrFile   = "shim.err"
	ReportedFile = "events.reported" // stays when the task is deleted, for the next start
	socketName   = "shim.sock"
)

// Record is task.json: the processes of a running task, so named that a recycled process id is not mistaken for them.
type Record struct {
	Pid           int       `json:"pid"`
	StartTime     uint64    `json:"start_time"` // clock ticks since boot, proc_pid_stat(5) field 22
	ShimPid       int       `json:"shim_pid"`
	ShimStartTime uint64    `json:"shim_start_time"`
	BootID        string    `json:"boot_id"`
	StartedAt     time.Time `json:"started_at"`
	Paused        bool      `json:"paused,omitempty"`
	Ephemeral     bool      `json:"ephemeral,omitempty"`
	Rests         bool      `json:"rests,omitempty"` // the shim stays after the end until it has run a command
	Cgroups       []string  `json:"cgroups,omitempty"`
	Mounts        uint64    `json:"mounts,omitempty"`    // number of its mount namespace, where its processes are told apart by that
	Uncharged     bool      `json:"uncharged,omitempty"` // the memory group does not count what the container had before it came
	Foreign       bool      `json:"foreign,omitempty"`   // another runtime made it
}

// ReadRecord reads task.json in dir. A broken or empty file counts as absent.
func ReadRecord(dir string) (Record, bool) {
	var r Record
	data, err := os.ReadFile(filepath.Join(dir, TaskFile))
	if err != nil || json.Unmarshal(data, &r) != nil || r.Pid <= 0 || r.ShimPid <= 0 {
		return Record{}, false
	}
	return r, true
}

// ReadExit reads exit.json in dir.
func ReadExit(dir string) (Exit, bool) {
	var e Exit
	data, err := os.ReadFile(filepath.Join(dir, ExitFile))
	if err != nil || len(data) == 0 || json.Unmarshal(data, &e) != nil {
		return Exit{}, false
	}
	return e, true
}

// Running reports whether the first process is the one recorded; Supervised the same of the shim.
func (r Record) Running(bootID string) bool {
	return r.BootID == bootID && sameProcess(r.Pid, r.StartTime)
}

// Supervised reports whether the shim is the one recorded and alive.
func (r Record) Supervised(bootID string) bool {
	return r.BootID == bootID && sameProcess(r.ShimPid, r.ShimStartTime)
}

func sameProcess(pid int, start uint64) bool {
	st, err := readStat(pid)
	return err == nil && st.start == start && st.state != 'Z' && st.state != 'X'
}

// BootID names this run of the machine.
func BootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// StartTime is when a process began, in clock ticks since boot.
func StartTime(pid int) (uint64, error) {
	st, err := readStat(pid)
	return st.start, err
}

type stat struct {
	comm         string
	flags        uint64 // the kernel's own, PF_*
	state        byte
	ppid, tty    int
	pgrp         int
	session      int
	foreground   int // group in the foreground of the terminal
	priority     int
	nice         int
	vsize        int64 // bytes
	rss          int64 // pages
	utime, stime uint64
	waited       uint64 // utime and stime of the children that have been waited for
	threads      int64
	start        uint64
}

// pfExiting is the kernel's PF_EXITING: the process is on its way out.
const pfExiting = 0x4

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(data))
}

// parseStat reads a line of proc_pid_stat(5). The second field, the name, may hold anything, even parentheses.
func parseStat(line string) (stat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return stat{}, errors.New("read process status: no name in parentheses")
	}
	f := strings.Fields(line[end+1:])
	if len(f) < 22 || len(f[0]) == 0 {
		return stat{}, fmt.Errorf("read process status: %d fields", len(f))
	}
	s := stat{comm: line[open+1 : end], state: f[0][0]}
	var err error
	num := func(i int) uint64 {
		n, e := strconv.ParseUint(strings.TrimPrefix(f[i], "-"), 10, 64)
		err = errors.Join(err, e)
		return n
	}
	signed := func(i int) int {
		n, e := strconv.Atoi(f[i])
		err = errors.Join(err, e)
		return n
	}
	s.ppid, s.tty = int(num(1)), int(num(4))
	s.flags = num(6)
	s.utime, s.stime, s.start = num(11), num(12), num(19)
	s.pgrp, s.session, s.foreground, s.priority, s.nice = signed(2), signed(3), signed(5), signed(15), signed(16)
	s.vsize, s.rss = int64(num(20)), int64(signed(21))
	s.waited, s.threads = num(13)+num(14), int64(num(17))
	return s, err
}

// writeFile replaces a file of dir atomically, and durably if asked.
func writeFile(dir, name string, v any, durable bool) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	path := filepath.Join(dir, name)
	tmp := path + "." + strconv.Itoa(os.Getpid()) + ".tmp"
	if err := writeTemp(tmp, append(data, '\n'), durable); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if !durable {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func writeTemp(path string, data []byte, durable bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && durable {
		err = unix.Fdatasync(int(f.Fd()))
	}
	return errors.Join(err, f.Close())
}
