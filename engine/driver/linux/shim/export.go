//go:build linux

package shim

// What package bundle, the runtime for bundles of others, shares with the supervisor. Thin names for the primitives of this package, so
// that both make mounts, open paths of images and become a program in one way.

// Option is one key and value for fsconfig(2); a key without value is a flag.
type Option = option

// KeyValue makes an option.
func KeyValue(key, value string) Option { return option{key, value} }

// Tree is a folder as the root of all paths that are looked up in it (openat2(2), RESOLVE_IN_ROOT).
type Tree struct{ t tree }

// TreeOf makes a tree of an open folder, which stays the caller's to close.
func TreeOf(fd int) Tree { return Tree{tree{fd}} }

// FD is the folder's descriptor.
func (t Tree) FD() int { return t.t.fd }

// Open opens name inside; resolve are further flags of openat2(2).
func (t Tree) Open(name string, flags int, resolve uint64) (int, error) {
	return t.t.open(name, flags, resolve)
}

// EnsureDir opens the folder name inside and makes what is missing on the way.
func (t Tree) EnsureDir(name string, resolve uint64) (int, error) {
	return t.t.ensureDir(name, resolve)
}

// EnsureFile opens the file name inside and makes an empty one if there is none.
func (t Tree) EnsureFile(name string) (int, error) { return t.t.ensureFile(name) }

// OpenSelf opens the engine's binary so that nobody who reaches it through the descriptor can write to it.
func OpenSelf() (int, error) { return openSelf() }

// NewMount makes a mount of a file system that is not attached anywhere yet.
func NewMount(fstype string, attrs int, options ...Option) (int, error) {
	return newMount(fstype, attrs, options...)
}

// Attach puts a mount onto an open file or folder and closes both descriptors.
func Attach(mnt, target int) error { return attach(mnt, target) }

// Clone makes a further mount of what dir and name lead to; an empty name means the descriptor itself.
func Clone(dir int, name string, recursive bool) (int, error) { return clone(dir, name, recursive) }

// SetGroups sets the supplementary groups of the calling thread.
func SetGroups(groups []uint32) error { return setGroups(groups) }

// ResetSignals undoes ignored and blocked signals of the calling thread.
func ResetSignals() { resetSignals() }

// LastCapability is the highest one that the kernel knows.
func LastCapability() uint { return lastCapability() }

// EnterCwd changes to the folder and makes sure that it lies in the process's root.
func EnterCwd(cwd string) error { return enterCwd(cwd) }

// LoopbackUp switches on the lo interface of the calling thread's network namespace.
func LoopbackUp() error { return loopbackUp() }

// LookPath finds a program in the environment and root of the calling thread. Its errors are of type commandError; see CommandCode.
func LookPath(args, env []string) (string, error) { return lookPath(&Process{Args: args, Env: env}) }

// ExecError turns what execve(2) said into docker's words.
func ExecError(name, program string, err error) error { return execError(name, program, err) }

// CommandCode is the exit code of an error that says that the container's own command is at fault; 0 for any other.
func CommandCode(err error) int {
	if c, ok := err.(*commandError); ok {
		return c.code
	}
	return 0
}

// Terminal makes a pair of terminal ends from the multiplexer name in dir, which must be on a devpts file system.
func Terminal(dir int, name string) (master, slave, number int, err error) {
	t, err := openTerminal(dir, name)
	if err != nil {
		return -1, -1, 0, err
	}
	return t.master, t.slave, t.number, nil
}

// GroupMapped reports whether a group id exists in this user namespace.
func GroupMapped(gid int64) bool { return groupMapped(gid) }

// Alive reports whether the process is the one that began then, and no zombie.
func Alive(pid int, start uint64) bool { return sameProcess(pid, start) }
