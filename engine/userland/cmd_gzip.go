package userland

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
)

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
