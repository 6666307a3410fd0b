package boot

import (
	"os"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
	"github.com/learn-containers/learn/engine/driver/linux/bundle/command"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

func init() {
	if stage, ok := syscall.Getenv(shim.StageVariable); ok && stage != shim.StageShim {
		bundle.Stage(stage)
		shim.Main(stage, nil)
	}
	if words, ok := command.Words(os.Args); ok && !command.AsksVersion(words) {
		os.Exit(command.Main(words, ""))
	}
}
