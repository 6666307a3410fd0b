package userland

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
)

func runEnv(t *task, args []string) int {
	o, ok := t.options(args, "+iu:0C:S:", "ignore-environment=i unset=u null=0 chdir=C split-string=S")
	if !ok {
		return 125
	}
	environ := slices.Clone(t.Environ)
	if o.has('i') || len(o.args) > 0 && o.args[0] == "-" {
		environ = nil
		if len(o.args) > 0 && o.args[0] == "-" {
			o.args = o.args[1:]
		}
	}
	for _, name := range o.values('u') {
		environ = slices.DeleteFunc(environ, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	}
	rest := o.args
	if s, ok := o.value('S'); ok {
		rest = append(strings.Fields(s), rest...)
	}
	for len(rest) > 0 && strings.Contains(rest[0], "=") {
		name, _, _ := strings.Cut(rest[0], "=")
		environ = append(slices.DeleteFunc(environ, func(e string) bool { return strings.HasPrefix(e, name+"=") }), rest[0])
		rest = rest[1:]
	}
	if dir, ok := o.value('C'); ok {
		t.Dir = t.abs(dir)
	}
	if len(rest) == 0 {
		for _, e := range environ {
			t.print(e + "\n")
		}
		return 0
	}
	// The command is looked for in the new PATH, and in the old one when -i took it away.
	one := &task{Env: t.Env, ctx: t.ctx, name: t.name, main: t.main}
	one.Environ = environ
	return one.replaceOr(rest)
}

func runPrintenv(t *task, args []string) int {
	if len(args) == 0 {
		return runEnv(t, nil)
	}
	code := 0
	for _, name := range args {
		v, ok := lookupEnv(t.Environ, name)
		if !ok {
			code = 1
			continue
		}
		t.print(v + "\n")
	}
	return code
}

func runID(t *task, args []string) int {
	o, ok := t.options(args, "ugGnr", "user=u group=g groups=G name=n real=r")
	if !ok {
		return 1
	}
	user := t.User
	d := &directory{t: t}
	if len(o.args) > 0 {
		a, found := t.findID("/etc/passwd", o.args[0])
		if !found {
			return t.errorf("'%s': no such user", o.args[0])
		}
		user = User{UID: a.id}
		if len(a.rest) > 0 {
			user.GID = int(number(a.rest[0]))
		}
		user.Groups = t.groupsOf(d.user(a.id))
	}
	groups := []int{user.GID}
	for _, g := range user.Groups {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	show := func(id int, name string) string {
		if o.has('n') {
			return name
		}
		return strconv.Itoa(id)
	}
	switch o.last("ugG") {
	case 'u':
		t.print(show(user.UID, d.user(user.UID)) + "\n")
	case 'g':
		t.print(show(user.GID, d.group(user.GID)) + "\n")
	case 'G':
		var words []string
		for _, g := range groups {
			words = append(words, show(g, d.group(g)))
		}
		t.print(strings.Join(words, " ") + "\n")
	default:
		var words []string
		for _, g := range groups {
			words = append(words, named(g, d.group(g)))
		}
		t.printf("uid=%s gid=%s groups=%s\n", named(user.UID, d.user(user.UID)), named(user.GID, d.group(user.GID)), strings.Join(words, ","))
	}
	return 0
}

func named(id int, name string) string {
	if name == strconv.Itoa(id) {
		return name
	}
	return strconv.Itoa(id) + "(" + name + ")"
}

// groupsOf are the groups that list a user.
func (t *task) groupsOf(user string) []int {
	var ids []int
	for _, g := range t.accounts("/etc/group") {
		if len(g.rest) > 0 && slices.Contains(strings.Split(g.rest[0], ","), user) {
			ids = append(ids, g.id)
		}
	}
	return ids
}

func runWhoami(t *task, _ []string) int {
	t.print((&directory{t: t}).user(t.User.UID) + "\n")
	return 0
}

func runGroups(t *task, args []string) int { return runID(t, append([]string{"-Gn"}, args...)) }

func runXargs(t *task, args []string) int {
	o, ok := t.options(args, "+0rtn:I:d:P:L:s:", "null=0 no-run-if-empty=r verbose=t max-args=n delimiter=d max-procs=P max-lines=L")
	if !ok {
		return 1
	}
	command := o.args
	if len(command) == 0 {
		command = []string{"echo"}
	}
	items, err := t.xargsItems(o, t.Stdin)
	if err != nil {
		return t.errorf("%s", err)
	}
	t.Stdin = strings.NewReader("")
	x := &xargs{task: t, trace: o.has('t')}
	if place, ok := o.value('I'); ok {
		for _, item := range items {
			argv := make([]string, len(command))
			for i, w := range command {
				argv[i] = strings.ReplaceAll(w, place, item)
			}
			if !x.run(argv) {
				break
			}
		}
		return x.code
	}
	many := 5000
	if n, ok := o.value('n'); ok {
		many = int(max(1, number(n)))
	} else if n, ok := o.value('L'); ok {
		many = int(max(1, number(n)))
	}
	if len(items) == 0 && !o.has('r') {
		x.run(command)
	}
	for chunk := range slices.Chunk(items, many) {
		if !x.run(append(slices.Clone(command), chunk...)) {
			break
		}
	}
	return x.code
}

type xargs struct {
	*task
	trace bool
	code  int
}

// run tells whether xargs goes on.
func (x *xargs) run(argv []string) bool {
	if x.trace {
		x.Stderr.Write([]byte(strings.Join(argv, " ") + "\n"))
	}
	switch code := x.command(argv); {
	case code == 0:
	case code == 126 || code == 127:
		x.code = code
		return false
	case code == 255:
		x.errorf("%s: exited with status 255; aborting", argv[0])
		x.code = 124
		return false
	default:
		x.code = 123
	}
	return true
}

// xargsItems splits the input: at a delimiter, at lines with -I, or at blanks with quotes.
func (t *task) xargsItems(o opts, r io.Reader) ([]string, error) {
	delim, split := byte(0), o.has('0')
	if d, ok := o.value('d'); ok {
		if d = unescape(d); d != "" {
			delim, split = d[0], true
		}
	}
	b := bufio.NewReader(r)
	if split {
		var items []string
		for {
			line, err := t.readLine(b, delim)
			if item := strings.TrimSuffix(string(line), string(rune(delim))); len(line) > 0 {
				items = append(items, item)
			}
			if err == io.EOF {
				return items, nil
			}
			if err != nil {
				return nil, err
			}
		}
	}
	data, err := t.readAll(b)
	if err != nil {
		return nil, err
	}
	if o.has('I') {
		var items []string
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" {
				items = append(items, line)
			}
		}
		return items, nil
	}
	return quotedWords(string(data)), nil
}

// quotedWords splits at blanks; quotes and backslashes keep blanks.
func quotedWords(s string) []string {
	var words []string
	var word strings.Builder
	quote, in := byte(0), false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == '\\' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
			in = true
		case c == ' ' || c == '\t' || c == '\n':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}
