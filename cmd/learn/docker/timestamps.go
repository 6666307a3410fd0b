package docker

import (
	"strconv"
	"strings"
	"time"
)

// parseWhen reads a time as docker's --since and --until take it: a duration back from now, seconds since 1970 with a fraction or not, or a
// date, in local time unless it says otherwise.
func parseWhen(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	if t, ok := parseSeconds(s); ok {
		return t, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02Z07:00", "2006-01-02", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("invalid time %q: expected a duration such as 10m, seconds since 1970, or a date such as 2006-01-02T15:04:05", s)
}

func parseSeconds(s string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 9 {
		return time.Time{}, false
	}
	nano := int64(0)
	if fraction != "" {
		n, err := strconv.ParseUint(fraction, 10, 63)
		if err != nil {
			return time.Time{}, false
		}
		nano = int64(n)
		for range 9 - len(fraction) {
			nano *= 10
		}
	}
	return time.Unix(sec, nano), true
}
