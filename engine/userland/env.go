package userland

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"time"
)

// Env is the world of one program. FS, Stdin, Stdout, Stderr and Dir are required; a nil optional part
// makes the programs that need it say that it is not available here.
type Env struct {
	FS      FS
	Procs   Procs   // process table; optional
	Starter Starter // starts real programs; optional
	Host    Host    // names and facts of the machine; optional
	Mounts  Mounts  // mount table; optional
	Dialer  Dialer  // network; optional
	Signals Signals // signals that come to the shell; optional
	Threads Threads // what a machine of its own has to know of threads and time; nil: the operating system's
	Pipes   Pipes   // makes the pipes between programs; nil: the operating system's
	Memory  Memory  // told of large buffers; optional
	// Shell is the file of the shell for scripts and the parts of pipelines where the PATH has no sh of ours; empty: what the
	// operating system says this program is.
	Shell string
	// Own tells whether a file is the binary that holds these programs, so that a shell may run them
	// within itself. Nil: every program known by name is.
	Own     func(path string) bool
	User    User // who runs the program
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Files   []io.Closer // what the program was started with as [Command.Files]
	Environ []string    // "NAME=value"
	Dir     string      // working directory, absolute
	Now     func() time.Time
}

// FS is the part of a file system that nearly every program needs. Names are absolute and clean. Errors
// are of the kinds that package os returns, so that errors.Is with fs.ErrNotExist and syscall numbers works.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
}

// File is an open file. Files may also be io.Seeker and have Truncate(int64) error; programs ask by assertion.
type File interface {
	io.ReadWriteCloser
	Stat() (fs.FileInfo, error)
}

// Tree changes the names of an FS. Optional ability of an FS.
type Tree interface {
	Mkdir(name string, perm fs.FileMode) error
	Remove(name string) error
	Rename(from, to string) error
}

// Links makes and reads links. Optional ability of an FS.
type Links interface {
	Symlink(target, name string) error
	Link(existing, name string) error
	Readlink(name string) (string, error)
}

// Meta changes what an FS records about files. Optional ability of an FS.
// Lchown does not follow symbolic links; -1 keeps an id.
type Meta interface {
	Chmod(name string, mode fs.FileMode) error
	Lchown(name string, uid, gid int) error
	Chtimes(name string, atime, mtime time.Time) error
}

// Nodes makes special files. Optional ability of an FS. Mode carries the type bits of fs.FileMode.
type Nodes interface {
	Mknod(name string, mode fs.FileMode, dev uint64) error
}

// Attrs tells what fs.FileInfo does not. Optional ability of an FS.
type Attrs interface {
	Attr(info fs.FileInfo) Attr
}

// Attr are the facts of one file beside fs.FileInfo. Blocks are 512 bytes.
type Attr struct {
	UID, GID  int
	Links     uint64
	Inode     uint64
	Dev, Rdev uint64
	Blocks    int64
	Atime     time.Time
	Ctime     time.Time
}

// User is the identity of a program.
type User struct {
	UID, GID int
	Groups   []int
}

// Process is one row of the process table. CPU is the time used, Start the time since boot at which it
// began; memory is in bytes.
type Process struct {
	PID, PPID, PGID, SID int
	UID                  int
	State                byte // R, S, D, Z, T
	Name                 string
	Args                 []string
	TTY                  string
	CPU                  time.Duration
	Start                time.Duration
	VSZ, RSS             int64
}

// Procs is the process table. Kill takes a pid as kill(2) does, negative for groups; signal 0 only asks.
type Procs interface {
	Self() (pid, ppid int)
	List() ([]Process, error)
	Kill(pid, signal int) error
}

// Command is a program to start. Path is an absolute file; Args includes the name it is called by.
//
// The streams stay the caller's: it may close its own as soon as Start has returned, or goes on to use them. A Starter gives the
// program descriptors of its own for them, as fork(2) does. Streams are files of the FS, ends of pipes, connections, or anything
// else that can be read or written, such as the text of a here-document, which has nothing to close.
type Command struct {
	Path           string
	Args           []string
	Environ        []string
	Dir            string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Files          []io.Closer // further descriptors, from 3 on, each an io.Reader, an io.Writer or both; nil for one that is closed
	Group          Group
}

// Group says which process group a program is started in: 0 the caller's, [OwnGroup] one of its own, or an existing one.
// Foreground gives a group of its own the terminal that is the program's standard input. Session makes a session of its own, which has
// no terminal unless Foreground says so.
type Group struct {
	ID         int
	Foreground bool
	Session    bool
}

// OwnGroup is the ID of a new group, whose number is that of the program's process.
const OwnGroup = -1

