package build

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/oci"
)

// clock gives a time that goes on by a second a look.
func clock() func() time.Time {
	at := time.Date(2024, 5, 6, 7, 8, 0, 0, time.UTC)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

// twoSteps is a build of which two steps are under way at once, the second comes from the cache, and one fails.
func twoSteps(p Progress) {
	p.Step(Step{ID: 1, N: 1, Of: 2, Stage: "build", Text: "RUN echo <a>"})
	p.Step(Step{ID: 2, N: 1, Of: 2, Text: "RUN b"})
	p.Output(1, Stdout, []byte("half a "))
	p.Cached(2)
	p.Output(1, Stderr, []byte("error: \xff\n"))
	p.Output(1, Stdout, []byte("line\r\nrest"))
	p.Done(2, nil)
	p.Done(1, errors.New("exit code 3"))
	p.Step(Step{ID: 3, Text: "exporting to image"})
	p.Output(3, Stdout, []byte("writing image sha256:1\nnaming to "))
	p.Output(3, Stdout, []byte("a:1\n"))
	p.Done(3, nil)
	p.(Warner).Warn(Warning{Short: "Rule: text (line 2)", Detail: []string{"why"}, URL: "https://example.test/rule", File: "Dockerfile", Source: []byte("FROM a"), Line: 2})
}

func TestRawJSON(t *testing.T) {
	var out bytes.Buffer
	p := NewRawJSON(&out).(*rawJSON)
	p.now = clock()
	twoSteps(p)
	text := out.String()
	for n, name := range []string{"[build 1/2] RUN echo <a>", "[1/2] RUN b", "exporting to image"} {
		text = strings.ReplaceAll(text, oci.Sum(fmt.Appendf(nil, "step %d: %s", n+1, name)).String(), fmt.Sprintf("sha256:%d", n+1))
	}
	want := `{"vertexes":[{"digest":"sha256:1","name":"[build 1/2] RUN echo \u003ca\u003e"}]}
{"vertexes":[{"digest":"sha256:1","name":"[build 1/2] RUN echo \u003ca\u003e","started":"2024-05-06T07:08:01Z"}]}
{"vertexes":[{"digest":"sha256:2","name":"[1/2] RUN b"}]}
{"vertexes":[{"digest":"sha256:2","name":"[1/2] RUN b","started":"2024-05-06T07:08:02Z"}]}
{"logs":[{"vertex":"sha256:1","stream":1,"data":"aGFsZiBhIA==","timestamp":"2024-05-06T07:08:03Z"}]}
{"logs":[{"vertex":"sha256:1","stream":2,"data":"ZXJyb3I6IP8K","timestamp":"2024-05-06T07:08:04Z"}]}
{"logs":[{"vertex":"sha256:1","stream":1,"data":"bGluZQ0KcmVzdA==","timestamp":"2024-05-06T07:08:05Z"}]}
{"vertexes":[{"digest":"sha256:2","name":"[1/2] RUN b","started":"2024-05-06T07:08:02Z","completed":"2024-05-06T07:08:06Z","cached":true}]}
{"vertexes":[{"digest":"sha256:1","name":"[build 1/2] RUN echo \u003ca\u003e","started":"2024-05-06T07:08:01Z","completed":"2024-05-06T07:08:07Z","error":"exit code 3"}]}
{"vertexes":[{"digest":"sha256:3","name":"exporting to image"}]}
{"vertexes":[{"digest":"sha256:3","name":"exporting to image","started":"2024-05-06T07:08:08Z"}]}
{"statuses":[{"id":"writing image sha256:1","vertex":"sha256:3","current":0,"timestamp":"2024-05-06T07:08:09Z","started":"2024-05-06T07:08:09Z","completed":"2024-05-06T07:08:09Z"}]}
{"statuses":[{"id":"naming to a:1","vertex":"sha256:3","current":0,"timestamp":"2024-05-06T07:08:10Z","started":"2024-05-06T07:08:10Z","completed":"2024-05-06T07:08:10Z"}]}
{"vertexes":[{"digest":"sha256:3","name":"exporting to image","started":"2024-05-06T07:08:08Z","completed":"2024-05-06T07:08:11Z"}]}
{"warnings":[{"level":1,"short":"UnVsZTogdGV4dCAobGluZSAyKQ==","detail":["d2h5"],"url":"https://example.test/rule","sourceInfo":{"filename":"Dockerfile","data":"RlJPTSBh","language":"Dockerfile"},"range":[{"start":{"line":2},"end":{"line":2}}]}]}
`
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
}

func TestJSONProgress(t *testing.T) {
	var out bytes.Buffer
	p := NewJSON(&out).(*jsonLines)
	p.now = clock()
	twoSteps(p)
	want := `{"step":1,"event":"begin","text":"[build 1/2] RUN echo <a>","stage":"build","seconds":1}
{"step":2,"event":"begin","text":"[1/2] RUN b","seconds":1}
{"step":2,"event":"cached","text":"[1/2] RUN b","seconds":2}
{"step":1,"event":"output","text":"error: \ufffd","stage":"build","stream":"stderr","seconds":5}
{"step":1,"event":"output","text":"half a line","stage":"build","stream":"stdout","seconds":6}
{"step":2,"event":"done","text":"[1/2] RUN b","seconds":5}
{"step":1,"event":"output","text":"rest","stage":"build","stream":"stdout","seconds":8}
{"step":1,"event":"failed","text":"[build 1/2] RUN echo <a>","stage":"build","error":"exit code 3","seconds":9}
{"step":3,"event":"begin","text":"exporting to image","seconds":1}
{"step":3,"event":"output","text":"writing image sha256:1","stream":"stdout","seconds":2}
{"step":3,"event":"output","text":"naming to a:1","stream":"stdout","seconds":3}
{"step":3,"event":"done","text":"exporting to image","seconds":4}
{"event":"warning","text":"Rule: text (line 2)","where":"Dockerfile","line":2,"seconds":0}
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

// TestProgressOfWhatNeverBegan: a call about a step that isn't under way says nothing and breaks nothing.
func TestProgressOfWhatNeverBegan(t *testing.T) {
	var out bytes.Buffer
	for _, p := range []Progress{NewRawJSON(&out), NewJSON(&out)} {
		p.Cached(7)
		p.Output(7, Stdout, []byte("x\n"))
		p.Done(7, nil)
		if out.Len() > 0 {
			t.Errorf("%T wrote %s", p, out.String())
		}
	}
}

// TestProgressKeepsNoEndlessLine: a command that never ends a line is shown in pieces.
func TestProgressKeepsNoEndlessLine(t *testing.T) {
	var out bytes.Buffer
	p := NewJSON(&out)
	p.Step(Step{ID: 1, Text: "RUN yes"})
	for range 40 {
		p.Output(1, Stdout, bytes.Repeat([]byte("y"), 4<<10))
	}
	if n := len(p.(*jsonLines).steps[1].out[Stdout].rest); n > maxLine {
		t.Errorf("%d bytes are kept", n)
	}
	p.Done(1, nil)
	total := 0
	for dec := json.NewDecoder(&out); dec.More(); {
		var l JSONLine
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Event == EventOutput {
			total += len(l.Text)
		}
	}
	if total != 160<<10 {
		t.Errorf("%d bytes were shown, want all", total)
	}
}
