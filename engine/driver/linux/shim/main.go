//go:build linux

package shim

import (
	"fmt"
	"os"
)

// Main runs a stage and never returns.
func Main(stage string) {
	switch stage {
	case StageShim:
		superviseStage()
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
