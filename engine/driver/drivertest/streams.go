package drivertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver"
)

func testStreams(t *testing.T, l *lab) {
	l.tests(t, inputTests(), outputTests(), listenerTests(), logLines(), logTests(), attachTests(), attachedInput())
}

// feed runs args with text as standard input.
func (l *lab) feed(t testing.TB, text string, args ...string) result {
	t.Helper()
	spec := l.spec(t, args...)
	spec.OpenStdin, spec.StdinOnce = true, true
	b := l.create(t, spec)
	must(t, b.Start(t.Context(), b.streams(strings.NewReader(text))))
	return b.wait()
}

func inputTests() []test {
	return []test{
		{"input arrives, and its end", func(t *testing.T, l *lab) {
			if r := l.feed(t, "hello", "cat"); r.out != "hello" || r.Code != 0 {
				t.Errorf("%+v", r)
			}
		}},
		{"input that is empty ends at once", func(t *testing.T, l *lab) {
			if r := l.feed(t, "", "wc", "-c"); r.out != "0\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a megabyte of input", func(t *testing.T, l *lab) {
			if r := l.feed(t, strings.Repeat("x", 1<<20), "wc", "-c"); r.out != "1048576\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"without input a program reads an end", func(t *testing.T, l *lab) {
			if r := l.run(t, l.spec(t, "cat")); r.out != "" || r.Code != 0 {
				t.Errorf("%+v", r)
			}
		}},
		{"a program that does not read its input ends all the same", func(t *testing.T, l *lab) {
			if r := l.feed(t, strings.Repeat("x", 1<<20), "echo", "done"); r.out != "done\n" || r.Code != 0 {
				t.Errorf("%+v", r)
			}
		}},
		{"a client that has no end of input does not keep the container", func(t *testing.T, l *lab) {
			r, w := io.Pipe()
			defer w.Close()
			spec := l.spec(t, "head", "-n", "1")
			spec.OpenStdin = true
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), b.streams(r)))
			_, err := io.WriteString(w, "line\n")
			must(t, err)
			if got := b.wait(); got.out != "line\n" {
				t.Errorf("%+v", got)
			}
		}},
		{"two programs of a script share the input", func(t *testing.T, l *lab) {
			if r := l.feed(t, "1\n2\n3\n", script("read a; echo got $a; cat")...); r.out != "got 1\n2\n3\n" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

func outputTests() []test {
	return []test{
		{"output and errors are apart", func(t *testing.T, l *lab) {
			if r := l.sh(t, "echo out; echo err >&2; echo out2"); r.out != "out\nout2\n" || r.errs != "err\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"every byte arrives", func(t *testing.T, l *lab) {
			var all [256]byte
			for i := range all {
				all[i] = byte(i)
			}
			if r := l.feed(t, string(all[:]), "cat"); r.out != string(all[:]) {
				t.Errorf("%q", r.out)
			}
		}},
		{"a megabyte of output arrives whole and in order", func(t *testing.T, l *lab) {
			r := l.sh(t, "seq 1 160000")
			var want bytes.Buffer
			for i := range 160000 {
				fmt.Fprintln(&want, i+1)
			}
			if r.out != want.String() {
				t.Errorf("%d bytes, want %d", len(r.out), want.Len())
			}
		}},
		{"output without a last newline arrives", func(t *testing.T, l *lab) {
			if r := l.sh(t, "printf no-newline"); r.out != "no-newline" {
				t.Errorf("%+v", r)
			}
		}},
		{"a pipeline hands on all it is given", func(t *testing.T, l *lab) {
			if r := l.sh(t, "seq 1 20000 | sort -r | head -n 2 | tr 9 x; yes | head -n 3 | wc -l"); r.out != "xxxx\nxxx8\n3\n" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

func listenerTests() []test {
	return []test{
		{"a container that nobody listens to runs to its end", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("seq 1 100000; exit 3")...)
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), driver.Streams{}))
			if r := b.wait(); r.Code != 3 {
				t.Errorf("%+v", r)
			}
		}},
		{"a listener that fails does not stop the program", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("seq 1 100000; echo done > /done")...)
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), driver.Streams{Stdout: refusing{}}))
			if r := b.wait(); r.Code != 0 {
				t.Errorf("%+v", r)
			}
			if diff := cmp.Diff([]string{"A /done"}, l.changes(t, spec.Key)); diff != "" {
				t.Error(diff)
			}
		}},
		{"a background child that holds the output is waited for no longer than the container lives", func(t *testing.T, l *lab) {
			if r := l.sh(t, "sleep 1000 & echo first"); r.out != "first\n" || r.Code != 0 {
				t.Errorf("%+v", r)
			}
		}},
	}
}

// logLine is a line of docker's json-file format.
type logLine struct {
	Log    string    `json:"log"`
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"`
}

// readLog decodes a log strictly.
func readLog(t testing.TB, name string) []logLine {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	var lines []logLine
	for line := range strings.Lines(string(data)) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var e logLine
		must(t, d.Decode(&e))
		lines = append(lines, e)
	}
	return lines
}

