// Package driver is the seam between the engine and the machine below it: what a machine must be able to do
// so that images can be unpacked and containers run. Its verbs are intents ("prepare a writable layer"), never
// system calls. The linux driver carries them out with the kernel, the simulator in a machine of its own.
//
// Words: a chain is the ChainID of a stack of read-only layers (image-spec, config.md); a key names one writable
// layer, in practice a container id or a build step. Paths inside a tree are slash-separated and rooted in it.
package driver

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/network"
)

// Sentinels for callers that branch. Drivers wrap them with what was being done.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("already exists")
	ErrUnsupported = errors.New("not supported by this driver")
	ErrNotRunning  = errors.New("not running")
	ErrCommand     = errors.New("command cannot be started")
)

// CommandError reports that a container's command could not be executed. Code is what docker exits with:
// 127 for a program that is not there, 126 for one that cannot be executed. It wraps ErrCommand.
type CommandError struct {
	Code int
	Msg  string // "exec: \"foo\": executable file not found in $PATH"
}

func (e *CommandError) Error() string { return e.Msg }
func (e *CommandError) Unwrap() error { return ErrCommand }

// Layers keeps read-only layers, unpacked once and shared by every image and container that stands on them.
type Layers interface {
	// Apply unpacks the uncompressed layer archive tar on top of parent (empty for the lowest layer) as chain,
	// and verifies that the archive's digest is diffID. After an error nothing of chain is left. If chain is
	// there already the archive is not read and the error is ErrExists.
	Apply(ctx context.Context, chain, parent, diffID digest.Digest, tar io.Reader) error
	// Has reports whether chain is unpacked here.
	Has(chain digest.Digest) bool
	// List names every chain that is here.
	List(ctx context.Context) ([]digest.Digest, error)
	// Drop removes chain. The caller knows that nothing stands on it. Dropping what is not there is no error.
	Drop(ctx context.Context, chain digest.Digest) error
}

// EarlyLayers is an ability that Layers may have besides: to unpack a layer's archive while it is still being made, when nobody knows its
// digest yet. Whoever makes it vouches for it: nothing is verified.
type EarlyLayers interface {
	// Begin unpacks the uncompressed archive tar on top of parent. After an error nothing is left of it.
	Begin(ctx context.Context, parent digest.Digest, tar io.Reader) (Unpacked, error)
}

// Unpacked is an unpacked layer that has no place yet.
type Unpacked interface {
	// Install gives the layer its place as chain, as Apply would have. ErrExists if chain is there already.
	Install(ctx context.Context, chain, diffID digest.Digest) error
	// Close throws away what was not installed.
	Close() error
}

// LayerOpener is an ability that Layers may have besides: to give the files of one layer back as its archive had them, so that the archive need not be kept.
type LayerOpener interface {
	// Settle sees to it that chain, and what it stands on, survive a power cut.
	Settle(ctx context.Context, chain digest.Digest) error
	// OpenLayer opens what chain's own layer brought, without those below. ErrNotFound if it isn't unpacked here.
	OpenLayer(chain digest.Digest) (LayerFiles, error)
}

// LayerFiles are the files of one unpacked layer. They must be closed.
type LayerFiles interface {
	// Open opens the regular file that the layer's archive has under path. Links to folders are followed inside the layer. The caller closes it.
	Open(path string) (io.ReadCloser, error)
	// Size counts the bytes of the files' content.
	Size() int64
	Close() error
}

// Snapshots keeps writable layers, each on top of one chain.
type Snapshots interface {
	// Prepare makes the writable layer key on top of chain (empty: on nothing). ErrExists if key is taken.
	Prepare(ctx context.Context, key string, chain digest.Digest) error
	// Diff writes the changes in key as an OCI layer archive, uncompressed, names sorted, reproducible.
	Diff(ctx context.Context, key string, w io.Writer) (DiffStats, error)
	// Changes lists the changes in key as docker diff does, sorted by path.
	Changes(ctx context.Context, key string) ([]Change, error)
	// Commit turns key into the read-only layer chain, whose archive Diff gave: no second copy. key is gone
	// afterwards. If chain is there already, key is just removed.
	Commit(ctx context.Context, key string, chain, diffID digest.Digest) error
	// Remove throws key away. Removing what is not there is no error.
	Remove(ctx context.Context, key string) error
	// List names every key that is here.
	List(ctx context.Context) ([]string, error)
}

