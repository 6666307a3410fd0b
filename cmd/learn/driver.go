package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/driver/sim"
	"github.com/learn-containers/learn/engine/home"
)

const simName = "sim"

// checkDriver holds what --driver or LEARN_DRIVER says against what there is.
func checkDriver(want string) error {
	if want == "" || want == simName || want == nativeName {
		return nil
	}
	names := simName
	if nativeName != "" {
		names = nativeName + " or " + simName
	}
	return fmt.Errorf("there is no driver %q here: --driver and LEARN_DRIVER take %s; leave them away for the best there is", want, names)
}

// openedDriver is a driver, and what is to be ended with it.
type openedDriver struct {
	engine.Driver
	home *home.Home
	sim  *sim.Driver // nil: the host's own kernel
}

// close ends what lives in this process only.
func (m openedDriver) close() error {
	if m.sim == nil {
		return nil
	}
	return m.sim.Close()
}

// openDriver opens the driver that the user wants, or the best there is. o is for a simulated one: where its
// containers live.
func (s *session) openDriver(h *home.Home, o sim.Options) (openedDriver, error) {
	if err := checkDriver(s.driver); err != nil {
		return openedDriver{}, err
	}
	if s.driver == simName {
		return openSim(h, o, "asked for")
	}
	d, err := s.native(h)
	if err == nil {
		return openedDriver{Driver: d, home: h}, nil
	}
	if s.driver != "" {
		return openedDriver{}, fmt.Errorf("driver %s can't be had: %w", s.driver, err)
	}
	return openSim(h, o, err.Error())
}

// native opens the driver that uses the host's own kernel.
func (s *session) native(h *home.Home) (engine.Driver, error) {
	if s.nativeErr != nil {
		return engine.Driver{}, s.nativeErr
	}
	return openNative(h, s.base())
}

func openSim(h *home.Home, o sim.Options, reason string) (openedDriver, error) {
	d, err := sim.Open(h, o)
	if err != nil {
		return openedDriver{}, fmt.Errorf("open the simulated machine: %w", err)
	}
	return openedDriver{sim: d, home: h, Driver: engine.Driver{Name: simName, Reason: "a simulated machine: " + strings.Join(strings.Fields(reason), " "), Storage: simName, Layers: d.Layers,
		Snapshots: d.Snapshots, Trees: d.Snapshots, Folders: d.Folders, Runtime: d.Runtime}}, nil
}

// settle puts the process where the native driver can work, if that is wanted and needs it. Where it can't be had and nobody insists,
// the simulator takes its place.
func (s *session) settle() error {
	if s.driver == simName {
		return nil
	}
	if err := checkDriver(s.driver); err != nil {
		return err
	}
	err := becomeRoot()
	if err != nil && s.driver == "" {
		s.nativeErr, err = err, nil
	}
	return err
}

// announce says in one line which driver works and why, when that is another one than last time in this home.
func (s *session) announce(d engine.Driver) {
	path := filepath.Join(s.home, "driver")
	last, err := os.ReadFile(path)
	if err == nil && string(last) == d.Name+"\n" || errors.Is(err, os.ErrNotExist) && d.Name == nativeName {
		return
	}
	fmt.Fprintf(s.err, "learn: driver %s (%s)\n", d.Name, d.Reason)
	_ = home.WriteVolatile(path, []byte(d.Name+"\n"), 0o600) // said twice does no harm
}

// ticks is the clock of a trace on a simulated machine: every event takes a millisecond of the machine's time, and nothing else does but
// what programs sleep. So the same lesson has the same times.
func (m openedDriver) ticks() func() time.Duration {
	begun := m.sim.Now()
	return func() time.Duration {
		m.sim.Tick(time.Millisecond)
		return m.sim.Now().Sub(begun)
	}
}

// hostThreads lets the small programs of a lesson's command lines wait in the machine's time.
type hostThreads struct{ machine *sim.Driver }

// Go implements userland.Threads.
func (hostThreads) Go(f func()) { go f() }

// Block implements userland.Threads.
func (hostThreads) Block(f func()) { f() }

// Sleep implements userland.Threads.
func (h hostThreads) Sleep(ctx context.Context, d time.Duration) error {
	return h.machine.Sleep(ctx, d)
}

// AfterFunc implements userland.Threads. It bounds how long a program waits for the real network, which no skipped time makes any faster.
func (h hostThreads) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return h.machine.AfterFunc(d, f)
}
