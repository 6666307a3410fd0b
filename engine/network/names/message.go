package names

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxQuery = 4096 // bytes of a question with its options; real ones have some hundred
	minReply = 512  // bytes that every client takes over UDP (RFC 1035, 4.2.1)
	ttl      = 600  // seconds, docker's

	maxPacket = 65507 // bytes in a datagram over IPv4
)

// typeIXFR asks for what changed in a zone (RFC 1995): as with AXFR, the reply may be many messages.
const typeIXFR = dnsmessage.Type(251)

// query is a question that came in.
type query struct {
	header   dnsmessage.Header
	question dnsmessage.Question
	edns     bool // the client sent, and gets, an OPT record (RFC 6891)
	size     int  // bytes of the longest reply that the client takes
}

// name is the one asked for, in lower case and without the dot at the end.
func (q *query) name() string {
	return strings.ToLower(strings.TrimSuffix(q.question.Name.String(), "."))
}

// parse reads a question. If it can't be answered as it is, code says why; ok is false for what isn't to be answered at all, lest two
// servers answer one another for ever.
func parse(msg []byte, stream bool) (q *query, code dnsmessage.RCode, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.Response {
		return nil, 0, false
	}
	q = &query{header: h, size: minReply}
	if stream {
		q.size = math.MaxUint16
	}
	if h.OpCode != 0 {
		return q, dnsmessage.RCodeNotImplemented, true
	}
	if q.question, err = p.Question(); err != nil {
		return q, dnsmessage.RCodeFormatError, true
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil || !q.options(&p, stream) {
		return q, dnsmessage.RCodeFormatError, true
	}
	if q.question.Type == dnsmessage.TypeAXFR || q.question.Type == typeIXFR {
		return q, dnsmessage.RCodeNotImplemented, true
	}
	return q, dnsmessage.RCodeSuccess, true
}

// options reads the additional records.
func (q *query) options(p *dnsmessage.Parser, stream bool) bool {
	for {
		h, err := p.AdditionalHeader()
		if err == dnsmessage.ErrSectionDone {
			return true
		}
		if err != nil || p.SkipAdditional() != nil {
			return false
		}
		if h.Type == dnsmessage.TypeOPT {
			q.edns = true
			if !stream {
				q.size = min(max(minReply, int(h.Class)), maxPacket)
			}
		}
	}
}

// answer is what a server says by itself.
type answer struct {
	code      dnsmessage.RCode
	ours      bool // the server is the authority for the name
	truncated bool
	addresses []netip.Addr // all of the family asked for
	name      dnsmessage.Name
}

// pack makes the reply to q, with as many addresses as the client takes.
func (q *query) pack(a answer) ([]byte, error) {
	fit := min(len(a.addresses), q.room())
	b := dnsmessage.NewBuilder(make([]byte, 0, minReply), dnsmessage.Header{
		ID: q.header.ID, Response: true, OpCode: q.header.OpCode, Authoritative: a.ours, Truncated: a.truncated || fit < len(a.addresses),
		RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, CheckingDisabled: q.header.CheckingDisabled, RCode: a.code,
	})
	b.EnableCompression()
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if q.question.Name.Length > 0 {
		if err := b.Question(q.question); err != nil {
			return nil, err
		}
	}
	if err := b.StartAnswers(); err != nil {
		return nil, err
	}
	if err := q.resources(&b, a, fit); err != nil {
		return nil, err
	}
	if err := q.opt(&b); err != nil {
		return nil, err
	}
	return b.Finish()
}

// room is how many addresses a reply has room for, each with a pointer to the question's name (RFC 1035, 4.1.4).
func (q *query) room() int {
	const header, question, record, opt = 12, 1 + 4, 12, 11
	size := record + 4
	if q.question.Type == dnsmessage.TypeAAAA {
		size = record + 16
	}
	return (q.size - header - question - int(q.question.Name.Length) - opt) / size
}

func (q *query) resources(b *dnsmessage.Builder, a answer, fit int) error {
	h := dnsmessage.ResourceHeader{Name: q.question.Name, Class: dnsmessage.ClassINET, TTL: ttl}
	for _, address := range a.addresses[:fit] {
		var err error
		if address.Is4() {
			err = b.AResource(h, dnsmessage.AResource{A: address.As4()})
		} else {
			err = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: address.As16()})
		}
		if err != nil {
			return err
		}
	}
	if a.name.Length > 0 {
		return b.PTRResource(h, dnsmessage.PTRResource{PTR: a.name})
	}
	return nil
}

func (q *query) opt(b *dnsmessage.Builder) error {
	if !q.edns {
		return nil
	}
	var h dnsmessage.ResourceHeader
	if err := h.SetEDNS0(maxQuery, dnsmessage.RCodeSuccess, false); err != nil {
		return err
	}
	if err := b.StartAdditionals(); err != nil {
		return err
	}
	return b.OPTResource(h, dnsmessage.OPTResource{})
}

// reversed gives the address that a name for questions of type PTR stands for (RFC 1035, 3.5; RFC 3596, 2.5).
func reversed(name string) (netip.Addr, bool) {
	if s, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return reversed4(strings.Split(s, "."))
	}
	if s, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		return reversed6(strings.Split(s, "."))
	}
	return netip.Addr{}, false
}

func reversed4(labels []string) (netip.Addr, bool) {
	var b [4]byte
	if len(labels) != len(b) {
		return netip.Addr{}, false
	}
	for i, l := range labels {
		n, err := strconv.ParseUint(l, 10, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		b[len(b)-1-i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

func reversed6(labels []string) (netip.Addr, bool) {
	var b [16]byte
	if len(labels) != 2*len(b) {
		return netip.Addr{}, false
	}
	for i, l := range labels {
		n, err := strconv.ParseUint(l, 16, 4)
		if err != nil || len(l) != 1 {
			return netip.Addr{}, false
		}
		b[len(b)-1-i/2] |= byte(n) << (4 * (i % 2))
	}
	return netip.AddrFrom16(b), true
}
