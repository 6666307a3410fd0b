package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

// How much memory a process may take before its first garbage collection, in bytes: a command, which has the machine for itself, and a supervisor, which
// lives as long as its container.
const (
	commandHeap    = 32 << 20
	supervisorHeap = 16 << 20
)

// collectLate puts the first garbage collection off until the process has so many bytes, and goes on as usual then. Most commands have ended before,
// and would collect several times: Go's first goal is a heap of 4 MB. What $GOGC or $GOMEMLIMIT say counts more.
func collectLate(bytes int64) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			return
		}
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(bytes)
	runtime.AddCleanup(new([16]byte), func(percent int) { // 16 bytes: smaller ones share their place with others that live on
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(math.MaxInt64)
	}, 100)
}
