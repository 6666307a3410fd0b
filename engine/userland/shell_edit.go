package userland

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

// errInterrupted tells that Ctrl-C gave up the line.
var errInterrupted = errors.New("interrupted")

// keyboard is what an interactive shell reads its commands from: it asks for each line with a prompt. On a
// terminal the line can be edited and the arrow keys bring earlier lines back.
type keyboard struct {
	sh      *shell
	more    bool // the command so far is incomplete
	line    []byte
	history term.History // nil: no terminal
}

func newKeyboard(sh *shell) *keyboard {
	k := &keyboard{sh: sh}
	if isTerminal(sh.Stdin) && isTerminal(sh.Stderr) {
		k.history = term.NewTerminal(nil, "").History
	}
	return k
}

// Read gives the rest of the current line; it asks for a new one when there is none.
func (k *keyboard) Read(p []byte) (int, error) {
	if len(k.line) == 0 {
		line, err := k.ask()
		if err != nil {
			return 0, err
		}
		k.line = append(k.line[:0], line...)
	}
	n := copy(p, k.line)
	k.line = k.line[n:]
	return n, nil
}

func (k *keyboard) ask() (string, error) {
	prompt := ""
	if k.more {
		prompt = k.sh.promptText("PS2", "> ")
	} else {
		k.sh.announceJobs()
		prompt = k.sh.promptText("PS1", "$ ")
	}
	if k.history != nil {
		return k.edit(prompt)
	}
	io.WriteString(k.sh.Stderr, prompt)
	return plainLine(k.sh.Stdin)
}

// plainLine reads one line byte by byte, so that the commands find the rest of the input.
func plainLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		if n > 0 {
			line = append(line, b[0])
		}
		if n > 0 && b[0] == '\n' || err != nil && len(line) > 0 {
			return string(line), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// edit reads one line in raw mode, which ends with the line: commands get the terminal as it was.
func (k *keyboard) edit(prompt string) (string, error) {
	restore, w, h, err := rawTerminal(k.sh.Stdin)
	if err != nil {
		io.WriteString(k.sh.Stderr, prompt)
		return plainLine(k.sh.Stdin)
	}
	defer restore()
	keys := &keys{in: k.sh.Stdin, out: k.sh.Stderr}
	editor := term.NewTerminal(keys, prompt)
	editor.History = k.history
	editor.AutoCompleteCallback = k.sh.complete(editor)
	if w > 0 && h > 0 {
		editor.SetSize(w, h)
	}
	line, err := editor.ReadLine()
	switch {
	case err == nil:
		return line + "\n", nil
	case keys.interrupted:
		io.WriteString(k.sh.Stderr, "^C\r\n")
		return "", errInterrupted
	}
	return "", err
}

// rawTerminal lets the keys of a terminal through as they are typed, and tells its size, 0 if that is not known.
func rawTerminal(stream any) (restore func() error, cols, rows int, err error) {
	switch tty := stream.(type) {
	case Terminal:
		restore, err = tty.Raw()
		cols, rows = tty.Size()
		return restore, cols, rows, err
	case *os.File:
		fd := int(tty.Fd())
		old, err := term.MakeRaw(fd)
		if err != nil {
			return nil, 0, 0, err
		}
		if cols, rows, err = term.GetSize(fd); err != nil {
			cols, rows = 0, 0
		}
		return func() error { return term.Restore(fd, old) }, cols, rows, nil
	}
	return nil, 0, 0, errors.ErrUnsupported
}

// keys feeds the editor one byte at a time, so that what was typed ahead stays for the next command, and
// notes Ctrl-C, which the editor does not tell from Ctrl-D.
type keys struct {
	in          io.Reader
	out         io.Writer
	interrupted bool
}

func (k *keys) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := k.in.Read(p[:1])
	if n > 0 && p[0] == 3 {
		k.interrupted = true
	}
	return n, err
}

func (k *keys) Write(p []byte) (int, error) { return k.out.Write(p) }
