package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// scanner reads the JSON of one event, in order. It is here, and not encoding/json, because that one forgets the
// order of keys and takes ten times as long, and a trace has a hundred thousand lines.
type scanner struct {
	in []byte
	at int
}

var errCut = errors.New("the text ends too early")

// maxDepth is how deep lists and objects may lie in a value that is passed over.
const maxDepth = 32

// peek returns the next byte that is no white space, or 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.in); s.at++ {
		switch s.in[s.at] {
		case ' ', '\t', '\r', '\n':
		default:
			return s.in[s.at]
		}
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if got := s.peek(); got != c {
		return s.unexpected(fmt.Sprintf("%q", c))
	}
	s.at++
	return nil
}

func (s *scanner) unexpected(want string) error {
	if s.at >= len(s.in) {
		return fmt.Errorf("%w: want %s", errCut, want)
	}
	return fmt.Errorf("column %d: want %s, not %q", s.at+1, want, s.in[s.at])
}

func (s *scanner) atEnd() error {
	if s.peek(); s.at < len(s.in) {
		return s.unexpected("nothing more")
	}
	return nil
}

// object reads an object and calls member after each key; member reads the value.
func (s *scanner) object(member func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	return s.members('}', func() error {
		key, err := s.string()
		if err == nil {
			err = s.expect(':')
		}
		if err != nil {
			return err
		}
		return member(key)
	})
}

// members reads what is between the opening, which is read already, and the end.
func (s *scanner) members(end byte, member func() error) error {
	if s.peek() == end {
		s.at++
		return nil
	}
	for {
		if err := member(); err != nil {
			return err
		}
		if s.peek() == end {
			s.at++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// string reads a string. One without escapes, and almost all are, is copied as it is.
func (s *scanner) string() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	start, plain := s.at, true
	for ; s.at < len(s.in); s.at++ {
		switch c := s.in[s.at]; {
		case c == '"':
			text := s.in[start:s.at]
			s.at++
			if plain && utf8.Valid(text) {
				return string(text), nil
			}
			return unquote(s.in[start-1 : s.at])
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			return "", s.unexpected("no control character in a string")
		}
	}
	return "", fmt.Errorf("%w: want the end of a string", errCut)
}

func unquote(quoted []byte) (string, error) {
	var text string
	err := json.Unmarshal(quoted, &text)
	return text, err
}

// number reads the text of a whole number.
func (s *scanner) number() (string, error) {
	s.peek()
	start := s.at
	if s.at < len(s.in) && s.in[s.at] == '-' {
		s.at++
	}
	digits := s.at
	for s.at < len(s.in) && s.in[s.at] >= '0' && s.in[s.at] <= '9' {
		s.at++
	}
	if s.at == digits || s.in[digits] == '0' && s.at > digits+1 {
		return "", s.unexpected("a whole number")
	}
	if s.at < len(s.in) && (s.in[s.at] == '.' || s.in[s.at]|0x20 == 'e') {
		return "", s.unexpected("a whole number")
	}
	return string(s.in[start:s.at]), nil
}

func (s *scanner) uint() (uint64, error) {
	text, err := s.number()
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

func (s *scanner) int() (int64, error) {
	text, err := s.number()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// word reads one of the words true, false and null.
func (s *scanner) word(w string) error {
	if s.peek(); len(s.in)-s.at < len(w) || string(s.in[s.at:s.at+len(w)]) != w {
		return s.unexpected("a value")
	}
	s.at += len(w)
	return nil
}

// value reads the value of an attribute.
func (s *scanner) value() (Value, error) {
	switch s.peek() {
	case '"':
		str, err := s.string()
		return Value{kind: kindString, str: str}, err
	case '[':
		s.at++
		v := Value{kind: kindList}
		err := s.members(']', func() error {
			str, err := s.string()
			v.list = append(v.list, str)
			return err
		})
		return v, err
	case 't':
		return Bool("", true).Value, s.word("true")
	case 'f':
		return Bool("", false).Value, s.word("false")
	case 'n':
		return Value{}, s.word("null")
	}
	n, err := s.int()
	return Value{kind: kindInt, num: n}, err
}

// skip passes over any value.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("more than %d levels deep", maxDepth)
	}
	switch c := s.peek(); c {
	case '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case '[':
		s.at++
		return s.members(']', func() error { return s.skip(depth + 1) })
	case '"':
		_, err := s.string()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.skipNumber()
}

// skipNumber passes over any number, whole or not.
func (s *scanner) skipNumber() error {
	start := s.at
	for s.at < len(s.in) && (s.in[s.at] >= '0' && s.in[s.at] <= '9' || s.in[s.at] == '-' || s.in[s.at] == '+' ||
		s.in[s.at] == '.' || s.in[s.at]|0x20 == 'e') {
		s.at++
	}
	if !json.Valid(s.in[start:s.at]) {
		s.at = start
		return s.unexpected("a value")
	}
	return nil
}
