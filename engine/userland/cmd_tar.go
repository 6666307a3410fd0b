package userland

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

func runTar(t *task, args []string) int {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		args = tarOldStyle(args)
	}
	o, ok := t.options(args, "cxtf:zvC:pOkhPT:jJm", "create=c extract=x get=x list=t file=f gzip=z verbose=v directory=C strip-components=1 exclude=2 to-stdout=O preserve-permissions=p no-same-owner=o numeric-owner=n overwrite=k files-from=T same-owner=s")
	if !ok {
		return 2
	}
	if o.has('j') || o.has('J') {
		return t.errorf("only gzip compression is supported") + 1
	}
	var err error
	switch o.last("cxt") {
	case 'c':
		err = t.tarCreate(o)
	case 'x', 't':
		err = t.tarRead(o)
	default:
		return t.errorf("You must specify one of the '-ctx' options") + 1
	}
	if err != nil {
		t.errorf("%s", reason(err))
	}
	return t.code() * 2
}

// tarOldStyle turns "xzf file" into flags: values follow in the order of their letters.
func tarOldStyle(args []string) []string {
	var out []string
	rest := args[1:]
	for _, c := range args[0] {
		out = append(out, "-"+string(c))
		if strings.ContainsRune("fCT", c) && len(rest) > 0 {
			out, rest = append(out, rest[0]), rest[1:]
		}
	}
	return append(out, rest...)
}

func (t *task) tarCreate(o opts) error {
	var out io.Writer = t.Stdout
	name, _ := o.value('f')
	if name != "" && name != "-" {
		f, err := t.create(name, os.O_TRUNC, 0o666)
		if err != nil {
			return fmt.Errorf("%s: Cannot open: %s", name, reason(err))
		}
		defer f.Close()
		out = f
	}
	if o.has('z') || strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".tgz") {
		z := gzip.NewWriter(out)
		defer z.Close()
		out = z
	}
	c := &tarWriter{task: t, o: o, w: tar.NewWriter(out), linked: map[[2]uint64]string{}, names: directory{t: t}}
	names := o.args
	if list, ok := o.value('T'); ok {
		data, err := t.readFile(list)
		if err != nil {
			return err
		}
		names = append(names, strings.Fields(string(data))...)
	}
	if len(names) == 0 {
		return errors.New("Cowardly refusing to create an empty archive")
	}
	old := t.Dir
	if dir, ok := o.value('C'); ok {
		t.Dir = t.abs(dir)
	}
	for _, n := range names {
		if err := c.add(n); err != nil {
			t.fail(n, err)
		}
	}
	t.Dir = old
	return c.w.Close()
}

type tarWriter struct {
	*task
	o      opts
	w      *tar.Writer
	linked map[[2]uint64]string
	names  directory
}

func (c *tarWriter) add(name string) error {
	for _, pattern := range c.o.values('2') {
		if wildcard(pattern, name) || wildcard(pattern, path.Base(name)) || wildcard("*/"+pattern, name) {
			return nil
		}
	}
	info, err := c.lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket != 0 {
		return nil
	}
	h, err := c.header(name, info)
	if err != nil {
		return err
	}
	if c.o.has('v') {
		fmt.Fprintln(c.Stderr, h.Name)
	}
	if err := c.w.WriteHeader(h); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		f, err := c.open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(c.w, f, h.Size)
		return err
	case tar.TypeDir:
		entries, err := c.FS.ReadDir(c.abs(name))
		for _, e := range entries {
			if err := c.add(strings.TrimSuffix(name, "/") + "/" + e.Name()); err != nil {
				c.fail(e.Name(), err)
			}
		}
		return err
	}
	return nil
}

func (c *tarWriter) header(name string, info fs.FileInfo) (*tar.Header, error) {
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		links, err := c.links()
		if err != nil {
			return nil, err
		}
		if link, err = links.Readlink(c.abs(name)); err != nil {
			return nil, err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return nil, err
	}
	a := c.attr(info)
	h.Name, h.Uid, h.Gid = strings.TrimLeft(name, "/"), a.UID, a.GID
	h.Uname, h.Gname = c.names.user(a.UID), c.names.group(a.GID)
	if h.Name == "" {
		h.Name = "./"
	}
	if info.IsDir() && !strings.HasSuffix(h.Name, "/") {
		h.Name += "/"
	}
	h.Devmajor, h.Devminor = int64(major(a.Rdev)), int64(minor(a.Rdev))
	id := [2]uint64{a.Dev, a.Inode}
	if a.Links > 1 && info.Mode().IsRegular() && a.Inode != 0 {
		if first, ok := c.linked[id]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			c.linked[id] = h.Name
		}
	}
	return h, nil
}

