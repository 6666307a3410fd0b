package userland

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

func fileTable() []entry {
	return []entry{
		{name: "ls", run: runLs}, {name: "cp", run: runCp}, {name: "mv", run: runMv}, {name: "rm", run: runRm},
		{name: "rmdir", run: runRmdir}, {name: "unlink", run: runUnlink}, {name: "mkdir", run: runMkdir}, {name: "ln", run: runLn},
		{name: "link", run: runLink}, {name: "touch", run: runTouch}, {name: "mktemp", run: runMktemp}, {name: "mkfifo", run: runMkfifo},
		{name: "mknod", run: runMknod}, {name: "truncate", run: runTruncate}, {name: "find", run: runFind}, {name: "du", run: runDu},
		{name: "basename", run: runBasename}, {name: "dirname", run: runDirname}, {name: "readlink", run: runReadlink},
		{name: "realpath", run: runRealpath}, {name: "pwd", run: runPwd}, {name: "install", run: runInstall},
	}
}

func runMkdir(t *task, args []string) int {
	o, ok := t.options(args, "pvm:", "parents=p verbose=v mode=m")
	if !ok {
		return 1
	}
	tree, err := t.tree()
	if err != nil {
		return t.fail("mkdir", err)
	}
	if len(o.args) == 0 {
		return t.errorf("missing operand")
	}
	for _, name := range o.args {
		if err := t.makeDir(tree, o, name); err != nil {
			t.errorf("cannot create directory '%s': %s", name, reason(err))
		}
	}
	return t.code()
}

func (t *task) makeDir(tree Tree, o opts, name string) error {
	if o.has('p') {
		if info, err := t.stat(name); err == nil && info.IsDir() {
			return nil
		}
		if parent := path.Dir(path.Clean(name)); parent != "." && parent != "/" {
			if err := t.makeDir(tree, opts{set: []opt{{letter: 'p'}}}, parent); err != nil {
				return err
			}
		}
	}
	if err := tree.Mkdir(t.abs(name), 0o777); err != nil {
		return err
	}
	if o.has('v') {
		t.printf("%s: created directory '%s'\n", t.name, name)
	}
	spec, given := o.value('m')
	if !given {
		return nil
	}
	mode, err := applyMode(spec, fs.ModeDir|0o777, 0)
	if err != nil {
		return err
	}
	meta, err := t.meta()
	if err != nil {
		return err
	}
	return meta.Chmod(t.abs(name), mode)
}

func runLn(t *task, args []string) int {
	o, ok := t.options(args, "sfnvTrt:", "symbolic=s force=f no-dereference=n verbose=v no-target-directory=T relative=r target-directory=t")
	if !ok {
		return 1
	}
	links, err := t.links()
	if err != nil {
		return t.fail("link", err)
	}
	if len(o.args) == 1 {
		o.args = append(o.args, ".")
	}
	if o.has('n') && len(o.args) == 2 {
		if info, err := t.lstat(o.args[1]); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			o.set = append(o.set, opt{letter: 'T'})
		}
	}
	return t.eachTarget(o, func(from, to string) { t.makeLink(links, o, from, to) })
}

func (t *task) makeLink(links Links, o opts, target, name string) {
	if o.has('f') {
		if info, err := t.lstat(name); err == nil && !info.IsDir() {
			if tree, err := t.tree(); err == nil && t.abs(target) != t.abs(name) {
				tree.Remove(t.abs(name))
			}
		}
	}
	if !o.has('s') {
		if err := links.Link(t.abs(target), t.abs(name)); err != nil {
			t.errorf("failed to create hard link '%s' => '%s': %s", name, target, reason(err))
		}
		return
	}
	if o.has('r') {
		target = relative(path.Dir(t.abs(name)), t.abs(target))
	}
	if err := links.Symlink(target, t.abs(name)); err != nil {
		t.errorf("failed to create symbolic link '%s': %s", name, reason(err))
	}
}

// relative is the way from a folder to a file, both absolute.
func relative(dir, file string) string {
	from, to := strings.Split(strings.Trim(dir, "/"), "/"), strings.Split(strings.Trim(file, "/"), "/")
	if dir == "/" {
		from = nil
	}
	for len(from) > 0 && len(to) > 1 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	return strings.Repeat("../", len(from)) + strings.Join(to, "/")
}

func runLink(t *task, args []string) int {
	links, err := t.links()
	if err != nil || len(args) != 2 {
		return t.usage("FILE1 FILE2")
	}
	if err := links.Link(t.abs(args[0]), t.abs(args[1])); err != nil {
		return t.errorf("cannot create link '%s' to '%s': %s", args[1], args[0], reason(err))
	}
	return 0
}

