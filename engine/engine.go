// Package engine puts the parts of the container engine together over one home and one driver.
//
// It has no operations of its own: images, containers and builds are reached through its fields. It is where a home is opened, put
// right after a crash, and checked.
package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Driver is a machine to run on: the parts of the driver seam that belong together.
type Driver struct {
	Name      string // linux or sim
	Reason    string // one clause that says why this driver was chosen
	Storage   string // what the union of layers is called, for inspect
	Layers    driver.Layers
	Snapshots driver.Snapshots
	Trees     driver.Trees
	Folders   driver.Folders
	Runtime   driver.Runtime
}

// Config says what to open.
type Config struct {
	Home   *home.Home
	Driver Driver
	// Binary is the program that the built-in image holds, in practice the running one; empty where that has no file.
	Binary string
	// Cleanup is the command that removes a container made with --rm after its last client has gone.
	Cleanup func(id string) []string
	// Again is the command that starts a container again whose restart policy may want that.
	Again func(id string) []string
}

// Engine is an open engine. It holds no locks and no open files; it needs no closing.
type Engine struct {
	Home       *home.Home
	Driver     Driver
	Blobs      *blob.Store
	Images     *image.Store
	Containers *container.Manager
	Volumes    *volume.Store
	Networks   *ledger.Store
	Builder    *build.Builder
	Events     *events.Log
	binary     string
}

// Now is the time on the machine below.
func (e *Engine) Now() time.Time { return driver.Now(e.Driver.Runtime) }

// Open opens the engine in c.Home and puts right what processes that died there left behind.
func Open(ctx context.Context, c Config) (*Engine, error) {
	blobs, err := blob.Open(c.Home.Images())
	if err != nil {
		return nil, err
	}
	d := c.Driver
	c.Home.Serve(d.Name)
	e := &Engine{Home: c.Home, Driver: d, Blobs: blobs, binary: c.Binary}
	e.Events = events.New(c.Home, e.Now)
	e.Images = image.New(c.Home, blobs, d.Layers)
	e.Images.Events, e.Images.DriverName = e.Events, d.Name
	e.Images.Provide, e.Images.Keep, e.Images.Now = e.provide, e.roots, e.Now
	e.Containers = container.New(c.Home, e.Images, d.Snapshots, d.Trees, d.Runtime)
	e.Containers.CleanupCommand, e.Containers.AgainCommand = c.Cleanup, c.Again
	e.Containers.Driver, e.Containers.Events = d.Storage, e.Events
	e.Volumes = volume.New(c.Home, d.Folders, d.Storage)
	e.Volumes.Uses, e.Volumes.Now, e.Volumes.Events, e.Containers.Volumes = e.Containers.VolumeUses, e.Now, e.Events, e.Volumes
	e.Networks = ledger.New(c.Home)
	e.Networks.Holds, e.Networks.Now, e.Networks.Events, e.Containers.Networks = e.Containers.Holds, e.Now, e.Events, e.Networks
	if n, ok := d.Runtime.(driver.Networker); ok {
		e.Networks.Used = n.UsedPrefixes
	}
	e.Builder = build.New(c.Home, e.Images, d.Layers, d.Snapshots, d.Trees, d.Runtime)
	e.Builder.Folders, e.Builder.Builtin = d.Folders, BaseName+":latest"
	trace.Fact(ctx, vocab.EngineOpen, trace.String("home", c.Home.Root()), trace.String("driver", d.Name), trace.String("reason", d.Reason))
	if err := e.Recover(ctx); err != nil {
		return nil, fmt.Errorf("open engine in %s: %w", c.Home.Root(), err)
	}
	return e, e.refreshBase(ctx)
}
