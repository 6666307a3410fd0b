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

func TestLevelOf(t *testing.T) {
	for kind, want := range map[string]narrate.Level{vocab.ImageTag: narrate.Full, vocab.LoopbackUp: narrate.Kernel} {
		if got := levelOf(trace.Event{Seq: 1, Kind: kind, Phase: trace.Note}); got != want {
			t.Errorf("level of %s is %v; want %v", kind, got, want)
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