func runTouch(t *task, args []string) int {
	o, ok := t.options(args, "cd:t:r:amhf", "no-create=c date=d reference=r")
	if !ok {
		return 1
	}
	at, err := t.touchTime(o)
	if err != nil {
		return t.errorf("%s", err)
	}
	meta, err := t.meta()
	if err != nil {
		return t.fail("touch", err)
	}
	if len(o.args) == 0 {
		return t.errorf("missing file operand")
	}
	for _, name := range o.args {
		info, err := t.stat(name)
		if err != nil && errors.Is(err, fs.ErrNotExist) {
			if o.has('c') {
				continue
			}
			err = t.touchNew(name)
			info, _ = t.stat(name)
		}
		if err == nil && info != nil {
			a, m := at, at
			if o.has('a') && !o.has('m') {
				m = info.ModTime()
			} else if o.has('m') && !o.has('a') {
				a = t.attr(info).Atime
			}
			err = meta.Chtimes(t.abs(name), a, m)
		}
		if err != nil {
			t.errorf("cannot touch '%s': %s", name, reason(err))
		}
	}
	return t.code()
}

func (t *task) touchNew(name string) error {
	f, err := t.create(name, 0, 0o666)
	if err != nil {
		return err
	}
	return f.Close()
}

func (t *task) touchTime(o opts) (time.Time, error) {
	if ref, ok := o.value('r'); ok {
		info, err := t.stat(ref)
		if err != nil {
			return time.Time{}, errors.New("failed to get attributes of '" + ref + "': " + reason(err))
		}
		return info.ModTime(), nil
	}
	if s, ok := o.value('d'); ok {
		return parseDate(s, t.now())
	}
	if s, ok := o.value('t'); ok {
		return parseStamp(s, t.now())
	}
	return t.now(), nil
}

func runMktemp(t *task, args []string) int {
	o, ok := t.options(args, "dqtup:", "directory=d quiet=q tmpdir=p dry-run=u")
	if !ok {
		return 1
	}
	dir, inDir := o.value('p')
	if dir == "" {
		if dir = t.env("TMPDIR"); dir == "" {
			dir = "/tmp"
		}
	}
	template := "tmp.XXXXXXXXXX"
	if len(o.args) > 0 {
		template, inDir = o.args[0], inDir || o.has('t')
	} else {
		inDir = true
	}
	if inDir {
		template = path.Join(dir, template)
	}
	end := strings.LastIndex(template, "X") + 1
	start := end
	for start > 0 && template[start-1] == 'X' {
		start--
	}
	if end-start < 3 {
		return t.errorf("too few X's in template '%s'", template)
	}
	for range 100 {
		name := template[:start] + rand.Text()[:min(26, end-start)] + template[end:]
		err := t.makeTemp(name, o)
		if err == nil {
			t.print(name + "\n")
			return 0
		}
		if !errors.Is(err, fs.ErrExist) {
			return t.errorf("failed to create file via template '%s': %s", template, reason(err))
		}
	}
	return t.errorf("failed to create file via template '%s': File exists", template)
}

func (t *task) makeTemp(name string, o opts) error {
	if o.has('u') {
		return nil
	}
	if o.has('d') {
		tree, err := t.tree()
		if err != nil {
			return err
		}
		return tree.Mkdir(t.abs(name), 0o700)
	}
	f, err := t.create(name, os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func runTruncate(t *task, args []string) int {
	o, ok := t.options(args, "cs:", "size=s no-create=c")
	spec, given := o.value('s')
	if !ok || !given || len(o.args) == 0 {
		return t.usage("-s SIZE FILE...")
	}
	n, err := size(strings.TrimPrefix(spec, "+"))
	if err != nil {
		return t.errorf("%s", err)
	}
	for _, name := range o.args {
		if err := t.truncate(name, n, spec[0] == '+', o.has('c')); err != nil {
			t.errorf("cannot open '%s' for writing: %s", name, reason(err))
		}
	}
	return t.code()
}

func (t *task) truncate(name string, n int64, extend, keep bool) error {
	info, err := t.stat(name)
	if err != nil && keep {
		return nil
	}
	if err == nil && extend {
		n += info.Size()
	}
	f, err := t.create(name, 0, 0o666)
	if err != nil {
		return err
	}
	cut, ok := f.(interface{ Truncate(int64) error })
	if !ok {
		f.Close()
		return errors.ErrUnsupported
	}
	return errors.Join(cut.Truncate(n), f.Close())
}
