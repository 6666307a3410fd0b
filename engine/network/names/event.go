package names

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Event tells what came of one question. Its words come from outside: they have no characters that a terminal acts on.
type Event struct {
	Client netip.AddrPort
	Name   string         // asked for, in lower case, without the dot at its end
	Type   string         // A, AAAA, PTR, MX
	Code   string         // NOERROR, NXDOMAIN, SERVFAIL, REFUSED
	Answer []string       // addresses and names; other records only by their type
	Server netip.AddrPort // that gave the answer; not valid: it was given here
}

const maxAnswers = 64 // of a reply that an event tells

// tell reports the reply to q.
func (s *server) tell(q *query, client, from netip.AddrPort, reply []byte) {
	if s.Observe == nil || reply == nil {
		return
	}
	e := Event{Client: client, Name: printable(q.name()), Type: typeName(q.question.Type), Server: from}
	var p dnsmessage.Parser
	h, err := p.Start(reply)
	if err != nil || p.SkipAllQuestions() != nil {
		return
	}
	e.Code = codeName(h.RCode)
	for len(e.Answer) < maxAnswers {
		r, err := p.Answer()
		if err != nil {
			break
		}
		e.Answer = append(e.Answer, resource(r))
	}
	s.Observe(e)
}

func resource(r dnsmessage.Resource) string {
	switch b := r.Body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(b.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(b.AAAA).String()
	case *dnsmessage.PTRResource:
		return hostName(b.PTR)
	case *dnsmessage.CNAMEResource:
		return hostName(b.CNAME)
	}
	return typeName(r.Header.Type)
}

func hostName(n dnsmessage.Name) string { return printable(strings.TrimSuffix(n.String(), ".")) }

// printable writes bytes outside of ASCII's printable ones as zone files do (RFC 1035, 5.1).
func printable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '\\' {
			b.WriteString("\\" + strconv.Itoa(1000 + int(c))[1:])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func typeName(t dnsmessage.Type) string {
	if name, ok := strings.CutPrefix(t.String(), "Type"); ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(t)) // RFC 3597, 5
}

func codeName(c dnsmessage.RCode) string {
	switch c {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return "RCODE" + strconv.Itoa(int(c))
}
