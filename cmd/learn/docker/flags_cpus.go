package docker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// nanoCPUs is a number of CPUs in billionths.
type nanoCPUs int64

// maxCPUs is far more than any machine has; above it the billionths would not fit.
const maxCPUs = 1 << 20

// Set reads a decimal number, or a fraction such as 1/2, exactly: a float would not do.
func (c *nanoCPUs) Set(s string) error {
	whole, fraction, _ := strings.Cut(s, ".")
	if n, d, ok := strings.Cut(s, "/"); ok {
		return c.divide(s, n, d)
	}
	if whole == "" && fraction != "" {
		whole = "0"
	}
	if !digits(whole) || fraction != "" && !digits(fraction) {
		return fmt.Errorf("failed to parse %s as a rational number", s)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 9 {
		return errors.New("value is too precise")
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > maxCPUs {
		return fmt.Errorf("%s is more than any machine has", s)
	}
	part, _ := strconv.ParseInt(fraction+strings.Repeat("0", 9-len(fraction)), 10, 64)
	*c = nanoCPUs(n*1e9 + part)
	return nil
}

func (c *nanoCPUs) divide(s, numerator, denominator string) error {
	n, err1 := strconv.ParseUint(numerator, 10, 20)
	d, err2 := strconv.ParseUint(denominator, 10, 20)
	if err1 != nil || err2 != nil || d == 0 {
		return fmt.Errorf("failed to parse %s as a rational number", s)
	}
	if n*1e9%d != 0 {
		return errors.New("value is too precise")
	}
	*c = nanoCPUs(n * 1e9 / d)
	return nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (c *nanoCPUs) String() string {
	if *c == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%03d", *c/1e9, *c%1e9/1e6)
}

func (c *nanoCPUs) Type() string { return "decimal" }
