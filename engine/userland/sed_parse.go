package userland

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// sedCmd is one command of a sed script. Blocks are flattened: '{' jumps to its end when not selected.
type sedCmd struct {
	from, to *sedAddr
	negate   bool
	verb     byte
	text     string // a i c y w r b t T and labels
	match    *regexp.Regexp
	replace  []sedPart
	global   bool
	print    bool
	nth      int
	jump     int // '{': the command after the matching '}'; b t T: the target
	active   bool
	until    int
}

// sedAddr is one address; step is for first~step, plus for addr,+N.
type sedAddr struct {
	line  int
	last  bool
	match *regexp.Regexp
	empty bool // "//": the last pattern used
	step  int
	plus  bool
}

// sedPart is a piece of a replacement: literal text, a group (or -1), or a change of case.
type sedPart struct {
	text  string
	group int
	fold  byte // U L u l E
}

// sedParser reads a script.
type sedParser struct {
	src      string
	pos      int
	extended bool
	cmds     []sedCmd
	open     []int
	labels   map[string]int
}

func parseSed(src string, extended bool) ([]sedCmd, error) {
	p := &sedParser{src: src, extended: extended, labels: map[string]int{}}
	for {
		p.skip(" \t\n;")
		if p.pos == len(p.src) {
			break
		}
		if p.peek() == '#' {
			p.until('\n')
			continue
		}
		if err := p.command(); err != nil {
			return nil, fmt.Errorf("-e expression #1, char %d: %s", p.pos, err)
		}
	}
	if len(p.open) > 0 {
		return nil, fmt.Errorf("-e expression #1, char 0: unmatched `{'")
	}
	return p.cmds, p.link()
}

// link resolves the labels of jumps.
func (p *sedParser) link() error {
	for i := range p.cmds {
		c := &p.cmds[i]
		if c.verb != 'b' && c.verb != 't' && c.verb != 'T' {
			continue
		}
		c.jump = len(p.cmds)
		if c.text != "" {
			at, ok := p.labels[c.text]
			if !ok {
				return fmt.Errorf("-e expression #1, char %d: can't find label for jump to `%s'", len(p.src), c.text)
			}
			c.jump = at
		}
	}
	return nil
}

func (p *sedParser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *sedParser) skip(set string) {
	for p.pos < len(p.src) && strings.IndexByte(set, p.src[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *sedParser) until(end byte) string {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] != end {
		p.pos++
	}
	return p.src[start:p.pos]
}

func (p *sedParser) command() error {
	var c sedCmd
	var err error
	if c.from, err = p.address(); err != nil {
		return err
	}
	p.skip(" \t")
	if c.from != nil && p.peek() == ',' {
		p.pos++
		p.skip(" \t")
		if c.to, err = p.address(); err != nil {
			return err
		}
		if c.to == nil {
			return fmt.Errorf("unexpected `,'")
		}
	}
	p.skip(" \t")
	for p.peek() == '!' {
		c.negate = true
		p.pos++
		p.skip(" \t")
	}
	if p.pos == len(p.src) {
		return fmt.Errorf("missing command")
	}
	c.verb = p.peek()
	p.pos++
	return p.body(c)
}

func (p *sedParser) address() (*sedAddr, error) {
	switch c := p.peek(); {
	case c == '$':
		p.pos++
		return &sedAddr{last: true}, nil
	case c == '+' || c >= '0' && c <= '9':
		plus := c == '+'
		if plus {
			p.pos++
		}
		n, err := p.number()
		a := &sedAddr{line: n, plus: plus}
		if p.peek() == '~' {
			p.pos++
			a.step, _ = p.number()
		}
		return a, err
	case c == '/' || c == '\\':
		p.pos++
		if c == '\\' {
			c = p.peek()
			p.pos++
		}
		text, err := p.delimited(c, true)
		if err != nil {
			return nil, fmt.Errorf("unterminated address regex")
		}
		fold := p.peek() == 'I'
		if fold {
			p.pos++
		}
		if text == "" {
			return &sedAddr{empty: true}, nil
		}
		re, err := translate(text, p.extended, fold)
		return &sedAddr{match: re}, err
	}
	return nil, nil
}

func (p *sedParser) number() (int, error) {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.src[start:p.pos])
	if err != nil {
		return 0, fmt.Errorf("invalid number")
	}
	return n, nil
}

// delimited reads to the delimiter; a backslash before it takes it as itself.
func (p *sedParser) delimited(end byte, pattern bool) (string, error) {
	var b strings.Builder
	inBracket := false
	for ; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		switch {
		case c == '\\' && p.pos+1 < len(p.src) && !inBracket:
			p.pos++
			if next := p.src[p.pos]; next == end && end != '\\' {
				b.WriteByte(end)
			} else {
				b.WriteByte('\\')
				b.WriteByte(next)
			}
		case pattern && c == '[' && !inBracket:
			inBracket = true
			b.WriteByte(c)
			for p.pos+1 < len(p.src) && (p.src[p.pos+1] == '^' && p.src[p.pos] == '[' || p.src[p.pos+1] == ']') {
				p.pos++
				b.WriteByte(p.src[p.pos])
				if p.src[p.pos] == ']' {
					break
				}
			}
		case c == ']' && inBracket:
			inBracket = false
			b.WriteByte(c)
		case c == end && !inBracket:
			p.pos++
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("unterminated")
}
