package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// identity is who a process is: numbers only.
type identity struct {
	uid, gid uint32
	groups   []uint32 // gid first, then the supplementary ones
	home     string
}

const (
	maxAccounts = 1 << 20 // bytes read of /etc/passwd or /etc/group; a longer file is cut there
	maxGroups   = 65536   // NGROUPS_MAX of Linux
	maxID       = math.MaxInt32
)

var rootIdentity = identity{groups: []uint32{0}, home: "/root"}

// files opens the account files of a container's tree.
type files interface {
	Open(path string) (io.ReadCloser, error)
}

// identify resolves user[:group] against the tree of the writable layer key. For root nothing is read.
func (m *Manager) identify(ctx context.Context, key, user string, extra []string) (identity, error) {
	if (user == "" || user == "0" || user == "root") && len(extra) == 0 {
		return rootIdentity, nil
	}
	tree, err := m.trees.OpenKey(ctx, key)
	if err != nil {
		return identity{}, fmt.Errorf("look up user %q: %w", user, err)
	}
	defer tree.Close()
	return lookUp(tree, user, extra)
}

// lookUp resolves user[:group] and additional groups. A word of digits is a number, even one that is too large: it is never
// taken for a name, so that an image cannot lend such a name the number 0.
func lookUp(tree files, spec string, extra []string) (identity, error) {
	user, group, hasGroup := strings.Cut(spec, ":")
	who, name, err := findUser(tree, user)
	if err != nil {
		return identity{}, err
	}
	hasGroup = hasGroup && group != ""
	memberOf, wanted := name, extra
	if hasGroup { // as docker has it, a group that is given stands alone
		memberOf, wanted = "", append([]string{group}, extra...)
	}
	ids, members, err := findGroups(tree, wanted, memberOf)
	if err != nil {
		return identity{}, err
	}
	if hasGroup {
		who.gid, ids = ids[0], ids[1:]
	}
	who.groups = unique(append(append([]uint32{who.gid}, members...), ids...))
	if len(who.groups) > maxGroups {
		return identity{}, invalid("user %q is in %d groups, Linux allows %d", spec, len(who.groups), maxGroups)
	}
	return who, nil
}

// findUser gives the account of user, and its name if it has one.
func findUser(tree files, user string) (identity, string, error) {
	if user == "" {
		user = "0"
	}
	uid, isNumber, err := number(user, "user")
	if err != nil {
		return identity{}, "", err
	}
	who, name, found := identity{uid: uid, home: "/"}, "", false
	err = eachLine(tree, "/etc/passwd", func(f []string) bool {
		if len(f) < 4 {
			return true
		}
		u, uok := plainID(f[2])
		g, gok := plainID(f[3])
		if !uok || !gok || isNumber && u != uid || !isNumber && f[0] != user {
			return true
		}
		who.uid, who.gid, name, found = u, g, f[0], true
		if len(f) > 5 && f[5] != "" {
			who.home = f[5]
		}
		return false
	})
	if err != nil {
		return identity{}, "", err
	}
	if !found && !isNumber {
		return identity{}, "", invalid("unable to find user %s: no matching entries in passwd file", user)
	}
	if !found && uid == 0 {
		who.home = "/root"
	}
	return who, name, nil
}

// findGroups gives the numbers of the wanted groups in their order, and of those that list member.
func findGroups(tree files, wanted []string, member string) (ids, members []uint32, err error) {
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
		if len(f) > 3 && member != "" && len(members) <= maxGroups && listed(f[3], member) {
			members = append(members, gid)
		}
		return true
	})
	for g := range left {
		return nil, nil, errors.Join(err, invalid("unable to find group %s: no matching entries in group file", g))
	}
	return ids, members, err
}

func listed(list, member string) bool {
	for name := range strings.SplitSeq(list, ",") {
		if name == member {
			return true
		}
	}
	return false
}

// number reads a user or group given as a number; isNumber is false for a name.
func number(s, what string) (n uint32, isNumber bool, err error) {
	digits := strings.TrimLeft(s, "+-")
	if s == "" || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false, nil
	}
	v, ok := plainID(s)
	if !ok {
		return 0, true, invalid("invalid %s %s: uids and gids must be in range 0-%d", what, s, maxID)
	}
	return v, true, nil
}

func plainID(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, 64)
	return uint32(v), err == nil && v <= maxID
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
func eachLine(tree files, path string, use func(fields []string) bool) error {
	f, err := tree.Open(path)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s of the container: %w", path, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxAccounts))
	lines.Buffer(nil, maxAccounts)
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
		return fmt.Errorf("read %s of the container: %w", path, err)
	}
	return nil
}
