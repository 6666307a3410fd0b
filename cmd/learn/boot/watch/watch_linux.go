// Package watch takes over a process that is to watch over a container, once what networks need is initialised; see package boot for the other
// stages, which begin earlier.
package watch

import (
	"os"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/linux/uplink"
)

func init() {
	if os.Getenv(shim.StageVariable) == shim.StageShim {
		uplink.Main(shim.StageShim)
	}
}
