//go:build linux

package shim

import (
	"fmt"
	"os"
)

// Main runs a stage and never returns, or goes on with a supervisor that was begun. A supervisor connects its container to networks by connect; the other stages need none.
func Main(stage string, connect Connector) {
	switch stage {
	case StageShim:
		superviseStage(connect)
	case StageInit:
		runStage(initStage)
	case StageExec:
		runStage(execStage)
	case StageProbe:
		probeStage()
	case StageReap:
		reapStage()
	case StageFiles:
		filesStage()
	case StageUserNS:
		userStage()
	}
	fmt.Fprintf(os.Stderr, "learn: %s=%s names no stage\n", StageVariable, stage)
	os.Exit(2)
}
