package userland

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

func runBasename(t *task, args []string) int {
	o, ok := t.options(args, "+as:z", "multiple=a suffix=s zero=z")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		return t.errorf("missing operand")
	}
	suffix, many := o.value('s')
	names := o.args
	if !many && !o.has('a') {
		if len(names) > 2 {
			return t.errorf("extra operand '%s'", names[2])
		}
		if len(names) == 2 {
			suffix = names[1]
		}
		names = names[:1]
	}
	for _, name := range names {
		base := path.Base(name)
		if name == "" {
			base = ""
		}
		if base != suffix {
			base = strings.TrimSuffix(base, suffix)
		}
		t.print(base + "\n")
	}
	return 0
}

func runDirname(t *task, args []string) int {
	o, ok := t.options(args, "z", "zero=z")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		return t.errorf("missing operand")
	}
	for _, name := range o.args {
		dir := "/"
		if s := strings.TrimRight(name, "/"); s != "" {
			i := strings.LastIndexByte(s, '/')
			dir = "."
			if i >= 0 {
				if dir = strings.TrimRight(s[:i], "/"); dir == "" {
					dir = "/"
				}
			}
		} else if name == "" {
			dir = "."
		}
		t.print(dir + "\n")
	}
	return 0
}

// real resolves every symbolic link of a name. The last part may be missing unless strict; with
// missing, any part may.
func (t *task) real(name string, strict, missing bool) (string, error) {
	links, _ := t.links()
	todo := strings.Split(t.abs(name), "/")
	at, hops := "/", 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := t.FS.Lstat(next)
		switch {
		case err != nil && (missing || !strict && errors.Is(err, fs.ErrNotExist) && lastPart(todo)):
			at = next
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink != 0 && links != nil:
			if hops++; hops > 40 {
				return "", syscall.ELOOP
			}
			target, err := links.Readlink(next)
			if err != nil {
				return "", err
			}
			if path.IsAbs(target) {
				at = "/"
			}
			todo = append(strings.Split(target, "/"), todo...)
		case !info.IsDir() && !lastPart(todo):
			return "", syscall.ENOTDIR
		default:
			at = next
		}
	}
	return at, nil
}

func lastPart(todo []string) bool {
	for _, p := range todo {
		if p != "" {
			return false
		}
	}
	return true
}

func runReadlink(t *task, args []string) int {
	o, ok := t.options(args, "femnqsvz", "canonicalize=f canonicalize-existing=e canonicalize-missing=m no-newline=n")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		return t.errorf("missing operand")
	}
	end := "\n"
	if o.has('n') {
		end = ""
	}
	for _, name := range o.args {
		var target string
		var err error
		if kind := o.last("fem"); kind != 0 {
			target, err = t.real(name, kind == 'e', kind == 'm')
		} else if links, lerr := t.links(); lerr != nil {
			err = lerr
		} else {
			target, err = links.Readlink(t.abs(name))
		}
		if err != nil {
			t.failed = true
			if o.has('v') {
				t.fail(name, err)
			}
			continue
		}
		t.print(target + end)
	}
	return t.code()
}

func runRealpath(t *task, args []string) int {
	o, ok := t.options(args, "emqsz", "canonicalize-existing=e canonicalize-missing=m quiet=q strip=s relative-to=R")
	if !ok {
		return 1
	}
	if len(o.args) == 0 {
		o.args = []string{"."}
	}
	for _, name := range o.args {
		at, err := t.abs(name), error(nil)
		if !o.has('s') {
			at, err = t.real(name, o.has('e'), o.has('m'))
		}
		if err != nil {
			t.failed = true
			if !o.has('q') {
				t.fail(name, err)
			}
			continue
		}
		if base, ok := o.value('R'); ok {
			at = relative(t.abs(base), at)
		}
		t.print(at + "\n")
	}
	return t.code()
}

func runPwd(t *task, args []string) int {
	o, ok := t.options(args, "LP", "logical=L physical=P")
	if !ok {
		return 1
	}
	dir := t.Dir
	if pwd := t.env("PWD"); o.last("LP") == 'L' && path.IsAbs(pwd) {
		dir = pwd
	} else if at, err := t.real(t.Dir, true, false); err == nil {
		dir = at
	}
	t.print(dir + "\n")
	return 0
}

