package kernel

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// program is what execve makes of a file and arguments.
type program struct {
	name string   // that it was called by, without its folder
	exe  string   // the file that holds it
	argv []string // for userland.Run
}

// foreignError says that a file is a program of a real machine. It is no exec format error: nothing is wrong with the file.
type foreignError struct{ path, system string }

func (e *foreignError) Error() string {
	if e.system != "Linux" {
		return fmt.Sprintf("exec %s: it is a %s program, and the sim driver runs only learn's own", e.path, e.system)
	}
	return fmt.Sprintf("exec %s: it is a Linux program, and the sim driver runs only learn's own; run it with --driver linux on a Linux machine", e.path)
}

const (
	ownModule     = "github.com/learn-containers/learn" // of the binary that holds our programs
	ownMark       = "#!learn"                           // first line of a file that stands for that binary
	scriptNesting = 4
	headSize      = 256 // of what an interpreter line may have
)

// powers are the rights that a program runs with: p's own, or those that the set-user-ID and set-group-ID bits of its file give.
func (p *Process) powers(file string) vfs.Cred {
	cred := p.cred
	info, err := p.box.root.Stat(file)
	if err != nil || p.NoNewPrivs || p.box.noSetID(file) {
		return cred
	}
	st, ok := info.Sys().(*vfs.Stat)
	if !ok {
		return cred
	}
	if info.Mode()&fs.ModeSetuid != 0 {
		cred.UID = st.UID
	}
	if info.Mode()&fs.ModeSetgid != 0 {
		cred.GID = st.GID
	}
	return cred
}

// noSetID tells whether a canonical name lies on a mount where those bits mean nothing.
func (b *Box) noSetID(file string) bool {
	best, none := -1, false
	for _, m := range b.cfg.NS.Mounts() {
		target := strings.TrimSuffix(m.Target, "/")
		if len(target) >= best && (file == target || strings.HasPrefix(file, target+"/")) { // of equals the last one hides the others
			best, none = len(target), slices.Contains(strings.Split(m.Options, ","), "nosuid")
		}
	}
	return none
}

// load is the part of execve that can fail: it finds out what file, as v may use it, is. dir is where relative names begin.
func (b *Box) load(v *vfs.View, dir, file string, args []string) (program, error) {
	called := path.Base(file)
	for range scriptNesting + 1 {
		name := absolute(dir, file)
		if err := v.CheckExec(name); err != nil {
			return program{}, err
		}
		interpreter, err := b.examine(name, file)
		if err != nil {
			return program{}, err
		}
		if interpreter == nil {
			return ready(v, called, name, args), nil
		}
		args = append(append(interpreter, file), args[min(1, len(args)):]...)
		file = interpreter[0]
	}
	return program{}, syscall.ELOOP
}

func ready(v *vfs.View, called, file string, args []string) program {
	if real, err := v.Real(file); err == nil {
		file = real
	}
	if len(args) == 0 {
		args = []string{called}
	}
	return program{called, file, args}
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", dir, name)
}

// examine looks into a file: nothing for one of our programs, the interpreter and its argument for a script.
func (b *Box) examine(name, shown string) ([]string, error) {
	f, err := b.root.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, syscall.EACCES
	}
	head := make([]byte, headSize)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case strings.TrimRight(string(line), " \t\r") == ownMark:
		return nil, nil
	case bytes.HasPrefix(head, []byte("#!")):
		return interpreterOf(line, n == headSize)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return nil, b.m.binary(r, info, head, shown)
}

// interpreterOf reads the first line of a script: a file and, after blanks, all the rest as one argument.
func interpreterOf(line []byte, full bool) ([]string, error) {
	text := strings.Trim(string(line[2:]), " \t")
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	file, argument, blank := cutBlank(text)
	if file == "" || full && len(line) == headSize && !blank {
		return nil, syscall.ENOEXEC
	}
	if argument == "" {
		return []string{file}, nil
	}
	return []string{file, argument}, nil
}

func cutBlank(s string) (before, after string, found bool) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, "", false
	}
	return s[:i], strings.TrimLeft(s[i:], " \t"), true
}

// programKey tells a file from all others, and from itself after a change.
type programKey struct {
	dev, inode uint64
	size       int64
	mtime      time.Time
}

// binary tells whether a file that is no script can be run: nil for the binary that holds our programs.
func (m *Machine) binary(r io.ReaderAt, info fs.FileInfo, head []byte, shown string) error {
	system := systemOf(head)
	if system == "" {
		return syscall.ENOEXEC
	}
	if system == "Linux" && !wellFormed(r) {
		return syscall.ENOEXEC
	}
	st, known := info.Sys().(*vfs.Stat)
	if !known {
		return own(r, shown, system)
	}
	key := programKey{st.Dev, st.Inode, info.Size(), info.ModTime()}
	if ours, seen := m.kinds.Load(key); seen && ours.(bool) {
		return nil
	}
	err := own(r, shown, system)
	m.kinds.Store(key, err == nil)
	return err
}

func own(r io.ReaderAt, shown, system string) error {
	info, err := buildinfo.Read(r)
	if err != nil || info.Main.Path != ownModule {
		return &foreignError{shown, system}
	}
	return nil
}

func wellFormed(r io.ReaderAt) bool {
	f, err := elf.NewFile(r)
	return err == nil && (f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN)
}

// systemOf tells whose program a file is by its first bytes; empty if nobody's.
func systemOf(head []byte) string {
	for _, magic := range []string{"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return "macOS"
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return "Linux"
	case bytes.HasPrefix(head, []byte("MZ")):
		return "Windows"
	}
	return ""
}