// VolatilePreparer is an ability that Snapshots may have besides: to make a writable layer that need not survive a power cut,
// because nothing that does names it.
type VolatilePreparer interface {
	PrepareVolatile(ctx context.Context, key string, chain digest.Digest) error
}

// PrepareVolatile is s.Prepare, without waiting for the disk where s can do without.
func PrepareVolatile(ctx context.Context, s Snapshots, key string, chain digest.Digest) error {
	if v, ok := s.(VolatilePreparer); ok {
		return v.PrepareVolatile(ctx, key, chain)
	}
	return s.Prepare(ctx, key, chain)
}

// Folders is an ability that a driver may have besides: to keep named writable folders that outlive containers and that any number of
// containers may have mounted at once (Mount of type folder): cache mounts of builds, volumes. Names are [a-zA-Z0-9][a-zA-Z0-9_.-]*.
type Folders interface {
	// MakeFolder makes the folder name with that owner and those permissions (0 to 07777). ErrExists if it is there already.
	MakeFolder(ctx context.Context, name string, uid, gid, mode uint32) error
	// FolderSize counts the bytes of the files in the folder. ErrNotFound if it isn't there.
	FolderSize(ctx context.Context, name string) (int64, error)
	// RemoveFolder removes the folder and what is in it. Removing what is not there is no error. No container may have it mounted.
	RemoveFolder(ctx context.Context, name string) error
	// ListFolders names every folder that is here, sorted.
	ListFolders(ctx context.Context) ([]string, error)
}

// FolderPlacer is an ability that Folders may have besides: to tell where on the host a folder lies.
type FolderPlacer interface {
	// FolderPath is an absolute path of the host. ErrNotFound if the folder isn't there.
	FolderPath(name string) (string, error)
}

// FolderFiller is an ability that Folders may have besides: to fill a folder from a tree of layers.
type FolderFiller interface {
	// FillFolder gives an empty folder what path leads to in the tree of chain: what is in it, and owner and permissions of the folder itself.
	// Links in the path are followed inside the tree. Nothing happens if the folder is not empty, or path leads to nothing or to no folder.
	// If the process dies the folder is still empty, or FinishFills fills it. durable: what it puts there must survive a power cut.
	FillFolder(ctx context.Context, name string, chain digest.Digest, path string, durable bool) (Filling, error)
	// FinishFills finishes what dead processes had begun. Nobody may be filling meanwhile.
	FinishFills(ctx context.Context) error
}

// Filling is what FillFolder did.
type Filling struct {
	Filled bool
	Files  int   // files and folders, and whatever else has a name
	Bytes  int64 // of files' content
}

// Trees gives read access to whole trees: all layers together, as a container would see them.
type Trees interface {
	// OpenChain opens the tree of a read-only chain; the empty chain is an empty tree.
	OpenChain(ctx context.Context, chain digest.Digest) (Tree, error)
	// OpenKey opens the tree of a writable layer and everything below it.
	OpenKey(ctx context.Context, key string) (Tree, error)
}

// Tree is a read view of a whole tree. Links are followed inside the tree only; no name reaches the host.
type Tree interface {
	// Open opens a regular file for reading, following links; ErrNotFound if there is none.
	Open(path string) (io.ReadCloser, error)
	// Stat describes what path leads to, following links; ErrNotFound if there is none.
	Stat(path string) (fs.FileInfo, error)
	// Export writes the whole tree as a tar archive without whiteouts, names sorted.
	Export(ctx context.Context, w io.Writer) error
	Close() error
}

