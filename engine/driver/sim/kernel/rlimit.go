package kernel

import (
	"math"
	"strconv"
	"syscall"

	"github.com/learn-containers/learn/engine/userland"
)

// resources are the limits of a process that setrlimit(2) sets, in the units of the flags of ulimit. That on processes is
// kept to; the others are only shown.
type resources struct {
	files, processes, core, size, stack, space, data, seconds int64
}

const unlimited = math.MaxInt64

// firstResources are those of a container's first process.
func firstResources() resources {
	const files, stack = 1 << 20, 8 << 10
	return resources{files: files, processes: unlimited, core: 0, size: unlimited, stack: stack, space: unlimited, data: unlimited, seconds: unlimited}
}

// of is the limit that a flag of ulimit means; nil if there is none.
func (r *resources) of(flag string) *int64 {
	switch flag {
	case "-n":
		return &r.files
	case "-u":
		return &r.processes
	case "-c":
		return &r.core
	case "-f":
		return &r.size
	case "-s":
		return &r.stack
	case "-v":
		return &r.space
	case "-d":
		return &r.data
	case "-t":
		return &r.seconds
	}
	return nil
}

var _ userland.Rlimits = procs{}

// Limit is getrlimit(2).
func (p procs) Limit(flag string) (value string, known bool) {
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	limit := p.im.p.limits.of(flag)
	switch {
	case limit == nil:
		return "", false
	case *limit == unlimited:
		return "unlimited", true
	}
	return strconv.FormatInt(*limit, 10), true
}

// SetLimit is setrlimit(2) of the soft and the hard limit together: EPERM for more than before, except by root.
func (p procs) SetLimit(flag, value string) error {
	want := int64(unlimited)
	if value != "unlimited" {
		n, err := strconv.ParseInt(value, 10, 54)
		if err != nil || n < 0 {
			return syscall.EINVAL
		}
		want = n
	}
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	if err := p.im.gate(callCost); err != nil {
		return err
	}
	limit := p.im.p.limits.of(flag)
	if limit == nil {
		return syscall.EINVAL
	}
	if want > *limit && !(p.im.cred.UID == 0 && p.im.cred.Privileged) {
		return syscall.EPERM
	}
	*limit = want
	return nil
}

// crowded tells whether the user of p has as many processes as p may have; root may have any number.
func (p *Process) crowded() bool {
	if p.cred.UID == 0 || p.limits.processes == unlimited {
		return false
	}
	n := int64(0)
	for _, o := range p.box.procs {
		if o.cred.UID == p.cred.UID {
			n++
		}
	}
	return n >= p.limits.processes
}
