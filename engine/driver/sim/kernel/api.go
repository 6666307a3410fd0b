// Package kernel is the process side of the simulated machine.
package kernel

import (
	"context"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/trace"
)

type Clock struct{ mu sync.Mutex }

func NewClock(now func() time.Time, frozen bool, jumped func(d time.Duration)) *Clock {
	return &Clock{}
}

func (c *Clock) Now() time.Time                                         { return time.Now() }
func (c *Clock) Tick(d time.Duration)                                   {}
func (c *Clock) SetSkew(d time.Duration)                                {}
func (c *Clock) Skew() time.Duration                                    { return 0 }
func (c *Clock) Hurry() (done func())                                   { return func() {} }
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error       { return nil }
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) { return nil }

type Options struct {
	Clock       *Clock
	NextPID     func() int // pids of the host side
	CPUs        int
	MemoryBytes int64
	Log         io.Writer // where panics of programs are told; nil: nowhere
}

type Machine struct{}

func New(o Options) *Machine                               { return &Machine{} }
func (m *Machine) NewBox(c BoxConfig) *Box                 { return &Box{} }
func (m *Machine) Pipe() (*PipeReader, *PipeWriter)        { return nil, nil }
func (m *Machine) NewTerminal(cols, rows uint16) *Terminal { return &Terminal{} }

type BoxConfig struct {
	ID, Hostname string
	NS           *vfs.Namespace
	Pts          *vfs.Tmpfs // /dev/pts, in which the nodes of the box's terminals are made; may be nil
	Limits       driver.Limits
	Host         userland.Dialer
	ReadOnly     bool
	Event        func(kind string, attrs ...trace.Attr)
}

// Box implements vfs.ProcSource.
type Box struct{}

func (b *Box) Start(p ProcessConfig) (*Process, error) { return nil, syscall.ENOSYS }
func (b *Box) Freeze()                                 {}
func (b *Box) Thaw()                                   {}
func (b *Box) Kill()                                   {}
func (b *Box) Processes() []driver.ProcessInfo         { return nil }
func (b *Box) Usage() Usage                            { return Usage{} }
func (b *Box) Done() <-chan struct{}                   { return nil }
func (b *Box) OOM() bool                               { return false }
func (b *Box) Account(delta int64) error               { return nil } // for vfs.NewTmpfs
func (b *Box) Source() vfs.ProcSource                  { return nil } // what /proc and /sys show

type Usage struct {
	MemoryBytes int64
	Pids        int64
	CPU         time.Duration
}

type ProcessConfig struct {
	driver.Process
	Stdin          io.ReadCloser
	Stdout, Stderr io.WriteCloser
}

type Process struct{}

func (p *Process) PID() int                                      { return 0 }
func (p *Process) HostPID() int                                  { return 0 }
func (p *Process) Signal(s driver.Signal) error                  { return nil }
func (p *Process) Wait(ctx context.Context) (driver.Exit, error) { return driver.Exit{}, nil }

type PipeReader struct{ io.ReadCloser }
type PipeWriter struct{ io.WriteCloser }

type Terminal struct{}

func (t *Terminal) Master() io.ReadWriteCloser     { return nil }
func (t *Terminal) Slave() io.ReadWriteCloser      { return nil }
func (t *Terminal) Resize(cols, rows uint16) error { return nil }

var _ fsys.FS
