package lessons

import (
	"strings"
	"testing"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/vocab"
)

func TestIsEvidence(t *testing.T) {
	p := &player{Options: Options{Engine: &fakeEngine{home: "/h"}}}
	hex := strings.Repeat("ab", 32)
	paths := []string{"images/blobs/sha256/" + hex}
	tests := []struct {
		kind, given string
		keys        []string
		want        bool
	}{
		{"event", "7", []string{"5", "7"}, true},
		{"event", "#7", []string{"7"}, true},
		{"event", "17", []string{"7"}, false},
		{"event", "", []string{"7"}, false},
		{"path", paths[0], paths, true},
		{"path", "$LEARN_HOME/" + paths[0], paths, true},
		{"path", "/h/" + paths[0], paths, true},
		{"path", "sha256:" + hex, paths, true},
		{"path", "ababab", paths, true},
		{"path", "images/blobs/sha256/ababab", paths, true},
		{"path", "ababa", paths, false},
		{"path", "bababa", paths, false},
		{"path", "elsewhere/ababab", paths, false},
		{"path", "images/blobs/sha256/", paths, false},
		{"path", "", paths, false},
	}
	for _, test := range tests {
		if got := p.isEvidence(test.kind, test.given, test.keys); got != test.want {
			t.Errorf("isEvidence(%s, %q, %q) = %t; want %t", test.kind, test.given, test.keys, got, test.want)
		}
	}
}

func TestEventLine(t *testing.T) {
	digest := "sha256:" + strings.Repeat("c", 64)
	e := trace.Event{Seq: 9, Kind: vocab.BlobWrite, Phase: trace.Note, Attrs: []trace.Attr{
		trace.String("digest", digest), trace.Int("size_bytes", 3), trace.String("media_type", "a\x1bb"), trace.Bool("existed", false),
	}}
	for _, level := range []narrate.Level{silent, narrate.Full} {
		got := eventLine(e, level)
		if !strings.HasPrefix(got, "event 9, blob.write") || !strings.HasSuffix(got, " File: images/blobs/sha256/"+digest[7:]) || strings.Contains(got, "\x1b") {
			t.Errorf("line is %q", got)
		}
	}
}

// TestTelling proves that evidence always says something, also about an event that is told only in detail or never.
func TestTelling(t *testing.T) {
	tests := []struct {
		e    trace.Event
		want string
	}{
		{trace.Event{Kind: vocab.ProcExit, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("container", "c"), trace.Int("pid", 7), trace.Int("exit_code", 3), trace.String("signal", ""), trace.Bool("oom_killed", false),
		}}, "3"},
		{trace.Event{Kind: vocab.NamespaceCreate, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("container", "c"), trace.String("namespace", "pid"), trace.Int("inode", 42),
		}}, "42"},
		{trace.Event{Kind: "unknown", Phase: trace.Note, Attrs: []trace.Attr{trace.Int("size", 5)}}, "size=5"},
	}
	for _, test := range tests {
		if got := telling(test.e, narrate.Full); !strings.Contains(got, test.want) {
			t.Errorf("%s is told as %q; want %s in it", test.e.Kind, got, test.want)
		}
	}
}

func TestParseMisconceptions(t *testing.T) {
	tests := []struct{ source, want string }{
		{"- {id: M-A, claim: a, refutation: b, evidence: c}", ""},
		{"- {id: M-A, claim: a, refutation: b}", "M-A is incomplete"},
		{"- {id: a, claim: a, refutation: b, evidence: c}", `id "a"`},
		{"- {id: M-A, claim: a, refutation: b, evidence: c}\n- {id: M-A, claim: a, refutation: b, evidence: c}", "there twice"},
		{"- {id: M-A, claims: a}", "field claims not found"},
	}
	for _, test := range tests {
		_, err := parseMisconceptions([]byte(test.source))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v; want %q", test.source, err, test.want)
		}
	}
}
