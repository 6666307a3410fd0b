package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// listens is the last link: a program that takes what comes for port at one of the addresses; nil for any address that is not loopback.
func (f *Facts) listens(port Port, at []netip.Addr) Step {
	if !f.To.Looked {
		return Step{State: Unknown, Says: "whether a program listens on port " + port.String() + " can't be seen here"}
	}
	var others, here []Socket
	for _, s := range f.To.Sockets {
		switch {
		case s.Address == resolver:
		case s.Port != port:
			others = append(others, s)
		case reached(s, at):
			return Step{State: OK, Says: "a program listens on " + s.String() + verbInside(f.To.Mode), Evidence: f.socketFile(s)}
		default:
			here = append(here, s)
		}
	}
	if len(here) > 0 {
		return f.listensElsewhere(port, here, at)
	}
	return f.nothingListens(port, others, at)
}

func verbInside(mode string) string {
	if mode == "host" {
		return " of this machine"
	}
	return " in the container"
}

func reached(s Socket, at []netip.Addr) bool {
	if at == nil {
		return !s.Address.IsLoopback()
	}
	return slices.ContainsFunc(at, s.takes)
}

func (f *Facts) socketFile(s Socket) string {
	name := "net/" + s.Protocol
	if s.Address.Is6() {
		name += "6"
	}
	return f.To.Proc + "/" + name
}

// listensElsewhere: on the right port, at an address that the way does not lead to.
func (f *Facts) listensElsewhere(port Port, here []Socket, at []netip.Addr) Step {
	s := Step{State: Missing, Says: "the program listens on port " + port.String() + ", but at " + here[0].Address.String() + " only", Expected: "a socket at " + wanted(port, at),
		Found: socketWords(here), Evidence: f.socketFile(here[0]),
		Mend: []string{"have the program listen at " + addressesWord(at) + " or at every address, 0.0.0.0"}}
	if here[0].Address.IsLoopback() {
		s.Says += ", its own loopback, where only what runs in the container reaches it"
		s.Mend = []string{"have the program listen at every address, 0.0.0.0, instead of " + here[0].Address.String() + " or localhost: programs call that host, bind or listen address"}
	}
	return s
}

// nothingListens: on no address of that port.
func (f *Facts) nothingListens(port Port, others []Socket, at []netip.Addr) Step {
	s := Step{State: Missing, Says: "nothing listens on port " + port.String() + " in the container: who connects is refused", Expected: "a socket at " + wanted(port, at),
		Found: socketWords(others), Evidence: f.socketFile(Socket{Port: port, Address: netip.IPv4Unspecified()}),
		Mend: []string{"if the program is still starting, wait; if it should listen by now, see what it says: docker logs " + f.To.Name}}
	if same := slices.IndexFunc(others, func(o Socket) bool { return o.Number == port.Number }); same >= 0 {
		s.Mend = []string{fmt.Sprintf("the program uses %s: publish that one, -p %d:%s", others[same].Port, hostPortFor(port), others[same].Port)}
	} else if i := slices.IndexFunc(others, func(o Socket) bool { return o.Protocol == port.Protocol }); i >= 0 {
		s.Mend = []string{fmt.Sprintf("use the port that it listens on, %s, or have the program listen on %d", others[i].Port, port.Number)}
	}
	return s
}

func wanted(port Port, at []netip.Addr) string {
	words := []string{"0.0.0.0:" + fmt.Sprint(port.Number)}
	for _, a := range at {
		if w := (Socket{port, a}).String(); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, " or ")
}

func addressesWord(at []netip.Addr) string {
	if len(at) == 0 {
		return "an address that others reach"
	}
	return at[0].String()
}

func socketWords(list []Socket) string {
	if len(list) == 0 {
		return "no socket that listens"
	}
	const most = 6
	var words []string
	for _, s := range list[:min(len(list), most)] {
		words = append(words, s.String()+"/"+s.Protocol)
	}
	if len(list) > most {
		words = append(words, fmt.Sprintf("%d more", len(list)-most))
	}
	return strings.Join(words, ", ")
}
