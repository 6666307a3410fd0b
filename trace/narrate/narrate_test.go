package narrate

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// sample makes an event as the vocabulary declares it, with a value for each attribute.
func sample(k vocab.Kind, phase trace.Phase) trace.Event {
	declared := k.Attrs
	if phase == trace.End {
		declared = k.Ends
	}
	e := trace.Event{Seq: 7, Span: 3, Kind: k.Name, Phase: phase}
	for _, a := range declared {
		switch a.Type {
		case "string":
			e.Attrs = append(e.Attrs, trace.String(a.Key, "some-"+a.Key))
		case "int":
			e.Attrs = append(e.Attrs, trace.Int(a.Key, 4096))
		case "bool":
			e.Attrs = append(e.Attrs, trace.Bool(a.Key, true))
		case "list":
			e.Attrs = append(e.Attrs, trace.Strings(a.Key, []string{"one", "two"}))
		}
	}
	return e
}

func TestPhraseBookCoversVocabulary(t *testing.T) {
	for _, k := range vocab.Kinds {
		phases := []trace.Phase{trace.Note}
		if k.Step {
			phases = []trace.Phase{trace.Begin, trace.End}
		}
		for _, phase := range phases {
			used := map[string]bool{}
			e := sample(k, phase)
			f := facts{e: e, level: Kernel, used: func(key string) { used[key] = true }}
			got := f.text().join(Kernel)
			if _, ok := find(k.Name); !ok {
				t.Errorf("%s has no phrase", k.Name)
				continue
			}
			if got == "" {
				if phase == trace.End && len(k.Ends) == 0 {
					continue
				}
				t.Errorf("%s %s: nothing is said at level kernel", k.Name, phase)
			}
			for _, a := range e.Attrs {
				if !used[a.Key] {
					t.Errorf("%s %s: attribute %s is not used at level kernel", k.Name, phase, a.Key)
				}
				delete(used, a.Key)
			}
			for key := range used {
				t.Errorf("%s %s: the phrase asks for %s, which is not declared", k.Name, phase, key)
			}
		}
	}
}

func TestPhrasesAreSentences(t *testing.T) {
	for _, k := range vocab.Kinds {
		for _, phase := range []trace.Phase{trace.Begin, trace.End, trace.Note} {
			got := Narrate(sample(k, phase), Kernel)
			if got == "" || k.Name == vocab.Command || k.Name == vocab.BuildStep {
				continue
			}
			if strings.Contains(got, "  ") || strings.Contains(got, "..") || strings.Contains(got, " . ") {
				t.Errorf("%s %s: untidy: %q", k.Name, phase, got)
			}
			if !strings.HasSuffix(got, ".") && !strings.HasSuffix(got, "runs.") {
				t.Errorf("%s %s: no full stop: %q", k.Name, phase, got)
			}
		}
	}
}

func TestNoPhraseWithoutKind(t *testing.T) {
	for _, chapter := range [][]phrase{engineBook, imageBook, layerBook, containerBook, volumeBook, networkBook, kernelBook, buildBook, transportBook, supplyBook, registryBook} {
		for _, p := range chapter {
			i := slices.IndexFunc(vocab.Kinds, func(k vocab.Kind) bool { return k.Name == p.kind })
			if i < 0 {
				t.Errorf("phrase for %s, which is no kind", p.kind)
			} else if vocab.Kinds[i].Step != (p.doing != "") {
				t.Errorf("%s: a step needs words for its failure, a note has none", p.kind)
			}
		}
	}
}

func TestLevelsOnlyAdd(t *testing.T) {
	for _, k := range vocab.Kinds {
		for _, phase := range []trace.Phase{trace.Begin, trace.End, trace.Note} {
			e := sample(k, phase)
			short, full, kernel := Narrate(e, Short), Narrate(e, Full), Narrate(e, Kernel)
			if len(short) > len(full) || len(full) > len(kernel) {
				t.Errorf("%s %s: a higher level says less:\n%s\n%s\n%s", k.Name, phase, short, full, kernel)
			}
		}
	}
}

const (
	layerID = "sha256:ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12cd34ef56ab12"
	imageID = "sha256:1f3c9a0b77d21f3c9a0b77d21f3c9a0b77d21f3c9a0b77d21f3c9a0b77d21f3c"
)

