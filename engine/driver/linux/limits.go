//go:build linux

package linux

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// resource is the number of a limit of setrlimit(2); false for a name that is none.
func resource(name string) (int, bool) {
	n, ok := map[string]int{"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
		"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
		"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO, "rttime": unix.RLIMIT_RTTIME,
		"sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK}[name]
	return n, ok
}

func rlimitsOf(limits []driver.Rlimit) ([]shim.Rlimit, error) {
	var out []shim.Rlimit
	for _, l := range limits {
		n, ok := resource(l.Name)
		if !ok {
			return nil, fmt.Errorf("set ulimit %s: there is no limit of that name", l.Name)
		}
		out = append(out, shim.Rlimit{Name: l.Name, Resource: n, Soft: orInfinity(l.Soft), Hard: orInfinity(l.Hard)})
	}
	return out, nil
}

func orInfinity(n int64) uint64 {
	if n < 0 {
		return math.MaxUint64
	}
	return uint64(n)
}
