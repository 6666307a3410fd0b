// Package respawn is docker's rule for how long a container that ended rests before it is started again. It imports next to nothing: both
// supervisors use it.
package respawn

import "time"

// The bounds of docker's back-off (docker run reference, restart policies).
const (
	First  = 100 * time.Millisecond // the first rest
	Most   = time.Minute            // the longest
	Steady = 10 * time.Second       // who ran that long begins with First again
)

// Next is the rest of a container that ran for so long, after a rest of last before that run (0: none).
func Next(last, ran time.Duration) time.Duration {
	if ran >= Steady || last <= 0 {
		return First
	}
	return min(2*last, Most)
}
