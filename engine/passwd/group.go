package passwd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// findGroups gives the numbers of the wanted groups in their order, and of those that list member.
func findGroups(tree Files, wanted []string, member string) (ids, members []uint32, err error) {
	ids = make([]uint32, len(wanted))
	left := map[string][]int{}
	for i, g := range wanted {
		n, isNumber, err := number(g, "group")
		if err != nil {
			return nil, nil, err
		}
		if ids[i] = n; !isNumber {
			left[g] = append(left[g], i)
		}
	}
	if len(left) == 0 && member == "" {
		return ids, nil, nil
	}
	err = eachLine(tree, "/etc/group", func(f []string) bool {
		if len(f) < 3 {
			return true
		}
		gid, ok := plainID(f[2])
		if !ok {
			return true
		}
		for _, i := range left[f[0]] {
			ids[i] = gid
		}
		delete(left, f[0])
		if len(f) > 3 && member != "" && slices.Contains(strings.Split(f[3], ","), member) {
			members = append(members, gid)
		}
		return len(members) <= maxGroups
	})
	if err != nil {
		return nil, nil, err
	}
	for g := range left {
		if g != "root" { // which every tree has, also one without files
			return nil, nil, errorf("unable to find group %s: no matching entries in group file", g)
		}
	}
	return ids, members, nil
}

// number reads a user or group given as a number; isNumber is false for a name. A sign makes no name of it.
func number(s, what string) (n uint32, isNumber bool, err error) {
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false, nil
	}
	v, ok := plainID(s)
	if !ok {
		return 0, true, errorf("invalid %s %s: uids and gids must be in range 0-%d", what, s, MaxID)
	}
	return v, true, nil
}

func plainID(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, 64)
	return uint32(v), err == nil && v <= MaxID
}

func unique(ids []uint32) []uint32 {
	seen := make(map[uint32]bool, len(ids))
	var out []uint32
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// eachLine hands out the fields of each line of an account file until use returns false. A file that is not there has none.
func eachLine(tree Files, path string, use func(fields []string) bool) error {
	f, err := tree.Open(path)
	if errors.Is(err, driver.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s of the image: %w", path, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxFile))
	lines.Buffer(nil, maxFile+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if !use(strings.Split(line, ":")) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s of the image: %w", path, err)
	}
	return nil
}
