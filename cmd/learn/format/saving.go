package format

import "fmt"

// Seconds writes a time that something took: 12.3 s, or minutes from 100 s on.
func Seconds(s float64) string {
	if s >= 100 {
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	}
	return fmt.Sprintf("%.1f s", s)
}

// Saving writes time and room together: 12.3 s and 45MB. Room that is none is left out.
func Saving(seconds float64, bytes int64) string {
	if bytes == 0 {
		return Seconds(seconds)
	}
	return Seconds(seconds) + " and " + Size(bytes)
}

// Count writes a number of things: 1 step, 2 steps.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