// DiffStats counts what Diff wrote.
type DiffStats struct {
	Files     int   // entries added or changed
	Whiteouts int   // names deleted
	Bytes     int64 // bytes of file content
}

// Change is one changed path of a writable layer.
type Change struct {
	Path string
	Kind ChangeKind
}

// ChangeKind is how a path changed, with docker diff's letters.
type ChangeKind byte

// The kinds of change.
const (
	Modified ChangeKind = 'C'
	Added    ChangeKind = 'A'
	Deleted  ChangeKind = 'D'
)

// Runtime makes tasks: the living side of a container.
type Runtime interface {
	// Create readies a task for spec; nothing runs yet. ErrExists if spec.ID has a task.
	Create(ctx context.Context, spec Spec) (Task, error)
	// Load finds the task of a container that this or another process started; ErrNotFound if there is none
	// (never started, or removed, or the machine was started anew since).
	Load(ctx context.Context, id string) (Task, error)
}

// Clock is an ability that a Runtime may have besides: a time of its own, in which its machine lives. Without it the machine lives in
// the host's.
type Clock interface {
	Now() time.Time
	// Sleep returns after d of the machine's time, or earlier with the error of ctx.
	Sleep(ctx context.Context, d time.Duration) error
}

// Now is the time on r's machine.
func Now(r Runtime) time.Time {
	if c, ok := r.(Clock); ok {
		return c.Now()
	}
	return time.Now()
}

