package userland

import (
	"io"
	"reflect"
)

// standIns has nothing to keep here: under js the interpreter takes any stream as its standard input, and wraps it.
type standIns struct{}

func (*standIns) add(stream io.Reader) io.ReadWriteCloser { return readOnly{stream} }

// readOnly is a stream as the interpreter wants what it has opened.
type readOnly struct{ io.Reader }

func (r readOnly) Close() error {
	if c, ok := r.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (readOnly) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// behind takes the interpreter's wrapping off, a struct of another package with the stream as its embedded Reader.
func (*standIns) behind(stdin any) (io.Reader, bool) {
	v := reflect.ValueOf(stdin)
	if v.Kind() != reflect.Struct || v.NumField() != 1 {
		return nil, false
	}
	r, ok := v.Field(0).Interface().(readOnly)
	return r.Reader, ok
}

func (*standIns) sweep() {}
