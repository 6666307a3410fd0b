package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/learn-containers/learn/trace/world"
)

// pushLesson pushes an image to the lesson's registry and builds on it, and gives the trace.
func pushLesson(t *testing.T, driver string) []trace.Event {
	t.Helper()
	e := newTestLesson(t, driver, "pushing")
	e.withRegistry = true
	check(t, e.Reset(t.Context()))
	for _, c := range []struct{ file, command string }{
		{"FROM learn/base\nLABEL by=lesson\n", "docker build -q --output type=registry,name=localhost:5000/team/cafe:1 ."},
		{"FROM localhost:5000/team/cafe:1\nCOPY menu /again\n", "docker build -q --pull -t on-top ."},
	} {
		dir := filepath.Join(e.dir, "work")
		m := &machine{t: t, dir: dir}
		m.write("Dockerfile", c.file)
		m.write("menu", "cake")
		var out bytes.Buffer
		if code := e.Run(context.WithoutCancel(t.Context()), strings.Fields(c.command), lessons.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, dir, []string{"SOURCE_DATE_EPOCH=1700000000"}); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", c.command, code, out.String())
		}
	}
	events, err := e.Trace(t.Context(), 0)
	check(t, err)
	return events
}

// A lesson's registry tells its side of a push and a pull, the same each time, and a lesson can ask what it has.
func TestLessonRegistry(t *testing.T) {
	one, two := pushLesson(t, simName), pushLesson(t, simName)
	if d := tracetest.Difference(one, two); d != "" {
		t.Error(d)
	}
	acts := map[string]int{}
	for _, e := range one {
		if e.Kind == vocab.RegistryBlob || e.Kind == vocab.RegistryManifest {
			acts[e.Kind+" "+e.Attr("act").Str()]++
		}
	}
	for _, want := range []string{"registry.blob lacks", "registry.blob takes", "registry.manifest takes", "registry.manifest has"} {
		if acts[want] == 0 {
			t.Errorf("%q is not told: %v", want, acts)
		}
	}
	pushed := world.NewReplay(one).At(len(one)).Registry
	if len(pushed) != 1 || pushed[0].Repository != "team/cafe" || pushed[0].Reference != "1" {
		t.Errorf("the world has %+v", pushed)
	}
}

func TestLessonRegistryIsTheSameOnBothDrivers(t *testing.T) {
	needRoot(t)
	if d := tracetest.Difference(pushLesson(t, nativeName), pushLesson(t, simName)); d != "" {
		t.Error(d)
	}
}
