package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// write writes the result of a build as o says. The image needs no entry in the index: layers and config are enough. names are those that
// the build gives it, for an output that has none of its own. What is written to standard output goes to stdout. The caller holds the lock
// "gc" shared, and has made the image in the home if o.Stored.
func (b *Builder) write(ctx context.Context, op *home.Operation, img image.Image, names []oci.Ref, o Output, stdout io.Writer) (err error) {
	if len(o.Names) > 0 {
		names = o.Names
	}
	if o.Type == OutputNone || o.Stored() && !o.Push {
		return nil
	}
	w := writer{Builder: b, op: op, image: img, names: names, output: o, sink: stdout}
	ctx, end := trace.Step(ctx, vocab.BuildOutput, trace.String("type", string(o.Type)), trace.String("dest", w.dest()))
	defer func() { end(err, trace.Int("size_bytes", w.written)) }()
	switch o.Type {
	case OutputLocal:
		err = w.local(ctx)
	case OutputTar:
		err = w.file(func(out io.Writer) error {
			return w.withTree(ctx, func(t driver.Tree) error { return t.Export(ctx, out) })
		})
	case OutputOCI, OutputDocker:
		err = w.archive(ctx)
	case OutputImage:
		err = w.push(ctx)
	default:
		err = fmt.Errorf("type is %q", o.Type)
	}
	if err != nil {
		return fmt.Errorf("write output type=%s: %w", o.Type, err)
	}
	return nil
}

// writer is one output under way.
type writer struct {
	*Builder
	op      *home.Operation
	image   image.Image
	names   []oci.Ref
	output  Output
	sink    io.Writer // where Write goes
	written int64
}

// dest is where the output goes, for the trace.
func (w *writer) dest() string {
	if w.output.Dest == "" && len(w.names) > 0 {
		return w.names[0].String()
	}
	return w.output.Dest
}

// Write counts what goes out.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.sink.Write(p)
	w.written += int64(n)
	return n, err
}

// withTree opens the tree of the image. Nothing has to run for that.
func (w *writer) withTree(ctx context.Context, do func(driver.Tree) error) error {
	chain, err := w.images.Unpack(ctx, w.image)
	if err != nil {
		return err
	}
	t, err := w.trees.OpenChain(ctx, chain)
	if err != nil {
		return err
	}
	return errors.Join(do(t), t.Close())
}

func (w *writer) archive(ctx context.Context) error {
	p, err := w.images.Pack(ctx, w.op, w.image, w.output.options())
	if err != nil {
		return err
	}
	if w.output.Folder {
		w.written, err = p.WriteLayout(ctx, w.output.Dest, w.names)
		return err
	}
	format := image.FormatOCI
	if w.output.Type == OutputDocker {
		format = image.FormatDocker
	}
	return w.file(func(out io.Writer) error { return p.WriteArchive(ctx, out, format, w.names) })
}

func (w *writer) push(ctx context.Context) error {
	if len(w.names) == 0 {
		return errors.New("an image without a name can't be pushed: give it one with -t or name=")
	}
	p, err := w.images.Pack(ctx, w.op, w.image, w.output.options())
	if err != nil {
		return err
	}
	refs := w.names
	if w.output.ByDigest {
		refs = nil
		for _, n := range w.names {
			refs = append(refs, n.WithTag(""))
		}
	}
	w.written, err = w.images.Push(ctx, p, refs...)
	return err
}

// file lets fill write the output's file. A file that is there is replaced when the new one is whole; what is no regular file, such as a
// pipe, is written to.
func (w *writer) file(fill func(io.Writer) error) error {
	dest := w.output.Dest
	if dest == DestStdout {
		return fill(w)
	}
	fi, err := os.Stat(dest)
	switch {
	case err == nil && fi.IsDir():
		return fmt.Errorf("destination %s is a folder, expected a file", dest)
	case err == nil && !fi.Mode().IsRegular():
		return w.into(dest, fill)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := os.Stat(filepath.Dir(dest)); err != nil {
		return fmt.Errorf("destination %s: there is no folder for it: %w", dest, err)
	}
	f, err := os.CreateTemp(filepath.Dir(dest), "."+filepath.Base(dest)+"-")
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if fi != nil {
		mode = fi.Mode().Perm()
	}
	w.sink = f
	err = fill(w)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), dest)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (w *writer) into(dest string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(dest, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	w.sink = f
	return errors.Join(fill(w), f.Close())
}
