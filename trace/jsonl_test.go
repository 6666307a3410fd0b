package trace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest/random"
)

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := random.Event().Draw(t, "event")
		line := trace.AppendJSON(nil, want)
		if !json.Valid(line) || bytes.ContainsAny(line, "\n\r") {
			t.Fatalf("not one line of JSON: %q", line)
		}
		got, err := trace.ParseJSON(line)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(norm(got), norm(want)) {
			t.Fatalf("got  %#v\nwant %#v", got, want)
		}
	})
}

// norm makes empty lists the same as none.
func norm(e trace.Event) trace.Event {
	for i, a := range e.Attrs {
		if a.Value.Type() == "list" && len(a.Value.List()) == 0 {
			e.Attrs[i] = trace.Strings(a.Key, nil)
		}
	}
	if len(e.Attrs) == 0 {
		e.Attrs = nil
	}
	return e
}

func TestAppendJSON(t *testing.T) {
	e := trace.Event{Seq: 2, At: 3 * time.Microsecond, Span: 1, Parent: 0, Kind: "a.b", Phase: trace.End, Err: "no \"x\"\n",
		Attrs: []trace.Attr{trace.String("z", "\xff\x1b/é"), trace.Int("a", -1), trace.Bool("b", true), trace.Strings("l", nil)}}
	want := `{"seq":2,"at_ns":3000,"span":1,"parent":0,"kind":"a.b","phase":"end",` +
		`"attrs":{"z":"\ufffd\u001b/é","a":-1,"b":true,"l":[]},"err":"no \"x\"\n"}`
	if got := string(trace.AppendJSON(nil, e)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseJSONRejects(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"nothing", ``, "ends too early"},
		{"a field twice", `{"kind":"a","kind":"b","phase":"note"}`, "kind comes twice"},
		{"an open string", `{"kind":"a`, "ends too early"},
		{"an open escape", `{"kind":"a\`, "ends too early"},
		{"a line end in a string", "{\"kind\":\"a\n\"}", "control character"},
		{"a comma too many", `{"kind":"a","phase":"note",}`, "column 28"},
		{"a leading zero", `{"seq":01,"kind":"a","phase":"note"}`, "whole number"},
		{"a deep value", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,"kind":"a","phase":"note"}`, "levels deep"},
		{"no object", `[]`, "decode event"},
		{"no kind", `{"phase":"note"}`, "no kind"},
		{"another phase", `{"kind":"a","phase":"middle"}`, `phase is "middle"`},
		{"a fraction", `{"kind":"a","phase":"note","attrs":{"n":1.5}}`, `attribute "n"`},
		{"a large number", `{"kind":"a","phase":"note","attrs":{"n":99999999999999999999}}`, `attribute "n"`},
		{"an object as value", `{"kind":"a","phase":"note","attrs":{"n":{}}}`, `attribute "n"`},
		{"a list of numbers", `{"kind":"a","phase":"note","attrs":{"n":[1]}}`, `attribute "n"`},
		{"an attribute twice", `{"kind":"a","phase":"note","attrs":{"n":1,"n":2}}`, `"n" comes twice`},
		{"attributes in a list", `{"kind":"a","phase":"note","attrs":[]}`, "attrs: column"},
		{"something after", `{"kind":"a","phase":"note"} x`, "decode event"},
		{"a negative number", `{"seq":-1,"kind":"a","phase":"note"}`, "decode event"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := trace.ParseJSON([]byte(tt.line)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at_ns":0,"span":1,"parent":0,"kind":"build","phase":"begin","attrs":{"context":".","n":1,"b":true,"l":["x"]},"err":"e","hash":"x"}`))
	f.Add([]byte(`{"kind":"a","phase":"note","attrs":{"x":null},"new":[1.5e3,{"y":-0}]}`))
	f.Add([]byte(`{"kind":"\u00e9\ud800","phase":"note","err":"\n"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := trace.ParseJSON(line)
		if err != nil {
			return
		}
		if !json.Valid(line) {
			t.Fatal("accepted what is no JSON")
		}
		compareWithStandard(t, line, e)
		again, err := trace.ParseJSON(trace.AppendJSON(nil, e))
		if err != nil {
			t.Fatalf("its own encoding doesn't parse: %v", err)
		}
		if !reflect.DeepEqual(norm(again), norm(e)) {
			t.Fatalf("got %#v, want %#v", again, e)
		}
	})
}

// compareWithStandard checks that encoding/json reads the same.
func compareWithStandard(t *testing.T, line []byte, e trace.Event) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		t.Fatalf("accepted what is no JSON: %v", err)
	}
	var kind, failed string
	var seq uint64
	var attrs map[string]trace.Value
	for key, into := range map[string]any{"kind": &kind, "err": &failed, "seq": &seq, "attrs": &attrs} {
		if raw, ok := fields[key]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
	}
	if kind != e.Kind || failed != e.Err || seq != e.Seq || len(attrs) != len(e.Attrs) {
		t.Fatalf("encoding/json reads %s %s %d %v, not %+v", kind, failed, seq, attrs, e)
	}
	for _, a := range e.Attrs {
		if a.Value.String() != attrs[a.Key].String() || a.Value.Type() != attrs[a.Key].Type() {
			t.Fatalf("attribute %s: encoding/json reads %v, not %v", a.Key, attrs[a.Key], a.Value)
		}
	}
}

func TestTeeAndCollect(t *testing.T) {
	var a, b trace.Collect
	count := 0
	r := trace.New(trace.Tee(&a, nil, &b, trace.SinkFunc(func(trace.Event) { count++ })))
	ctx := trace.With(t.Context(), r)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				trace.Fact(ctx, "x")
				a.Events()
			}
		})
	}
	wg.Wait()
	if a.Len() != 800 || count != 800 || !reflect.DeepEqual(a.Events(), b.Events()) {
		t.Errorf("got %d and %d events", a.Len(), count)
	}
	for i, e := range a.Events() {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has number %d", i, e.Seq)
		}
	}
	before := a.Events()
	trace.Fact(ctx, "y")
	if len(before) != 800 || len(a.Events()) != 801 {
		t.Error("what was handed out changed")
	}
}

func TestFailedStepHasNoResults(t *testing.T) {
	var c trace.Collect
	_, end := trace.Step(trace.With(t.Context(), trace.New(&c)), "a.b", trace.Int("n", 1))
	end(errors.New("disk full"), trace.Int("size_bytes", 3))
	if e := c.Events()[1]; e.Err != "disk full" || e.Attrs != nil || e.Span != 1 {
		t.Errorf("%+v", e)
	}
}

// The supervisor imports this package and must not pay for these.
func TestPackageStaysLean(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skipf("go list does not work here: %v", err)
	}
	deps := strings.Fields(string(out))
	for _, heavy := range []string{"regexp", "net", "text/template", "crypto/sha256", "github.com/gofrs/flock"} {
		if slices.Contains(deps, heavy) {
			t.Errorf("package trace depends on %s", heavy)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := trace.Event{Seq: 123, At: time.Second, Span: 5, Parent: 4, Kind: "cow.copyup", Phase: trace.Note, Attrs: []trace.Attr{
		trace.String("key", strings.Repeat("c1", 32)), trace.String("path", "/usr/share/doc/greeting"), trace.String("layer", "sha256:"+strings.Repeat("ab", 32)),
		trace.Int("copied_bytes", 4096), trace.Int("changed_bytes", 6), trace.String("change", "content")}}
	var buf []byte
	for b.Loop() {
		buf = trace.AppendJSON(buf[:0], e)
	}
}

func BenchmarkParseJSON(b *testing.B) {
	line := trace.AppendJSON(nil, trace.Event{Seq: 123, Kind: "cow.copyup", Phase: trace.Note, Attrs: []trace.Attr{
		trace.String("key", strings.Repeat("c1", 32)), trace.String("path", "/usr/share/doc/greeting"),
		trace.Int("copied_bytes", 4096), trace.Int("changed_bytes", 6), trace.String("change", "content")}})
	for b.Loop() {
		if _, err := trace.ParseJSON(line); err != nil {
			b.Fatal(err)
		}
	}
}
