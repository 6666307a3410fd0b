package vfs

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Proc is the file system /proc of one container. What is in it can be read and not written. A View sees itself as self in it.
type Proc struct {
	src    ProcSource
	system synth            // all but the folders of processes
	each   synth            // the folder of a process
	boot   func() time.Time // time of all that belongs to no process
}

// NewProc is /proc.
func NewProc(src ProcSource) fsys.FS { return NewTunedProc(src, nil) }

// NewTunedProc is /proc of a container with settings of its own, by sysctl(8)'s names. Those that the kernel does not have are left out.
func NewTunedProc(src ProcSource, settings map[string]string) fsys.FS {
	return &Proc{src: src, system: procSystem(settings), each: procProcess(), boot: sync.OnceValue(func() time.Time { return src.System().Boot })}
}

// as is /proc as the process of v sees it.
func (p *Proc) as(v *View) fsys.FS { return &procView{p, v} }

// Lstat describes a name as nobody sees it: there is no self.
func (p *Proc) Lstat(name string) (fsys.Attr, error) { return (&procView{p, nil}).Lstat(name) }

// ReadDir lists a folder.
func (p *Proc) ReadDir(name string) ([]fsys.Dirent, error) {
	return (&procView{p, nil}).ReadDir(name)
}

// Readlink gives the text of a link.
func (p *Proc) Readlink(name string) (string, error) { return (&procView{p, nil}).Readlink(name) }

// Open makes the content of a file; EROFS for writing.
func (p *Proc) Open(name string, how fsys.How) (fsys.Handle, error) {
	return (&procView{p, nil}).Open(name, how)
}

// procView is a Proc with somebody who looks at it, who may be nil.
type procView struct {
	*Proc
	view *View
}

// pid is the number of the process that looks, 0 if it has none.
func (p *procView) pid() int {
	if p.view == nil {
		return 0
	}
	if d, ok := p.view.proc.(Descriptors); ok {
		return d.PID()
	}
	return 0
}

// procName is a name of /proc taken apart.
type procName struct {
	pid  int    // 0 for what belongs to no process
	rest string // below the process's folder or /proc
	fd   int    // number of the descriptor if rest is "fd/N"; else -1

	thread bool // it was asked for by way of task/
}

// parseProc takes a name apart. A thread's folder is the same as its process's: there is one thread.
func parseProc(name string) (procName, error) {
	first, rest, _ := strings.Cut(name, "/")
	pid, ok := decimal(first)
	if !ok || pid == 0 {
		return procName{rest: name, fd: -1}, nil
	}
	below, thread := strings.CutPrefix(rest, "task/")
	if thread {
		var tid string
		tid, rest, _ = strings.Cut(below, "/")
		if tid != first || rest == "task" || strings.HasPrefix(rest, "task/") {
			return procName{}, syscall.ENOENT
		}
	}
	n := procName{pid: pid, rest: rest, fd: -1, thread: thread}
	if number, ok := strings.CutPrefix(rest, "fd/"); ok {
		if n.fd, ok = decimal(number); !ok {
			return procName{}, syscall.ENOENT
		}
	}
	if n.rest == "" {
		n.rest = "."
	}
	return n, nil
}

