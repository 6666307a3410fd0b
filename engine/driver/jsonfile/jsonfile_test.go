package jsonfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stamp is when everything is written.
func stamp() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 12_000, time.FixedZone("east", 3600)) }

func open(t testing.TB) (*Log, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "jsonfile")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "log")
	l, err := Open(Options{Path: path, Now: stamp})
	must(t, err)
	return l, path
}

// object is what a line of the file says.
type object struct {
	Log, Stream string
	Time        time.Time
}

func read(t testing.TB, path string) []object {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var list []object
	for line := range strings.Lines(string(data)) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var o object
		must(t, d.Decode(&o))
		if !o.Time.Equal(stamp()) || !strings.HasSuffix(line, "\"time\":\"2024-05-06T06:08:09.000012Z\"}\n") {
			t.Fatalf("time in %q", line)
		}
		list = append(list, o)
	}
	return list
}

func TestLines(t *testing.T) {
	x := strings.Repeat("x", partialLine)
	for name, c := range map[string]struct{ writes, want []string }{
		"nothing":                        {nil, nil},
		"lines":                          {[]string{"a\n\n<b> & \"c\"\n"}, []string{"a\n", "\n", "<b> & \"c\"\n"}},
		"a line in parts":                {[]string{"a", "b", "c\nd", "\n"}, []string{"abc\n", "d\n"}},
		"a line without end":             {[]string{"a\nb"}, []string{"a\n", "b"}},
		"bytes that are no text":         {[]string{"a\xffb\xe2\x82\n"}, []string{"a\ufffdb\ufffd\ufffd\n"}},
		"a line of the greatest length":  {[]string{x[1:] + "\n"}, []string{x[1:] + "\n"}},
		"a line that is too long by one": {[]string{x + "\n"}, []string{x, "\n"}},
		"a long line in parts":           {[]string{x[5:], "12345", "6\n"}, []string{x[5:] + "12345", "6\n"}},
		"a long line without end":        {[]string{x + x + "y"}, []string{x, x, "y"}},
		"a character is not cut in two":  {[]string{x[1:] + "€\n"}, []string{x[1:], "€\n"}},
		"its bytes come one by one":      {[]string{x[2:] + "\xe2", "\x82", "\xac", "\n"}, []string{x[2:], "€\n"}},
		"a broken character is cut":      {[]string{x[1:] + "\xff\n"}, []string{x[1:] + "\ufffd", "\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, path := open(t)
			s := l.Stream("stdout")
			for _, p := range c.writes {
				s.Write([]byte(p))
			}
			s.Flush()
			s.Flush()
			l.Close()
			var got []string
			for _, o := range read(t, path) {
				got = append(got, o.Log)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALogThatIsNotKept(t *testing.T) {
	l, err := Open(Options{Now: stamp})
	must(t, err)
	s := l.Stream("stdout")
	s.Write([]byte("a\n"))
	s.Flush()
	l.Close()
}

func TestAFolderThatIsNotThere(t *testing.T) {
	if _, err := Open(Options{Path: filepath.Join(t.TempDir(), "no", "log"), Now: stamp}); err == nil {
		t.Error("no error")
	}
}

func TestAnotherRunAppends(t *testing.T) {
	l, path := open(t)
	l.Stream("stdout").Write([]byte("one\n"))
	l.Close()
	l, err := Open(Options{Path: path, Now: stamp})
	must(t, err)
	l.Stream("stderr").Write([]byte("two\n"))
	l.Close()
	got := read(t, path)
	if len(got) != 2 || got[0].Log != "one\n" || got[1].Stream != "stderr" {
		t.Errorf("%+v", got)
	}
}

// Reading back gives what was written, however it was cut, on both streams at once.
func TestReadingBackGivesWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l, path := open(t)
		texts := map[string][]byte{}
		var writers sync.WaitGroup
		for _, name := range []string{"stdout", "stderr"} {
			var chunks [][]byte
			for _, c := range rapid.SliceOf(rapid.Custom(chunk)).Draw(r, name) {
				chunks, texts[name] = append(chunks, c), append(texts[name], c...)
			}
			writers.Go(func() {
				s := l.Stream(name)
				for _, c := range chunks {
					s.Write(c)
				}
				s.Flush()
			})
		}
		writers.Wait()
		l.Close()
		got := map[string]string{}
		for _, o := range read(t, path) {
			if n := strings.IndexByte(o.Log, '\n'); n >= 0 && n != len(o.Log)-1 || o.Log == "" {
				r.Fatalf("%q is not one line", o.Log)
			}
			got[o.Stream] += o.Log
		}
		for name, text := range texts {
			if want := string([]rune(string(text))); got[name] != want {
				r.Fatalf("%s: %d bytes %.60q, want %d bytes %.60q", name, len(got[name]), got[name], len(want), want)
			}
		}
	})
}

// chunk is some bytes, of which few end a line.
func chunk(r *rapid.T) []byte {
	piece := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(r, "piece")
	out := []byte(strings.Repeat(string(piece), rapid.SampledFrom([]int{1, 1, 3, 1000}).Draw(r, "times")))
	if rapid.Bool().Draw(r, "ends") {
		out = append(out, '\n')
	}
	return out
}
