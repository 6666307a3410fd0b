// Package program finds out what is missing for a program of a tree to be executed: the file itself, its interpreter (of a script or of a
// dynamically linked program), a shared library, the right machine. It reads and executes nothing of the tree. It is not a loader: a
// library that the loader would find in a place of its own cache only (ld.so.cache) is looked for in the usual folders.
//
// Files of a tree are hostile: sizes, counts and lengths of chains are bounded, and what makes no sense is an answer too.
package program

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Tree is what is looked at: driver.Tree, as far as needed. Links are followed inside.
type Tree interface {
	Open(path string) (io.ReadCloser, error)
	Stat(path string) (fs.FileInfo, error)
}

// Command is what was to be executed.
type Command struct {
	Args    []string
	Env     []string // KEY=value
	Cwd     string
	Machine string // GOARCH of the machine; empty: any
}

// Fault is the kind of what is wrong.
type Fault string

// The faults.
const (
	None           Fault = ""                 // nothing was found
	NoCommand      Fault = "no-command"       // there is no word to execute
	NotFound       Fault = "not-found"        // no such file, here or in PATH
	NotExecutable  Fault = "not-executable"   // no permission bit says that it may be executed
	IsFolder       Fault = "is-folder"        //
	NoInterpreter  Fault = "no-interpreter"   // the interpreter that a script names is not there
	CarriageReturn Fault = "carriage-return"  // and would be, if the script's first line did not end as Windows has it
	NoLoader       Fault = "no-loader"        // the dynamic loader that a program names is not there
	NoLibrary      Fault = "no-library"       // shared libraries are missing
	WrongMachine   Fault = "wrong-machine"    // made for another processor
	WrongSystem    Fault = "wrong-system"     // a Windows or macOS program
	NotAProgram    Fault = "not-a-program"    // neither a program nor a script
	EmptyFile      Fault = "empty"            //
	TooManyScripts Fault = "too-many-scripts" // scripts whose interpreters are scripts, without end
	Damaged        Fault = "damaged"          // a program whose tables make no sense
)

// Report is what was found out.
type Report struct {
	Fault   Fault    `json:"fault,omitempty"`
	File    string   `json:"file,omitempty"`    // the file at fault, or the program if nothing is
	Missing []string `json:"missing,omitempty"` // what is not there: paths, or names of libraries
	Machine string   `json:"machine,omitempty"` // with WrongMachine: what it was made for
	Chain   []string `json:"chain,omitempty"`   // from the command to what the kernel executes in the end
	Detail  string   `json:"detail,omitempty"`
}

const maxScripts = 5 // the kernel's bound on scripts whose interpreters are scripts, and one

// Examine looks for what keeps a command from being executed.
func Examine(t Tree, c Command) Report {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return Report{Fault: NoCommand}
	}
	file, r := find(t, c)
	if r.Fault != None {
		return r
	}
	for range maxScripts {
		r.Chain, r.File = append(r.Chain, file), file
		if fault := executable(t, file); fault != None {
			r.Fault = fault
			return r
		}
		next, done := examineFile(t, c, file, &r)
		if done {
			return r
		}
		if _, err := t.Stat(next); err != nil {
			r.Fault, r.Missing = NoInterpreter, []string{next}
			if cut, ok := strings.CutSuffix(next, "\r"); ok {
				r.Fault, r.Missing = CarriageReturn, []string{cut}
			}
			return r
		}
		file = next
	}
	r.Fault = TooManyScripts
	return r
}

// find does what the engine does before execve(2): a name without a slash is looked up in PATH.
func find(t Tree, c Command) (string, Report) {
	name := c.Args[0]
	if strings.Contains(name, "/") {
		file := absolute(c.Cwd, name)
		if _, err := t.Stat(file); err != nil {
			return "", Report{Fault: NotFound, File: file, Missing: []string{file}}
		}
		return file, Report{}
	}
	dirs := strings.Split(variable(c.Env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ":")
	found := ""
	for _, dir := range dirs[:min(len(dirs), 100)] {
		file := absolute(c.Cwd, path.Join(dir, name))
		switch executable(t, file) {
		case None:
			return file, Report{}
		case NotExecutable:
			found = file
		}
	}
	if found != "" {
		return found, Report{}
	}
	return "", Report{Fault: NotFound, File: name, Missing: []string{name}, Detail: strings.Join(dirs, ":")}
}

func absolute(cwd, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", cwd, name)
}

func variable(env []string, key, otherwise string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], key+"="); ok {
			return v
		}
	}
	return otherwise
}

// executable tells why the kernel would not even look into a file.
func executable(t Tree, file string) Fault {
	info, err := t.Stat(file)
	switch {
	case err != nil:
		return NotFound
	case info.IsDir():
		return IsFolder
	case info.Mode()&0o111 == 0:
		return NotExecutable
	}
	return None
}

// examineFile looks into a file: next is the interpreter of a script; done says that r is the answer.
func examineFile(t Tree, c Command, file string, r *Report) (next string, done bool) {
	f, err := openAt(t, file)
	if err != nil {
		r.Fault, r.Detail = Damaged, err.Error()
		return "", true
	}
	defer f.Close()
	head := make([]byte, 256)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	switch {
	case n == 0:
		r.Fault = EmptyFile
	case strings.HasPrefix(string(head), "#!"):
		if interpreter := interpreterOf(string(head)); interpreter != "" {
			return absolute(c.Cwd, interpreter), false
		}
		r.Fault, r.Detail = NoInterpreter, "its first line names none"
	case strings.HasPrefix(string(head), "\x7fELF"):
		examineELF(t, c, f, r)
	case strings.HasPrefix(string(head), "MZ"):
		r.Fault, r.Machine = WrongSystem, "Windows"
	case isMachO(head):
		r.Fault, r.Machine = WrongSystem, "macOS"
	default:
		r.Fault = NotAProgram
	}
	return "", true
}

// interpreterOf reads a script's first line as the kernel does: it ends at a line feed, and the interpreter at a blank. A carriage return is
// part of it.
func interpreterOf(head string) string {
	line, _, _ := strings.Cut(head[2:], "\n")
	line = strings.TrimLeft(line, " \t")
	if i := strings.IndexAny(line, " \t\x00"); i >= 0 {
		line = line[:i]
	}
	return line
}

func isMachO(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	switch string(head[:4]) {
	case "\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce":
		return true
	}
	return false
}

// file is an open file with random access.
type file interface {
	io.ReaderAt
	io.Closer
}

// maxFile bounds what is read of a file that can't be read at random.
const maxFile = 64 << 20

func openAt(t Tree, name string) (file, error) {
	r, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	if f, ok := r.(file); ok {
		return f, nil
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return held{strings.NewReader(string(data))}, nil
}

type held struct{ *strings.Reader }

func (held) Close() error { return nil }