// Starter starts programs as processes. Start fails as execve does. Replace is execve itself: it returns
// only on failure; a Starter that can not replace returns errors.ErrUnsupported.
type Starter interface {
	Start(ctx context.Context, c Command) (Child, error)
	Replace(c Command) error
}

// Terminals gives the terminal that a stream is to a process group, 0 for the caller's own. Optional ability of a Starter.
type Terminals interface {
	Foreground(terminal any, group int) error
}

// Sessions makes the caller the leader of a session of its own (setsid(2)): EPERM for the leader of a group. Optional ability of a Starter.
type Sessions interface {
	NewSession() error
}

// ErrStopped is what Wait returns for a process that a signal stopped.
var ErrStopped = errors.New("stopped")

// Child is a started process. Wait returns the exit code, 128+n after signal n. When the process was started in a group other than
// the caller's, Wait also returns when the process stops, with ErrStopped, and is to be called again.
type Child interface {
	PID() int
	Signal(signal int) error
	Wait() (int, error)
}

// Rlimits shows and sets resource limits as ulimit does: flag is one of its options ("-n"), values are in its units or "unlimited".
// Optional ability of a Procs.
type Rlimits interface {
	Limit(flag string) (value string, known bool)
	SetLimit(flag, value string) error
}

// Uname are the fields of uname(2).
type Uname struct{ Sysname, Nodename, Release, Version, Machine string }

// Usage is the memory of a machine in bytes.
type Usage struct{ Total, Free, Available, Shared, Buffers, SwapTotal, SwapFree int64 }

// Host tells facts of the machine.
type Host interface {
	Uname() (Uname, error)
	SetHostname(name string) error
	CPUs() int
	Memory() (Usage, time.Duration, error) // and the time since boot
}

// MountEntry is one row of the mount table.
type MountEntry struct{ Source, Target, Type, Options string }

// Space is the size of a file system in bytes and inodes.
type Space struct{ Total, Free, Available, Files, FilesFree int64 }

// Mounts reads and changes the mount table.
type Mounts interface {
	List() ([]MountEntry, error)
	Space(path string) (Space, error)
	Mount(m MountEntry) error
	Unmount(target string, lazy bool) error
}

// Conn is one network connection.
type Conn interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Listener accepts connections.
type Listener interface {
	Accept() (Conn, error)
	Addr() string
	Close() error
}

// Dialer is the network. Addresses are "host:port". Lookup tells the addresses of a name and which server answered.
type Dialer interface {
	Dial(ctx context.Context, address string) (Conn, error)
	Listen(ctx context.Context, address string) (Listener, error)
	Lookup(ctx context.Context, name string) (addresses []string, server string, err error)
}

// Interfaces lists the interfaces of a network. Optional ability of a Dialer.
type Interfaces interface {
	Interfaces() ([]Interface, error)
}

// Interface is one of them.
type Interface struct {
	Index     int
	Name, MAC string // MAC is empty for the loopback
	MTU       int
	Down      bool
	Addresses []netip.Prefix
}

// Signals gives a shell its traps. Notify sends the numbers of the named signals to ch until the process
// ends; Umask sets the file mode creation mask and returns the old one.
type Signals interface {
	Notify(ch chan<- int, signals ...int)
	Ignore(signals ...int)
	Default(signals ...int)
	Umask(mask int) int
}

// Threads lets a simulated machine know what the threads of a program do, so that its clock can skip the times in which all of
// them wait. A program starts no goroutine, sleeps nowhere and waits for no goroutine of its own but through it.
type Threads interface {
	// Go runs f as a further thread of the program.
	Go(f func())
	// Block runs f, which waits for another thread of the same program and for nothing else.
	Block(f func())
	// Sleep returns after d of the machine's time, or earlier with the error of ctx.
	Sleep(ctx context.Context, d time.Duration) error
	// AfterFunc runs f as a further thread after d of the machine's time. stop tells whether it came before that.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Pipes makes pipes (pipe(2)). With it a shell runs every part of a pipeline as a process of its own.
type Pipes interface {
	Pipe() (r io.ReadCloser, w io.WriteCloser, err error)
}

// Memory counts what a program keeps in large buffers. Grow with a negative n gives back. A program that goes over its limit is
// killed by the machine; the error is for the last words it has until it notices.
type Memory interface {
	Grow(n int64) error
}

// Poller is what a stream can do besides whose reader may have to wait: Readable tells whether there is something to read, or the
// end, within the machine's time d. Optional ability of a stream.
type Poller interface {
	Readable(ctx context.Context, d time.Duration) bool
}

// Terminal is what a stream that is a terminal of a simulated machine can do besides. On the real one a terminal is an *os.File.
type Terminal interface {
	// Raw lets input through as it is typed, without echo and without signals for its control characters.
	Raw() (restore func() error, err error)
	Size() (cols, rows int)
}
