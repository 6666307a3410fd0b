package view

import (
	"strings"

	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/world"
)

// networks draws the networks that containers run in, and who is plugged into which.
func (f *frame) networks() {
	for _, n := range f.w.Networks {
		if len(n.Members) == 0 && n.Bridge == "" {
			continue
		}
		f.line("Network %s%s", narrate.Clean(n.Name), networkDetail(n))
		for _, m := range n.Members {
			f.line("  %s", f.member(m))
		}
	}
}

func networkDetail(n world.Network) string {
	s := ""
	if len(n.Subnets) > 0 {
		s += ", " + narrate.Clean(strings.Join(n.Subnets, " "))
	}
	if n.Bridge != "" {
		s += ", bridge " + narrate.Clean(n.Bridge)
	}
	if n.Internal {
		s += ", internal"
	}
	return s
}

func (f *frame) member(m world.Endpoint) string {
	s := narrate.ShortID(m.Container)
	if c := f.w.Container(m.Container); c.Name != "" {
		s = narrate.Clean(c.Name)
	}
	s += ", " + narrate.Clean(strings.Join(m.Addresses, " "))
	if m.Interface != "" {
		s += ", " + narrate.Clean(m.Interface) + " by cable " + narrate.Clean(m.HostEnd)
	}
	return s
}

// ports draws what of the machine leads to a container.
func (f *frame) ports(c world.Container) {
	for _, p := range c.Ports {
		f.line("    published: %s/%s leads to %s", narrate.Clean(p.Host), narrate.Clean(p.Protocol), narrate.Clean(p.To))
	}
	if n := len(c.Refused); n > 0 {
		f.line("    refused: %s; last: %s, %s", narrate.Count(int64(n), "connection"), narrate.Clean(c.Refused[n-1].To), narrate.Clean(c.Refused[n-1].Error))
	}
}