// decimal reads a number as /proc spells it.
func decimal(s string) (int, bool) {
	if s == "" || s[0] == '0' && s != "0" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// find gives the node of a name and the scene for its content.
func (p *procView) find(name string) (*synthNode, *scene, error) {
	n, err := parseProc(name)
	if err != nil {
		return nil, nil, err
	}
	s := &scene{src: p.src}
	if p.view != nil {
		s.ns = p.view.ns
	}
	if n.pid == 0 {
		return p.findSystem(n.rest, s)
	}
	info, ok := p.src.Process(n.pid)
	if !ok {
		return nil, nil, syscall.ENOENT
	}
	s.proc = info
	if n.fd >= 0 {
		return descriptorNode(n.fd, s)
	}
	node := p.each[n.rest]
	if node == nil {
		return nil, nil, syscall.ENOENT
	}
	switch {
	case n.rest == "fd":
		node = fdFolder(node, info)
	case n.rest == "." && n.thread:
		folder := *node
		folder.names = slices.DeleteFunc(slices.Clone(node.names), func(d fsys.Dirent) bool { return d.Name == "task" })
		node = &folder
	case n.rest == "task":
		node = &synthNode{kind: fsys.Dir, mode: node.mode, inode: node.inode, names: []fsys.Dirent{{Name: strconv.Itoa(n.pid), Kind: fsys.Dir}}}
	}
	return node, s, nil
}

func (p *procView) findSystem(name string, s *scene) (*synthNode, *scene, error) {
	s.proc.PID = p.pid()
	node := p.system[name]
	if node == nil || (name == "self" || name == "thread-self") && s.proc.PID == 0 {
		return nil, nil, syscall.ENOENT
	}
	if name == "." {
		root := *node
		root.names = slices.Clone(node.names)
		for _, x := range p.src.Processes() {
			root.names = append(root.names, fsys.Dirent{Name: strconv.Itoa(x.PID), Kind: fsys.Dir})
		}
		slices.SortFunc(root.names, byName)
		node = &root
	}
	return node, s, nil
}

const maxFDs = 1 << 16

// descriptorNode is the link of one open descriptor.
func descriptorNode(fd int, s *scene) (*synthNode, *scene, error) {
	text, open := s.proc.Files[fd]
	if !open || fd >= maxFDs {
		return nil, nil, syscall.ENOENT
	}
	return &synthNode{kind: fsys.Symlink, mode: 0o700, target: func(*scene) string { return text }, inode: uint64(maxFDs + fd)}, s, nil
}

func fdFolder(node *synthNode, info ProcInfo) *synthNode {
	folder := *node
	for fd := range info.Files {
		folder.names = append(folder.names, fsys.Dirent{Name: strconv.Itoa(fd), Kind: fsys.Symlink})
	}
	slices.SortFunc(folder.names, byName)
	return &folder
}

// pidShift keeps the inode numbers of processes apart.
const pidShift = 20

// attr is a node with the owner and the time of its process.
func (p *procView) attr(n *synthNode, s *scene) fsys.Attr {
	if s.proc.PID == 0 || s.proc.State == 0 {
		return n.attr(p.boot())
	}
	a := n.attr(p.boot().Add(s.proc.Start))
	a.UID, a.GID = s.proc.UID, s.proc.GID
	a.Inode += uint64(s.proc.PID) << pidShift
	return a
}

func (p *procView) Lstat(name string) (fsys.Attr, error) {
	n, s, err := p.find(name)
	if err != nil {
		return fsys.Attr{}, err
	}
	return p.attr(n, s), nil
}

func (p *procView) ReadDir(name string) ([]fsys.Dirent, error) {
	n, _, err := p.find(name)
	if err != nil {
		return nil, err
	}
	return n.list()
}

// Readlink gives exe, cwd, root and descriptors only to the user whose process it is, and to user 0.
func (p *procView) Readlink(name string) (string, error) {
	n, s, err := p.find(name)
	if err != nil {
		return "", err
	}
	if s.proc.State != 0 && p.view != nil && p.view.cred.UID != 0 && p.view.cred.UID != s.proc.UID {
		return "", syscall.EACCES
	}
	return n.readlink(s)
}

func (p *procView) Open(name string, how fsys.How) (fsys.Handle, error) {
	n, s, err := p.find(name)
	if err != nil {
		return nil, err
	}
	return n.open(s, p.attr(n, s), how)
}

// descriptor tells whether the link rel is one of the caller's own descriptors that has no path: a pipe, or a file that lost its name.
func (w *walker) descriptor(rel, text string) (fd int, ok bool) {
	p, isProc := w.fs.(*procView)
	if !isProc || strings.HasPrefix(text, "/") && !strings.HasSuffix(text, " (deleted)") {
		return 0, false
	}
	n, err := parseProc(rel)
	return n.fd, err == nil && n.fd >= 0 && n.pid == p.pid()
}
