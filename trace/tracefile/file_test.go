package tracefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest/random"
)

// childFile names, in the environment of a child process, the trace to append to.
const childFile = "TRACEFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		if err := record(path, "child-"+strconv.Itoa(os.Getpid()), 40, 5); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// record appends a step with notes, steps times, and flushes after each few.
func record(path, who string, steps, notes int) error {
	s, err := OpenFile(path)
	if err != nil {
		return err
	}
	ctx := trace.With(noContext{}, trace.New(s))
	for i := range steps {
		in, end := trace.Step(ctx, "work.do", trace.String("who", who), trace.Int("step", int64(i)))
		for n := range notes {
			trace.Fact(in, "work.note", trace.String("who", who), trace.Int("note", int64(n)))
		}
		end(nil)
		if i%7 == 0 {
			if err := s.Flush(); err != nil {
				return err
			}
		}
	}
	return s.Close()
}

// noContext is a context that is never done.
type noContext struct{}

func (noContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (noContext) Done() <-chan struct{}       { return nil }
func (noContext) Err() error                  { return nil }
func (noContext) Value(any) any               { return nil }

func TestManyProcessesAppendToOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	const children, goroutines, steps, notes = 4, 4, 40, 5
	var wg sync.WaitGroup
	errs := make(chan error, children+goroutines)
	for range children {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childFile+"="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				errs <- fmt.Errorf("child: %w: %s", err, out)
			}
		})
	}
	for i := range goroutines {
		wg.Go(func() { errs <- record(path, "goroutine-"+strconv.Itoa(i), steps, notes) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := (children + goroutines) * steps * (notes + 2)
	if n, err := VerifyFile(path); n != want || err != nil {
		t.Fatalf("verified %d of %d events: %v", n, want, err)
	}
	checkWorkers(t, path, steps, notes)
}

// checkWorkers checks that each writer's events are whole, in order and in their own steps.
func checkWorkers(t *testing.T, path string, steps, notes int) {
	t.Helper()
	events, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	owner := map[uint64]string{}
	begun, noted := map[string]int64{}, map[uint64]int64{}
	for _, e := range events {
		who := e.Attr("who").Str()
		switch e.Phase {
		case trace.Begin:
			if owner[e.Span] != "" || e.Span != e.Seq || e.Attr("step").Int() != begun[who] {
				t.Fatalf("event %d: bad begin of %s: %+v", e.Seq, who, e)
			}
			owner[e.Span] = who
			begun[who]++
		case trace.Note:
			if owner[e.Span] != who || e.Attr("note").Int() != noted[e.Span] {
				t.Fatalf("event %d: note of %s in step of %s", e.Seq, who, owner[e.Span])
			}
			noted[e.Span]++
		case trace.End:
			if noted[e.Span] != int64(notes) {
				t.Fatalf("event %d: step has %d notes", e.Seq, noted[e.Span])
			}
		}
	}
	for who, n := range begun {
		if n != int64(steps) {
			t.Errorf("%s: %d steps of %d", who, n, steps)
		}
	}
}

func TestFileRoundTrip(t *testing.T) {
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(dir, strconv.Itoa(files))
		events := rapid.SliceOfN(random.Event(), 1, 20).Draw(t, "events")
		cuts := rapid.SliceOfN(rapid.Bool(), len(events), len(events)).Draw(t, "cuts")
		if err := write(path, events, cuts); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(path)
		if err != nil || len(got) != len(events) {
			t.Fatalf("read %d of %d events: %v", len(got), len(events), err)
		}
		if n, err := VerifyFile(path); n != len(events) || err != nil {
			t.Fatalf("verified %d of %d: %v", n, len(events), err)
		}
		for i, e := range got {
			w := events[i]
			w.Seq, w.At, w.Span, w.Parent = uint64(i+1), e.At, e.Span, e.Parent
			if g, w := string(trace.AppendJSON(nil, e)), string(trace.AppendJSON(nil, w)); g != w {
				t.Fatalf("event %d:\ngot  %s\nwant %s", i, g, w)
			}
		}
	})
}

