package userland

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

func runMv(t *task, args []string) int {
	o, ok := t.options(args, "fnviTt:u", "force=f no-clobber=n verbose=v interactive=i no-target-directory=T target-directory=t update=u")
	if !ok {
		return 1
	}
	tree, err := t.tree()
	if err != nil {
		return t.fail("rename", err)
	}
	return t.eachTarget(o, func(from, to string) { t.move(tree, o, from, to) })
}

func (t *task) move(tree Tree, o opts, from, to string) {
	info, err := t.lstat(from)
	if err != nil {
		t.errorf("cannot stat '%s': %s", from, reason(err))
		return
	}
	if old, err := t.lstat(to); err == nil {
		switch {
		case o.has('n') || o.has('u') && !info.ModTime().After(old.ModTime()):
			return
		case t.abs(from) == t.abs(to):
			t.errorf("'%s' and '%s' are the same file", from, to)
			return
		case old.IsDir() && !info.IsDir():
			t.errorf("cannot overwrite directory '%s' with non-directory", to)
			return
		case info.IsDir() && !old.IsDir():
			t.errorf("cannot overwrite non-directory '%s' with directory '%s'", to, from)
			return
		}
	}
	if info.IsDir() && strings.HasPrefix(t.abs(to), t.abs(from)+"/") {
		t.errorf("cannot move '%s' to a subdirectory of itself, '%s'", from, to)
		return
	}
	err = tree.Rename(t.abs(from), t.abs(to))
	if errors.Is(err, syscall.EXDEV) {
		c := &copier{task: t, recursive: true, force: true, keep: true, linked: map[[2]uint64]string{}}
		if c.copy(from, to, false) {
			t.removeAll(tree, from, info)
		}
		err = nil
	}
	if err != nil {
		t.errorf("cannot move '%s' to '%s': %s", from, to, reason(err))
		return
	}
	if o.has('v') {
		t.printf("renamed '%s' -> '%s'\n", from, to)
	}
}

func (t *task) removeAll(tree Tree, name string, info fs.FileInfo) bool {
	r := remover{task: t, tree: tree, recursive: true}
	return r.remove(name, info)
}

type remover struct {
	*task
	tree                              Tree
	recursive, force, verbose, dirsOK bool
}

func runRm(t *task, args []string) int {
	o, ok := t.options(args, "rRfvdiI", "recursive=r force=f verbose=v dir=d no-preserve-root=Z")
	if !ok {
		return 1
	}
	tree, err := t.tree()
	if err != nil {
		return t.fail("remove", err)
	}
	r := remover{t, tree, o.has('r') || o.has('R'), o.has('f'), o.has('v'), o.has('d')}
	if len(o.args) == 0 && !r.force {
		return t.errorf("missing operand")
	}
	for _, name := range o.args {
		base := path.Base(name)
		if t.abs(name) == "/" && !o.has('Z') {
			t.errorf("it is dangerous to operate recursively on '/'\n%s: use --no-preserve-root to override this failsafe", t.name)
			continue
		}
		if base == "." || base == ".." {
			t.errorf("refusing to remove '.' or '..' directory: skipping '%s'", name)
			continue
		}
		info, err := t.lstat(name)
		if err != nil {
			if !r.force || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
				t.errorf("cannot remove '%s': %s", name, reason(err))
			}
			continue
		}
		r.remove(name, info)
	}
	return t.code()
}

func (r remover) remove(name string, info fs.FileInfo) bool {
	if info.IsDir() && !r.recursive && !r.dirsOK {
		r.errorf("cannot remove '%s': Is a directory", name)
		return false
	}
	if info.IsDir() && r.recursive {
		entries, err := r.FS.ReadDir(r.abs(name))
		if err != nil {
			r.errorf("cannot remove '%s': %s", name, reason(err))
			return false
		}
		good := true
		for _, e := range entries {
			child := strings.TrimSuffix(name, "/") + "/" + e.Name()
			ci, err := r.lstat(child)
			if err == nil {
				good = r.remove(child, ci) && good
			}
		}
		if !good {
			return false
		}
	}
	if err := r.tree.Remove(r.abs(name)); err != nil {
		r.errorf("cannot remove '%s': %s", name, reason(err))
		return false
	}
	if r.verbose && info.IsDir() {
		r.printf("removed directory '%s'\n", name)
	} else if r.verbose {
		r.printf("removed '%s'\n", name)
	}
	return true
}

func runRmdir(t *task, args []string) int {
	o, ok := t.options(args, "pv", "parents=p verbose=v ignore-fail-on-non-empty=i")
	if !ok {
		return 1
	}
	tree, err := t.tree()
	if err != nil {
		return t.fail("remove", err)
	}
	if len(o.args) == 0 {
		return t.errorf("missing operand")
	}
	for _, name := range o.args {
		for ; name != "." && name != "/" && name != ""; name = path.Dir(name) {
			info, err := t.lstat(name)
			if err == nil && !info.IsDir() {
				err = syscall.ENOTDIR
			}
			if err == nil {
				err = tree.Remove(t.abs(name))
			}
			if err != nil {
				t.errorf("failed to remove '%s': %s", name, reason(err))
				break
			}
			if !o.has('p') {
				break
			}
		}
	}
	return t.code()
}

func runUnlink(t *task, args []string) int {
	tree, err := t.tree()
	if err != nil || len(args) != 1 {
		return t.usage("FILE")
	}
	info, err := t.lstat(args[0])
	if err == nil && info.IsDir() {
		err = syscall.EISDIR
	}
	if err == nil {
		err = tree.Remove(t.abs(args[0]))
	}
	if err != nil {
		return t.errorf("cannot unlink '%s': %s", args[0], reason(err))
	}
	return 0
}
