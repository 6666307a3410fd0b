package jsonfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// names lists what is beside the log and the log itself, without its name.
func names(t testing.TB, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, strings.TrimPrefix(e.Name(), filepath.Base(path)))
	}
	return list
}

// take reads what there is, from the last n lines on if n is not negative.
func take(t testing.TB, r *Reader) []string {
	t.Helper()
	var d Decoder
	var e Entry
	var list []string
	for {
		lines, err := r.Next()
		if err == io.EOF {
			return list
		}
		must(t, err)
		for line := range strings.Lines(string(lines)) {
			if d.Decode([]byte(line), &e) {
				list = append(list, strings.TrimSuffix(string(e.Log), "\n"))
			}
		}
	}
}

func readAll(t testing.TB, path string, tail int) []string {
	t.Helper()
	r, err := NewReader(path)
	must(t, err)
	defer r.Close()
	if tail >= 0 {
		must(t, r.Tail(tail))
	}
	return take(t, r)
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// An object of stamp's time with one digit has 73 bytes, so that a file of 100 holds two.
const twoLines = 100

func TestRotation(t *testing.T) {
	for name, c := range map[string]struct {
		files    int
		compress bool
		names    []string
		kept     []string
	}{
		"one file":          {1, false, []string{""}, numbers(9, 9)},
		"no number":         {0, false, []string{""}, numbers(9, 9)},
		"three files":       {3, false, []string{"", ".1", ".2"}, numbers(5, 9)},
		"more than there":   {9, false, []string{"", ".1", ".2", ".3", ".4"}, numbers(1, 9)},
		"three, compressed": {3, true, []string{"", ".1.gz", ".2.gz"}, numbers(5, 9)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			l, err := Open(Options{Path: path, Now: stamp, MaxBytes: twoLines, MaxFiles: c.files, Compress: c.compress})
			must(t, err)
			s := l.Stream("stdout")
			for _, n := range numbers(1, 9) {
				_, _ = s.Write([]byte(n + "\n"))
			}
			l.zipper.wait()
			l.Close()
			if diff := cmp.Diff(c.names, names(t, path)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.kept, readAll(t, path, -1)); diff != "" {
				t.Error(diff)
			}
			for n := range len(c.kept) + 2 {
				want := c.kept[max(len(c.kept)-n, 0):]
				if diff := cmp.Diff(slices.Clone(want), append([]string{}, readAll(t, path, n)...)); diff != "" {
					t.Errorf("the last %d: %s", n, diff)
				}
			}
		})
	}
}

// Lines of one write that do not fit are parted between files.
func TestAWriteMayRotateMoreThanOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{Path: path, Now: stamp, MaxBytes: twoLines, MaxFiles: 10})
	must(t, err)
	_, _ = l.Stream("stdout").Write([]byte("1\n2\n3\n4\n5\n6\n7\n"))
	l.Close()
	if diff := cmp.Diff([]string{"", ".1", ".2", ".3"}, names(t, path)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(numbers(1, 7), readAll(t, path, -1)); diff != "" {
		t.Error(diff)
	}
}

// Whatever a reader has seen when the files rotate, it gets every line that is not thrown away once, in order.
func TestFollowingOverRotation(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		path := filepath.Join(t.TempDir(), "log")
		compress := rapid.Bool().Draw(r, "compress")
		o := Options{Path: path, Now: stamp, MaxBytes: twoLines, MaxFiles: rapid.IntRange(1, 5).Draw(r, "files"), Compress: compress}
		l, err := Open(o)
		must(t, err)
		s := l.Stream("stdout")
		reader, err := NewReader(path)
		must(t, err)
		defer func() { _ = reader.Close() }()
		written, read, kept := 0, 0, 2*max(o.MaxFiles-1, 1)-1 // lines that are surely there yet
		r.Repeat(map[string]func(*rapid.T){
			"write": func(r *rapid.T) {
				for range rapid.IntRange(1, 3).Draw(r, "lines") {
					written++
					_, _ = fmt.Fprintf(s, "%06d\n", written)
				}
			},
			"open again": func(r *rapid.T) {
				l.Close()
				if l, err = Open(o); err != nil {
					r.Fatal(err)
				}
				s = l.Stream("stdout")
			},
			"compressed": func(*rapid.T) { l.zipper.wait() },
			"read": func(r *rapid.T) {
				for _, text := range take(t, reader) {
					n, _ := strconv.Atoi(text)
					if n != read+1 && (n <= read || read >= written-kept) {
						r.Fatalf("after line %d came line %d of %d", read, n, written)
					}
					read = n
				}
				if read != written {
					r.Fatalf("read to line %d of %d", read, written)
				}
			},
		})
		l.Close()
	})
}

