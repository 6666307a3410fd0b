package userland

import (
	"context"
	"errors"
	"io"
	"os"
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
	o, ok := t.options(args, "rsp:t:n:N:d:u:", "")
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
	names := o.args
	if len(names) == 0 {
		names = []string{"REPLY"}
	}
	for _, name := range names {
		if !syntax.ValidName(name) {
			return status(t.errorf("'%s': not a valid identifier", name) + 1)
		}
	}
	line, failure := readInput(in, o)
	if failure != nil && !errors.Is(failure, io.EOF) && !errors.Is(failure, errTimeout) {
		return status(t.errorf("%s", reason(failure)))
	}
	if err := assign(ctx, hc, names, line, o.has('r'), o.has('N')); err != nil {
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

func assign(ctx context.Context, hc interp.HandlerContext, names []string, line string, raw, whole bool) error {
	fields := []string{line}
	if !whole {
		fields = expand.ReadFields(&expand.Config{Env: hc.Env}, line, len(names), raw)
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

// readInput reads up to the delimiter, the wanted number of bytes, the end or the time limit.
func readInput(in io.Reader, o opts) (string, error) {
	delim, limit := byte('\n'), -1
	if d, given := o.value('d'); given {
		if delim = 0; d != "" {
			delim = d[0]
		}
	}
	if n, given := o.value('n'); given {
		limit = int(number(n))
	}
	if n, given := o.value('N'); given {
		limit = int(number(n))
	}
	var end time.Time
	if s, given := o.value('t'); given {
		d, err := time.ParseDuration(s + "s")
		if err != nil {
			return "", errors.New("invalid timeout")
		}
		end = time.Now().Add(d)
	}
	var line []byte
	for b := make([]byte, 1); limit < 0 || len(line) < limit; {
		if f, ok := in.(*os.File); ok && !end.IsZero() && (time.Now().After(end) || !readable(f, time.Until(end))) {
			return string(line), errTimeout
		}
		n, err := in.Read(b)
		switch {
		case n > 0 && b[0] == '\n' && delim == '\n' && !o.has('r') && len(line) > 0 && line[len(line)-1] == '\\':
			line = line[:len(line)-1]
		case n > 0 && b[0] == delim && !o.has('N'):
			return string(line), nil
		case n > 0:
			line = append(line, b[0])
		case err != nil:
			return string(line), io.EOF
		}
	}
	return string(line), nil
}
