package build

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	p := NewPlain(&out)
	p.Step(Step{ID: 1, N: 1, Of: 12, Text: "FROM base"})
	p.Done(1, nil)
	p.Step(Step{ID: 2, N: 2, Of: 12, Stage: "build", Text: "RUN <<EOF\necho\nEOF"})
	p.Output(2, Stdout, []byte("one\ntw"))
	p.Output(2, Stderr, []byte("o\r\nthree"))
	p.Done(2, errors.New("it broke"))
	p.Step(Step{ID: 3, N: 3, Of: 12, Text: "RUN x"})
	p.Cached(3)
	p.Done(3, nil)
	got := regexp.MustCompile(`\d+\.\d+`).ReplaceAllString(out.String(), "T")
	want := `#1 [ 1/12] FROM base
#1 DONE Ts

#2 [build  2/12] RUN <<EOF ...
#2 T one
#2 T two
#2 T three
#2 ERROR: it broke

#3 [ 3/12] RUN x
#3 CACHED
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestBarOnNarrowTerminals(t *testing.T) {
	for _, width := range []int{20, 40, 80, 300} {
		var out bytes.Buffer
		b := NewBar(&out, func() int { return width })
		b.Step(Step{ID: 1, N: 1, Of: 2, Text: "RUN " + strings.Repeat("long ", 50)})
		b.Output(1, Stdout, []byte("first\n\x1b[31mred \u65e5\u672c\u8a9e\rover\n"))
		time.Sleep(2 * barTick)
		b.Done(1, nil)
		if strings.Count(out.String(), "\n") != 1 || strings.Contains(out.String(), "\x1b[31m") || strings.Contains(out.String(), "red") {
			t.Errorf("%d: the bar left lines, or let the command move the cursor: %q", width, out.String())
		}
		for _, line := range strings.Split(out.String(), "\r\x1b[K") {
			if columns(strings.TrimSuffix(line, "\n")) >= width {
				t.Errorf("%d: line of %d columns: %q", width, columns(line), line)
			}
		}
	}
}

func TestBarShowsWhatFailed(t *testing.T) {
	var out bytes.Buffer
	b := NewBar(&out, func() int { return 60 })
	b.Step(Step{ID: 2, N: 2, Of: 2, Text: "RUN false"})
	b.Output(2, Stderr, []byte("the reason\n"))
	out.Reset()
	b.Done(2, errors.New("it broke"))
	if want := "\r\x1b[K => ERROR [2/2] RUN false" + strings.Repeat(" ", 29) + " 0.0s\n > the reason\n"; out.String() != want {
		t.Errorf("a failed step shows %q, want %q", out.String(), want)
	}
}
