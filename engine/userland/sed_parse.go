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

// body reads what follows a command's letter.
func (p *sedParser) body(c sedCmd) error {
	switch c.verb {
	case '{':
		p.open = append(p.open, len(p.cmds))
		p.cmds = append(p.cmds, c)
		return nil
	case '}':
		if len(p.open) == 0 {
			return fmt.Errorf("unexpected `}'")
		}
		start := p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
		p.cmds[start].jump = len(p.cmds)
		return nil
	case 's':
		if err := p.substitute(&c); err != nil {
			return err
		}
	case 'y':
		if err := p.transliterate(&c); err != nil {
			return err
		}
	case 'a', 'i', 'c':
		c.text = p.textArgument()
	case ':':
		p.skip(" \t")
		p.labels[strings.TrimRight(p.word("\n;"), " \t")] = len(p.cmds)
		return nil
	case 'b', 't', 'T':
		p.skip(" \t")
		c.text = strings.TrimSpace(p.word("\n;}"))
	case 'r', 'w', 'R', 'W':
		p.skip(" \t")
		c.text = p.until('\n')
	case 'q', 'Q':
		p.skip(" \t")
		c.nth, _ = p.number()
	case 'd', 'D', 'p', 'P', 'n', 'N', 'g', 'G', 'h', 'H', 'x', '=', 'l':
	default:
		return fmt.Errorf("unknown command: `%c'", c.verb)
	}
	p.cmds = append(p.cmds, c)
	p.skip(" \t")
	if next := p.peek(); next != 0 && strings.IndexByte("\n;}#", next) < 0 {
		return fmt.Errorf("extra characters after command")
	}
	return nil
}

func (p *sedParser) word(ends string) string {
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte(ends, p.src[p.pos]) < 0 {
		p.pos++
	}
	return p.src[start:p.pos]
}

// textArgument reads the text of a, i and c: GNU's one-liner or the backslash-newline form.
func (p *sedParser) textArgument() string {
	p.skip(" \t")
	if p.peek() == '\\' {
		p.pos++
		p.skip(" \t")
		if p.peek() == '\n' {
			p.pos++
		}
	}
	var b strings.Builder
	for ; p.pos < len(p.src) && p.src[p.pos] != '\n'; p.pos++ {
		if p.src[p.pos] == '\\' && p.pos+1 < len(p.src) {
			p.pos++
		}
		b.WriteByte(p.src[p.pos])
	}
	return b.String() + "\n"
}

func (p *sedParser) substitute(c *sedCmd) error {
	end := p.peek()
	p.pos++
	if end == 0 || end == '\n' || end == '\\' {
		return fmt.Errorf("unterminated `s' command")
	}
	pattern, err := p.delimited(end, true)
	var replacement string
	if err == nil {
		replacement, err = p.delimited(end, false)
	}
	if err != nil {
		return fmt.Errorf("unterminated `s' command")
	}
	fold := false
	for done := false; !done; {
		switch f := p.peek(); {
		case f == 'g':
			c.global = true
		case f == 'p':
			c.print = true
		case f == 'i' || f == 'I':
			fold = true
		case f == 'm' || f == 'M' || f == 'e':
			return fmt.Errorf("option `%c' of `s' is not supported", f)
		case f >= '1' && f <= '9':
			c.nth, _ = p.number()
			continue
		case f == 'w':
			p.pos++
			p.skip(" \t")
			c.text = p.until('\n')
			continue
		default:
			done = true
			continue
		}
		p.pos++
	}
	if pattern != "" {
		if c.match, err = translate(pattern, p.extended, fold); err != nil {
			return err
		}
	}
	c.replace, err = sedReplacement(replacement, c.match)
	return err
}

func (p *sedParser) transliterate(c *sedCmd) error {
	end := p.peek()
	p.pos++
	from, err := p.delimited(end, false)
	to := ""
	if err == nil {
		to, err = p.delimited(end, false)
	}
	a, b := []rune(unescape(from)), []rune(unescape(to))
	if err != nil || len(a) != len(b) {
		return fmt.Errorf("strings for `y' command are different lengths")
	}
	pairs := make([]string, 0, 2*len(a))
	for i := range a {
		pairs = append(pairs, string(a[i]), string(b[i]))
	}
	c.text = strings.Join(pairs, "\x00")
	return nil
}

func sedReplacement(s string, re *regexp.Regexp) ([]sedPart, error) {
	var parts []sedPart
	var text strings.Builder
	flush := func(p sedPart) {
		if text.Len() > 0 {
			parts = append(parts, sedPart{text: text.String(), group: -1})
			text.Reset()
		}
		parts = append(parts, p)
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '&':
			flush(sedPart{group: 0})
		case c == '\\' && i+1 < len(s):
			i++
			switch e := s[i]; {
			case e >= '0' && e <= '9':
				n := int(e - '0')
				if re != nil && n > re.NumSubexp() {
					return nil, fmt.Errorf("invalid reference \\%d on `s' command's RHS", n)
				}
				flush(sedPart{group: n})
			case strings.IndexByte("ULulE", e) >= 0:
				flush(sedPart{group: -1, fold: e})
			case e == 'n':
				text.WriteByte('\n')
			case e == 't':
				text.WriteByte('\t')
			default:
				text.WriteByte(e)
			}
		default:
			text.WriteByte(c)
		}
	}
	if text.Len() > 0 {
		parts = append(parts, sedPart{text: text.String(), group: -1})
	}
	return parts, nil
}
