package lessons

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// fakeEngine knows a few commands and emits the events that an engine would:
//
//	docker image NAME SIZE   makes an image of one layer
//	docker start NAME        makes a running container
//	docker write NAME PATH   copies a file up
//	docker fail CODE         returns CODE
//	docker strange           emits an event that no vocabulary has
type fakeEngine struct {
	home   string
	events *trace.Collect
	ctx    context.Context
	resets int
	argvs  []string
}

func (f *fakeEngine) Home() string { return f.home }

func (f *fakeEngine) Reset(ctx context.Context) error {
	f.resets++
	f.events = &trace.Collect{}
	f.ctx = trace.With(ctx, trace.New(f.events))
	f.image("base", 100)
	return nil
}

func (f *fakeEngine) Trace(_ context.Context, since uint64) ([]trace.Event, error) {
	return f.events.Events()[since:], nil
}

func (f *fakeEngine) Run(_ context.Context, argv []string, s Streams, dir string, env []string) int {
	f.argvs = append(f.argvs, strings.Join(argv, " "))
	ctx, end := trace.Step(f.ctx, vocab.Command, trace.Strings("argv", argv))
	code := f.carryOut(ctx, argv[1:], s)
	end(nil, trace.Int("exit_code", int64(code)))
	return code
}

func (f *fakeEngine) carryOut(ctx context.Context, words []string, s Streams) int {
	switch words[0] {
	case "image":
		size, _ := strconv.ParseInt(words[2], 10, 64)
		f.image(words[1], size)
		fmt.Fprintln(s.Out, "made", words[1])
	case "start":
		trace.Fact(ctx, vocab.ContainerCreate, trace.String("container", words[1]+"0id"), trace.String("name", words[1]), trace.String("image", ""), trace.Strings("command", nil))
	case "write":
		trace.Fact(ctx, vocab.CowCopyUp, trace.String("key", words[1]+"0id"), trace.String("path", words[2]), trace.String("layer", digestOf("base")),
			trace.Int("copied_bytes", 4096), trace.Int("changed_bytes", 9), trace.String("change", "content"))
	case "fail":
		fmt.Fprintln(s.Err, "it did not work")
		code, _ := strconv.Atoi(words[1])
		return code
	case "strange":
		trace.Fact(ctx, "strange.event")
	}
	return 0
}

func digestOf(name string) string { return fmt.Sprintf("sha256:%064x", name) }

func (f *fakeEngine) image(name string, size int64) {
	trace.Fact(f.ctx, vocab.ImageCreate, trace.String("image", digestOf(name)), trace.String("manifest", digestOf("m"+name)),
		trace.Strings("diff_ids", []string{digestOf(name)}), trace.Int("size_bytes", size), trace.String("origin", "build"))
	trace.Fact(f.ctx, vocab.ImageTag, trace.String("ref", "docker.io/library/"+name+":latest"), trace.String("image", digestOf(name)), trace.String("previous", ""))
}

// Program makes the fake a Programs that knows one program.
func (f *fakeEngine) Program(_ context.Context, argv []string, s Streams, dir string, env []string) (int, bool) {
	if argv[0] != "where" {
		return 0, false
	}
	fmt.Fprintln(s.Out, "at", strings.TrimPrefix(dir, f.home), argv[1:])
	return 2, true
}

// playing is a lesson under test.
type playing struct {
	engine *fakeEngine
	out    bytes.Buffer
	result Result
	err    error
}

// text is the output with every run of white space as one space, so that tests don't depend on wrapping.
func (p *playing) text() string { return strings.Join(strings.Fields(p.out.String()), " ") }

func play(t *testing.T, source, input string, change ...func(*Options)) *playing {
	t.Helper()
	l, err := Parse("l.md", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	p := &playing{engine: &fakeEngine{home: t.TempDir()}}
	o := Options{Engine: p.engine, Programs: p.engine, Out: &p.out, Workspace: t.TempDir()}
	if input != "auto" {
		o.In = strings.NewReader(input)
	}
	for _, c := range change {
		c(&o)
	}
	p.result, p.err = l.Play(t.Context(), o)
	return p
}

// wants fails the test unless all parts are in the output, in this order.
func (p *playing) wants(t *testing.T, parts ...string) {
	t.Helper()
	if p.err != nil {
		t.Errorf("error is %v", p.err)
	}
	rest := p.text()
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("output lacks %q (in this order); it is\n%s", part, p.out.String())
		}
		rest = after
	}
}

func (p *playing) lacks(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(p.text(), part) {
			t.Errorf("output has %q:\n%s", part, p.out.String())
		}
	}
}

// fails fails the test unless the lesson failed with that text.
func (p *playing) fails(t *testing.T, want string) {
	t.Helper()
	var failed *FailedError
	if !errors.As(p.err, &failed) || !strings.Contains(p.err.Error(), want) {
		t.Errorf("error is %v; want a *FailedError with %q", p.err, want)
	}
}
