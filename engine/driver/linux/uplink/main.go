//go:build linux

package uplink

import "github.com/learn-containers/learn/engine/driver/linux/shim"

// Main runs any stage, and never returns: in programs in which it does not matter what is initialised before.
func Main(stage string) { shim.Main(stage, Connect) }
