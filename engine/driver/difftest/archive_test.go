package difftest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/layer"
)

// archive writes items as a layer archive.
func archive(items []item) ([]byte, error) {
	var b bytes.Buffer
	w := layer.NewWriter(&b)
	for _, i := range items {
		var err error
		switch i.Kind {
		case layer.Whiteout:
			err = w.Whiteout(i.Path)
		case layer.Opaque:
			err = w.Opaque(i.Path)
		default:
			err = w.WriteEntry(i.Entry, strings.NewReader(i.Content))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// listing shows what is in an archive, an entry a line.
func listing(data []byte) string {
	var b strings.Builder
	r := layer.NewReader(bytes.NewReader(data), layer.Limits{})
	for {
		e, err := r.Next()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			return b.String() + "error: " + err.Error() + "\n"
		}
		b.WriteString(e.Path + " " + describe(*e))
		if e.Kind == layer.File {
			content, _ := io.ReadAll(r)
			fmt.Fprintf(&b, " %s", digestOf(content))
		}
		b.WriteByte('\n')
	}
}

func describe(e layer.Entry) string {
	if e.Kind == layer.Whiteout || e.Kind == layer.Opaque {
		return e.Kind.String()
	}
	text := fmt.Sprintf("%s %#o %d:%d size %d time %s", e.Kind, e.Mode, e.UID, e.GID, e.Size, e.ModTime.UTC().Format(time.RFC3339Nano))
	if e.Link != "" {
		text += " -> " + e.Link
	}
	if e.Kind == layer.Char || e.Kind == layer.Block {
		text += fmt.Sprintf(" device %d:%d", e.Major, e.Minor)
	}
	if len(e.Xattrs) > 0 {
		text += fmt.Sprintf(" xattrs %v", e.Xattrs)
	}
	return text
}

func (i item) String() string {
	text := i.Path + " " + describe(i.Entry)
	if i.Content != "" {
		text += " " + digestOf([]byte(i.Content))
	}
	return text
}

func TestGeneratedLayersCanBeWritten(t *testing.T) {
	for seed := range uint64(200) {
		for _, items := range generate(seed).Layers {
			data, err := archive(items)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if strings.Contains(listing(data), "error: ") {
				t.Fatalf("seed %d: a reader refuses\n%s", seed, listing(data))
			}
		}
	}
}

func TestSameSeedSameScenario(t *testing.T) {
	for seed := range uint64(50) {
		if a, b := generate(seed).String(), generate(seed).String(); a != b {
			t.Fatalf("seed %d:\n%s\n%s", seed, a, b)
		}
	}
}
