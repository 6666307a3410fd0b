package tracetest_test

import (
	"strings"
	"testing"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
	"github.com/learn-containers/learn/trace/vocab"
)

func cow(kind, path string, size int64) trace.Event {
	attrs := []trace.Attr{trace.String("key", "k"), trace.String("path", path)}
	switch kind {
	case vocab.CowCreate:
		attrs = append(attrs, trace.String("type", "file"), trace.Int("size_bytes", size))
	case vocab.CowWrite:
		attrs = append(attrs, trace.Int("size_bytes", size))
	}
	return trace.Event{Kind: kind, Phase: trace.Note, Attrs: attrs}
}

func exit(pid, code int64) trace.Event {
	return trace.Event{Kind: vocab.ProcExit, Phase: trace.Note, Attrs: []trace.Attr{trace.String("container", "c"), trace.Int("pid", pid), trace.Int("exit_code", code)}}
}

func tag(image string) trace.Event {
	return trace.Event{Kind: vocab.ImageTag, Phase: trace.Note, Attrs: []trace.Attr{trace.String("ref", "x"), trace.String("image", image)}}
}

func TestDifference(t *testing.T) {
	one, two := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	for name, c := range map[string]struct {
		want, got []trace.Event
		differ    string
	}{
		"the same":                  {[]trace.Event{exit(1, 0)}, []trace.Event{exit(1, 0)}, ""},
		"a host's process id":       {[]trace.Event{exit(1, 0)}, []trace.Event{exit(2, 0)}, ""},
		"an exit code":              {[]trace.Event{exit(1, 0)}, []trace.Event{exit(1, 3)}, "event 1 differs"},
		"an event too many":         {nil, []trace.Event{exit(1, 0)}, "one too many"},
		"an event missing":          {[]trace.Event{exit(1, 0)}, nil, "missing"},
		"other digests":             {[]trace.Event{tag(one), tag(two), tag(one)}, []trace.Event{tag(two), tag(one), tag(two)}, ""},
		"another image":             {[]trace.Event{tag(one), tag(two)}, []trace.Event{tag(one), tag(one)}, "event 2 differs"},
		"order of files":            {[]trace.Event{cow(vocab.CowCreate, "/a", 1), cow(vocab.CowCreate, "/b", 1)}, []trace.Event{cow(vocab.CowCreate, "/b", 1), cow(vocab.CowCreate, "/a", 1)}, ""},
		"merged reports":            {[]trace.Event{cow(vocab.CowCreate, "/a", 1), cow(vocab.CowWrite, "/a", 5)}, []trace.Event{cow(vocab.CowCreate, "/a", 5)}, ""},
		"another size":              {[]trace.Event{cow(vocab.CowCreate, "/a", 1)}, []trace.Event{cow(vocab.CowCreate, "/a", 5)}, "event 1 differs"},
		"gone before anybody knew":  {[]trace.Event{cow(vocab.CowCreate, "/a", 1), cow(vocab.CowRemove, "/a", 0)}, nil, ""},
		"removed is not whited out": {[]trace.Event{cow(vocab.CowRemove, "/a", 0)}, []trace.Event{cow(vocab.CowWhiteout, "/a", 0)}, "event 1 differs"},
		"files across an exit":      {[]trace.Event{cow(vocab.CowCreate, "/a", 1), exit(1, 0)}, []trace.Event{exit(1, 0), cow(vocab.CowCreate, "/a", 1)}, "event 1 differs"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tracetest.Difference(c.want, c.got)
			if c.differ == "" && got != "" || !strings.Contains(got, c.differ) {
				t.Errorf("Difference() = %q, want something with %q", got, c.differ)
			}
		})
	}
}
