package standard

import "math"

// CPUWeight turns version 1's shares of CPU time (2 to 262144, usually 1024) into version 2's weight (1 to 10000, usually 100), on the curve
// through these three points that runc and crun use: 10^((l*l+125*l)/612 - 7/34), where l is the binary logarithm of the shares. No shares
// are the usual ones.
func CPUWeight(shares int64) uint64 {
	switch {
	case shares <= 0:
		return 100
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}
