//go:build linux

package shim

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// specProcess is a process in the form of the runtime specification (config.md), as far as this package has anything to say of one.
type specProcess struct {
	Terminal     bool      `json:"terminal,omitempty"`
	ConsoleSize  *specSize `json:"consoleSize,omitempty"`
	User         specUser  `json:"user"`
	Args         []string  `json:"args"`
	Env          []string  `json:"env,omitempty"`
	Cwd          string    `json:"cwd"`
	Capabilities struct {
		Bounding    []string `json:"bounding,omitempty"`
		Effective   []string `json:"effective,omitempty"`
		Permitted   []string `json:"permitted,omitempty"`
		Inheritable []string `json:"inheritable,omitempty"`
		Ambient     []string `json:"ambient,omitempty"`
	} `json:"capabilities"`
	Rlimits     []specLimit `json:"rlimits,omitempty"`
	NoNewPrivs  bool        `json:"noNewPrivileges,omitempty"`
	AppArmor    string      `json:"apparmorProfile,omitempty"`
	OOMScoreAdj *int        `json:"oomScoreAdj,omitempty"`
}

type specSize struct {
	Height uint16 `json:"height"`
	Width  uint16 `json:"width"`
}

type specUser struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"additionalGids,omitempty"`
}

type specLimit struct {
	Type string `json:"type"`
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// SpecProcess gives what encodes as the specification's form of a process. Its filter is not there: it belongs to the container.
func SpecProcess(p *Process) any {
	out := &specProcess{Terminal: p.Terminal, User: specUser{p.UID, p.GID, p.Groups}, Args: p.Args, Env: p.Env, Cwd: p.Cwd, NoNewPrivs: p.NoNewPrivs, AppArmor: p.AppArmor}
	if out.Cwd == "" {
		out.Cwd = "/"
	}
	if p.Cols > 0 && p.Rows > 0 {
		out.ConsoleSize = &specSize{p.Rows, p.Cols}
	}
	if p.OOMScoreAdj != 0 {
		out.OOMScoreAdj = &p.OOMScoreAdj
	}
	for _, l := range p.Rlimits {
		out.Rlimits = append(out.Rlimits, specLimit{"RLIMIT_" + strings.ToUpper(l.Name), l.Soft, l.Hard})
	}
	powers := p.Powers
	if powers == nil {
		all := ownBounding()
		powers = &Powers{Bounding: all, Effective: all, Permitted: all}
	}
	c := &out.Capabilities
	for _, set := range []struct {
		names *[]string
		mask  uint64
	}{{&c.Bounding, powers.Bounding}, {&c.Effective, powers.Effective}, {&c.Permitted, powers.Permitted}, {&c.Inheritable, powers.Inheritable}, {&c.Ambient, powers.Ambient}} {
		*set.names = standard.NamesOf(set.mask)
	}
	return out
}

// ownBounding is what this process can hand on.
func ownBounding() uint64 {
	var mask uint64
	for bit := range lastCapability() + 1 {
		if in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(bit), 0, 0, 0); err == nil && in == 1 {
			mask |= 1 << bit
		}
	}
	return mask
}
