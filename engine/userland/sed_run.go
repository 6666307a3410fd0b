package userland

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// fetch reads the line ahead.
func (s *sed) fetch() {
	line, err := s.readLine(s.in, s.separator)
	s.nextOK = len(line) > 0
	if err != nil && err != io.EOF {
		s.errorf("read error: %s", reason(err))
		s.nextOK = false
	}
	s.nextEnded = s.nextOK && line[len(line)-1] == s.separator
	if s.nextEnded {
		line = line[:len(line)-1]
	}
	s.next = append(s.next[:0], line...)
}

// advance makes the next line the pattern space.
func (s *sed) advance() bool {
	if !s.nextOK {
		return false
	}
	s.space = append(s.space[:0], s.next...)
	s.ended = s.nextEnded
	s.number++
	s.fetch()
	return true
}

func (s *sed) cycle() {
	s.replaced = false
	for again := true; again; {
		again = false
		s.deleted = false
		for pc := 0; pc < len(s.cmds) && !s.deleted; {
			c := &s.cmds[pc]
			pc++
			if s.selected(c) == c.negate {
				if c.verb == '{' {
					pc = c.jump
				}
				continue
			}
			if c.verb == 'D' {
				if i := bytes.IndexByte(s.space, '\n'); i >= 0 {
					s.space = append([]byte(nil), s.space[i+1:]...)
					again = true
				}
				s.deleted = true
				break
			}
			pc = s.execute(c, pc)
		}
		if !s.deleted && !s.quiet {
			s.emit(s.space)
		}
		for _, text := range s.appended {
			s.Stdout.Write(text)
		}
		s.appended = nil
	}
}

func (s *sed) emit(line []byte) {
	s.Stdout.Write(line)
	if s.ended || s.nextOK {
		s.Stdout.Write([]byte{s.separator})
	}
}

// selected tells whether a command's addresses choose the line.
func (s *sed) selected(c *sedCmd) bool {
	switch {
	case c.from == nil:
		return true
	case c.to == nil:
		return s.at(c.from)
	case c.active:
		switch {
		case c.until > 0:
			c.active = s.number < c.until
			return s.number <= c.until
		case s.at(c.to):
			c.active = false
		}
		return true
	case c.from.line == 0 && c.from.match == nil && !c.from.last && !c.from.empty && c.from.step == 0:
		// 0,/re/: the range is open before the first line.
		if s.number == 1 {
			c.active = !s.at(c.to)
			return true
		}
		return false
	case s.at(c.from):
		c.until = 0
		if c.to.match == nil && !c.to.last && !c.to.empty {
			if c.until = c.to.line; c.to.plus {
				c.until += s.number
			}
			c.active = c.until > s.number
		} else {
			c.active = !c.to.last || s.nextOK
		}
		return true
	}
	return false
}

func (s *sed) at(a *sedAddr) bool {
	switch {
	case a.last:
		return !s.nextOK
	case a.empty:
		return s.lastMatch != nil && s.lastMatch.Match(s.space)
	case a.match != nil:
		s.lastMatch = a.match
		return a.match.Match(s.space)
	case a.step > 0:
		return s.number >= a.line && (s.number-a.line)%a.step == 0
	}
	return s.number == a.line
}

// execute runs one command and returns the place of the next.
func (s *sed) execute(c *sedCmd, pc int) int {
	switch c.verb {
	case 's':
		s.substitute(c)
	case 'd':
		s.deleted = true
	case 'p':
		s.emit(s.space)
	case 'P':
		first, _, _ := bytes.Cut(s.space, []byte("\n"))
		s.Stdout.Write(append(append([]byte(nil), first...), '\n'))
	case 'a':
		s.appended = append(s.appended, []byte(c.text))
	case 'i':
		s.print(c.text)
	case 'c':
		if c.to == nil || !c.active || c.negate {
			s.print(c.text)
		}
		s.deleted = true
	case '=':
		fmt.Fprintln(s.Stdout, s.number)
	case 'l':
		s.print(strings.Trim(fmt.Sprintf("%q", s.space), `"`) + "$\n")
	case 'y':
		s.space = []byte(strings.NewReplacer(strings.Split(c.text, "\x00")...).Replace(string(s.space)))
	case 'b':
		return c.jump
	case 't', 'T':
		if s.replaced == (c.verb == 't') {
			s.replaced = false
			return c.jump
		}
		s.replaced = false
	default:
		s.spaces(c)
	}
	return pc
}