// write appends events, with a new sink after each event where cuts says so.
func write(path string, events []trace.Event, cuts []bool) error {
	s, err := OpenFile(path)
	for i := 0; err == nil && i < len(events); i++ {
		s.Emit(events[i])
		if cuts[i] {
			if err = s.Close(); err == nil {
				s, err = OpenFile(path)
			}
		}
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// small writes a trace of n notes and returns its path.
func small(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	s, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx := trace.With(t.Context(), trace.New(s))
	for i := range n {
		trace.Fact(ctx, "work.note", trace.Int("note", int64(i)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestChainCanBeCheckedByHand(t *testing.T) {
	hash := ""
	for i, line := range lines(t, small(t, 3)) {
		line = strings.TrimSuffix(line, "\n")
		var l struct{ Hash, Begun string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if (l.Begun != "") != (i == 0) {
			t.Errorf("line %d: begun is %q", i+1, l.Begun)
		}
		sum := sha256.Sum256([]byte(hash + strings.Replace(line, `,"hash":"`+l.Hash+`"`, "", 1)))
		if hash = hex.EncodeToString(sum[:]); l.Hash != hash {
			t.Errorf("line %d: hash %s, want %s", i+1, l.Hash, hash)
		}
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	path := small(t, 6)
	for _, tt := range []struct {
		name string
		do   func(l []string) []string
		line int
		what string
	}{
		{"a changed value", func(l []string) []string { l[2] = strings.Replace(l[2], `"note":2`, `"note":9`, 1); return l }, 3, "hash"},
		{"a changed time", func(l []string) []string { l[0] = strings.Replace(l[0], `"begun":"2`, `"begun":"1`, 1); return l }, 1, "hash"},
		{"a removed line", func(l []string) []string { return append(l[:2], l[3:]...) }, 3, "hash"},
		{"a removed first line", func(l []string) []string { return l[1:] }, 1, "hash"},
		{"two lines swapped", func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, 4, "hash"},
		{"a line twice", func(l []string) []string { return append(l[:2], l[1:]...) }, 3, "hash"},
		{"a line without hash", func(l []string) []string { l[1] = "{}\n"; return l }, 2, "seal"},
		{"an empty line", func(l []string) []string { l[1] = "\n"; return l }, 2, "seal"},
		{"a resealed line with another number", func(l []string) []string { return []string{resealed(7)} }, 1, "seq"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Verify(strings.NewReader(strings.Join(tt.do(lines(t, path)), "") + "\n"))
			var broken *ChainError
			if !errors.As(err, &broken) || broken.Line != tt.line || broken.What != tt.what || n != tt.line-1 {
				t.Fatalf("after %d events: %v, want %s at line %d", n, err, tt.what, tt.line)
			}
			if !strings.Contains(err.Error(), fmt.Sprintf("line %d", tt.line)) {
				t.Errorf("the message doesn't name the line: %v", err)
			}
		})
	}
}

func resealed(seq uint64) string {
	var c chain
	return string(c.appendLine(nil, trace.Event{Seq: seq, Kind: "a.b", Phase: trace.Note}, time.Time{}))
}

func TestTornLastLine(t *testing.T) {
	whole := lines(t, small(t, 3))
	for cut := 1; cut <= len(whole[2]); cut += 7 {
		path := filepath.Join(t.TempDir(), "trace.jsonl")
		torn := whole[0] + whole[1] + whole[2][:len(whole[2])-cut]
		if err := os.WriteFile(path, []byte(torn), 0o644); err != nil {
			t.Fatal(err)
		}
		events, err := ReadFile(path)
		if err != nil || len(events) != 2 {
			t.Fatalf("cut %d: read %d events: %v", cut, len(events), err)
		}
		if n, err := VerifyFile(path); n != 2 || (cut < len(whole[2]) && !errors.Is(err, ErrTorn)) || !Sound(err) {
			t.Fatalf("cut %d: verified %d: %v", cut, n, err)
		}
		if err := record(path, "next", 1, 1); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		if n, err := VerifyFile(path); n != 5 || err != nil {
			t.Fatalf("cut %d: after append %d: %v", cut, n, err)
		}
	}
}

func TestTornFirstLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	if err := os.WriteFile(path, []byte(lines(t, small(t, 1))[0][:40]), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := record(path, "next", 1, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := VerifyFile(path); n != 2 || err != nil {
		t.Fatalf("verified %d: %v", n, err)
	}
}

func TestOtherFilesAreNotTouched(t *testing.T) {
	for name, content := range map[string]string{
		"text":           "dear diary\n",
		"no line end":    "dear diary",
		"JSON":           "{\"a\": 1}\n",
		"an event alone": string(trace.AppendJSON(nil, trace.Event{Seq: 1, Kind: "a", Phase: trace.Note})) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), "not a trace") {
				t.Errorf("got %v", err)
			}
			if got, _ := os.ReadFile(path); string(got) != content {
				t.Errorf("the file is now %q", got)
			}
		})
	}
	if _, err := OpenFile(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
}

func TestTimesContinueAcrossProcesses(t *testing.T) {
	path := small(t, 1)
	time.Sleep(20 * time.Millisecond)
	if err := record(path, "later", 1, 0); err != nil {
		t.Fatal(err)
	}
	events, err := ReadFile(path)
	if err != nil || len(events) != 3 {
		t.Fatal(len(events), err)
	}
	if events[0].At != 0 || events[1].At < 20*time.Millisecond || events[1].At > time.Minute || events[2].At < events[1].At {
		t.Errorf("times: %v %v %v", events[0].At, events[1].At, events[2].At)
	}
}

func TestReaderNamesTheLine(t *testing.T) {
	good := string(trace.AppendJSON(nil, trace.Event{Seq: 1, Kind: "a", Phase: trace.Note})) + "\n"
	for _, tt := range []struct{ name, in, want string }{
		{"nonsense", good + "nonsense\n", "line 2"},
		{"an empty line", good + good + "\n" + good, "line 3"},
		{"too long", good + `{"kind":"` + strings.Repeat("x", MaxLine) + "\"}\n", "line 2 is longer than 16777216 bytes"},
		{"torn", good + "{", "line 2: the last line is cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadAll(strings.NewReader(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	long := string(trace.AppendJSON(nil, trace.Event{Seq: 1, Kind: strings.Repeat("k", 300_000), Phase: trace.Note})) + "\n"
	if events, err := ReadAll(strings.NewReader(good + long + good)); err != nil || len(events) != 3 {
		t.Errorf("long line: %d events, %v", len(events), err)
	}
}

func TestFlushedEventsAreVisible(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	s, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Emit(trace.Event{Seq: 1, Kind: "a.b", Phase: trace.Note})
	if events, _ := ReadFile(path); len(events) != 0 {
		t.Error("written before it had to be")
	}
	s.Emit(trace.Event{Seq: 2, At: time.Second, Kind: "a.b", Phase: trace.Note})
	if events, _ := ReadFile(path); len(events) != 2 {
		t.Error("an old event was not written when the next came")
	}
	s.Emit(trace.Event{Seq: 3, At: time.Second, Kind: "a.b", Phase: trace.Note})
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	events, err := ReadFile(path)
	if diff := cmp.Diff([]uint64{1, 2, 3}, seqs(events)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func seqs(events []trace.Event) (n []uint64) {
	for _, e := range events {
		n = append(n, e.Seq)
	}
	return n
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(resealed(1)))
	f.Add([]byte(resealed(1) + resealed(2)[:20]))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		events, err := ReadAll(bytes.NewReader(in))
		if len(events) > bytes.Count(in, []byte("\n")) {
			t.Fatal("more events than lines")
		}
		n, verr := Verify(bytes.NewReader(in))
		if verr == nil && (err != nil || n != len(events)) {
			t.Fatalf("verified %d, read %d: %v", n, len(events), err)
		}
		if _, err := readTail(bytes.NewReader(in), int64(len(in))); err != nil && errors.Is(err, io.EOF) {
			t.Fatalf("read tail: %v", err)
		}
	})
}

func BenchmarkFileSink(b *testing.B) {
	s, err := OpenFile(filepath.Join(b.TempDir(), "trace.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	e := trace.Event{Span: 1, Kind: "cow.copyup", Phase: trace.Note, Attrs: []trace.Attr{
		trace.String("key", strings.Repeat("c1", 32)), trace.String("path", "/usr/share/doc/greeting"), trace.String("layer", "sha256:"+strings.Repeat("ab", 32)),
		trace.Int("copied_bytes", 4096), trace.Int("changed_bytes", 6), trace.String("change", "content")}}
	b.ReportAllocs()
	for b.Loop() {
		e.At += time.Microsecond
		s.Emit(e)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// A command emits a few dozen events and closes its file once.
func BenchmarkOneCommand(b *testing.B) {
	path := filepath.Join(b.TempDir(), "trace.jsonl")
	for b.Loop() {
		s, err := OpenFile(path)
		if err != nil {
			b.Fatal(err)
		}
		for i := range 40 {
			s.Emit(trace.Event{At: time.Duration(i), Kind: "a.b", Phase: trace.Note, Attrs: []trace.Attr{trace.String("container", strings.Repeat("c1", 32))}})
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// A command that waits for a container must not keep back what came before.
func TestWaitingEventsAreWrittenWithoutAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "trace.jsonl")
		s, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for want := 1; want <= 2; want++ {
			s.Emit(trace.Event{Seq: uint64(want), Kind: "work.note", Phase: trace.Note})
			time.Sleep(2 * maxDelay)
			synctest.Wait()
			if events, err := ReadFile(path); err != nil || len(events) != want {
				t.Errorf("the file has %d events (%v), want %d", len(events), err, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