// Sleep waits for d of the time of r's machine, or until ctx ends.
func Sleep(ctx context.Context, r Runtime, d time.Duration) error {
	if c, ok := r.(Clock); ok {
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// RuntimeFinder is an ability that a Runtime may have besides: to let another OCI runtime make containers (Spec.Runtime).
type RuntimeFinder interface {
	// FindRuntime gives the program of a runtime by its name or absolute path; ErrNotFound if there is none.
	FindRuntime(name string) (program string, err error)
	// Runtimes names those that are there, besides the own one.
	Runtimes() []string
}

// Leaker is an ability that a Runtime may have besides: to name, in words, what dead processes left on the machine outside the home.
type Leaker interface {
	Leaks(ctx context.Context) []string
}

// Confiner is an ability that a Runtime may have besides: to tell whether the machine confines processes by AppArmor's profiles.
type Confiner interface {
	HasAppArmor() bool
}

// HasAppArmor reports whether a process's AppArmor profile has an effect on r's machine.
func HasAppArmor(r Runtime) bool {
	c, ok := r.(Confiner)
	return ok && c.HasAppArmor()
}

// Task is one container's processes. A task outlives the process that started it: its supervisor keeps its log
// and its exit status. Methods may be called from any process at any time.
type Task interface {
	// Start runs the first process and returns when it has been executed, or a *CommandError if it cannot be.
	// The streams are connected until the task ends or ctx does.
	Start(ctx context.Context, streams Streams) error
	// Signal sends a signal to the first process. ErrNotRunning if it has ended.
	Signal(ctx context.Context, sig Signal) error
	// Wait returns when the task has ended, its streams are drained and its log is complete.
	Wait(ctx context.Context) (Exit, error)
	// Status tells how the task is now, without waiting.
	Status(ctx context.Context) (Status, error)
	// Delete forgets an ended task and removes what it had (control groups, sockets). The writable layer and the log stay.
	// A running task is killed first.
	Delete(ctx context.Context) error
}

// Abilities that a task may have besides, found by type assertion.
type (
	// Pauser freezes and thaws all processes of a task.
	Pauser interface {
		Pause(ctx context.Context) error
		Resume(ctx context.Context) error
	}
	// Execer runs a further process in a task's container.
	Execer interface {
		// Exec starts the process and waits for it unless process.Detach; the streams are connected meanwhile.
		Exec(ctx context.Context, process Process, streams Streams) (Exit, error)
	}
	// Attacher connects further streams to a running first process, and tells how it ended, unless ctx ends before.
	Attacher interface {
		Attach(ctx context.Context, streams Streams) (Exit, error)
	}
	// Resizer tells the terminal of the first process its new size in character cells.
	Resizer interface {
		Resize(ctx context.Context, cols, rows uint16) error
	}
	// PatientTask waits as Wait does, but at most for d of the machine's time: then the error is context.DeadlineExceeded.
	PatientTask interface {
		WaitFor(ctx context.Context, d time.Duration) (Exit, error)
	}
	// Lister lists the processes of a task.
	Lister interface {
		Processes(ctx context.Context) ([]ProcessInfo, error)
	}
	// Rester is a task whose supervisor rests after the end until it runs Spec.OnEnd.
	Rester interface {
		// SetOnEnd changes Spec.OnEnd and Rested of a running task; without a command nothing is done at the end.
		SetOnEnd(ctx context.Context, command []string, rested time.Duration) error
		// Dismiss ends the rest of an ended task: the command is not run any more. It returns when the supervisor is gone, at once if
		// it is already.
		Dismiss(ctx context.Context) error
	}
	// Eventer hands out what the supervisor recorded since the last call by any process, as trace events;
	// each event is handed out once.
	Eventer interface {
		Events(ctx context.Context) error
	}
)

// WaitFor is t.Wait for at most d of the machine's time: then the error is context.DeadlineExceeded. A negative d waits for ever.
func WaitFor(ctx context.Context, t Task, d time.Duration) (Exit, error) {
	if d < 0 {
		return t.Wait(ctx)
	}
	if p, ok := t.(PatientTask); ok {
		return p.WaitFor(ctx, d)
	}
	waiting, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return t.Wait(waiting)
}

// Signal is a signal's number on Linux, whatever machine is below.
type Signal int

// Streams are the caller's ends of a process's standard streams; nil means not connected. With a terminal,
// Stderr is not used. If Stdin is given, its end closes the process's standard input. What was read from it reaches the process, also when
// the caller leaves right after.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Cols, Rows     uint16      // first size of the terminal, 0 if unknown
	Sizes          <-chan Size // further sizes of the terminal, until it is closed; nil: there are none
}

// Size is that of a terminal, in character cells.
type Size struct{ Cols, Rows uint16 }

// Exit tells how a process ended.
type Exit struct {
	Code      int    // 0 to 255; 128 and the signal's number when a signal ended it
	Signal    Signal // 0 if none
	OOMKilled bool   // a process of the container, this one or another, was killed because memory ran out
	OOM       *OOM   // with OOMKilled, if the numbers are known
	At        time.Time
}

// Status is how a task is at one moment.
type Status struct {
	State     State
	Pid       int // on the host; 0 unless running or paused
	StartedAt time.Time
	Exit      Exit          // when State is Stopped
	Resting   bool          // when State is Stopped: the supervisor is still there, and will run Spec.OnEnd or does so now
	Net       *network.Plan // while it runs: Spec.Net as it was carried out, with the ports of the host that were taken
}

// State of a task.
type State string

// The states of a task.
const (
	Ready   State = "ready" // created, not started
	Running State = "running"
	Paused  State = "paused"
	Stopped State = "stopped"
	Lost    State = "lost" // was running, but its supervisor or the machine died and no exit status was kept
)

// ProcessInfo is one row of what Lister gives.
type ProcessInfo struct {
	Pid, PPid int // on the host
	UID       uint32
	CPU       time.Duration
	StartedAt time.Time
	TTY       string // "?" for none
	Argv      []string

	User           string // name of UID on the host; empty if it has none
	Comm           string // the kernel's name for it, at most 15 bytes
	Stat           string // state and what ps(1) adds to it: "Ss+"
	PGID, SID      int
	Threads        int
	Nice, Priority int   // 20 is the usual priority
	VSZ, RSS       int64 // bytes of the address space, and of memory
}
