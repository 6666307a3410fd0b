package userland

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

func metaTable() []entry {
	return []entry{
		{name: "chmod", run: runChmod}, {name: "chown", run: runChown}, {name: "chgrp", run: runChgrp}, {name: "stat", run: runStat},
		{name: "df", run: runDf}, {name: "mount", run: runMount}, {name: "umount", run: runUmount}, {name: "sync", run: runTrue},
	}
}

func runChmod(t *task, args []string) int {
	// A mode such as -x looks like a flag.
	for i, a := range args {
		if len(a) > 1 && a[0] == '-' && strings.Trim(a, "-rwxXstugoa+=,01234567") == "" && !strings.HasPrefix(a, "--") {
			args = append(append(append([]string{}, args[:i]...), "--", a), args[i+1:]...)
			break
		}
		if len(a) == 0 || a[0] != '-' {
			break
		}
	}
	o, ok := t.options(args, "Rvcf", "recursive=R verbose=v changes=c reference=Z quiet=f silent=f")
	if !ok {
		return 1
	}
	spec, names := "", o.args
	if ref, ok := o.value('Z'); ok {
		info, err := t.stat(ref)
		if err != nil {
			return t.errorf("failed to get attributes of '%s': %s", ref, reason(err))
		}
		spec = strconv.FormatUint(uint64(bits(info.Mode())), 8)
	} else if len(names) > 0 {
		spec, names = names[0], names[1:]
	}
	if len(names) == 0 {
		return t.errorf("missing operand")
	}
	meta, err := t.meta()
	if err != nil {
		return t.fail("chmod", err)
	}
	if _, err := applyMode(spec, 0, 0); err != nil {
		return t.errorf("%s", err)
	}
	c := moder{t, meta, spec, o}
	for _, name := range names {
		info, err := t.stat(name)
		if err != nil {
			t.errorf("cannot access '%s': %s", name, reason(err))
			continue
		}
		c.change(name, info)
	}
	return t.code()
}

type moder struct {
	*task
	meta Meta
	spec string
	o    opts
}

func (c moder) change(name string, info fs.FileInfo) {
	mode, _ := applyMode(c.spec, info.Mode(), 0o022)
	if err := c.meta.Chmod(c.abs(name), mode); err != nil {
		c.errorf("changing permissions of '%s': %s", name, reason(err))
	} else if changed := bits(mode) != bits(info.Mode()); c.o.has('v') || c.o.has('c') && changed {
		c.report(name, info.Mode(), mode)
	}
	if !c.o.has('R') || !info.IsDir() {
		return
	}
	entries, err := c.FS.ReadDir(c.abs(name))
	if err != nil {
		c.errorf("cannot read directory '%s': %s", name, reason(err))
	}
	for _, e := range entries {
		child := path.Join(name, e.Name())
		if ci, err := c.lstat(child); err == nil && ci.Mode()&fs.ModeSymlink == 0 {
			c.change(child, ci)
		}
	}
}

func (c moder) report(name string, old, mode fs.FileMode) {
	if bits(old) == bits(mode) {
		c.printf("mode of '%s' retained as %04o (%s)\n", name, bits(mode), modeString(mode)[1:])
		return
	}
	c.printf("mode of '%s' changed from %04o (%s) to %04o (%s)\n", name, bits(old), modeString(old)[1:], bits(mode), modeString(mode)[1:])
}

func runChown(t *task, args []string) int { return t.chown(args, true) }
func runChgrp(t *task, args []string) int { return t.chown(args, false) }

func (t *task) chown(args []string, users bool) int {
	o, ok := t.options(args, "RvchfHLP", "recursive=R verbose=v changes=c no-dereference=h reference=Z")
	if !ok {
		return 1
	}
	if len(o.args) < 2 {
		return t.errorf("missing operand")
	}
	uid, gid, err := t.owner(o.args[0], users)
	if err != nil {
		return t.errorf("%s", err)
	}
	meta, err := t.meta()
	if err != nil {
		return t.fail(t.name, err)
	}
	for _, name := range o.args[1:] {
		t.chownTree(meta, o, name, uid, gid, true)
	}
	return t.code()
}

// owner reads USER, USER:GROUP, USER: or :GROUP; chgrp's argument is a group alone.
func (t *task) owner(spec string, users bool) (uid, gid int, err error) {
	user, group, colon := strings.Cut(spec, ":")
	if !users {
		user, group, colon = "", spec, true
	}
	uid, gid = -1, -1
	if user != "" {
		a, ok := t.findID("/etc/passwd", user)
		if !ok {
			return 0, 0, errors.New("invalid user: '" + spec + "'")
		}
		uid = a.id
		if colon && group == "" && len(a.rest) > 0 {
			gid = int(number(a.rest[0]))
		}
	}
	if group != "" {
		a, ok := t.findID("/etc/group", group)
		if !ok {
			return 0, 0, errors.New("invalid group: '" + spec + "'")
		}
		gid = a.id
	}
	return uid, gid, nil
}

func (t *task) chownTree(meta Meta, o opts, name string, uid, gid int, follow bool) {
	target := t.abs(name)
	if follow && !o.has('h') {
		if at, err := t.real(name, true, false); err == nil {
			target = at
		}
	}
	info, err := t.FS.Lstat(target)
	if err != nil {
		t.errorf("cannot access '%s': %s", name, reason(err))
		return
	}
	if err := meta.Lchown(target, uid, gid); err != nil {
		what := "ownership"
		if uid < 0 {
			what = "group"
		}
		t.errorf("changing %s of '%s': %s", what, name, reason(err))
	} else if o.has('v') {
		t.printf("changed ownership of '%s'\n", name)
	}
	if !o.has('R') || !info.IsDir() {
		return
	}
	entries, err := t.FS.ReadDir(target)
	if err != nil {
		t.errorf("cannot read directory '%s': %s", name, reason(err))
	}
	for _, e := range entries {
		t.chownTree(meta, o, path.Join(name, e.Name()), uid, gid, false)
	}
}