func runMkfifo(t *task, args []string) int {
	o, ok := t.options(args, "m:", "mode=m")
	if !ok {
		return 1
	}
	nodes, ok := t.FS.(Nodes)
	if !ok {
		return t.unable("special files")
	}
	for _, name := range o.args {
		if err := nodes.Mknod(t.abs(name), fs.ModeNamedPipe|0o666, 0); err != nil {
			t.errorf("cannot create fifo '%s': %s", name, reason(err))
		}
	}
	return t.code()
}

func runMknod(t *task, args []string) int {
	o, ok := t.options(args, "m:", "mode=m")
	if !ok {
		return 1
	}
	nodes, able := t.FS.(Nodes)
	if !able {
		return t.unable("special files")
	}
	if len(o.args) != 2 && len(o.args) != 4 {
		return t.usage("NAME TYPE [MAJOR MINOR]")
	}
	kinds := map[string]fs.FileMode{"p": fs.ModeNamedPipe, "b": fs.ModeDevice, "c": fs.ModeDevice | fs.ModeCharDevice, "u": fs.ModeDevice | fs.ModeCharDevice}
	mode, known := kinds[o.args[1]]
	if !known || (o.args[1] != "p") != (len(o.args) == 4) {
		return t.errorf("invalid device type '%s'", o.args[1])
	}
	var dev uint64
	if len(o.args) == 4 {
		ma, mi := uint64(number(o.args[2])), uint64(number(o.args[3]))
		dev = mi&0xff | ma&0xfff<<8 | mi&^0xff<<12 | ma&^0xfff<<32
	}
	perm := fs.FileMode(0o666)
	if spec, ok := o.value('m'); ok {
		var err error
		if perm, err = applyMode(spec, 0o666, 0); err != nil {
			return t.errorf("%s", err)
		}
	}
	if err := nodes.Mknod(t.abs(o.args[0]), mode|perm, dev); err != nil {
		return t.fail(o.args[0], err)
	}
	return 0
}

// runInstall copies files and sets their mode and owner, or makes folders with -d.
func runInstall(t *task, args []string) int {
	o, ok := t.options(args, "dDm:o:g:vcpt:T", "directory=d mode=m owner=o group=g target-directory=t")
	if !ok {
		return 1
	}
	spec, given := o.value('m')
	if !given {
		spec = "755"
	}
	finish := func(name string) {
		info, err := t.stat(name)
		if err != nil {
			return
		}
		mode, err := applyMode(spec, info.Mode(), 0)
		meta, merr := t.meta()
		if err = errors.Join(err, merr); err == nil {
			err = meta.Chmod(t.abs(name), mode)
		}
		if err != nil {
			t.fail(name, err)
		}
		t.installOwner(o, meta, name)
	}
	tree, err := t.tree()
	if err != nil {
		return t.fail("install", err)
	}
	parents := opts{set: []opt{{letter: 'p'}}}
	if o.has('d') {
		for _, name := range o.args {
			if err := t.makeDir(tree, parents, name); err != nil {
				t.errorf("cannot create directory '%s': %s", name, reason(err))
				continue
			}
			finish(name)
		}
		return t.code()
	}
	if o.has('D') && len(o.args) == 2 {
		t.makeDir(tree, parents, path.Dir(o.args[1]))
	}
	c := &copier{task: t, follow: true, followArgs: true, linked: map[[2]uint64]string{}}
	return t.eachTarget(o, func(from, to string) {
		if _, err := t.lstat(to); err == nil {
			tree.Remove(t.abs(to))
		}
		if c.copy(from, to, true) {
			finish(to)
		}
	})
}

func (t *task) installOwner(o opts, meta Meta, name string) {
	uid, gid := -1, -1
	if u, ok := o.value('o'); ok {
		if a, ok := t.findID("/etc/passwd", u); ok {
			uid = a.id
		}
	}
	if g, ok := o.value('g'); ok {
		if a, ok := t.findID("/etc/group", g); ok {
			gid = a.id
		}
	}
	if uid >= 0 || gid >= 0 {
		if err := meta.Lchown(t.abs(name), uid, gid); err != nil {
			t.fail(name, err)
		}
	}
}
