package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// ParseJSON reads what AppendJSON wrote. The order of attributes is kept. Keys it does not know are passed
// over, so that later versions may add some; a missing kind, an unknown phase, a number that is not whole, an
// attribute given twice or anything after the object is an error.
func ParseJSON(line []byte) (Event, error) {
	var in struct {
		Seq    uint64   `json:"seq"`
		At     int64    `json:"at_ns"`
		Span   uint64   `json:"span"`
		Parent uint64   `json:"parent"`
		Kind   string   `json:"kind"`
		Phase  Phase    `json:"phase"`
		Attrs  attrList `json:"attrs"`
		Err    string   `json:"err"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	if in.Kind == "" {
		return Event{}, fmt.Errorf("decode event: it has no kind")
	}
	switch in.Phase {
	case Begin, End, Note:
	default:
		return Event{}, fmt.Errorf("decode event: phase is %.20q, not begin, end or note", in.Phase)
	}
	return Event{in.Seq, time.Duration(in.At), in.Span, in.Parent, in.Kind, in.Phase, in.Attrs, in.Err}, nil
}

// attrList decodes a JSON object in its own order.
type attrList []Attr

// UnmarshalJSON reads an object of attributes.
func (l *attrList) UnmarshalJSON(b []byte) error {
	*l = nil
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("attrs is not an object")
	}
	for d.More() {
		a, err := nextAttr(d)
		if err != nil {
			return err
		}
		if !(Event{Attrs: *l}).Attr(a.Key).Zero() {
			return fmt.Errorf("attribute %.40q comes twice", a.Key)
		}
		*l = append(*l, a)
	}
	if _, err := d.Token(); err != nil && err != io.EOF {
		return err
	}
	return nil
}

func nextAttr(d *json.Decoder) (Attr, error) {
	key, err := d.Token()
	if err != nil {
		return Attr{}, err
	}
	a := Attr{Key: key.(string)}
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return Attr{}, err
	}
	if err := a.Value.UnmarshalJSON(raw); err != nil {
		return Attr{}, fmt.Errorf("attribute %.40q: want a string, a whole number, true, false or a list of strings: %w", a.Key, err)
	}
	return a, nil
}
