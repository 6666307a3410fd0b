package build

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// account is who a command runs as, or who files belong to.
type account struct {
	uid, gid uint32
	groups   []uint32 // supplementary
	home     string
}

const (
	maxAccountFile = 1 << 20 // bytes read of /etc/passwd and /etc/group; more is cut off
	maxID          = math.MaxInt32
	maxGroups      = 65536
)

// opener opens the account files of a tree.
type opener interface {
	Open(path string) (io.ReadCloser, error)
}

// lookUpUser resolves user[:group] for a process. What is all digits is a number, even one that is out of range: it is
// never taken for a name, so that an image can't lend a name like 4294967296 the number 0.
func lookUpUser(t opener, spec string) (account, error) {
	if isRoot(spec) {
		return account{home: "/root"}, nil
	}
	user, group, hasGroup := strings.Cut(spec, ":")
	who, name, err := findUser(t, user)
	if err != nil {
		return account{}, err
	}
	if hasGroup && group != "" {
		who.gid, err = findGroup(t, group)
		return who, err
	}
	if name == "" {
		return who, nil
	}
	err = eachLine(t, "/etc/group", func(f []string) bool {
		if gid, ok := parseID(at(f, 2)); ok && len(f) > 3 && slices.Contains(strings.Split(f[3], ","), name) {
			who.groups = append(who.groups, gid)
		}
		return len(who.groups) < maxGroups
	})
	return who, err
}

// isRoot tells the users for whom no file need be read.
func isRoot(spec string) bool { return spec == "" || spec == "0" || spec == "root" }

// lookUpOwner resolves --chown: a number without a group stands for both, a name brings its own group.
func lookUpOwner(t opener, spec string) (uid, gid int, err error) {
	user, group, hasGroup := strings.Cut(spec, ":")
	who, _, err := findUser(t, user)
	if err != nil {
		return 0, 0, err
	}
	if n, ok := parseID(user); ok {
		who.gid = n
	}
	if hasGroup && group != "" {
		who.gid, err = findGroup(t, group)
	}
	return int(who.uid), int(who.gid), err
}

// findUser gives the account, and its name if the tree has one for it.
func findUser(t opener, user string) (who account, name string, err error) {
	who.home = "/"
	isNumber := digits(user)
	if user == "" {
		user = "0"
		isNumber = true
	}
	if isNumber {
		n, ok := parseID(user)
		if !ok {
			return who, "", fmt.Errorf("user %s: ids must be from 0 to %d", user, maxID)
		}
		if who.uid = n; n == 0 {
			who.home = "/root"
		}
	}
	found := false
	err = eachLine(t, "/etc/passwd", func(f []string) bool {
		uid, okU := parseID(at(f, 2))
		gid, okG := parseID(at(f, 3))
		if !okU || !okG || isNumber && uid != who.uid || !isNumber && f[0] != user {
			return true
		}
		who.uid, who.gid, name, found = uid, gid, f[0], true
		if home := at(f, 5); home != "" {
			who.home = home
		}
		return false
	})
	switch {
	case err != nil:
		return who, "", err
	case !found && user == "root":
		return account{home: "/root"}, "root", nil
	case !found && !isNumber:
		return who, "", fmt.Errorf("unable to find user %s: no matching entries in passwd file", user)
	}
	return who, name, nil
}

func findGroup(t opener, group string) (uint32, error) {
	if digits(group) {
		n, ok := parseID(group)
		if !ok {
			return 0, fmt.Errorf("group %s: ids must be from 0 to %d", group, maxID)
		}
		return n, nil
	}
	gid, found := uint32(0), group == "root"
	err := eachLine(t, "/etc/group", func(f []string) bool {
		if n, ok := parseID(at(f, 2)); ok && f[0] == group {
			gid, found = n, true
			return false
		}
		return true
	})
	if err == nil && !found {
		err = fmt.Errorf("unable to find group %s: no matching entries in group file", group)
	}
	return gid, err
}

// digits tells a number from a name. A sign makes no name either.
func digits(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return uint32(n), err == nil && n <= maxID
}

func at(fields []string, i int) string {
	if i < len(fields) {
		return fields[i]
	}
	return ""
}

// eachLine hands out the fields of the lines of an account file until use returns false. A missing file has no lines.
func eachLine(t opener, path string, use func(fields []string) bool) error {
	f, err := t.Open(path)
	if errors.Is(err, driver.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s of the image: %w", path, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxAccountFile))
	lines.Buffer(nil, maxAccountFile+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line != "" && line[0] != '#' && !use(strings.Split(line, ":")) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s of the image: %w", path, err)
	}
	return nil
}
