package userland

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// copier is one cp, or the part of mv that crosses file systems.
type copier struct {
	*task
	recursive, force, keep, noClobber, update, verbose bool
	follow, followArgs                                 bool
	linked                                             map[[2]uint64]string // copied files with several names
}

func runCp(t *task, args []string) int {
	o, ok := t.options(args, "rRapfvndLHPuTt:il", "recursive=r archive=a preserve=p force=f verbose=v no-clobber=n dereference=L no-dereference=P update=u no-target-directory=T target-directory=t interactive=i link=l")
	if !ok {
		return 1
	}
	archive := o.has('a')
	c := &copier{task: t, recursive: archive || o.has('r') || o.has('R'), force: o.has('f'), keep: archive || o.has('p'),
		noClobber: o.has('n'), update: o.has('u'), verbose: o.has('v'), linked: map[[2]uint64]string{}}
	last := o.last("LHPad")
	c.follow = last == 'L' || last == 0 && !c.recursive
	c.followArgs = c.follow || last == 'H'
	return t.eachTarget(o, c.copyArg)
}

// eachTarget resolves the operands of cp, mv and ln: pairs of source and destination.
func (t *task) eachTarget(o opts, act func(from, to string)) int {
	args := o.args
	dir, given := o.value('t')
	if !given && len(args) > 0 {
		dir, args = args[len(args)-1], args[:len(args)-1]
	}
	switch {
	case len(o.args) == 0:
		return t.errorf("missing file operand")
	case len(args) == 0:
		return t.errorf("missing destination file operand after '%s'", o.args[0])
	}
	info, err := t.stat(dir)
	intoDir := err == nil && info.IsDir() && !o.has('T')
	if !intoDir && (len(args) > 1 || given) {
		if err == nil {
			err = syscall.ENOTDIR
		}
		return t.errorf("target '%s': %s", dir, reason(err))
	}
	for _, from := range args {
		to := dir
		if intoDir {
			to = strings.TrimSuffix(dir, "/") + "/" + path.Base(t.abs(from))
			if strings.HasSuffix(from, "/.") || from == "." || from == ".." {
				to = dir
			}
		}
		act(from, to)
	}
	return t.code()
}

func (c *copier) copyArg(from, to string) {
	c.copy(from, to, c.followArgs)
}

func (c *copier) copy(from, to string, follow bool) bool {
	look := c.lstat
	if follow {
		look = c.stat
	}
	info, err := look(from)
	if err != nil {
		c.errorf("cannot stat '%s': %s", from, reason(err))
		return false
	}
	if info.IsDir() && !c.recursive {
		c.errorf("-r not specified; omitting directory '%s'", from)
		return false
	}
	old, err := c.stat(to)
	if err == nil {
		switch {
		case c.same(info, old):
			c.errorf("'%s' and '%s' are the same file", from, to)
			return false
		case !info.IsDir() && old.IsDir():
			c.errorf("cannot overwrite directory '%s' with non-directory", to)
			return false
		case info.IsDir() && !old.IsDir():
			c.errorf("cannot overwrite non-directory '%s' with directory '%s'", to, from)
			return false
		case !info.IsDir() && (c.noClobber || c.update && !info.ModTime().After(old.ModTime())):
			return true
		}
	}
	if c.verbose {
		c.printf("'%s' -> '%s'\n", from, to)
	}
	done := c.copyKind(from, to, info)
	if done && c.keep {
		c.keepMeta(to, info)
	}
	return done
}

func (c *copier) same(a, b fs.FileInfo) bool {
	x, y := c.attr(a), c.attr(b)
	return x.Inode != 0 && x.Inode == y.Inode && x.Dev == y.Dev
}

