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
