package main

import (
	"os"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/linux/uplink"
)

// supervise takes over a process that is to watch over a container. It is the one stage that needs what commands need, too: networks.
func supervise() {
	if os.Getenv(shim.StageVariable) == shim.StageShim {
		uplink.Main(shim.StageShim)
	}
}
