package vfs

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// Mount is one file system in the tree.
type Mount struct {
	FS           fsys.FS
	Source, Type string
	Options      []string // ro, nosuid, nodev, noexec, ... and those of the file system, as the mount table shows them
	File         string   // the name in FS that appears at the target: of a bind mount of one file or of a subfolder; empty for all of FS
}

// Namespace is the mount table of one container. It may be used from many goroutines at once.
type Namespace struct {
	root *mount
	mu   sync.Mutex // for changes; walks read without it
	list []*mount   // in the order in which they were mounted
	next int        // id of the next mount
	devs map[fsys.FS]uint64
}

// mount is a Mount in its place. parent, at and children change only under the namespace's lock; walks read the children's map,
// which is replaced and never written to.
type mount struct {
	id       int
	fs       fsys.FS
	root     string // the name in fs that lies at the mount point
	source   string
	kind     string // its type: overlay, tmpfs, proc ...
	target   string // canonical path of the mount point
	dev      uint64
	parent   *mount
	at       string // the name in parent.fs that it covers
	folder   bool   // root is a folder
	stub     bool   // stands for folders that only lead to a mount point; not shown in the table
	settings atomic.Pointer[settings]
	children atomic.Pointer[map[string]*mount]
	gone     atomic.Bool
}

// settings are what a remount changes.
type settings struct {
	readOnly, noDev, noExec, noSuid bool
	options                         []string
}

// The numbers that a kernel gave a container's mounts in a typical case: it is not the first thing that was mounted.
const (
	firstMountID = 70
	firstDevice  = 40
)

// New makes a namespace with root mounted at /.
func New(root fsys.FS) *Namespace {
	n := &Namespace{next: firstMountID, devs: map[fsys.FS]uint64{}}
	n.root = n.newMount(Mount{FS: root, Source: "overlay", Type: "overlay", Options: []string{"rw", "nodev", "relatime"}})
	n.root.target = "/"
	n.list = []*mount{n.root}
	return n
}

func (n *Namespace) newMount(m Mount) *mount {
	n.next++
	dev, known := n.devs[m.FS]
	if !known {
		dev = fsys.MakeDev(0, uint32(firstDevice+len(n.devs)))
		n.devs[m.FS] = dev
	}
	made := &mount{id: n.next, fs: m.FS, root: clean(m.File), source: m.Source, kind: m.Type, dev: dev}
	attr, err := m.FS.Lstat(made.root)
	made.folder = err == nil && attr.Kind == fsys.Dir
	made.settings.Store(newSettings(m.Options))
	return made
}

func newSettings(options []string) *settings {
	s := &settings{options: []string{"rw"}}
	for _, o := range options {
		switch o {
		case "ro":
			s.readOnly = true
			s.options[0] = "ro"
			continue
		case "rw", "":
			continue
		case "nodev":
			s.noDev = true
		case "noexec":
			s.noExec = true
		case "nosuid":
			s.noSuid = true
		}
		s.options = append(s.options, o)
	}
	return s
}

// clean makes a name as file systems expect it of one that came with a slash or was left out.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}

// join is the name of a child of rel.
func join(rel, name string) string {
	if rel == "." {
		return name
	}
	return rel + "/" + name
}

// child is the mount that covers the name rel of m, nil if none does.
func (m *mount) child(rel string) *mount {
	if c := m.children.Load(); c != nil {
		return (*c)[rel]
	}
	return nil
}

func (m *mount) setChild(rel string, c *mount) {
	next := map[string]*mount{}
	if old := m.children.Load(); old != nil {
		for k, v := range *old {
			next[k] = v
		}
	}
	if next[rel] = c; c == nil {
		delete(next, rel)
	}
	m.children.Store(&next)
}

// path is the canonical path of the name rel of m.
func (m *mount) path(rel string) string {
	below := rel
	switch {
	case rel == m.root:
		return m.target
	case m.root != ".":
		below = rel[len(m.root)+1:]
	}
	if m.target == "/" {
		return "/" + below
	}
	return m.target + "/" + below
}

// Mount puts m on top of what is at target, following links. A target that is not there appears with the mount and leaves no
// trace in the file system below. A folder goes on a folder and anything else on a file, else ENOTDIR. Errors are bare syscall.Errno.
func (n *Namespace) Mount(target string, m Mount) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mount(target, m)
}

func (n *Namespace) mount(target string, m Mount) error {
	if _, err := m.FS.Lstat(clean(m.File)); err != nil {
		return err
	}
	w, err := n.place(target)
	if err != nil {
		return err
	}
	made := n.newMount(m)
	if !w.missing && (w.attr.Kind == fsys.Dir) != made.folder {
		return syscall.ENOTDIR
	}
	n.attach(w.m, w.rel, made)
	return nil
}

func (n *Namespace) attach(parent *mount, rel string, made *mount) {
	made.parent, made.at, made.target = parent, rel, parent.path(rel)
	parent.setChild(rel, made)
	n.list = append(n.list, made)
}

