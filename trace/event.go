package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Phase tells what part of a step an event reports.
type Phase string

// The phases. A step has one begin and at most one end with the same Span; a note stands alone.
const (
	Begin Phase = "begin"
	End   Phase = "end"
	Note  Phase = "note"
)

// Event is one recorded fact about the engine, in the order it happened. It is a value: nothing
// changes it once it has a Seq.
type Event struct {
	Seq    uint64        // 1, 2, 3 ...: total order within a trace
	At     time.Duration // since the trace began; virtual where the driver's clock is
	Span   uint64        // begin and end: the step; note: the step it happened in, 0 for none
	Parent uint64        // the step around Span, 0 at the top
	Kind   string        // a name from package vocab
	Phase  Phase
	Attrs  []Attr // in vocab order; the unit is part of the key: size_bytes
	Err    string // end only: why the step failed, empty if it did not
}

// Attr returns the value of the attribute key, or the zero Value.
func (e Event) Attr(key string) Value {
	for _, a := range e.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return Value{}
}

// Attr is one named property of an event.
type Attr struct {
	Key   string
	Value Value
}

// Value is a string, an integer, a boolean or a list of strings, and nothing else, so that every
// reader of a trace can hold every value.
type Value struct {
	kind valueKind
	str  string
	num  int64
	list []string
}

type valueKind uint8

const (
	kindNone valueKind = iota
	kindString
	kindInt
	kindBool
	kindList
)

// String makes a string attribute.
func String(key, v string) Attr { return Attr{key, Value{kind: kindString, str: v}} }

// Int makes an integer attribute; the unit belongs in the key.
func Int(key string, v int64) Attr { return Attr{key, Value{kind: kindInt, num: v}} }

// Bool makes a boolean attribute.
func Bool(key string, v bool) Attr {
	val := Value{kind: kindBool}
	if v {
		val.num = 1
	}
	return Attr{key, val}
}

// Strings makes an attribute that lists strings in order. It keeps v: the caller must not change it.
func Strings(key string, v []string) Attr { return Attr{key, Value{kind: kindList, list: v}} }

// Str is the string, or empty if the value is of another kind.
func (v Value) Str() string { return v.str }

// Int is the integer, or 0 if the value is of another kind.
func (v Value) Int() int64 {
	if v.kind != kindInt {
		return 0
	}
	return v.num
}

// Bool is the boolean, or false if the value is of another kind.
func (v Value) Bool() bool { return v.kind == kindBool && v.num == 1 }

// List is the list of strings, or nil if the value is of another kind.
func (v Value) List() []string { return v.list }

// Zero reports that no value is there at all.
func (v Value) Zero() bool { return v.kind == kindNone }

// Type names the kind of value as vocab declares it: string, int, bool, list, or none.
func (v Value) Type() string {
	return [...]string{"none", "string", "int", "bool", "list"}[v.kind]
}

// String formats the value for people; a list is joined by spaces.
func (v Value) String() string {
	switch v.kind {
	case kindString:
		return v.str
	case kindInt:
		return strconv.FormatInt(v.num, 10)
	case kindBool:
		return strconv.FormatBool(v.num == 1)
	case kindList:
		var b bytes.Buffer
		for i, s := range v.list {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(s)
		}
		return b.String()
	}
	return ""
}

// MarshalJSON writes the value as the JSON type that matches it.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case kindString:
		return json.Marshal(v.str)
	case kindInt:
		return strconv.AppendInt(nil, v.num, 10), nil
	case kindBool:
		return strconv.AppendBool(nil, v.num == 1), nil
	case kindList:
		if v.list == nil {
			return []byte("[]"), nil
		}
		return json.Marshal(v.list)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return fmt.Errorf("decode value: empty")
	}
	switch b[0] {
	case '"':
		v.kind = kindString
		return json.Unmarshal(b, &v.str)
	case '[':
		v.kind = kindList
		return json.Unmarshal(b, &v.list)
	case 't', 'f':
		var t bool
		err := json.Unmarshal(b, &t)
		*v = Bool("", t).Value
		return err
	case 'n':
		*v = Value{}
		return nil
	}
	v.kind = kindInt
	return json.Unmarshal(b, &v.num)
}
