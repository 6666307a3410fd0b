package userland

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// bits are a mode's twelve permission bits as the kernel numbers them.
func bits(mode fs.FileMode) uint32 {
	b := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		b |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		b |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		b |= 0o1000
	}
	return b
}

// fileMode is the opposite of bits.
func fileMode(b uint32) fs.FileMode {
	mode := fs.FileMode(b & 0o777)
	if b&0o4000 != 0 {
		mode |= fs.ModeSetuid
	}
	if b&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	if b&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// rawMode is st_mode: type and permissions.
func rawMode(mode fs.FileMode) uint32 {
	kind := uint32(0o100000)
	switch {
	case mode.IsDir():
		kind = 0o040000
	case mode&fs.ModeSymlink != 0:
		kind = 0o120000
	case mode&fs.ModeNamedPipe != 0:
		kind = 0o010000
	case mode&fs.ModeSocket != 0:
		kind = 0o140000
	case mode&fs.ModeCharDevice != 0:
		kind = 0o020000
	case mode&fs.ModeDevice != 0:
		kind = 0o060000
	}
	return kind | bits(mode)
}

// typeLetter is the first letter of ls -l.
func typeLetter(mode fs.FileMode) byte {
	switch rawMode(mode) &^ 0o7777 {
	case 0o040000:
		return 'd'
	case 0o120000:
		return 'l'
	case 0o010000:
		return 'p'
	case 0o140000:
		return 's'
	case 0o020000:
		return 'c'
	case 0o060000:
		return 'b'
	}
	return '-'
}

// modeString is a mode as ls -l prints it.
func modeString(mode fs.FileMode) string {
	b := bits(mode)
	s := []byte("-rwxrwxrwx")
	s[0] = typeLetter(mode)
	for i := range 9 {
		if b&(1<<(8-i)) == 0 {
			s[i+1] = '-'
		}
	}
	special := func(bit, exec uint32, at int, lower, upper byte) {
		if b&bit == 0 {
			return
		}
		if s[at] = upper; b&exec != 0 {
			s[at] = lower
		}
	}
	special(0o4000, 0o100, 3, 's', 'S')
	special(0o2000, 0o010, 6, 's', 'S')
	special(0o1000, 0o001, 9, 't', 'T')
	return string(s)
}

// applyMode computes what chmod with the given octal or symbolic mode makes of old.
func applyMode(spec string, old fs.FileMode, umask uint32) (fs.FileMode, error) {
	if spec != "" && strings.Trim(spec, "01234567") == "" {
		n, err := strconv.ParseUint(spec, 8, 32)
		if err != nil || n > 0o7777 {
			return 0, fmt.Errorf("invalid mode: '%s'", spec)
		}
		return fileMode(uint32(n)), nil
	}
	b := bits(old)
	for clause := range strings.SplitSeq(spec, ",") {
		var ok bool
		if b, ok = applyClause(clause, b, old.IsDir(), umask); !ok {
			return 0, fmt.Errorf("invalid mode: '%s'", spec)
		}
	}
	return fileMode(b), nil
}

// applyClause applies one clause such as u+rwX or go=.
func applyClause(clause string, b uint32, dir bool, umask uint32) (uint32, bool) {
	var who uint32
	i := 0
	for ; i < len(clause) && strings.IndexByte("ugoa", clause[i]) >= 0; i++ {
		who |= map[byte]uint32{'u': 0o4700, 'g': 0o2070, 'o': 0o1007, 'a': 0o7777}[clause[i]]
	}
	mask := uint32(0)
	if who == 0 {
		who, mask = 0o7777, umask
	}
	if i == len(clause) {
		return 0, false
	}
	for i < len(clause) {
		op := clause[i]
		if strings.IndexByte("+-=", op) < 0 {
			return 0, false
		}
		i++
		var set uint32
		for ; i < len(clause) && strings.IndexByte("+-=", clause[i]) < 0; i++ {
			v, ok := permission(clause[i], b, dir)
			if !ok {
				return 0, false
			}
			set |= v
		}
		set &= who &^ mask
		switch op {
		case '+':
			b |= set
		case '-':
			b &^= set
		case '=':
			b = b&^(who&^0o7000) | set
		}
	}
	return b, true
}

// permission is what one letter of a symbolic mode means for everybody.
func permission(letter byte, b uint32, dir bool) (uint32, bool) {
	switch letter {
	case 'r':
		return 0o444, true
	case 'w':
		return 0o222, true
	case 'x':
		return 0o111, true
	case 'X':
		if dir || b&0o111 != 0 {
			return 0o111, true
		}
		return 0, true
	case 's':
		return 0o6000, true
	case 't':
		return 0o1000, true
	case 'u':
		return b >> 6 & 7 * 0o111, true
	case 'g':
		return b >> 3 & 7 * 0o111, true
	case 'o':
		return b & 7 * 0o111, true
	}
	return 0, false
}
