package kernel

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Control characters, as a terminal has them that nobody has set up otherwise (termios(3)).
const (
	keyEOF, keyBackspace, keyKill, keyWord, keyDelete = 4, 8, 21, 23, 127
	keyINT, keySUSP, keyQUIT                          = 3, 26, 28
)

// input is the line discipline: what becomes of a character that is typed.
func (t *tty) input(c byte) {
	if t.raw {
		t.line = append(t.line, c)
		t.push()
		return
	}
	switch c {
	case keyINT:
		t.interrupt(c, sigINT)
	case keyQUIT:
		t.interrupt(c, sigQUIT)
	case keySUSP:
		t.interrupt(c, sigTSTP)
	case keyBackspace, keyDelete:
		t.erase()
	case keyWord:
		for len(t.line) > 0 && t.line[len(t.line)-1] == ' ' {
			t.erase()
		}
		for len(t.line) > 0 && t.line[len(t.line)-1] != ' ' {
			t.erase()
		}
	case keyKill:
		for len(t.line) > 0 {
			t.erase()
		}
	case keyEOF:
		t.push()
	case '\r', '\n':
		t.show('\n')
		t.line = append(t.line, '\n')
		t.push()
	default:
		t.line = append(t.line, c)
		t.echo(c)
	}
}

// push hands the line over.
func (t *tty) push() {
	if n := len(t.ready); t.raw && n > 0 && len(t.ready[n-1]) > 0 {
		t.ready[n-1] = append(t.ready[n-1], t.line...)
	} else {
		t.ready = append(t.ready, bytes.Clone(t.line))
	}
	t.line = t.line[:0]
	t.rq.wake()
}

// interrupt throws away what was typed and sends a signal.
func (t *tty) interrupt(c byte, n int) {
	t.line, t.ready = t.line[:0], nil
	t.echo(c)
	t.signal(n)
}

// echo shows a character; a control character as ^ and a letter.
func (t *tty) echo(c byte) {
	if c < ' ' && c != '\t' {
		t.show('^')
		c += '@'
	}
	t.show(c)
}

// erase takes the last character of the line back.
func (t *tty) erase() {
	if len(t.line) == 0 {
		return
	}
	r, size := utf8.DecodeLastRune(t.line)
	t.line = t.line[:len(t.line)-size]
	width := 1
	if unicode.IsControl(r) && size == 1 {
		width = 2
	}
	for range width {
		for _, c := range []byte("\b \b") {
			t.show(c)
		}
	}
}
