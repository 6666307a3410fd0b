package userland_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/userland"
)

// Where there is no Linux binary, the layer has a text in its place, the same bytes each time.
func TestBaseLayerWithoutABinary(t *testing.T) {
	var first, second bytes.Buffer
	if err := errors.Join(userland.BaseLayer(&first, userland.BaseOptions{}), userland.BaseLayer(&second, userland.BaseOptions{})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two layers of nothing differ")
	}
	text, links := "", 0
	for r := tar.NewReader(&first); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case h.Name == "bin/learn":
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if text = string(data); h.Mode != 0o755 {
				t.Errorf("bin/learn has mode %o, want 755", h.Mode)
			}
		case strings.HasPrefix(h.Name, "bin/") && h.Linkname == "learn":
			links++
		}
	}
	if !strings.HasPrefix(text, "#!learn\n") || strings.Count(text, "\n") != 2 {
		t.Errorf("bin/learn is %q, want #!learn and one more line", text)
	}
	if links != len(userland.Names()) {
		t.Errorf("%d links to it, want %d", links, len(userland.Names()))
	}
}
