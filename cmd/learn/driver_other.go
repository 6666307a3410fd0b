//go:build !linux

package main

import (
	"fmt"
	"runtime"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

const driverName = "none"

func openDriver(*home.Home, string) (engine.Driver, error) {
	return engine.Driver{}, fmt.Errorf("containers need a Linux kernel, and this is %s: run learn on Linux or in a Linux virtual machine", runtime.GOOS)
}

func becomeRoot() error { return nil }

func interrupts() (<-chan driver.Signal, func()) { return nil, func() {} }

func resized() (<-chan struct{}, func()) { return nil, func() {} }

func doctor(*home.Home) []finding {
	return []finding{{"kernel", false, "this is " + runtime.GOOS, "run learn on Linux or in a Linux virtual machine"}}
}
