package userland

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

func runStat(t *task, args []string) int {
	o, ok := t.options(args, "c:Lft", "format=c printf=Z dereference=L file-system=f")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		return t.errorf("missing operand")
	}
	d := &directory{t: t}
	for _, name := range o.args {
		look := t.lstat
		if o.has('L') {
			look = t.stat
		}
		info, err := look(name)
		if err != nil {
			t.errorf("cannot statx '%s': %s", name, reason(err))
			continue
		}
		s := statted{t, name, info, t.attr(info), d}
		if format, ok := o.value('Z'); ok {
			t.print(s.format(unescape(format)))
		} else if format, ok := o.value('c'); ok {
			t.print(s.format(format) + "\n")
		} else {
			s.full()
		}
	}
	return t.code()
}

type statted struct {
	t    *task
	name string
	info fs.FileInfo
	attr Attr
	dir  *directory
}

func (s statted) full() {
	device := ""
	if s.info.Mode()&fs.ModeDevice != 0 {
		device = fmt.Sprintf(" Device type: %d,%d", major(s.attr.Rdev), minor(s.attr.Rdev))
	}
	s.t.print(s.format("  File: %N\n  Size: %s\tBlocks: %b\tIO Block: %o\t%F\nDevice: %Hd,%Ld\tInode: %i\tLinks: %h") + device +
		s.format("\nAccess: (%04a/%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n Birth: -\n"))
}

// format replaces the directives of stat -c, which may have a width.
func (s statted) format(format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		start := i + 1
		i = start
		for i < len(format)-1 && strings.IndexByte("-0123456789", format[i]) >= 0 {
			i++
		}
		width := format[start:i]
		half := byte(0)
		if strings.IndexByte("HL", format[i]) >= 0 && i+1 < len(format) {
			half = format[i]
			i++
		}
		b.WriteString(pad(s.directive(format[i], half), width))
	}
	return b.String()
}

// pad widens s to a printf width such as 8, -8 or 04.
func pad(s, width string) string {
	left := strings.HasPrefix(width, "-")
	w, _ := strconv.Atoi(strings.TrimPrefix(width, "-"))
	missing := min(w, 1000) - len(s)
	if missing <= 0 {
		return s
	}
	if left {
		return s + strings.Repeat(" ", missing)
	}
	if width[0] == '0' {
		return strings.Repeat("0", missing) + s
	}
	return strings.Repeat(" ", missing) + s
}

func (s statted) directive(letter, half byte) string {
	switch letter {
	case '%':
		return "%"
	case 'n':
		return s.name
	case 'N':
		return s.quoted()
	case 's':
		return strconv.FormatInt(s.info.Size(), 10)
	case 'b':
		return strconv.FormatInt(s.attr.Blocks, 10)
	case 'B':
		return "512"
	case 'o':
		return "4096"
	case 'F':
		return kindName(s.info)
	case 'm':
		return s.mountPoint()
	}
	return s.numbers(letter, half)
}

func (s statted) numbers(letter, half byte) string {
	mode := s.info.Mode()
	switch letter {
	case 'a':
		return strconv.FormatUint(uint64(bits(mode)), 8)
	case 'A':
		return modeString(mode)
	case 'f':
		return strconv.FormatUint(uint64(rawMode(mode)), 16)
	case 'u':
		return strconv.Itoa(s.attr.UID)
	case 'U':
		return s.dir.user(s.attr.UID)
	case 'g':
		return strconv.Itoa(s.attr.GID)
	case 'G':
		return s.dir.group(s.attr.GID)
	case 'i':
		return strconv.FormatUint(s.attr.Inode, 10)
	case 'h':
		return strconv.FormatUint(s.attr.Links, 10)
	case 'd':
		switch half {
		case 'H':
			return strconv.FormatUint(major(s.attr.Dev), 10)
		case 'L':
			return strconv.FormatUint(minor(s.attr.Dev), 10)
		}
		return strconv.FormatUint(s.attr.Dev, 10)
	case 't':
		return strconv.FormatUint(major(s.attr.Rdev), 16)
	case 'T':
		return strconv.FormatUint(minor(s.attr.Rdev), 16)
	}
	return s.times(letter)
}

func (s statted) times(letter byte) string {
	at := map[byte]time.Time{'x': s.attr.Atime, 'y': s.info.ModTime(), 'z': s.attr.Ctime}
	if v, ok := at[letter|0x20]; ok {
		if letter < 'a' {
			return strconv.FormatInt(v.Unix(), 10)
		}
		return v.Format("2006-01-02 15:04:05.000000000 -0700")
	}
	switch letter {
	case 'w':
		return "-"
	case 'W':
		return "0"
	}
	return "?"
}

func (s statted) quoted() string {
	if s.info.Mode()&fs.ModeSymlink != 0 {
		if links, err := s.t.links(); err == nil {
			if target, err := links.Readlink(s.t.abs(s.name)); err == nil {
				return s.name + " -> " + target
			}
		}
	}
	return s.name
}

func (s statted) mountPoint() string {
	best := "/"
	if s.t.Mounts == nil {
		return best
	}
	at, err := s.t.real(s.name, false, true)
	all, lerr := s.t.Mounts.List()
	if err != nil || lerr != nil {
		return best
	}
	for _, m := range all {
		if len(m.Target) > len(best) && strings.HasPrefix(at+"/", m.Target+"/") {
			best = m.Target
		}
	}
	return best
}

func kindName(info fs.FileInfo) string {
	switch typeLetter(info.Mode()) {
	case 'd':
		return "directory"
	case 'l':
		return "symbolic link"
	case 'p':
		return "fifo"
	case 's':
		return "socket"
	case 'c':
		return "character special file"
	case 'b':
		return "block special file"
	}
	if info.Size() == 0 {
		return "regular empty file"
	}
	return "regular file"
}
