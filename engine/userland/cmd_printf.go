package userland

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

func runPrintf(t *task, args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return t.errorf("usage: printf format [arguments]")
	}
	p := &printer{t: t, args: args[1:]}
	for {
		before := len(p.args)
		stop := p.once(args[0])
		if stop || len(p.args) == 0 || len(p.args) == before {
			break
		}
	}
	return max(t.code(), t.put(p.out.String()))
}

// printer is one printf; the format is used again while arguments are left.
type printer struct {
	t    *task
	args []string
	out  strings.Builder
}

func (p *printer) next() string {
	if len(p.args) == 0 {
		return ""
	}
	a := p.args[0]
	p.args = p.args[1:]
	return a
}

// once writes the format once; true means that \c ended the output.
func (p *printer) once(format string) bool {
	for format != "" {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			i = len(format)
		}
		text, stop := escape(format[:i], false)
		p.out.WriteString(text)
		if stop {
			return true
		}
		if format = format[i:]; format == "" {
			return false
		}
		if strings.HasPrefix(format, "%%") {
			p.out.WriteByte('%')
			format = format[2:]
			continue
		}
		spec, verb, rest := p.spec(format[1:])
		if verb == 0 {
			p.t.errorf("%s: invalid conversion", format)
			return true
		}
		if p.convert(spec, verb) {
			return true
		}
		format = rest
	}
	return false
}

// spec reads flags, width and precision, with * taken from the arguments.
func (p *printer) spec(s string) (spec string, verb byte, rest string) {
	i := 0
	for i < len(s) && strings.IndexByte("-+ #0123456789.*lhLqjzt", s[i]) >= 0 {
		switch c := s[i]; {
		case c == '*':
			n, _ := strconv.Atoi(p.next())
			spec += strconv.Itoa(max(-4096, min(n, 4096)))
		case c == 'q':
			return spec, 'q', s[i+1:]
		case strings.IndexByte("lhLjzt", c) < 0:
			spec += string(c)
		}
		i++
	}
	if i == len(s) || len(spec) > 16 {
		return "", 0, ""
	}
	return spec, s[i], s[i+1:]
}

func (p *printer) convert(spec string, verb byte) (stop bool) {
	switch verb {
	case 's':
		p.write(spec, 's', p.next())
	case 'b':
		text, stop := escape(p.next(), true)
		p.write(spec, 's', text)
		return stop
	case 'q':
		p.write(spec, 's', shellQuoted(p.next()))
	case 'c':
		a := p.next()
		p.write(spec, 's', a[:min(1, len(a))])
	case 'd', 'i':
		p.write(spec, 'd', p.integer(p.next()))
	case 'u':
		p.write(spec, 'd', uint64(p.integer(p.next())))
	case 'o', 'x', 'X':
		p.write(spec, verb, uint64(p.integer(p.next())))
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if !strings.Contains(spec, ".") && (verb == 'g' || verb == 'G') {
			spec += ".6"
		}
		p.write(spec, verb, p.float(p.next()))
	default:
		p.t.errorf("%%%c: invalid conversion specification", verb)
		return true
	}
	return false
}

func (p *printer) write(spec string, verb byte, v any) {
	if w, _ := strconv.Atoi(strings.TrimLeft(strings.SplitN(spec, ".", 2)[0], "-+ #0")); w > 1<<16 {
		p.t.errorf("%d: width too large", w)
		return
	}
	fmt.Fprintf(&p.out, "%"+spec+string(verb), v)
}

// integer reads a number: decimal, 0x, 0, or 'c for a character's code.
func (p *printer) integer(s string) int64 {
	if s == "" {
		return 0
	}
	if s[0] == '\'' || s[0] == '"' {
		for _, r := range s[1:] {
			return int64(r)
		}
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 0, 64)
	if err != nil {
		if u, uerr := strconv.ParseUint(s, 0, 64); uerr == nil {
			return int64(u)
		}
		p.t.errorf("'%s': expected a numeric value", s)
		used, _ := digits(s, 10, len(s))
		return used
	}
	return n
}

func (p *printer) float(s string) float64 {
	if s == "" {
		return 0
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil && !math.IsInf(f, 0) {
		p.t.errorf("'%s': expected a numeric value", s)
	}
	return f
}

// shellQuoted quotes only what needs it.
func shellQuoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+") == "" {
		return s
	}
	return quote([]string{s})
}
