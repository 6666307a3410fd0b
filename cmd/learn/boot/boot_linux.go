package boot

import (
	"syscall"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

func init() {
	if stage, ok := syscall.Getenv(shim.StageVariable); ok {
		shim.Main(stage)
	}
}
