package kernel

import (
	"slices"

	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// Source is what /proc and /sys of the box show.
func (b *Box) Source() vfs.ProcSource { return source{b} }

type source struct{ b *Box }

func (s source) Processes() []vfs.ProcInfo {
	s.b.m.clock.lock()
	defer s.b.m.clock.unlock()
	var all []vfs.ProcInfo
	for _, p := range s.b.sorted() {
		all = append(all, p.info())
	}
	return all
}

func (s source) Process(pid int) (vfs.ProcInfo, bool) {
	s.b.m.clock.lock()
	defer s.b.m.clock.unlock()
	p := s.b.procs[pid]
	if p == nil {
		return vfs.ProcInfo{}, false
	}
	return p.info(), true
}

func (p *Process) info() vfs.ProcInfo {
	i := vfs.ProcInfo{Process: p.row(), GID: p.cred.GID, Groups: slices.Clone(p.cred.Groups), Umask: p.umask, Threads: 1,
		NoNew: p.NoNewPrivs, Bound: p.cred.Bound(), Filter: p.filtered(), Rlimits: p.limits, OOMScoreAdj: p.OOMScoreAdj}
	for n := 1; n <= maxSignal; n++ {
		if p.actions[n].ignore {
			i.Ignored |= bit(n)
		}
		if p.actions[n].handler != nil {
			i.Caught |= bit(n)
		}
	}
	if p.zombie {
		return i
	}
	i.Env, i.Cwd, i.Exe, i.Files = slices.Clone(p.Env), p.Cwd, p.im.prog.exe, map[int]string{}
	for fd, f := range p.im.fds {
		if name := absoluteName(f); name != "" {
			i.Files[fd] = name
		}
	}
	return i
}

func (s source) System() vfs.SystemInfo {
	links, sockets := s.b.links(), []vfs.Socket(nil)
	if s.b.cfg.Sockets != nil {
		sockets = s.b.cfg.Sockets()
	}
	c := s.b.m.clock
	c.lock()
	defer c.unlock()
	b, m := s.b, s.b.m
	up := c.now().Sub(m.boot)
	info := vfs.SystemInfo{ID: b.cfg.ID, Uname: b.uname(), Boot: m.boot, Uptime: up, CPUs: m.cpus, Memory: m.usage(), LastPID: b.lastPID,
		Limits: b.cfg.Limits, Used: b.memory, Peak: b.peak, CPU: b.cpu, OOMKills: b.ooms}
	info.Idle = max(up-b.cpu, 0)
	info.Links, info.Sockets = links, sockets
	return info
}