// logged runs a script whose output is kept, and gives the log without times, by stream.
func (l *lab) logged(t testing.TB, change func(*driver.Spec), text string) map[string][]string {
	t.Helper()
	spec := l.spec(t, script(text)...)
	spec.Log = filepath.Join(spec.Dir, "log")
	if change != nil {
		change(&spec)
	}
	l.run(t, spec)
	got := map[string][]string{}
	for _, e := range readLog(t, spec.Log) {
		got[e.Stream] = append(got[e.Stream], e.Log)
	}
	return got
}

func logLines() []test {
	return []test{
		{"the log has a line per line, by stream", func(t *testing.T, l *lab) {
			want := map[string][]string{"stdout": {"a\n", "\n", "<b> & \"c\"\n"}, "stderr": {"err\n"}}
			if diff := cmp.Diff(want, l.logged(t, nil, `echo a; echo; echo '<b> & "c"'; echo err >&2`)); diff != "" {
				t.Error(diff)
			}
		}},
		{"the log keeps a last line without newline", func(t *testing.T, l *lab) {
			if diff := cmp.Diff(map[string][]string{"stdout": {"a\n", "end"}}, l.logged(t, nil, "echo a; printf end")); diff != "" {
				t.Error(diff)
			}
		}},
		{"a long line is cut in pieces of 16 KiB", func(t *testing.T, l *lab) {
			got := l.logged(t, nil, "head -c 20000 /dev/zero | tr '\\0' x; echo")
			want := map[string][]string{"stdout": {strings.Repeat("x", 16384), strings.Repeat("x", 3616) + "\n"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}},
		{"a line written in parts is one line", func(t *testing.T, l *lab) {
			if diff := cmp.Diff(map[string][]string{"stdout": {"abc\n"}}, l.logged(t, nil, "printf a; sleep 0.02; printf b; echo c")); diff != "" {
				t.Error(diff)
			}
		}},
		{"bytes that are no text are replaced in the log", func(t *testing.T, l *lab) {
			if diff := cmp.Diff(map[string][]string{"stdout": {"a\ufffdb\n"}}, l.logged(t, nil, `printf 'a\377b\n'`)); diff != "" {
				t.Error(diff)
			}
		}},
		{"with a terminal the log has one stream and its line ends", func(t *testing.T, l *lab) {
			got := l.logged(t, func(s *driver.Spec) { s.Process.Terminal = true }, "echo a; echo b >&2")
			if diff := cmp.Diff(map[string][]string{"stdout": {"a\r\n", "b\r\n"}}, got); diff != "" {
				t.Error(diff)
			}
		}},
	}
}

func logTests() []test {
	return []test{
		{"times in the log do not go back", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("for i in 1 2 3 4 5; do echo $i; echo $i >&2; done")...)
			spec.Log = filepath.Join(spec.Dir, "log")
			l.run(t, spec)
			var last time.Time
			for _, e := range readLog(t, spec.Log) {
				if e.Time.Before(last) {
					t.Errorf("%v after %v", e.Time, last)
				}
				last = e.Time
			}
		}},
		{"a second run appends to the log", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("echo run")...)
			spec.Log = filepath.Join(spec.Dir, "log")
			must(t, l.runOn(t, spec).Delete(t.Context()))
			must(t, l.runOn(t, spec).Delete(t.Context()))
			if got := readLog(t, spec.Log); len(got) != 2 || got[1].Log != "run\n" {
				t.Errorf("%v", got)
			}
		}},
		{"a log that has its size is replaced, and marked lines keep their marks", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("seq 1 200")...)
			spec.Log = filepath.Join(spec.Dir, "log")
			spec.Rotation = driver.Rotation{MaxBytes: 2000, MaxFiles: 3}
			spec.LogAttrs = map[string]string{"a": "1"}
			l.run(t, spec)
			for n, want := range map[string]bool{"log": true, "log.1": true, "log.2": true, "log.3": false} {
				if _, err := os.Lstat(filepath.Join(spec.Dir, n)); (err == nil) != want {
					t.Errorf("%s: %v", n, err)
				}
			}
			data, err := os.ReadFile(spec.Log)
			if err != nil || !strings.Contains(string(data), `{"log":"200\n","stream":"stdout","attrs":{"a":"1"},"time":"`) {
				t.Errorf("%s, %v", data, err)
			}
		}},
		{"the log is complete when the wait is over, though nobody listens", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("seq 1 5000")...)
			spec.Log = filepath.Join(spec.Dir, "log")
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), driver.Streams{}))
			b.wait()
			if got := readLog(t, spec.Log); len(got) != 5000 || got[4999].Log != "5000\n" {
				t.Errorf("%d lines", len(got))
			}
		}},
		{"what a further process says is not in the log", func(t *testing.T, l *lab) {
			spec := l.staying(t, "echo first; read x")
			spec.Log = filepath.Join(spec.Dir, "log")
			b := l.start(t, spec)
			b.says("first\n")
			b.exec("echo further; echo further >&2")
			must(t, b.Signal(t.Context(), sigKill))
			b.wait()
			if got := readLog(t, spec.Log); len(got) != 1 {
				t.Errorf("%v", got)
			}
		}},
	}
}