// spaces runs the commands that move lines and buffers.
func (s *sed) spaces(c *sedCmd) {
	switch c.verb {
	case 'n':
		if !s.quiet && s.nextOK {
			s.emit(s.space)
		}
		if !s.advance() {
			s.quit = true
		}
	case 'N':
		held := append([]byte(nil), s.space...)
		if !s.advance() {
			s.quit = true
			return
		}
		s.space = append(append(held, '\n'), s.space...)
	case 'g':
		s.space = append(s.space[:0], s.hold...)
	case 'G':
		s.space = append(append(s.space, '\n'), s.hold...)
	case 'h':
		s.hold = append(s.hold[:0], s.space...)
	case 'H':
		s.hold = append(append(s.hold, '\n'), s.space...)
	case 'x':
		s.space, s.hold = s.hold, s.space
	case 'q', 'Q':
		s.quit, s.exit = true, c.nth
		if c.verb == 'Q' {
			s.deleted = true
		} else if !s.quiet {
			s.emit(s.space)
			s.deleted = true
		} else {
			s.deleted = true
		}
	case 'r':
		if data, err := s.readFile(c.text); err == nil {
			s.appended = append(s.appended, data)
		}
	case 'w':
		s.writeTo(c.text)
	}
}

func (s *sed) writeTo(name string) {
	if name == "/dev/stdout" {
		s.emit(s.space)
		return
	}
	f, err := s.create(name, os.O_APPEND, 0o666)
	if err != nil {
		s.errorf("couldn't open file %s: %s", name, reason(err))
		return
	}
	f.Write(append(append([]byte(nil), s.space...), '\n'))
	f.Close()
}

func (s *sed) substitute(c *sedCmd) {
	re := c.match
	if re == nil {
		re = s.lastMatch
	}
	if re == nil {
		s.errorf("no previous regular expression")
		s.quit, s.exit = true, 1
		return
	}
	s.lastMatch = re
	limit := -1
	if !c.global {
		limit = max(c.nth, 1)
	}
	var out []byte
	end, hit := 0, false
	for i, m := range re.FindAllSubmatchIndex(s.space, limit) {
		if i+1 < c.nth {
			continue
		}
		out = append(out, s.space[end:m[0]]...)
		out = expandSed(out, c.replace, s.space, m)
		end, hit = m[1], true
	}
	if !hit {
		return
	}
	s.space = append(out, s.space[end:]...)
	s.replaced = true
	if c.print {
		s.emit(s.space)
	}
	if c.text != "" {
		s.writeTo(c.text)
	}
}

// expandSed appends a replacement, with its groups and changes of case.
func expandSed(out []byte, parts []sedPart, src []byte, m []int) []byte {
	var all, once byte
	for _, p := range parts {
		if p.fold != 0 {
			switch p.fold {
			case 'u', 'l':
				once = p.fold
			case 'E':
				all = 0
			default:
				all = p.fold
			}
			continue
		}
		text := []byte(p.text)
		if p.group >= 0 && 2*p.group+1 < len(m) && m[2*p.group] >= 0 {
			text = src[m[2*p.group]:m[2*p.group+1]]
		}
		switch all {
		case 'U':
			text = bytes.ToUpper(text)
		case 'L':
			text = bytes.ToLower(text)
		}
		if once != 0 && len(text) > 0 {
			head := bytes.ToUpper(text[:1])
			if once == 'l' {
				head = bytes.ToLower(text[:1])
			}
			text = append(append([]byte(nil), head...), text[1:]...)
			once = 0
		}
		out = append(out, text...)
	}
	return out
}
