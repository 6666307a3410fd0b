package userland

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"
)

// runTest is test and [.
func runTest(t *task, args []string) int {
	if t.name == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			t.errorf("missing ']'")
			return 2
		}
		args = args[:len(args)-1]
	}
	p := &testExpr{t: t, args: args}
	if len(args) == 0 {
		return 1
	}
	yes, err := p.or()
	if err == nil && len(p.args) > 0 {
		err = fmt.Errorf("extra argument '%s'", p.args[0])
	}
	switch {
	case err != nil:
		t.errorf("%s", err)
		return 2
	case yes:
		return 0
	}
	return 1
}

type testExpr struct {
	t    *task
	args []string
}

func (p *testExpr) or() (bool, error) {
	v, err := p.and()
	for err == nil && len(p.args) > 0 && p.args[0] == "-o" {
		p.args = p.args[1:]
		var right bool
		right, err = p.and()
		v = v || right
	}
	return v, err
}

func (p *testExpr) and() (bool, error) {
	v, err := p.primary()
	for err == nil && len(p.args) > 0 && p.args[0] == "-a" {
		p.args = p.args[1:]
		var right bool
		right, err = p.primary()
		v = v && right
	}
	return v, err
}

func (p *testExpr) primary() (bool, error) {
	if len(p.args) == 0 {
		return false, errors.New("argument expected")
	}
	if len(p.args) >= 3 {
		if f := binaryTest(p.args[1]); f != nil {
			a, b := p.args[0], p.args[2]
			p.args = p.args[3:]
			return f(p.t, a, b)
		}
	}
	word := p.args[0]
	p.args = p.args[1:]
	switch {
	case word == "!" && len(p.args) > 0:
		v, err := p.primary()
		return !v, err
	case word == "(" && len(p.args) > 0:
		v, err := p.or()
		if err == nil && (len(p.args) == 0 || p.args[0] != ")") {
			err = errors.New("missing ')'")
		}
		if err == nil {
			p.args = p.args[1:]
		}
		return v, err
	case len(word) == 2 && word[0] == '-' && len(p.args) > 0:
		operand := p.args[0]
		p.args = p.args[1:]
		return p.t.unaryTest(word[1], operand)
	}
	return word != "", nil
}

func binaryTest(op string) func(t *task, a, b string) (bool, error) {
	text := func(f func(c int) bool) func(*task, string, string) (bool, error) {
		return func(_ *task, a, b string) (bool, error) { return f(strings.Compare(a, b)), nil }
	}
	integer := func(f func(a, b int64) bool) func(*task, string, string) (bool, error) {
		return func(_ *task, a, b string) (bool, error) {
			x, err := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
			if err != nil {
				return false, fmt.Errorf("invalid integer '%s'", a)
			}
			y, err := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
			if err != nil {
				return false, fmt.Errorf("invalid integer '%s'", b)
			}
			return f(x, y), nil
		}
	}
	switch op {
	case "=", "==":
		return text(func(c int) bool { return c == 0 })
	case "!=":
		return text(func(c int) bool { return c != 0 })
	case "<":
		return text(func(c int) bool { return c < 0 })
	case ">":
		return text(func(c int) bool { return c > 0 })
	case "-eq":
		return integer(func(a, b int64) bool { return a == b })
	case "-ne":
		return integer(func(a, b int64) bool { return a != b })
	case "-lt":
		return integer(func(a, b int64) bool { return a < b })
	case "-le":
		return integer(func(a, b int64) bool { return a <= b })
	case "-gt":
		return integer(func(a, b int64) bool { return a > b })
	case "-ge":
		return integer(func(a, b int64) bool { return a >= b })
	case "-nt", "-ot", "-ef":
		return func(t *task, a, b string) (bool, error) { return t.fileTest(op, a, b), nil }
	}
	return nil
}

func (t *task) fileTest(op, a, b string) bool {
	x, xerr := t.stat(a)
	y, yerr := t.stat(b)
	switch op {
	case "-nt":
		return xerr == nil && (yerr != nil || x.ModTime().After(y.ModTime()))
	case "-ot":
		return yerr == nil && (xerr != nil || x.ModTime().Before(y.ModTime()))
	}
	return xerr == nil && yerr == nil && (&copier{task: t}).same(x, y)
}

func (t *task) unaryTest(op byte, operand string) (bool, error) {
	switch op {
	case 'z':
		return operand == "", nil
	case 'n':
		return operand != "", nil
	case 'r', 'w', 'x':
		return t.mayAccess(operand, map[byte]uint32{'r': 4, 'w': 2, 'x': 1}[op]) == nil, nil
	case 't':
		stream := map[string]any{"0": t.Stdin, "1": t.Stdout, "2": t.Stderr}[operand]
		return isTerminal(stream), nil
	case 'h', 'L':
		info, err := t.lstat(operand)
		return err == nil && info.Mode()&fs.ModeSymlink != 0, nil
	}
	info, err := t.stat(operand)
	if strings.IndexByte("efdsbcpSgukOG", op) < 0 {
		return false, fmt.Errorf("-%c: unary operator expected", op)
	}
	if err != nil {
		return false, nil
	}
	mode := info.Mode()
	switch op {
	case 'f':
		return mode.IsRegular(), nil
	case 'd':
		return mode.IsDir(), nil
	case 's':
		return info.Size() > 0, nil
	case 'u':
		return mode&fs.ModeSetuid != 0, nil
	case 'g':
		return mode&fs.ModeSetgid != 0, nil
	case 'k':
		return mode&fs.ModeSticky != 0, nil
	case 'O':
		return t.attr(info).UID == t.User.UID, nil
	case 'G':
		return t.attr(info).GID == t.User.GID, nil
	case 'e':
		return true, nil
	}
	return typeLetter(mode) == op|0x20, nil
}

