package userland

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// needsOurRead tells whether read was called with a flag that the interpreter's lacks.
func needsOurRead(args []string) bool {
	for _, a := range args {
		if a == "--" || len(a) < 2 || a[0] != '-' {
			return false
		}
		if strings.ContainsAny(a[:2], "tnNdu") {
			return true
		}
	}
	return false
}

var errTimeout = errors.New("timed out")

// read is read with the flags -t, -n, -N, -d and -u beside the usual ones.
func (sh *shell) read(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	t.name = sh.name + ": read"
	o, ok := t.options(args, "rsa:p:t:n:N:d:u:", "")
	if !ok {
		return status(2)
	}
	in := t.Stdin
	if fd, given := o.value('u'); given {
		f, err := sh.copyOf(t, fd)
		if err != nil {
			return status(t.errorf("%s: %s", fd, reason(err)))
		}
		defer f.Close()
		in = f
	}
	if prompt, given := o.value('p'); given && isTerminal(in) {
		io.WriteString(t.Stderr, prompt)
	}
	array, isArray := o.value('a')
	names := o.args
	if isArray {
		names = []string{array}
	}
	for _, name := range names {
		if !syntax.ValidName(name) {
			return status(t.errorf("'%s': not a valid identifier", name) + 1)
		}
	}
	line, failure := sh.readInput(t, in, o)
	if failure != nil && !errors.Is(failure, io.EOF) && !errors.Is(failure, errTimeout) {
		return status(t.errorf("%s", reason(failure)))
	}
	if err := assign(ctx, hc, names, line, o); err != nil {
		return err
	}
	switch {
	case errors.Is(failure, errTimeout):
		return status(142)
	case failure != nil:
		return status(1)
	}
	return nil
}

// assign gives the variables of read what was read. Without names REPLY gets the whole line.
func assign(ctx context.Context, hc interp.HandlerContext, names []string, line string, o opts) error {
	if o.has('a') {
		return hc.Builtin(ctx, []string{"eval", names[0] + "=(" + quote(expand.ReadFields(&expand.Config{Env: hc.Env}, line, -1, o.has('r'))) + ")"})
	}
	fields := []string{line}
	switch {
	case o.has('N'):
	case len(names) == 0:
		names = []string{"REPLY"}
		if !o.has('r') {
			fields[0] = unescaped(line)
		}
	default:
		fields = expand.ReadFields(&expand.Config{Env: hc.Env}, line, len(names), o.has('r'))
	}
	var script strings.Builder
	for i, name := range names {
		value := ""
		if i < len(fields) {
			value = fields[i]
		}
		script.WriteString(name + "=" + quote([]string{value}) + "\n")
	}
	return hc.Builtin(ctx, []string{"eval", script.String()})
}

// unescaped takes the backslashes away that keep a character as it is.
func unescaped(line string) string {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' && i+1 < len(line) {
			i++
		}
		b.WriteByte(line[i])
	}
	return b.String()
}

// mapfile is mapfile [-t] [-d DELIM] [NAME]: each line becomes an element.
func (sh *shell) mapfile(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	t.name = sh.name + ": mapfile"
	o, ok := t.options(args, "td:", "")
	if !ok || len(o.args) > 1 {
		return status(2)
	}
	delim, name := byte('\n'), "MAPFILE"
	if d, given := o.value('d'); given {
		if delim = 0; d != "" {
			delim = d[0]
		}
	}
	if len(o.args) > 0 {
		name = o.args[0]
	}
	if !syntax.ValidName(name) {
		return status(t.errorf("'%s': not a valid identifier", name) + 1)
	}
	var items []string
	for b := bufio.NewReader(t.Stdin); ; {
		line, err := b.ReadString(delim)
		if o.has('t') {
			line = strings.TrimSuffix(line, string(rune(delim)))
		}
		if line != "" || err == nil {
			items = append(items, line)
		}
		if err != nil {
			break
		}
	}
	return hc.Builtin(ctx, []string{"eval", name + "=(" + quote(items) + ")"})
}

// readInput reads up to the delimiter, the wanted number of bytes, the end or the time limit.
func (sh *shell) readInput(t *task, in io.Reader, o opts) (string, error) {
	delim, limit := byte('\n'), -1
	if d, given := o.value('d'); given {
		if delim = 0; d != "" {
			delim = d[0]
		}
	}
	for _, letter := range []byte("nN") {
		if n, given := o.value(letter); given {
			limit = int(number(n))
		}
	}
	var end time.Time
	if s, given := o.value('t'); given {
		d, err := time.ParseDuration(s + "s")
		if err != nil {
			return "", errors.New("invalid timeout")
		}
		end = t.now().Add(d)
	}
	if restore, secret := t.hidden(in, o); secret {
		defer restore()
		defer io.WriteString(t.Stderr, "\n")
	}
	var line []byte
	for b := make([]byte, 1); limit < 0 || len(line) < limit; {
		n, err := sh.readByte(t, in, b, end)
		switch {
		case errors.Is(err, errTimeout):
			return string(line), err
		case n > 0 && b[0] == '\n' && delim == '\n' && !o.has('r') && len(line) > 0 && line[len(line)-1] == '\\':
			line = line[:len(line)-1]
		case n > 0 && (b[0] == delim || b[0] == '\r' && o.has('s')) && !o.has('N'):
			return string(line), nil
		case n > 0:
			line = append(line, b[0])
		case err != nil:
			return string(line), io.EOF
		}
	}
	return string(line), nil
}

// hidden keeps a terminal of the machine's from showing what is typed, for read -s.
func (t *task) hidden(in io.Reader, o opts) (restore func() error, ok bool) {
	tty, ok := in.(Terminal)
	if !ok || !o.has('s') {
		return nil, false
	}
	restore, err := tty.Raw()
	return restore, err == nil
}
