package trace

import (
	"fmt"
	"time"
)

// ParseJSON reads what AppendJSON wrote. The order of attributes is kept. Keys it does not know are passed
// over, so that later versions may add some; a missing kind, an unknown phase, a number that is not whole, a
// key or an attribute given twice and anything after the object are errors.
func ParseJSON(line []byte) (Event, error) {
	s := scanner{in: line}
	var p eventParser
	err := s.object(func(key string) error { return p.field(&s, key) })
	if err == nil {
		err = s.atEnd()
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	return p.e, nil
}

// eventParser fills an event field by field.
type eventParser struct {
	e    Event
	seen uint16
}

func (p *eventParser) field(s *scanner, key string) (err error) {
	bit := uint16(0)
	switch key {
	case "seq":
		bit = 1 << 0
		p.e.Seq, err = s.uint()
	case "at_ns":
		bit = 1 << 1
		var at int64
		at, err = s.int()
		p.e.At = time.Duration(at)
	case "span":
		bit = 1 << 2
		p.e.Span, err = s.uint()
	case "parent":
		bit = 1 << 3
		p.e.Parent, err = s.uint()
	case "kind":
		bit = 1 << 4
		p.e.Kind, err = s.string()
	case "phase":
		bit = 1 << 5
		var phase string
		phase, err = s.string()
		p.e.Phase = Phase(phase)
	case "attrs":
		bit = 1 << 6
		err = s.object(func(key string) error { return p.attr(s, key) })
	case "err":
		bit = 1 << 7
		p.e.Err, err = s.string()
	default:
		return s.skip(0)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if p.seen&bit != 0 {
		return fmt.Errorf("%s comes twice", key)
	}
	p.seen |= bit
	return nil
}

// maxAttrs bounds the attributes of one event; a kind has fewer than ten.
const maxAttrs = 1000

func (p *eventParser) attr(s *scanner, key string) error {
	for _, a := range p.e.Attrs {
		if a.Key == key {
			return fmt.Errorf("attribute %.40q comes twice", key)
		}
	}
	if len(p.e.Attrs) == maxAttrs {
		return fmt.Errorf("more than %d attributes", maxAttrs)
	}
	v, err := s.value()
	if err != nil {
		return fmt.Errorf("attribute %.40q: want a string, a whole number, true, false or a list of strings: %w", key, err)
	}
	if p.e.Attrs == nil {
		p.e.Attrs = make([]Attr, 0, 6)
	}
	p.e.Attrs = append(p.e.Attrs, Attr{key, v})
	return nil
}

func (p *eventParser) check() error {
	if p.e.Kind == "" {
		return fmt.Errorf("it has no kind")
	}
	switch p.e.Phase {
	case Begin, End, Note:
		return nil
	}
	return fmt.Errorf("phase is %.20q, not begin, end or note", string(p.e.Phase))
}
