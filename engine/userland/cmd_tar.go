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
		return errors.New("cowardly refusing to create an empty archive")
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
