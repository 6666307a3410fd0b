package kernelview

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// Status is what /proc/PID/status says, decoded (proc_pid_status(5)).
type Status struct {
	Name       string
	State      string
	UID, GID   []string // real, effective, saved, file system
	Groups     []string
	NSPid      []string // the process's number in each process namespace, from the machine's to its own
	NoNewPrivs bool
	Seccomp    string // disabled, strict or filter
	Filters    int    // how many filters
	Effective  PowerSet
	Permitted  PowerSet
	Inherited  PowerSet // inheritable
	Bounding   PowerSet
	Ambient    PowerSet
	Blocked    SignalSet
	Ignored    SignalSet
	Caught     SignalSet
}

// PowerSet is a set of capabilities(7).
type PowerSet struct {
	Mask  string // as the file has it
	All   bool   // every one that there is
	Names []string
}

// SignalSet is a set of signal(7)s.
type SignalSet struct {
	Mask  string
	Names []string
}

func readStatus(s string) Status {
	row := map[string]string{}
	for l := range strings.Lines(s) {
		key, value, ok := strings.Cut(l, ":")
		if ok {
			row[key] = strings.TrimSpace(value)
		}
	}
	st := Status{Name: row["Name"], State: row["State"], UID: strings.Fields(row["Uid"]), GID: strings.Fields(row["Gid"]), Groups: strings.Fields(row["Groups"]),
		NSPid: strings.Fields(row["NSpid"]), NoNewPrivs: row["NoNewPrivs"] == "1", Seccomp: seccompMode(row["Seccomp"])}
	st.Filters, _ = strconv.Atoi(row["Seccomp_filters"])
	st.Effective, st.Permitted, st.Inherited = powers(row["CapEff"]), powers(row["CapPrm"]), powers(row["CapInh"])
	st.Bounding, st.Ambient = powers(row["CapBnd"]), powers(row["CapAmb"])
	st.Blocked, st.Ignored, st.Caught = signals(row["SigBlk"]), signals(row["SigIgn"]), signals(row["SigCgt"])
	return st
}

func seccompMode(s string) string {
	switch s {
	case "0":
		return "disabled"
	case "1":
		return "strict"
	case "2":
		return "filter"
	}
	return s
}

func powers(hex string) PowerSet {
	p := PowerSet{Mask: hex, Names: []string{}}
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return p
	}
	all := standard.AllCapabilities()
	for _, c := range all {
		if mask&(1<<c.Bit) != 0 {
			p.Names = append(p.Names, c.Name)
		}
	}
	p.All = len(p.Names) == len(all)
	for bit := len(all); bit < 64; bit++ {
		if mask&(1<<bit) != 0 {
			p.Names = append(p.Names, fmt.Sprintf("CAP_%d", bit))
		}
	}
	return p
}

func signals(hex string) SignalSet {
	s := SignalSet{Mask: hex, Names: []string{}}
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return s
	}
	for n := 1; n <= 64; n++ {
		if mask&(1<<(n-1)) != 0 {
			s.Names = append(s.Names, SignalName(n))
		}
	}
	return s
}

const signalWords = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"

// SignalName names a signal of Linux (x86 and ARM).
func SignalName(n int) string {
	names := strings.Fields(signalWords)
	switch {
	case n >= 1 && n <= len(names):
		return "SIG" + names[n-1]
	case n >= 34 && n <= 64:
		return "SIGRTMIN+" + strconv.Itoa(n-34)
	}
	return "signal " + strconv.Itoa(n)
}
