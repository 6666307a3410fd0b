package userland

import "strings"

// opts are the parsed flags of a program: letters with the values they were given, in order.
type opts struct {
	set  []opt
	args []string
}

type opt struct {
	letter byte
	value  string
}

func (o opts) has(letter byte) bool {
	for _, f := range o.set {
		if f.letter == letter {
			return true
		}
	}
	return false
}

// value is the last value given to a flag.
func (o opts) value(letter byte) (string, bool) {
	for i := len(o.set) - 1; i >= 0; i-- {
		if o.set[i].letter == letter {
			return o.set[i].value, true
		}
	}
	return "", false
}

func (o opts) values(letter byte) []string {
	var all []string
	for _, f := range o.set {
		if f.letter == letter {
			all = append(all, f.value)
		}
	}
	return all
}

// last is the one of letters that was given last, or 0.
func (o opts) last(letters string) byte {
	for i := len(o.set) - 1; i >= 0; i-- {
		if strings.IndexByte(letters, o.set[i].letter) >= 0 {
			return o.set[i].letter
		}
	}
	return 0
}

// options parses flags as getopt does. Spec lists the letters, each with ':' when it takes a value; a
// leading '+' ends the flags at the first operand. Long lists the long names: "recursive=r force=f".
// It reports a mistake and returns false.
func (t *task) options(args []string, spec, long string) (opts, bool) {
	p := optParser{t: t, rest: args, posix: strings.HasPrefix(spec, "+"), spec: strings.TrimPrefix(spec, "+"), long: long}
	for len(p.rest) > 0 {
		arg := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case arg == "--":
			p.out.args = append(p.out.args, p.rest...)
			return p.out, true
		case strings.HasPrefix(arg, "--"):
			if !p.longFlag(arg[2:]) {
				return p.out, false
			}
		case len(arg) > 1 && arg[0] == '-':
			if !p.letters(arg[1:]) {
				return p.out, false
			}
		default:
			p.out.args = append(p.out.args, arg)
			if p.posix {
				p.out.args = append(p.out.args, p.rest...)
				return p.out, true
			}
		}
	}
	return p.out, true
}

type optParser struct {
	t          *task
	rest       []string
	posix      bool
	spec, long string
	out        opts
}

func (p *optParser) letters(s string) bool {
	for i := 0; i < len(s); i++ {
		at := strings.IndexByte(p.spec, s[i])
		if at < 0 || s[i] == ':' {
			p.t.errorf("invalid option -- '%c'", s[i])
			return false
		}
		if at+1 == len(p.spec) || p.spec[at+1] != ':' {
			p.out.set = append(p.out.set, opt{letter: s[i]})
			continue
		}
		value := s[i+1:]
		if value == "" {
			if len(p.rest) == 0 {
				p.t.errorf("option requires an argument -- '%c'", s[i])
				return false
			}
			value, p.rest = p.rest[0], p.rest[1:]
		}
		p.out.set = append(p.out.set, opt{s[i], value})
		return true
	}
	return true
}

func (p *optParser) longFlag(s string) bool {
	name, value, given := strings.Cut(s, "=")
	letter := p.longLetter(name)
	if letter == 0 {
		p.t.errorf("unrecognized option '--%s'", name)
		return false
	}
	at := strings.IndexByte(p.spec, letter)
	if at >= 0 && at+1 < len(p.spec) && p.spec[at+1] == ':' && !given {
		if len(p.rest) == 0 {
			p.t.errorf("option '--%s' requires an argument", name)
			return false
		}
		value, p.rest = p.rest[0], p.rest[1:]
	}
	p.out.set = append(p.out.set, opt{letter, value})
	return true
}

func (p *optParser) longLetter(name string) byte {
	for _, pair := range strings.Fields(p.long) {
		if n, letter, ok := strings.Cut(pair, "="); ok && n == name {
			return letter[0]
		}
	}
	return 0
}