func TestNarrate(t *testing.T) {
	copyUp := func(copied, changed int64, change string) trace.Event {
		return trace.Event{Kind: vocab.CowCopyUp, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("key", "c1"), trace.String("path", "/greeting"), trace.String("layer", layerID),
			trace.Int("copied_bytes", copied), trace.Int("changed_bytes", changed), trace.String("change", change)}}
	}
	published := func(host string) trace.Event {
		return trace.Event{Kind: vocab.NetPublish, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("container", "c1"), trace.String("protocol", "tcp"), trace.String("host", host), trace.String("to", "172.17.0.2:80")}}
	}
	rule := func(place, text string) trace.Event {
		return trace.Event{Kind: vocab.NetRule, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("container", "c1"), trace.String("table", "inet learn-1"), trace.String("place", place), trace.String("rule", text)}}
	}
	lookup := func(code, server string, answer ...string) trace.Event {
		return trace.Event{Kind: vocab.NetLookup, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("container", "c1"), trace.String("name", "db"), trace.String("type", "A"), trace.String("code", code), trace.Strings("answer", answer), trace.String("server", server)}}
	}
	pushed := func(blobs, mounted, bytes int64) trace.Event {
		return trace.Event{Kind: vocab.ImagePush, Phase: trace.End, Attrs: []trace.Attr{
			trace.String("manifest", layerID), trace.Int("blobs", blobs), trace.Int("mounted", mounted), trace.Int("size_bytes", bytes)}}
	}
	for _, tt := range []struct {
		name  string
		e     trace.Event
		level Level
		want  string
	}{
		{"a push that sent", pushed(3, 0, 4096), Short, "The registry has it now: it lacked 3 blobs, 4,096 bytes in all."},
		{"a push that mounted all", pushed(3, 3, 0), Short, "The registry has it now: it took 3 blobs from its other repositories, so no blob travelled."},
		{"a push that did both", pushed(3, 1, 4096), Short, "The registry has it now: it took 1 blob from its other repositories, and 2 blobs travelled, 4,096 bytes in all."},
		{"a push of what is there", pushed(0, 0, 0), Short, "The registry has it now: the repository had every blob, so only the manifest travelled."},
		{"copy-up of content", copyUp(4096, 6, "content"), Short,
			"/greeting is in a lower layer (sha256:ab12cd34ef56…), which never changes; the kernel copied all 4,096 bytes up for a change of 6 bytes."},
		{"copy-up of metadata", copyUp(12_345_678, 0, "metadata"), Short,
			"/greeting is in a lower layer (sha256:ab12cd34ef56…), which never changes; the kernel copied all 12.3 MB up to change only its owner, mode or times."},
		{"a new file in place of a lower one", copyUp(0, 6, "content"), Short,
			"/greeting is in a lower layer (sha256:ab12cd34ef56…), which never changes; a new file in the writable layer takes its place."},
		{"a folder that got a new file", copyUp(0, 0, "none"), Short, ""},
		{"a folder that got another mode", copyUp(0, 0, "metadata"), Short,
			"/greeting is in a lower layer (sha256:ab12cd34ef56…), which never changes; the writable layer got an entry of its own for it, with another owner, mode or time."},
		{"a published port", published("0.0.0.0:8080"), Short, "Port 8080 of this machine leads to port 80 of container c1."},
		{"a port published by IPv6", published("[::]:8080"), Short, "Port 8080 of this machine, by IPv6, leads to port 80 of container c1."},
		{"a port published on loopback", published("127.0.0.1:8080"), Full,
			"Port 8080 on this machine's loopback leads to port 80 of container c1. It is published on loopback, so it can be reached from this machine only, not from others."},
		{"a port published on one address", published("192.0.2.7:8080"), Short, "Port 8080 at address 192.0.2.7 of this machine leads to port 80 of container c1."},
		{"an element that publishes", rule("ports4", "tcp . 8080 : 172.17.0.2 . 80"), Full,
			"The firewall got an entry for a published port, for container c1. Packets that come for that port of this machine have their destination rewritten to the container's address before it is decided where they go (DNAT), and the answers' source is written back."},
		{"a rule for those who read them", rule("forward", "oifname @bridges drop"), Full, ""},
		{"a rule nobody knows", rule("elsewhere", "accept"), Kernel,
			"The firewall got a rule, for container c1. It decides over packets that pass through this machine. In table inet learn-1, elsewhere: accept."},
		{"a name that is not there", lookup("NXDOMAIN", "192.0.2.53:53"), Short, "Container c1 asked for db: there is no such name."},
		{"a neighbour's name", lookup("NOERROR", "", "172.18.0.2"), Short, "Container c1 asked for db: it is 172.18.0.2."},
		{"a name outside", lookup("NOERROR", "192.0.2.53:53", "192.0.2.1"), Short, ""},
		{"a step that failed", trace.Event{Kind: vocab.LayerApply, Phase: trace.End, Err: "apply layer: unexpected\nEOF."}, Full,
			`Unpacking the layer did not work: apply layer: unexpected; EOF.`},
		{"a layer of copied files", trace.Event{Kind: vocab.LayerCommit, Phase: trace.Begin, Attrs: []trace.Attr{trace.String("key", ""), trace.String("parent", "")}}, Short,
			"Making a layer of the files to copy."},
		{"hidden at the short level", trace.Event{Kind: vocab.NamespaceCreate, Phase: trace.Note}, Short, ""},
		{"an unknown kind is hidden", trace.Event{Kind: "future.kind", Phase: trace.Note}, Full, ""},
		{"an unknown kind is shown raw", trace.Event{Kind: "future.kind", Phase: trace.Note, Attrs: []trace.Attr{trace.Int("n", 3)}}, Kernel, "future.kind note n=3"},
		{"success needs no words", trace.Event{Kind: vocab.Command, Phase: trace.End, Attrs: []trace.Attr{trace.Int("exit_code", 0)}}, Full, ""},
		{"a command", trace.Event{Kind: vocab.Command, Phase: trace.Begin, Attrs: []trace.Attr{trace.Strings("argv", []string{"docker", "run", "x", "sh", "-c", "echo 'hi'; ls"})}}, Short,
			`$ docker run x sh -c 'echo '\''hi'\''; ls'`},
		{"escape sequences in names", trace.Event{Kind: vocab.CowRemove, Phase: trace.Note, Attrs: []trace.Attr{trace.String("path", "/\x1b[31mred\u202e\xff")}}, Short,
			`/\x1b[31mred\u202e\xff is gone for good.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Narrate(tt.e, tt.level); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestHostileStringsAreHarmless(t *testing.T) {
	const evil = "a\x1b]0;x\x07b\r\n\x00\u009b31m\u202ec\u2028"
	for _, k := range vocab.Kinds {
		for _, phase := range []trace.Phase{trace.Begin, trace.End, trace.Note} {
			e := sample(k, phase)
			for i, a := range e.Attrs {
				switch a.Value.Type() {
				case "string":
					e.Attrs[i] = trace.String(a.Key, evil)
				case "list":
					e.Attrs[i] = trace.Strings(a.Key, []string{evil})
				}
			}
			checkHarmless(t, Narrate(e, Kernel))
			e.Err = evil
			checkHarmless(t, Narrate(e, Kernel))
		}
	}
	checkHarmless(t, Narrate(trace.Event{Kind: evil, Phase: evil, Attrs: []trace.Attr{trace.String(evil, evil)}}, Kernel))
}

func TestErrorOfSeveralLinesIsOneSentence(t *testing.T) {
	e := trace.Event{Kind: vocab.ContainerExec, Phase: trace.End, Err: "exec: not running\nconnect: no such file\n"}
	if got := Narrate(e, Short); !strings.HasSuffix(got, "did not work: exec: not running; connect: no such file.") {
		t.Errorf("told as %q", got)
	}
}

func checkHarmless(t *testing.T, s string) {
	t.Helper()
	if !printable(s) {
		t.Errorf("not harmless: %q", s)
	}
}

func TestNarratorIndentsAndRemembersNames(t *testing.T) {
	var out bytes.Buffer
	r := trace.New(NewSink(&out, Short, 60, false))
	ctx := trace.With(t.Context(), r)
	ctx, end := trace.Step(ctx, vocab.Command, trace.Strings("argv", []string{"docker", "run", "learn/base", "true"}))
	trace.Fact(ctx, vocab.ContainerCreate, trace.String("container", strings.Repeat("c1", 32)), trace.String("name", "brave_tim"),
		trace.String("image", imageID), trace.Strings("command", []string{"true"}))
	in, started := trace.Step(ctx, vocab.ContainerStart, trace.String("container", strings.Repeat("c1", 32)))
	hidden, endHidden := trace.Step(in, vocab.LayerApply)
	trace.Fact(hidden, vocab.CowRemove, trace.String("key", "c1"), trace.String("path", "/tmp/x"))
	endHidden(nil, trace.Int("files", 1), trace.Int("size_bytes", 1))
	started(nil, trace.Int("pid", 4711))
	end(nil, trace.Int("exit_code", 0))
	want := `$ docker run learn/base true
  Container brave_tim exists, made from image 1f3c9a0b77d2.
    It doesn't run yet.
  Starting container brave_tim.
    /tmp/x is gone for good.
    Its first process is running.
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestNarratorGivesAReasonOnce(t *testing.T) {
	var out bytes.Buffer
	sink := NewSink(&out, Full, 0, false)
	for _, path := range []string{"/a", "/b"} {
		sink.Emit(trace.Event{Kind: vocab.CowRemove, Phase: trace.Note, Attrs: []trace.Attr{trace.String("key", "c1"), trace.String("path", path)}})
	}
	want := "/a is gone for good. Only the writable layer had it, so no mark is needed to hide anything.\n/b is gone for good.\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNarratorTellsOfAStepThatIsOver(t *testing.T) {
	var out bytes.Buffer
	sink := NewSink(&out, Short, 0, false)
	note := trace.Event{Span: 2, Kind: vocab.CowRemove, Phase: trace.Note, Attrs: []trace.Attr{trace.String("key", "c1"), trace.String("path", "/a")}}
	sink.Emit(trace.Event{Span: 1, Kind: vocab.Command, Phase: trace.Begin})
	sink.Emit(trace.Event{Span: 2, Parent: 1, Kind: vocab.ContainerStart, Phase: trace.Begin})
	sink.Emit(note)
	sink.Emit(trace.Event{Span: 2, Parent: 1, Kind: vocab.ContainerStart, Phase: trace.End})
	sink.Emit(note)
	want := "$ \n  Starting container .\n    /a is gone for good.\n    Its first process is running.\n  /a is gone for good.\n"
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestNarratorColorsOnlyWhenAsked(t *testing.T) {
	e := trace.Event{At: time.Second, Span: 1, Kind: vocab.ImageLoad, Phase: trace.End, Err: "no space"}
	for _, color := range []bool{false, true} {
		var out bytes.Buffer
		NewSink(&out, Full, 0, color).Emit(e)
		if got := strings.Contains(out.String(), "\x1b["); got != color {
			t.Errorf("color %v: %q", color, out.String())
		}
	}
}

func TestSizesAndNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 4096: "4,096 bytes", 9999: "9,999 bytes", 10_000: "10.0 kB",
		123_456: "123 kB", 999_600: "1.00 MB", 1_234_567: "1.23 MB", 12_345_678: "12.3 MB", 5_000_000_000: "5.00 GB", -5: "-5 bytes"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{-1234567: "-1,234,567", 12: "12", 123: "123", 1234: "1,234", 123456: "123,456"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestParseLevel(t *testing.T) {
	for _, l := range []Level{Short, Full, Kernel} {
		if got, err := ParseLevel(l.String()); got != l || err != nil {
			t.Errorf("ParseLevel(%s) = %v, %v", l, got, err)
		}
	}
	if _, err := ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), "short, full or kernel") {
		t.Errorf("ParseLevel(loud): %v", err)
	}
}

func BenchmarkNarrate(b *testing.B) {
	e := trace.Event{Kind: vocab.CowCopyUp, Phase: trace.Note, Attrs: []trace.Attr{
		trace.String("key", "c1"), trace.String("path", "/greeting"), trace.String("layer", layerID),
		trace.Int("copied_bytes", 4096), trace.Int("changed_bytes", 6), trace.String("change", "content")}}
	for b.Loop() {
		Narrate(e, Kernel)
	}
}
