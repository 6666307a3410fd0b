// Package small is the earliest branch of all: a process that was started under the name of one of the simplest programs of the
// built-in image (true, echo, sleep ...) runs it and ends, at about the cost of an empty program; and a docker run begins its
// supervisor here. It imports next to nothing, so that it is initialised among the first; see package boot for why that works.
package small

import (
	"os"

	"github.com/learn-containers/learn/engine/driver/linux/ahead"
	"github.com/learn-containers/learn/engine/userland/tiny"
)

func init() {
	if code, ok := tiny.Main(os.Args); ok {
		os.Exit(code)
	}
	if os.Getenv(ahead.StageVariable) == "" {
		ahead.Start(os.Args)
	}
}