func (c *copier) copyKind(from, to string, info fs.FileInfo) bool {
	a := c.attr(info)
	id := [2]uint64{a.Dev, a.Inode}
	if first, ok := c.linked[id]; ok && c.keep && !info.IsDir() {
		if links, err := c.links(); err == nil && links.Link(c.abs(first), c.abs(to)) == nil {
			return true
		}
	}
	if a.Links > 1 && !info.IsDir() && a.Inode != 0 {
		c.linked[id] = to
	}
	switch {
	case info.IsDir():
		return c.copyDir(from, to, info)
	case info.Mode()&fs.ModeSymlink != 0:
		return c.copyLink(from, to)
	case c.recursive && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe) != 0:
		return c.copyNode(to, info, a.Rdev)
	}
	return c.copyFile(from, to, info)
}

func (c *copier) copyDir(from, to string, info fs.FileInfo) bool {
	tree, err := c.tree()
	if err == nil {
		err = tree.Mkdir(c.abs(to), info.Mode().Perm()|0o700)
	}
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		c.errorf("cannot create directory '%s': %s", to, reason(err))
		return false
	}
	if strings.HasPrefix(c.abs(to)+"/", c.abs(from)+"/") {
		c.errorf("cannot copy a directory, '%s', into itself, '%s'", from, to)
		return false
	}
	entries, err := c.FS.ReadDir(c.abs(from))
	if err != nil {
		c.errorf("cannot access '%s': %s", from, reason(err))
		return false
	}
	good := true
	for _, e := range entries {
		good = c.copy(path.Join(from, e.Name()), path.Join(to, e.Name()), c.follow) && good
	}
	if meta, err := c.meta(); err == nil && made && info.Mode().Perm()&0o700 != 0o700 {
		meta.Chmod(c.abs(to), info.Mode())
	}
	return good
}

func (c *copier) copyLink(from, to string) bool {
	links, err := c.links()
	var target string
	if err == nil {
		target, err = links.Readlink(c.abs(from))
	}
	if err == nil {
		c.unlink(to)
		err = links.Symlink(target, c.abs(to))
	}
	if err != nil {
		c.errorf("cannot create symbolic link '%s': %s", to, reason(err))
	}
	return err == nil
}

func (c *copier) copyNode(to string, info fs.FileInfo, dev uint64) bool {
	err := error(errors.ErrUnsupported)
	if nodes, ok := c.FS.(Nodes); ok {
		c.unlink(to)
		err = nodes.Mknod(c.abs(to), info.Mode(), dev)
	}
	if err != nil {
		c.errorf("cannot create special file '%s': %s", to, reason(err))
	}
	return err == nil
}

func (c *copier) unlink(name string) {
	if tree, err := c.tree(); err == nil {
		tree.Remove(c.abs(name))
	}
}

func (c *copier) copyFile(from, to string, info fs.FileInfo) bool {
	in, err := c.open(from)
	if err != nil {
		c.errorf("cannot open '%s' for reading: %s", from, reason(err))
		return false
	}
	defer in.Close()
	out, err := c.create(to, os.O_TRUNC, info.Mode().Perm())
	if err != nil && c.force {
		c.unlink(to)
		out, err = c.create(to, os.O_TRUNC, info.Mode().Perm())
	}
	if err != nil {
		c.errorf("cannot create regular file '%s': %s", to, reason(err))
		return false
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		c.errorf("error writing '%s': %s", to, reason(err))
	}
	return err == nil
}

// keepMeta gives a copy the owner, mode and times of its original; an owner that may not be given is left.
func (c *copier) keepMeta(to string, info fs.FileInfo) {
	meta, err := c.meta()
	if err != nil {
		return
	}
	a, abs := c.attr(info), c.abs(to)
	meta.Lchown(abs, a.UID, a.GID)
	if info.Mode()&fs.ModeSymlink != 0 {
		return
	}
	err = errors.Join(meta.Chmod(abs, info.Mode()&^fs.ModeType), meta.Chtimes(abs, a.Atime, info.ModTime()))
	if err != nil {
		c.errorf("preserving permissions for '%s': %s", to, reason(err))
	}
}