// place finds where a mount goes. Folders that are missing on the way are stood in for by a small tmpfs.
func (n *Namespace) place(target string) (*walker, error) {
	w := &walker{}
	v := n.kernelView()
	err := v.walk(w, target, true)
	if err == nil {
		return w, nil
	}
	if err != syscall.ENOENT || !w.gap {
		return nil, err
	}
	stub := n.newMount(Mount{FS: NewTmpfs(0, 0o755, epoch, nil), Source: "none", Type: "tmpfs"})
	stub.stub = true
	n.attach(w.m, w.rel, stub)
	name := "."
	for part := range strings.SplitSeq(path.Dir(clean(w.rest)), "/") {
		if part == "." {
			break
		}
		name = join(name, part)
		if err := stub.fs.(*Tmpfs).Make(name, fsys.New{Kind: fsys.Dir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	w = &walker{}
	return w, v.walk(w, target, true)
}

// Missing tells where a target that is not there would have to be made, following links: in which file system and under which name. false:
// it is there. Errors are bare syscall.Errno.
func (n *Namespace) Missing(target string) (in fsys.FS, name string, missing bool, err error) {
	w := &walker{}
	switch err := n.kernelView().walk(w, target, true); {
	case err == syscall.ENOENT && w.gap:
		return w.m.fs, path.Join(w.rel, w.rest), true, nil
	case err != nil:
		return nil, "", false, err
	}
	return w.m.fs, w.rel, w.missing, nil
}

func epoch() time.Time { return time.Unix(0, 0) }

// Remount changes options of the mount whose mount point target is, as mount(8) does: ro and rw, nodev and dev and so on are one
// another's opposites, and what is not named stays. EINVAL if target is no mount point. Errors are bare syscall.Errno.
func (n *Namespace) Remount(target string, options ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &walker{}
	if err := n.kernelView().walk(w, target, true); err != nil {
		return err
	}
	if w.missing || w.rel != w.m.root {
		return syscall.EINVAL
	}
	w.m.settings.Store(newSettings(changeOptions(w.m.settings.Load().options, options)))
	return nil
}

// changeOptions replaces in old what the new options contradict.
func changeOptions(old, options []string) []string {
	all := slices.Clone(old)
	for _, o := range options {
		key, _, _ := strings.Cut(o, "=")
		all = slices.DeleteFunc(all, func(x string) bool {
			k, _, _ := strings.Cut(x, "=")
			return k == key || (k == "ro" || k == "rw") && (o == "ro" || o == "rw") || k == "no"+o || "no"+k == o
		})
		switch o {
		case "dev", "exec", "suid": // nothing is said of what is allowed
		default:
			all = append(all, o)
		}
	}
	return all
}

// Unmount takes the uppermost mount at target away: EINVAL if target is no mount point, EBUSY if there is another mount below it,
// unless lazy, when those go, too. What is open on it stays usable. Errors are bare syscall.Errno.
func (n *Namespace) Unmount(target string, lazy bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &walker{}
	if err := n.kernelView().walk(w, target, true); err != nil {
		return err
	}
	m := w.m
	switch below := m.children.Load(); {
	case w.missing || w.rel != m.root || m.parent == nil || m.stub:
		return syscall.EINVAL
	case below != nil && len(*below) > 0 && !lazy:
		return syscall.EBUSY
	}
	m.parent.setChild(m.at, nil)
	m.gone.Store(true)
	n.list = slices.DeleteFunc(n.list, func(x *mount) bool {
		for ; x != nil; x = x.parent {
			if x == m {
				return true
			}
		}
		return false
	})
	return nil
}

// Mounts lists the table in the order of mounting.
func (n *Namespace) Mounts() []userland.MountEntry {
	var all []userland.MountEntry
	for _, m := range n.mounts() {
		all = append(all, userland.MountEntry{Source: m.source, Target: m.target, Type: m.kind, Options: strings.Join(m.settings.Load().options, ",")})
	}
	return all
}

func (n *Namespace) mounts() []*mount {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.list), func(m *mount) bool { return m.stub })
}

// mountInfo is the table as /proc/PID/mountinfo has it.
func (n *Namespace) mountInfo() string {
	var b strings.Builder
	for _, m := range n.mounts() {
		parent := firstMountID - 27
		for p := m.parent; p != nil; p = p.parent {
			if !p.stub {
				parent = p.id
				break
			}
		}
		root := "/"
		if m.root != "." {
			root = "/" + m.root
		}
		own, super := ownOptions(m.settings.Load().options)
		b.WriteString(strconv.Itoa(m.id) + " " + strconv.Itoa(parent) + " " + device(m.dev) + " " + escape(root) + " " + escape(m.target) + " " +
			own + " - " + m.kind + " " + escape(m.source) + " " + escape(super) + "\n")
	}
	return b.String()
}

// ownOptions parts a mount's own options from those of the file system, which all its mounts share and which stays writable when a mount
// does not.
func ownOptions(options []string) (own, super string) {
	var mine []string
	shared := []string{"rw"}
	for _, o := range options {
		switch o {
		case "ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow":
			mine = append(mine, o)
		default:
			shared = append(shared, o)
		}
	}
	return strings.Join(mine, ","), strings.Join(shared, ",")
}

func device(dev uint64) string {
	return strconv.Itoa(int(fsys.Major(dev))) + ":" + strconv.Itoa(int(fsys.Minor(dev)))
}

// escape writes a name so that it is one word, as the kernel does in its tables.
func escape(name string) string {
	if !strings.ContainsAny(name, " \t\n\\#") {
		return name
	}
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`, "#", `\043`).Replace(name)
}

// kernelView sees everything and is nobody's.
func (n *Namespace) kernelView() *View { return &View{ns: n} }
