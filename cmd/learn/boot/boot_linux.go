package boot

import (
	"os"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
	"github.com/learn-containers/learn/engine/driver/linux/bundle/command"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

func init() {
	switch stage, ok := syscall.Getenv(shim.StageVariable); {
	case !ok:
	case stage == shim.StageShim:
		shim.Begin() // package watch goes on
		return
	default:
		bundle.Stage(stage)
		shim.Main(stage, nil)
	}
	if words, ok := command.Words(os.Args); ok && !command.AsksVersion(words) {
		os.Exit(command.Main(words, ""))
	}
}
