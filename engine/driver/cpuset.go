package driver

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxSet bounds the numbers in a cpuset: the kernel has no more than 8192 CPUs.
const maxSet = 8192

// ParseSet reads the list format of cpuset(7): numbers and ranges, separated by commas.
func ParseSet(list string) (map[int]bool, error) {
	set := map[int]bool{}
	for _, part := range strings.Split(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		from, err := strconv.ParseUint(first, 10, 32)
		to := from
		if err == nil && ranged {
			to, err = strconv.ParseUint(last, 10, 32)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("invalid format: %s", part)
		case to < from:
			return nil, fmt.Errorf("invalid range: %s", part)
		case to >= maxSet:
			return nil, errors.New("value out of range, maximum is 8191")
		}
		for n := from; n <= to; n++ {
			set[int(n)] = true
		}
	}
	return set, nil
}