// attached connects a further client to the container until the returned function ends its connection.
func (b *box) attached(stdin io.Reader) (out *buffer, leave func()) {
	b.t.Helper()
	out = &buffer{}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.Task.(driver.Attacher).Attach(ctx, driver.Streams{Stdin: stdin, Stdout: out, Stderr: out})
	}()
	leave = func() { cancel(); <-done }
	b.t.Cleanup(leave)
	return out, leave
}

// echoing is a container that says its input again, a line at a time.
func (l *lab) echoing(t testing.TB) *box {
	t.Helper()
	return l.started(t, `echo up; while read line; do echo "got $line"; done; echo end`)
}

func attachTests() []test {
	return []test{
		{"two clients both see the output", func(t *testing.T, l *lab) {
			b := l.echoing(t)
			b.says("up\n")
			r, w := io.Pipe()
			defer w.Close()
			one, _ := b.attached(nil)
			two, _ := b.attached(r)
			for n := 0; !strings.Contains(one.String(), "got") || !strings.Contains(two.String(), "got"); n++ {
				if n > 1000 {
					t.Fatalf("%q and %q", one.String(), two.String())
				}
				_, err := io.WriteString(w, "ping\n")
				must(t, err)
				time.Sleep(5 * time.Millisecond)
			}
		}},
		{"a client that leaves does not end the container", func(t *testing.T, l *lab) {
			b := l.echoing(t)
			b.says("up\n")
			_, leave := b.attached(nil)
			leave()
			if state := b.state(); state != driver.Running {
				t.Errorf("state %s", state)
			}
			if r := b.exec("echo alive"); r.out != "alive\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"attaching ends with the container", func(t *testing.T, l *lab) {
			b := l.echoing(t)
			b.says("up\n")
			done := make(chan error, 1)
			go func() {
				exit, err := b.Task.(driver.Attacher).Attach(t.Context(), driver.Streams{Stdout: io.Discard})
				if err == nil && exit.Code != 137 {
					err = fmt.Errorf("exit %+v", exit)
				}
				done <- err
			}()
			time.Sleep(20 * time.Millisecond)
			must(t, b.Signal(t.Context(), sigKill))
			select {
			case err := <-done:
				must(t, err)
			case <-time.After(Patience()):
				t.Error("attach goes on")
			}
		}},
		{"attaching to what has ended is ErrNotRunning", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			_, err := b.Task.(driver.Attacher).Attach(t.Context(), driver.Streams{Stdout: io.Discard})
			isNotRunning(t, err)
		}},
	}
}

func attachedInput() []test {
	return []test{
		{"what a client sends before it leaves arrives", func(t *testing.T, l *lab) {
			b := l.started(t, "echo up; read first; read line; echo $line; cat > /dev/null")
			b.says("up\n")
			in, sent := io.Pipe()
			_, leave := b.attached(in)
			_, err := io.WriteString(sent, strings.Repeat("x", 3000)+"\nlate\n")
			must(t, err)
			_, err = sent.Write(nil) // what was written before has been read
			must(t, err)
			leave()
			b.says("up\nlate\n")
			_ = sent.Close()
		}},
		{"a client whose input ends still gets output", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("wc -c; seq 1 20000 | tail -n 1; printf end")...)
			spec.OpenStdin, spec.StdinOnce = true, true
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), b.streams(strings.NewReader("12345"))))
			if r := b.wait(); r.out != "5\n20000\nend" {
				t.Errorf("%+v", r)
			}
		}},
		{"bytes of every kind pass through both ways", func(t *testing.T, l *lab) {
			b := l.up(t)
			rapid.Check(t, func(r *rapid.T) {
				data := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(r, "bytes")
				data = bytes.Repeat(data, rapid.SampledFrom([]int{1, 1, 50}).Draw(r, "times"))
				got, err := b.try(process(script("cat; exit 4")...), iotest.HalfReader(bytes.NewReader(data)))
				if err != nil || got.out != string(data) || got.Code != 4 {
					r.Fatalf("%d bytes became %d, code %d, %v", len(data), len(got.out), got.Code, err)
				}
			})
		}},
		{"input stays open for the next client", func(t *testing.T, l *lab) {
			b := l.echoing(t)
			b.says("up\n")
			b.attached(strings.NewReader("one\n"))
			eventually(t, "the first line", func() bool { return strings.Contains(b.out.String(), "got one\n") })
			b.attached(strings.NewReader("two\n"))
			eventually(t, "the second line", func() bool { return strings.Contains(b.out.String(), "got two\n") })
		}},
		{"input that closes with the first client", func(t *testing.T, l *lab) {
			spec := l.spec(t, script(`while read line; do echo "got $line"; done; echo end`)...)
			spec.OpenStdin, spec.StdinOnce = true, true
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), b.streams(strings.NewReader("one\n"))))
			if r := b.wait(); r.out != "got one\nend\n" {
				t.Errorf("%+v", r)
			}
		}},
	}
}