func runExpr(t *task, args []string) int {
	p := &exprParser{args: args}
	v, err := p.level(0)
	if err == nil && len(p.args) > 0 {
		err = fmt.Errorf("syntax error: unexpected argument '%s'", p.args[0])
	}
	if err != nil {
		t.errorf("%s", err)
		return 2
	}
	t.print(v + "\n")
	if v == "" || v == "0" {
		return 1
	}
	return 0
}

type exprParser struct{ args []string }

// level parses the operators of one precedence, lowest first.
func (p *exprParser) level(n int) (string, error) {
	ops := []string{" | ", " & ", " = == != < <= > >= ", " + - ", " * / % ", " : "}
	if n == len(ops) {
		return p.operand()
	}
	left, err := p.level(n + 1)
	for err == nil && len(p.args) > 1 && strings.Contains(ops[n], " "+p.args[0]+" ") {
		op := p.args[0]
		p.args = p.args[1:]
		var right string
		if right, err = p.level(n + 1); err == nil {
			left, err = exprApply(op, left, right)
		}
	}
	return left, err
}

func (p *exprParser) operand() (string, error) {
	if len(p.args) == 0 {
		return "", errors.New("syntax error: missing argument")
	}
	word := p.args[0]
	p.args = p.args[1:]
	take := func(n int) ([]string, error) {
		if len(p.args) < n {
			return nil, fmt.Errorf("syntax error: missing argument after '%s'", word)
		}
		taken := p.args[:n]
		p.args = p.args[n:]
		return taken, nil
	}
	switch word {
	case "(":
		v, err := p.level(0)
		if err == nil && (len(p.args) == 0 || p.args[0] != ")") {
			err = errors.New("syntax error: expecting ')'")
		}
		if err == nil {
			p.args = p.args[1:]
		}
		return v, err
	case "length":
		a, err := take(1)
		if err != nil {
			return "", err
		}
		return strconv.Itoa(utf8.RuneCountInString(a[0])), nil
	case "index":
		a, err := take(2)
		if err != nil {
			return "", err
		}
		return strconv.Itoa(strings.IndexAny(a[0], a[1]) + 1), nil
	case "substr":
		a, err := take(3)
		if err != nil {
			return "", err
		}
		from, n := int(number(a[1])), int(number(a[2]))
		if from < 1 || n < 1 || from > len(a[0]) {
			return "", nil
		}
		return a[0][from-1 : min(len(a[0]), from-1+min(n, len(a[0])))], nil
	case "match":
		a, err := take(2)
		if err != nil {
			return "", err
		}
		return exprApply(":", a[0], a[1])
	}
	return word, nil
}

func exprApply(op, a, b string) (string, error) {
	truth := func(yes bool) (string, error) {
		if yes {
			return "1", nil
		}
		return "0", nil
	}
	null := func(s string) bool { return s == "" || s == "0" }
	x, xerr := strconv.ParseInt(a, 10, 64)
	y, yerr := strconv.ParseInt(b, 10, 64)
	switch op {
	case "|":
		if null(a) {
			return b, nil
		}
		return a, nil
	case "&":
		if null(a) || null(b) {
			return "0", nil
		}
		return a, nil
	case ":":
		return exprMatch(a, b)
	case "+", "-", "*", "/", "%":
		if xerr != nil || yerr != nil {
			return "", errors.New("non-integer argument")
		}
		return arithmetic(op, x, y)
	}
	c := strings.Compare(a, b)
	if xerr == nil && yerr == nil {
		c = int(max(-1, min(1, x-y)))
	}
	return truth(map[string]bool{"=": c == 0, "==": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op])
}

func arithmetic(op string, x, y int64) (string, error) {
	if y == 0 && (op == "/" || op == "%") {
		return "", errors.New("division by zero")
	}
	var v int64
	switch op {
	case "+":
		v = x + y
	case "-":
		v = x - y
	case "*":
		v = x * y
	case "/":
		v = x / y
	case "%":
		v = x % y
	}
	return strconv.FormatInt(v, 10), nil
}

func exprMatch(s, pattern string) (string, error) {
	re, err := translate("^\\("+pattern+"\\)", false, false)
	if err != nil {
		return "", err
	}
	m := re.FindStringSubmatch(s)
	if re.NumSubexp() > 1 {
		if m == nil {
			return "", nil
		}
		return m[2], nil
	}
	if m == nil {
		return "0", nil
	}
	return strconv.Itoa(utf8.RuneCountInString(m[0])), nil
}
