package userland

import (
	"fmt"
	"regexp"
	"strings"
)

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
