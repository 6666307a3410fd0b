package passwd

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// MaxID is the largest user or group id that can be asked for.
const MaxID = math.MaxInt32

const (
	maxFile   = 1 << 20 // bytes read of an account file; a longer one is cut there
	maxGroups = 65536   // NGROUPS_MAX of Linux
)

// Files opens the account files of a tree: a regular file inside of it, whatever links lead there. A file that is missing is
// driver.ErrNotFound or fs.ErrNotExist.
type Files interface {
	Open(path string) (io.ReadCloser, error)
}

// Account is who a process is: numbers only.
type Account struct {
	UID, GID uint32
	Groups   []uint32 // GID first, then the supplementary ones, each once
	Home     string
}

// Error says that a user or group can't be had in this tree. Msg is docker's sentence.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Root is the account for which no file need be read: see IsRoot.
func Root() Account { return Account{Groups: []uint32{0}, Home: "/root"} }

// IsRoot tells the ways to say root.
func IsRoot(spec string) bool { return spec == "" || spec == "0" || spec == "root" }

// LookUp resolves user[:group] for a process, with further groups by name or number. As docker has it, a group that is given
// stands in the place of those that list the user. Errors: *Error, or what reading a file came to.
func LookUp(tree Files, spec string, further []string) (Account, error) {
	if IsRoot(spec) && len(further) == 0 {
		return Root(), nil
	}
	user, group, _ := strings.Cut(spec, ":")
	who, name, err := findUser(tree, user)
	if err != nil {
		return Account{}, err
	}
	wanted := further
	if group != "" {
		name, wanted = "", append([]string{group}, further...)
	}
	ids, members, err := findGroups(tree, wanted, name)
	if err != nil {
		return Account{}, err
	}
	if group != "" {
		who.GID, ids = ids[0], ids[1:]
	}
	who.Groups = unique(append(append([]uint32{who.GID}, members...), ids...))
	if len(who.Groups) > maxGroups {
		return Account{}, errorf("user %q is in %d groups, Linux allows %d", spec, len(who.Groups), maxGroups)
	}
	return who, nil
}

// Owner resolves user[:group] for a file: a number without a group stands for both, a name brings its own group. Errors are
// those of LookUp.
func Owner(tree Files, spec string) (uid, gid uint32, err error) {
	if IsRoot(spec) {
		return 0, 0, nil
	}
	user, group, _ := strings.Cut(spec, ":")
	if n, isNumber, err := number(user, "user"); isNumber && err == nil {
		uid, gid = n, n
	} else {
		who, _, err := findUser(tree, user)
		if err != nil {
			return 0, 0, err
		}
		uid, gid = who.UID, who.GID
	}
	if group == "" {
		return uid, gid, nil
	}
	ids, _, err := findGroups(tree, []string{group}, "")
	if err != nil {
		return 0, 0, err
	}
	return uid, ids[0], nil
}

// findUser gives the account of user without its groups, and its name if it has one.
func findUser(tree Files, user string) (who Account, name string, err error) {
	if user == "" {
		user = "0"
	}
	uid, isNumber, err := number(user, "user")
	if err != nil {
		return Account{}, "", err
	}
	who, found := Account{UID: uid, Home: "/"}, false
	err = eachLine(tree, "/etc/passwd", func(f []string) bool {
		if len(f) < 4 {
			return true
		}
		u, uok := plainID(f[2])
		g, gok := plainID(f[3])
		if !uok || !gok || isNumber && u != uid || !isNumber && f[0] != user {
			return true
		}
		who.UID, who.GID, name, found = u, g, f[0], true
		if len(f) > 5 && f[5] != "" {
			who.Home = f[5]
		}
		return false
	})
	switch {
	case err != nil:
		return Account{}, "", err
	case !found && user == "root":
		return Account{Home: "/root"}, "root", nil
	case !found && !isNumber:
		return Account{}, "", errorf("unable to find user %s: no matching entries in passwd file", user)
	case !found && uid == 0:
		who.Home = "/root"
	}
	return who, name, nil
}
