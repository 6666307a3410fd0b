package image

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/squeeze"
)

// form is how a layer is compressed when it leaves.
type form struct {
	kind  layer.Compression
	level int
}

func newForm(kind layer.Compression, level int) form {
	return form{cmp.Or(kind, layer.Gzip), level}
}

// name tells apart what may give different bytes.
func (f form) name() string { return fmt.Sprintf("%s/%d/%d", f.kind, f.level, squeeze.Version) }

// compress is the compressed form of what in gives, which it closes with itself. err is that of opening in.
func (f form) compress(in io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	s, err := squeeze.New(in, squeeze.Options{Kind: squeeze.Kind(f.kind), Level: f.level})
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return compressing{s, in}, nil
}

type compressing struct {
	*squeeze.Stream
	in io.Closer
}

// Close implements io.Closer.
func (c compressing) Close() error { return errors.Join(c.Stream.Close(), c.in.Close()) }
