package sim

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
)

// SupervisorName is the name under which a program is a supervisor: its main calls Supervise.
const SupervisorName = "learn-sim"

// Options say where containers live.
type Options struct {
	// InProcess lets them live in this process, on a clock that moves only by what is skipped and by Tick. Where no process can be
	// started it is always so.
	InProcess bool
	// Supervisor is the command that starts a supervisor. A first word without a folder is only the name under which the running program
	// is started again; that, with SupervisorName, is what an empty list means.
	Supervisor []string
	// Run carries out Spec.OnEnd of a container that lives in this process. Nil: it is started as a process, where that can be done.
	Run func(argv []string)
}

// Driver is the simulated machine of one home, as this process sees it.
type Driver struct {
	Layers    *tree.Layers
	Snapshots *Snapshots // Trees, too
	Folders   *Folders
	Runtime   *Runtime
	machine   *machine
}

// Open joins the machine of h. The caller closes it.
func Open(h *home.Home, o Options) (*Driver, error) {
	if runtime.GOOS == "js" {
		o.InProcess = true
	}
	if len(o.Supervisor) == 0 {
		o.Supervisor = []string{SupervisorName}
	}
	m := openMachine(h, o.InProcess, os.Stderr)
	layers := tree.NewLayers(h, m.clock.Now)
	trees := tree.NewSnapshots(h, layers, m.clock.Now)
	r := newRuntime(m, trees, o)
	return &Driver{Layers: layers, Snapshots: &Snapshots{trees, r}, Folders: &Folders{h, m.clock.Now, trees}, Runtime: r, machine: m}, nil
}

// Now is the time on the machine.
func (d *Driver) Now() time.Time { return d.machine.now() }

// Sleep returns after d of the machine's time, or earlier with the error of ctx.
func (d *Driver) Sleep(ctx context.Context, t time.Duration) error { return d.machine.sleep(ctx, t) }

// AfterFunc calls f in a goroutine of its own after t of the machine's time, or never if stop comes before; stop tells so. Unlike Sleep it lets no
// time be skipped: it is for those who wait for something and for no longer than t.
func (d *Driver) AfterFunc(t time.Duration, f func()) (stop func() bool) {
	return d.machine.clock.AfterFunc(t, f)
}

// Tick moves the time of a machine in this process on; that of others moves by itself.
func (d *Driver) Tick(t time.Duration) { d.machine.clock.Tick(t) }

// Close ends every container that lives in this process and returns when they are gone.
func (d *Driver) Close() error {
	return errors.Join(d.Runtime.close(), d.machine.close())
}
