package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// object is what the loader needs to know of a file in the executable and linking format (elf(5)).
type object struct {
	machine uint16
	bits    int // 32 or 64
	order   binary.ByteOrder
	loader  string   // the interpreter; empty for what is linked statically
	needed  []string // libraries
	runpath []string // folders where to look for them
}

// Bounds on what a file may claim.
const (
	maxHeaders   = 256
	maxDynamic   = 4096 // entries
	maxName      = 4096
	maxLibraries = 300
)

// Segment types and tags of elf(5).
const (
	segmentLoad    = 1
	segmentDynamic = 2
	segmentInterp  = 3
	tagNeeded      = 1
	tagStrtab      = 5
	tagRpath       = 15
	tagRunpath     = 29
)

// segment is a program header.
type segment struct {
	kind                      uint32
	offset, address, fileSize uint64
}

var errDamaged = errors.New("its tables make no sense")

// readObject reads the headers of a program or library.
func readObject(f file) (*object, error) {
	head := make([]byte, 64)
	if n, _ := f.ReadAt(head, 0); n < 52 || string(head[:4]) != "\x7fELF" {
		return nil, errDamaged
	}
	o := &object{bits: 32, order: binary.LittleEndian}
	if head[4] == 2 {
		o.bits = 64
	}
	if head[5] == 2 {
		o.order = binary.BigEndian
	}
	o.machine = o.order.Uint16(head[18:])
	segments, err := o.segments(f, head)
	if err != nil {
		return o, err
	}
	for _, s := range segments {
		switch s.kind {
		case segmentInterp:
			o.loader, err = stringAt(f, s.offset, min(s.fileSize, maxName))
		case segmentDynamic:
			err = o.dynamic(f, s, segments)
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *object) segments(f file, head []byte) ([]segment, error) {
	var at uint64
	var size, count int
	if o.bits == 64 {
		at, size, count = o.order.Uint64(head[32:]), int(o.order.Uint16(head[54:])), int(o.order.Uint16(head[56:]))
	} else {
		at, size, count = uint64(o.order.Uint32(head[28:])), int(o.order.Uint16(head[42:])), int(o.order.Uint16(head[44:]))
	}
	least := map[int]int{32: 32, 64: 56}[o.bits]
	if size < least || count > maxHeaders || at > 1<<40 {
		return nil, errDamaged
	}
	var list []segment
	b := make([]byte, size)
	for i := range count {
		if _, err := f.ReadAt(b, int64(at)+int64(i*size)); err != nil {
			return nil, errDamaged
		}
		s := segment{kind: o.order.Uint32(b)}
		if o.bits == 64 {
			s.offset, s.address, s.fileSize = o.order.Uint64(b[8:]), o.order.Uint64(b[16:]), o.order.Uint64(b[32:])
		} else {
			s.offset, s.address, s.fileSize = uint64(o.order.Uint32(b[4:])), uint64(o.order.Uint32(b[8:])), uint64(o.order.Uint32(b[16:]))
		}
		list = append(list, s)
	}
	return list, nil
}

// dynamic reads the list of what is to be linked.
func (o *object) dynamic(f file, s segment, segments []segment) error {
	word := uint64(o.bits / 8)
	n := min(s.fileSize/(2*word), maxDynamic)
	b := make([]byte, n*2*word)
	if s.offset > 1<<40 {
		return errDamaged
	}
	if _, err := f.ReadAt(b, int64(s.offset)); err != nil {
		return errDamaged
	}
	var names, paths []uint64
	var strtab uint64
	for ; len(b) > 0; b = b[2*word:] {
		switch tag, value := o.word(b), o.word(b[word:]); tag {
		case tagNeeded:
			names = append(names, value)
		case tagRpath, tagRunpath:
			paths = append(paths, value)
		case tagStrtab:
			strtab = value
		}
	}
	return o.strings(f, fileOffset(segments, strtab), names, paths)
}

func (o *object) word(b []byte) uint64 {
	if o.bits == 64 {
		return o.order.Uint64(b)
	}
	return uint64(o.order.Uint32(b))
}

func (o *object) strings(f file, at uint64, names, paths []uint64) error {
	for _, n := range names[:min(len(names), maxLibraries)] {
		s, err := stringAt(f, at+n, maxName)
		if err != nil {
			return err
		}
		o.needed = append(o.needed, s)
	}
	for _, p := range paths[:min(len(paths), 2)] {
		s, err := stringAt(f, at+p, maxName)
		if err != nil {
			return err
		}
		o.runpath = append(o.runpath, strings.Split(s, ":")...)
	}
	return nil
}

// fileOffset is where in the file lies what is to be loaded at an address.
func fileOffset(segments []segment, address uint64) uint64 {
	for _, s := range segments {
		if s.kind == segmentLoad && address >= s.address && address-s.address < s.fileSize {
			return s.offset + (address - s.address)
		}
	}
	return address
}

// stringAt reads a string that ends in NUL.
func stringAt(f file, at, most uint64) (string, error) {
	if at > 1<<40 {
		return "", errDamaged
	}
	b := make([]byte, most)
	n, _ := f.ReadAt(b, int64(at))
	end := bytes.IndexByte(b[:n], 0)
	if end < 0 {
		return "", errDamaged
	}
	return string(b[:end]), nil
}

// machines are the numbers of processors (elf(5), e_machine) by Go's names of them, and their usual folders of libraries.
var machines = []struct {
	number      uint16
	bits        int
	name, multi string
}{
	{62, 64, "amd64", "x86_64-linux-gnu"}, {3, 32, "386", "i386-linux-gnu"}, {183, 64, "arm64", "aarch64-linux-gnu"}, {40, 32, "arm", "arm-linux-gnueabihf"},
	{243, 64, "riscv64", "riscv64-linux-gnu"}, {21, 64, "ppc64le", "powerpc64le-linux-gnu"}, {22, 64, "s390x", "s390x-linux-gnu"}, {258, 64, "loong64", "loongarch64-linux-gnu"},
	{8, 64, "mips64le", "mips64el-linux-gnuabi64"},
}

func (o *object) machineName() (name, multi string) {
	for _, m := range machines {
		if m.number == o.machine && m.bits == o.bits {
			return m.name, m.multi
		}
	}
	return fmt.Sprintf("processor %d", o.machine), ""
}

// runsOn reports whether a machine can execute the object: its own kind, and the 32 bit kind that it has besides.
func (o *object) runsOn(machine string) bool {
	name, _ := o.machineName()
	return machine == "" || name == machine || machine == "amd64" && name == "386" || machine == "arm64" && name == "arm"
}

// examineELF looks at a program and everything that is linked to it.
func examineELF(t Tree, c Command, f file, r *Report) {
	o, err := readObject(f)
	switch {
	case err != nil:
		r.Fault, r.Detail = Damaged, err.Error()
		return
	case !o.runsOn(c.Machine):
		r.Fault = WrongMachine
		r.Machine, _ = o.machineName()
		return
	case o.loader != "":
		if _, err := t.Stat(absolute(c.Cwd, o.loader)); err != nil {
			r.Fault, r.Missing = NoLoader, []string{o.loader}
			return
		}
	case len(o.needed) == 0:
		return
	}
	l := linker{t: t, c: c, seen: map[string]bool{}}
	l.resolve(o, path.Dir(r.File))
	if len(l.missing) > 0 {
		slices.Sort(l.missing)
		r.Fault, r.Missing = NoLibrary, l.missing
	}
}

// linker looks for libraries, each once.
type linker struct {
	t       Tree
	c       Command
	seen    map[string]bool
	missing []string
}

// resolve looks for what an object in the folder origin needs, and for what that needs.
func (l *linker) resolve(o *object, origin string) {
	_, multi := o.machineName()
	for _, name := range o.needed {
		if l.seen[name] || len(l.seen) >= maxLibraries {
			continue
		}
		l.seen[name] = true
		file := l.find(o, origin, multi, name)
		if file == "" {
			l.missing = append(l.missing, name)
			continue
		}
		f, err := openAt(l.t, file)
		if err != nil {
			continue
		}
		next, err := readObject(f)
		f.Close()
		if err == nil {
			l.resolve(next, path.Dir(file))
		}
	}
}

func (l *linker) find(o *object, origin, multi, name string) string {
	if strings.Contains(name, "/") {
		file := absolute(l.c.Cwd, name)
		if _, err := l.t.Stat(file); err != nil {
			return ""
		}
		return file
	}
	dirs := slices.Clone(o.runpath)
	dirs = append(dirs, strings.Split(variable(l.c.Env, "LD_LIBRARY_PATH", ""), ":")...)
	dirs = append(dirs, usualFolders(multi)...)
	for _, dir := range dirs[:min(len(dirs), 64)] {
		if dir == "" {
			continue
		}
		dir = strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin).Replace(dir)
		if _, err := l.t.Stat(absolute(l.c.Cwd, path.Join(dir, name))); err == nil {
			return absolute(l.c.Cwd, path.Join(dir, name))
		}
	}
	return ""
}

func usualFolders(multi string) []string {
	dirs := []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib", "/usr/local/lib64"}
	if multi != "" {
		dirs = append(dirs, "/lib/"+multi, "/usr/lib/"+multi, "/usr/local/lib/"+multi)
	}
	return dirs
}
