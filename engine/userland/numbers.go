package userland

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// number reads a decimal number and is 0 for anything else; for fields that the kernel writes.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// size reads a count of bytes with an optional suffix: b 512, kB 1000, K 1024, MB, M, G, T and so on.
func size(s string) (int64, error) {
	digits := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(digits)], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("invalid number: '%s'", s)
	}
	unit := int64(1024)
	suffix := strings.TrimSuffix(digits, "iB")
	switch {
	case suffix == "":
		return n, nil
	case suffix == "b":
		return n * 512, nil
	case suffix == "c":
		return n, nil
	case suffix == "w":
		return n * 2, nil
	case len(suffix) == 2 && suffix[1] == 'B':
		unit = 1000
	case len(suffix) != 1:
		return 0, fmt.Errorf("invalid number: '%s'", s)
	}
	power := strings.IndexByte("KMGTPE", suffix[0]&^0x20)
	if power < 0 {
		return 0, fmt.Errorf("invalid number: '%s'", s)
	}
	for range power + 1 {
		if n > 1<<62/unit {
			return 0, fmt.Errorf("number too large: '%s'", s)
		}
		n *= unit
	}
	return n, nil
}

// human writes a size as ls -h and du -h do: rounded up, one digit below ten.
func human(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	v, unit := float64(n), 0
	for v >= 1024 && unit < 6 {
		v, unit = v/1024, unit+1
	}
	const units = " KMGTPE"
	if tenths := ceil(v * 10); tenths < 100 {
		return fmt.Sprintf("%d.%d%c", tenths/10, tenths%10, units[unit])
	}
	if whole := ceil(v); whole < 1024 || unit == 6 {
		return fmt.Sprintf("%d%c", whole, units[unit])
	}
	return fmt.Sprintf("1.0%c", units[unit+1])
}

func ceil(v float64) int64 {
	n := int64(v)
	if float64(n) < v {
		n++
	}
	return n
}

// span reads a time as sleep and timeout do: a number with an optional fraction and s, m, h or d.
func span(s string) (time.Duration, error) {
	unit, digits := time.Second, s
	if s != "" {
		switch s[len(s)-1] {
		case 's':
			digits = s[:len(s)-1]
		case 'm':
			unit, digits = time.Minute, s[:len(s)-1]
		case 'h':
			unit, digits = time.Hour, s[:len(s)-1]
		case 'd':
			unit, digits = 24*time.Hour, s[:len(s)-1]
		}
	}
	if digits == "infinity" || digits == "inf" {
		return 1<<63 - 1, nil
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || v < 0 || v != v {
		return 0, fmt.Errorf("invalid time interval '%s'", s)
	}
	if d := v * float64(unit); d < 1<<62 {
		return time.Duration(d), nil
	}
	return 1<<63 - 1, nil
}

func sortStrings(s []string) { slices.Sort(s) }
