package build

import (
	"fmt"
	"strconv"
	"strings"
)

// modeChange is what --chmod does to permissions: the number it gives, or changes one after the other (chmod(1)). The zero
// value keeps them.
type modeChange struct {
	given   bool
	octal   int // -1: symbolic
	changes []modeClause
}

// modeClause is one operator of a symbolic mode with what stands around it.
type modeClause struct {
	op     byte   // + - =
	who    uint32 // the bits that may change; sticky only where t is said
	set    uint32 // r, w, x, s and t
	ifExec bool   // X: x for folders and what somebody may execute already
	copied string // classes u, g, o whose permissions are copied
}

const (
	setuid, setgid, sticky = 0o4000, 0o2000, 0o1000
	allClasses             = setuid | setgid | 0o777
)

// parseMode reads --chmod: an octal number or symbols such as u=rwX,go=rX.
func parseMode(s string) (modeChange, error) {
	if s == "" {
		return modeChange{}, nil
	}
	if s[0] >= '0' && s[0] <= '9' {
		m, err := strconv.ParseUint(s, 8, 32)
		if err != nil || m > 0o7777 {
			return modeChange{}, fmt.Errorf("invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777", s)
		}
		return modeChange{given: true, octal: int(m)}, nil
	}
	c := modeChange{given: true, octal: -1}
	for clause := range strings.SplitSeq(s, ",") {
		var ok bool
		if c.changes, ok = parseClause(c.changes, clause); !ok {
			return modeChange{}, fmt.Errorf("invalid chmod parameter: '%s': expected an octal number such as 755, or symbols such as u=rwX,go=rX", s)
		}
	}
	return c, nil
}

// parseClause reads classes and one or more operators with their permissions: go=r-w.
func parseClause(list []modeClause, s string) ([]modeClause, bool) {
	end := strings.IndexAny(s, "+-=")
	if end < 0 {
		return nil, false
	}
	var who uint32
	for _, class := range []byte(s[:end]) {
		bits, ok := classBits(class)
		if !ok {
			return nil, false
		}
		who |= bits
	}
	for s = s[end:]; s != ""; {
		c := modeClause{op: s[0], who: who}
		if who == 0 {
			c.who = allClasses
		}
		s = s[1:]
		for ; s != "" && strings.IndexByte("+-=", s[0]) < 0; s = s[1:] {
			if !c.add(s[0]) {
				return nil, false
			}
		}
		list = append(list, c)
	}
	return list, true
}

func classBits(class byte) (uint32, bool) {
	switch class {
	case 'u':
		return setuid | 0o700, true
	case 'g':
		return setgid | 0o070, true
	case 'o':
		return 0o007, true
	case 'a':
		return allClasses, true
	}
	return 0, false
}

func (c *modeClause) add(perm byte) bool {
	switch perm {
	case 'r':
		c.set |= 0o444
	case 'w':
		c.set |= 0o222
	case 'x':
		c.set |= 0o111
	case 'X':
		c.ifExec = c.op != '-'
	case 's':
		c.set |= setuid | setgid
	case 't':
		if c.who&^0o007 != 0 { // for others alone there is no sticky bit
			c.who, c.set = c.who|sticky, c.set|sticky
		}
	case 'u', 'g', 'o':
		c.copied += string(perm)
	default:
		return false
	}
	return true
}

// apply gives the new permissions of what has the permissions mode.
func (m modeChange) apply(mode uint32, isDir bool) uint32 {
	if !m.given {
		return mode
	}
	if m.octal >= 0 {
		return uint32(m.octal)
	}
	canExec := isDir || mode&0o111 != 0
	for _, c := range m.changes {
		bits := c.set
		if c.ifExec && canExec {
			bits |= 0o111
		}
		for _, class := range []byte(c.copied) {
			shift := map[byte]int{'u': 6, 'g': 3, 'o': 0}[class]
			bits |= (mode >> shift & 7) * 0o111
		}
		bits &= c.who
		switch c.op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		default:
			mode = mode&^c.who | bits
		}
	}
	return mode
}

// folders is what folders get that are made on the way: a number holds for them too, as BuildKit has it, symbols don't.
func (m modeChange) folders() uint32 {
	if m.given && m.octal >= 0 {
		return uint32(m.octal) & 0o777
	}
	return 0o755
}
