package kernel

import (
	"maps"
	"strconv"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// resources are the limits of a process that setrlimit(2) sets, by docker's names (driver.Rlimit), in the kernel's units. That on processes
// is kept to; the others are only shown.
type resources map[string]driver.Rlimit

const unlimited = -1

// firstResources are those of a container's first process, with what the container's owner set.
func firstResources(set []driver.Rlimit) resources {
	r := resources{}
	begin := func(name string, soft, hard int64) { r[name] = driver.Rlimit{Name: name, Soft: soft, Hard: hard} }
	for _, name := range []string{"nproc", "fsize", "as", "data", "cpu", "rss", "locks", "rttime"} {
		begin(name, unlimited, unlimited)
	}
	begin("nofile", 1<<20, 1<<20)
	begin("core", 0, unlimited)
	begin("stack", 8<<20, unlimited)
	begin("memlock", 8<<20, 8<<20)
	begin("sigpending", 96343, 96343)
	begin("msgqueue", 819200, 819200)
	begin("nice", 0, 0)
	begin("rtprio", 0, 0)
	for _, l := range set {
		r[l.Name] = l
	}
	return r
}

// Limitable reports whether setrlimit(2) has a limit of that name.
func Limitable(name string) bool {
	_, ok := firstResources(nil)[name]
	return ok
}

// flags are the options of ulimit: the limit that each means, and the units in which the shell has it.
var flags = map[string]struct {
	name string
	unit int64
}{"-n": {"nofile", 1}, "-u": {"nproc", 1}, "-c": {"core", 512}, "-f": {"fsize", 512}, "-s": {"stack", 1 << 10}, "-v": {"as", 1 << 10},
	"-d": {"data", 1 << 10}, "-t": {"cpu", 1}}

var _ userland.Rlimits = procs{}

// Limit is getrlimit(2).
func (p procs) Limit(flag string) (value string, known bool) {
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	f, known := flags[flag]
	limit := p.im.p.limits[f.name]
	switch {
	case !known:
		return "", false
	case limit.Soft == unlimited:
		return "unlimited", true
	}
	return strconv.FormatInt(limit.Soft/f.unit, 10), true
}

// SetLimit is setrlimit(2) of the soft and the hard limit together: EPERM for more than before, except by root.
func (p procs) SetLimit(flag, value string) error {
	f, known := flags[flag]
	want := int64(unlimited)
	if value != "unlimited" {
		n, err := strconv.ParseInt(value, 10, 54)
		if err != nil || n < 0 {
			return syscall.EINVAL
		}
		want = n * f.unit
	}
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	if err := p.im.gate(callCost); err != nil {
		return err
	}
	if !known {
		return syscall.EINVAL
	}
	if more(want, p.im.p.limits[f.name].Hard) && !p.im.cred.Can(vfs.CapSysResource) {
		return syscall.EPERM
	}
	p.im.p.limits = maps.Clone(p.im.p.limits) // it may be a parent's, too
	p.im.p.limits[f.name] = driver.Rlimit{Name: f.name, Soft: want, Hard: want}
	return nil
}

// more compares limits, of which no limit is the largest.
func more(a, b int64) bool { return b != unlimited && (a == unlimited || a > b) }

// crowded tells whether the user of p has as many processes as p may have; root may have any number.
func (p *Process) crowded() bool {
	most := p.limits["nproc"].Soft
	if p.cred.UID == 0 || most == unlimited {
		return false
	}
	n := int64(0)
	for _, o := range p.box.procs {
		if o.cred.UID == p.cred.UID {
			n++
		}
	}
	return n >= most
}