// tarInput opens the archive and undoes gzip, asked for or not.
func (t *task) tarInput(o opts) (*tar.Reader, func(), error) {
	name, given := o.value('f')
	if !given {
		name = "-"
	}
	in, err := t.open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: Cannot open: %s", name, reason(err))
	}
	b := bufio.NewReader(in)
	if magic, _ := b.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			in.Close()
			return nil, nil, err
		}
		return tar.NewReader(z), func() { in.Close() }, nil
	}
	return tar.NewReader(b), func() { in.Close() }, nil
}

func (t *task) tarRead(o opts) error {
	r, done, err := t.tarInput(o)
	if err != nil {
		return err
	}
	defer done()
	x := &tarReader{task: t, o: o, strip: int(number(firstValue(o, '1'))), base: t.Dir}
	if dir, ok := o.value('C'); ok {
		x.base = t.abs(dir)
		if info, err := t.stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("%s: Cannot chdir", dir)
		}
	}
	for {
		h, err := r.Next()
		if err == io.EOF {
			return x.finish()
		}
		if err != nil {
			return err
		}
		if len(o.args) > 0 && !tarChosen(o.args, h.Name) {
			continue
		}
		if err := x.entry(h, r); err != nil {
			t.fail(h.Name, err)
		}
	}
}

func tarChosen(names []string, name string) bool {
	for _, n := range names {
		if strings.TrimSuffix(name, "/") == strings.TrimSuffix(n, "/") || strings.HasPrefix(name, strings.TrimSuffix(n, "/")+"/") {
			return true
		}
	}
	return false
}

type tarReader struct {
	*task
	o     opts
	strip int
	base  string
	dirs  []*tar.Header // their modes and times are set last
}

func (x *tarReader) entry(h *tar.Header, r io.Reader) error {
	if x.o.has('t') {
		return x.list(h)
	}
	if x.o.has('v') {
		x.print(h.Name + "\n")
	}
	if x.o.has('O') {
		_, err := io.Copy(x.Stdout, r)
		return err
	}
	name, ok := x.target(h.Name)
	if !ok {
		return nil
	}
	if err := x.guard(name); err != nil {
		return err
	}
	return x.extract(h, name, r)
}

func (x *tarReader) list(h *tar.Header) error {
	if !x.o.has('v') {
		x.print(h.Name + "\n")
		return nil
	}
	link := ""
	switch h.Typeflag {
	case tar.TypeSymlink:
		link = " -> " + h.Linkname
	case tar.TypeLink:
		link = " link to " + h.Linkname
	}
	owner := named(h.Uid, h.Uname)
	if h.Uname != "" {
		owner = h.Uname + "/" + h.Gname
	} else {
		owner = fmt.Sprintf("%d/%d", h.Uid, h.Gid)
	}
	x.printf("%s %s %9d %s %s%s\n", modeString(h.FileInfo().Mode()), owner, h.Size, h.ModTime.Format("2006-01-02 15:04"), h.Name, link)
	return nil
}

// target is where a member goes: below the base, whatever its name says.
func (x *tarReader) target(name string) (string, bool) {
	parts := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	if x.strip >= len(parts) && x.strip > 0 {
		return "", false
	}
	return path.Join(x.base, path.Join(parts[x.strip:]...)), true
}

// guard refuses to go through a symbolic link that leads out of the base.
func (x *tarReader) guard(name string) error {
	if name == path.Clean(x.base) { // the entry ./
		return nil
	}
	base, err := x.real(x.base, true, false)
	if err != nil {
		return err
	}
	at, err := x.real(path.Dir(name), false, true)
	if err != nil {
		return err
	}
	if at != base && base != "/" && !strings.HasPrefix(at, base+"/") {
		return errors.New("leads out of the target directory through a link")
	}
	tree, err := x.tree()
	if err != nil {
		return err
	}
	return x.makeDir(tree, opts{set: []opt{{letter: 'p'}}}, path.Dir(name))
}