// A reader in another thread while the writer rotates as fast as it can: nothing twice, nothing out of order, and the end arrives.
func TestFollowingWhileItRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{Path: path, Now: time.Now, MaxBytes: 2000, MaxFiles: 100})
	must(t, err)
	const total = 2000 // so many that no file is thrown away
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := l.Stream("stdout")
		for i := range total {
			_, _ = fmt.Fprintln(s, i+1)
		}
		l.Close()
	}()
	r, err := NewReader(path)
	must(t, err)
	defer r.Close()
	read := 0
	for ended := false; ; {
		for _, text := range take(t, r) {
			if read++; text != strconv.Itoa(read) {
				t.Fatalf("line %s came as number %d", text, read)
			}
		}
		if ended {
			break
		}
		select {
		case <-done:
			ended = true
		default:
		}
	}
	if read != total {
		t.Errorf("%d lines of %d", read, total)
	}
}

// What a supervisor was writing when it was killed does not spoil what the next one writes.
func TestATornLineStandsAlone(t *testing.T) {
	l, path := open(t)
	_, _ = l.Stream("stdout").Write([]byte("one\ntwo\n"))
	l.Close()
	st, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, st.Size()-5))
	l, err = Open(Options{Path: path, Now: stamp})
	must(t, err)
	_, _ = l.Stream("stdout").Write([]byte("three\n"))
	l.Close()
	if diff := cmp.Diff([]string{"one", "three"}, readAll(t, path, -1)); diff != "" {
		t.Error(diff)
	}
}

// A supervisor may be killed between any two steps of a rotation.
func TestAKilledRotation(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"after the first move": func(p string) error { return os.Rename(p+".2", p+".3") },
		"in the middle": func(p string) error {
			return errors.Join(os.Rename(p+".2", p+".3"), os.Rename(p+".1", p+".2"))
		},
		"before the new file": func(p string) error {
			return errors.Join(os.Rename(p+".2", p+".3"), os.Rename(p+".1", p+".2"), os.Rename(p, p+".1"))
		},
		"while it compressed": func(p string) error { return os.WriteFile(p+".1.gz.tmp", []byte("x"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			o := Options{Path: path, Now: stamp, MaxBytes: twoLines, MaxFiles: 9}
			l, err := Open(o)
			must(t, err)
			_, _ = l.Stream("stdout").Write([]byte("1\n2\n3\n4\n5\n"))
			l.Close()
			must(t, change(path))
			if diff := cmp.Diff(numbers(1, 5), readAll(t, path, -1)); diff != "" {
				t.Error("before:", diff)
			}
			o.Compress = true
			l, err = Open(o)
			must(t, err)
			_, _ = l.Stream("stdout").Write([]byte("6\n7\n8\n"))
			l.zipper.wait()
			l.Close()
			if diff := cmp.Diff(numbers(1, 8), readAll(t, path, -1)); diff != "" {
				t.Error("after:", diff)
			}
		})
	}
}

func TestWhatIsTooLongForALineIsPassedOver(t *testing.T) {
	l, path := open(t)
	_, _ = l.Stream("stdout").Write([]byte("before\n"))
	_, err := l.f.Write(append([]byte(strings.Repeat("x", 2*maxObject)), '\n'))
	must(t, err)
	_, _ = l.Stream("stdout").Write([]byte("after\n"))
	l.Close()
	if diff := cmp.Diff([]string{"before", "after"}, readAll(t, path, -1)); diff != "" {
		t.Error(diff)
	}
}

func TestTimesDoNotGoBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	now := stamp()
	l, err := Open(Options{Path: path, Now: func() time.Time { now = now.Add(-time.Second); return now }, Attrs: map[string]string{"b": "<1>", "a": "\xff"}})
	must(t, err)
	s, e := l.Stream("stdout"), l.Stream("stderr")
	_, _ = s.Write([]byte("1\n"))
	_, _ = e.Write([]byte("2\n"))
	l.Close()
	data, err := os.ReadFile(path)
	must(t, err)
	lines := strings.SplitAfter(string(data), "\n")
	want := `{"log":"1\n","stream":"stdout","attrs":{"a":"\ufffd","b":"\u003c1\u003e"},"time":"2024-05-06T06:08:08.000012Z"}` + "\n"
	if lines[0] != want || lines[1] != strings.NewReplacer("1\\n", "2\\n", "stdout", "stderr").Replace(want) {
		t.Errorf("%q", lines)
	}
}

func TestALogThatIsNotThereYet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r, err := NewReader(path)
	must(t, err)
	defer r.Close()
	if _, err := r.Next(); err != io.EOF {
		t.Fatalf("error %v", err)
	}
	l, err := Open(Options{Path: path, Now: stamp})
	must(t, err)
	_, _ = l.Stream("stdout").Write([]byte("1\n"))
	l.Close()
	if diff := cmp.Diff(numbers(1, 1), take(t, r)); diff != "" {
		t.Error(diff)
	}
}

func TestALogThatCannotBeRead(t *testing.T) {
	path := t.TempDir()
	r, err := NewReader(path)
	must(t, err)
	defer r.Close()
	if _, err := r.Next(); err == nil || err == io.EOF {
		t.Errorf("a folder was read: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(path, "log.1.gz"), []byte("no gzip"), 0o600))
	if _, err := NewReader(filepath.Join(path, "log")); err == nil {
		t.Error("what is not compressed was read")
	}
}