func (x *tarReader) extract(h *tar.Header, name string, r io.Reader) error {
	tree, err := x.tree()
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		kept := *h
		kept.Name = name
		x.dirs = append(x.dirs, &kept)
		return x.makeDir(tree, opts{set: []opt{{letter: 'p'}}}, name)
	}
	if info, err := x.FS.Lstat(name); err == nil && !info.IsDir() {
		tree.Remove(name)
	}
	switch h.Typeflag {
	case tar.TypeReg:
		f, err := x.create(name, os.O_TRUNC, h.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	case tar.TypeSymlink, tar.TypeLink:
		return x.link(h, name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		nodes, ok := x.FS.(Nodes)
		if !ok {
			return errors.ErrUnsupported
		}
		dev := uint64(h.Devminor)&0xff | uint64(h.Devmajor)&0xfff<<8 | uint64(h.Devminor)&^0xff<<12
		if err := nodes.Mknod(name, h.FileInfo().Mode(), dev); err != nil {
			return err
		}
	default:
		return nil
	}
	return x.restore(h, name)
}

func (x *tarReader) link(h *tar.Header, name string) error {
	links, err := x.links()
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeSymlink {
		return links.Symlink(h.Linkname, name)
	}
	existing, ok := x.target(h.Linkname)
	if !ok {
		return nil
	}
	if err := x.guard(existing); err != nil {
		return err
	}
	return links.Link(existing, name)
}

// restore sets owner (as root), mode and times.
func (x *tarReader) restore(h *tar.Header, name string) error {
	meta, err := x.meta()
	if err != nil {
		return nil
	}
	if x.User.UID == 0 && !x.o.has('o') {
		meta.Lchown(name, h.Uid, h.Gid)
	}
	err = meta.Chmod(name, h.FileInfo().Mode()&^fs.ModeType)
	if x.o.has('m') {
		return err
	}
	return errors.Join(err, meta.Chtimes(name, h.ModTime, h.ModTime))
}

func (x *tarReader) finish() error {
	for i := len(x.dirs) - 1; i >= 0; i-- {
		if err := x.restore(x.dirs[i], x.dirs[i].Name); err != nil {
			x.fail(x.dirs[i].Name, err)
		}
	}
	return nil
}

func runGzip(t *task, args []string) int {
	o, ok := t.options(args, "cdfkvqn123456789lt", "stdout=c decompress=d uncompress=d force=f keep=k fast=1 best=9 verbose=v test=t")
	if !ok {
		return 1
	}
	undo := o.has('d') || o.has('t') || t.name != "gzip"
	toOut := o.has('c') || t.name == "zcat" || len(o.args) == 0
	level := gzip.DefaultCompression
	if l := o.last("123456789"); l != 0 {
		level = int(l - '0')
	}
	names := o.args
	if len(names) == 0 {
		names = []string{"-"}
	}
	for _, name := range names {
		var err error
		switch {
		case o.has('t'):
			err = t.gzipFile(name, io.Discard, undo, level)
		case toOut || name == "-":
			err = t.gzipFile(name, t.Stdout, undo, level)
		default:
			err = t.gzipReplace(o, name, undo, level)
		}
		if err != nil {
			t.fail(name, err)
		}
	}
	return t.code()
}

func (t *task) gzipFile(name string, w io.Writer, undo bool, level int) error {
	in, err := t.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if undo {
		z, err := gzip.NewReader(in)
		if err != nil {
			return errors.New("not in gzip format")
		}
		_, err = io.Copy(w, z)
		return err
	}
	z, err := gzip.NewWriterLevel(w, level)
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, in); err != nil {
		return err
	}
	return z.Close()
}

func (t *task) gzipReplace(o opts, name string, undo bool, level int) error {
	target := name + ".gz"
	if undo {
		var ok bool
		if target, ok = strings.CutSuffix(name, ".gz"); !ok {
			if target, ok = strings.CutSuffix(name, ".tgz"); !ok {
				return errors.New("unknown suffix -- ignored")
			}
			target += ".tar"
		}
	}
	info, err := t.stat(name)
	if err != nil {
		return err
	}
	flag := os.O_EXCL
	if o.has('f') {
		flag = os.O_TRUNC
	}
	f, err := t.create(target, flag, info.Mode().Perm())
	if err != nil {
		return err
	}
	if err := errors.Join(t.gzipFile(name, f, undo, level), f.Close()); err != nil {
		return err
	}
	if meta, err := t.meta(); err == nil {
		meta.Chtimes(t.abs(target), info.ModTime(), info.ModTime())
	}
	if tree, err := t.tree(); err == nil && !o.has('k') {
		return tree.Remove(t.abs(name))
	}
	return nil
}
