package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
)

// newTestLesson is a lesson's engine on a driver, in a home of its own.
func newTestLesson(t *testing.T, driver, id string) *lessonEngine {
	t.Helper()
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.home, s.driver = filepath.Join(t.TempDir(), "home"), driver
	e, err := s.newLessonEngine(id, 1)
	check(t, err)
	t.Cleanup(func() { check(t, e.end(context.Background())) })
	return e
}

// playThrough plays a lesson to its end and returns its trace.
func playThrough(t *testing.T, e *lessonEngine, l lessons.Lesson) []trace.Event {
	t.Helper()
	e.withRegistry = l.Registry
	var out bytes.Buffer
	res, err := l.Play(t.Context(), lessons.Options{Engine: e, Programs: e, Out: &out, Workspace: filepath.Join(e.dir, "work"), Auto: true, Epoch: 1700000000})
	if err != nil || !res.Finished {
		t.Fatalf("play on %s: %v, finished %v\n%s", e.driver.Name, err, res.Finished, out.String())
	}
	events, err := e.Trace(t.Context(), 0)
	check(t, err)
	return relocated(events, e.dir)
}

// relocated names a lesson's own folder, which is another one each time, by a word.
func relocated(events []trace.Event, dir string) []trace.Event {
	out := slices.Clone(events)
	for i := range out {
		out[i].Attrs = slices.Clone(out[i].Attrs)
		for j, a := range out[i].Attrs {
			switch list := slices.Clone(a.Value.List()); {
			case len(list) > 0:
				for k := range list {
					list[k] = strings.ReplaceAll(list[k], dir, "LESSON")
				}
				out[i].Attrs[j] = trace.Strings(a.Key, list)
			case strings.Contains(a.Value.Str(), dir):
				out[i].Attrs[j] = trace.String(a.Key, strings.ReplaceAll(a.Value.Str(), dir, "LESSON"))
			}
		}
	}
	return out
}

// TestLessons plays every lesson once on the kernel and twice on the simulator, and holds the traces against each other, event by event, and against what the
// engine says. Two runs on the simulator have the same times, too.
func TestLessons(t *testing.T) {
	all, err := lessons.Embedded()
	check(t, err)
	for _, l := range all {
		t.Run(l.ID, func(t *testing.T) {
			simulated := playExplained(t, simName, l)
			t.Run("again", func(t *testing.T) { repeat(t, simulated, l) })
			t.Run(nativeName, func(t *testing.T) {
				needRoot(t)
				if d := tracetest.Difference(playExplained(t, nativeName, l), simulated); d != "" {
					t.Error("the simulator tells another story than the kernel: ", d)
				}
			})
		})
	}
}

// repeat plays a lesson on the simulator, as it was played before.
func repeat(t *testing.T, one []trace.Event, l lessons.Lesson) {
	two := playThrough(t, newTestLesson(t, simName, l.ID), l)
	if d := tracetest.Difference(one, two); d != "" {
		t.Fatal(d)
	}
	for i := range one {
		if one[i].At != two[i].At {
			t.Fatalf("event %d (%s) is at %v once and at %v the other time", i+1, one[i].Kind, one[i].At, two[i].At)
		}
	}
}

// playExplained plays a lesson to its end and wants the fold of its trace to be the engine's own account.
func playExplained(t *testing.T, driver string, l lessons.Lesson) []trace.Event {
	t.Helper()
	e := newTestLesson(t, driver, l.ID)
	events := playThrough(t, e, l)
	compare(t, trace.With(t.Context(), e.recorder), e.engine, e.events, "after the lesson")
	return events
}

// lab runs docker command lines on one engine and keeps what they printed.
type lab struct {
	t      *testing.T
	engine *lessonEngine
	dir    string
	out    bytes.Buffer
	err    bytes.Buffer
}

func newLab(t *testing.T, driver string) *lab {
	t.Helper()
	e := newTestLesson(t, driver, "lab")
	check(t, e.Reset(t.Context()))
	return &lab{t: t, engine: e, dir: t.TempDir()}
}

func (l *lab) docker(words ...string) int {
	l.t.Helper()
	app := &docker.App{Open: func(context.Context) (*engine.Engine, error) { return l.engine.engine, nil }, In: strings.NewReader(""), Out: &l.out, Err: &l.err,
		Dir: l.dir, Environ: lookup([]string{"SOURCE_DATE_EPOCH=1700000000"}), Plain: true}
	return docker.Execute(trace.With(l.t.Context(), l.engine.recorder), app, words)
}

func (l *lab) events() []trace.Event {
	l.t.Helper()
	events, err := l.engine.Trace(l.t.Context(), 0)
	check(l.t, err)
	return events
}

// TestScriptsAreTheSameOnBothDrivers runs the scripts of the small programs in containers: what they print, how they end and what the
// trace says must not depend on the machine below.
func TestScriptsAreTheSameOnBothDrivers(t *testing.T) {
	needRoot(t)
	scripts, err := filepath.Glob("../../engine/userland/testdata/scripts/*.sh")
	check(t, err)
	if len(scripts) < 10 {
		t.Fatalf("found %d scripts, want at least 10", len(scripts))
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			text, err := os.ReadFile(script)
			check(t, err)
			run := func(driver string) (*lab, int) {
				l := newLab(t, driver)
				return l, l.docker("run", "--name", "script", "learn/base", "sh", "-c", string(text))
			}
			real, code := run(nativeName)
			simulated, simCode := run(simName)
			if d := cmp.Diff(real.out.String()+"\n"+real.err.String(), simulated.out.String()+"\n"+simulated.err.String()); d != "" || code != simCode {
				t.Errorf("exit code %d on the kernel and %d on the simulator; output (-kernel +simulator)\n%s", code, simCode, d)
			}
			if d := tracetest.Difference(real.events(), simulated.events()); d != "" {
				t.Error("the simulator tells another story than the kernel: ", d)
			}
			real.out.Reset()
			simulated.out.Reset()
			if real.docker("diff", "script"); simulated.docker("diff", "script") != 0 || real.out.String() != simulated.out.String() {
				t.Errorf("docker diff (-kernel +simulator)\n%s", cmp.Diff(real.out.String(), simulated.out.String()))
			}
		})
	}
}

// dockerfiles are built on both drivers from the same context.
var dockerfiles = map[string]string{
	"run":        "FROM learn/base\nRUN echo hello > /a && mkdir -p /d/e && ln -s ../a /d/l && ln /a /d/hard && chmod 4711 /a\n",
	"copy":       "FROM learn/base\nCOPY . /srv/\nRUN rm /srv/b.txt && echo more >> /srv/a.txt\n",
	"delete":     "FROM learn/base\nRUN mkdir /x && seq 1 1000 > /x/n && echo 1 > /x/o\nRUN rm -r /x && mkdir /x && echo 2 > /x/p\nRUN mv /x /y; chown 5:6 /y/p; touch -d 2001-01-01 /y/p\n",
	"stages":     "FROM learn/base AS one\nWORKDIR /w\nRUN echo built > out\nFROM learn/base\nCOPY --from=one /w/out /out\nUSER 1000\nRUN id > /tmp/who; stat -c '%n %u %a' /tmp/who > /tmp/list\n",
	"scratch":    "FROM scratch\nCOPY a.txt /only\n",
	"replace":    "FROM learn/base\nRUN rm /etc/profile && mkdir /etc/profile && echo 1 > /etc/profile/f\nRUN rm -rf /etc/profile && ln -s /bin /etc/profile\nRUN echo x >> /etc/passwd\n",
	"many files": "FROM learn/base\nRUN mkdir /m && cd /m && for i in $(seq 1 300); do echo $i > f$i; done && rm f1* && cat f2* > /all\n",
}

// TestDockerfilesGiveTheSameLayers builds with SOURCE_DATE_EPOCH: then an image is its content, and the driver is no part of that.
func TestDockerfilesGiveTheSameLayers(t *testing.T) {
	needRoot(t)
	labs := []*lab{newLab(t, nativeName), newLab(t, simName)}
	for name, text := range dockerfiles {
		t.Run(name, func(t *testing.T) {
			var digests [][]string
			for _, l := range labs {
				for file, content := range map[string]string{"Dockerfile": text, "a.txt": "A\n", "b.txt": "B\n", "deep/er/c.txt": "C\n"} {
					path := filepath.Join(l.dir, file)
					check(t, os.MkdirAll(filepath.Dir(path), 0o755))
					check(t, os.WriteFile(path, []byte(content), 0o644))
				}
				l.out.Reset()
				if code := l.docker("build", "-t", "x", "."); code != 0 {
					t.Fatalf("build on %s: exit code %d\n%s", l.engine.driver.Name, code, l.err.String())
				}
				img, err := l.engine.engine.Images.Resolve(t.Context(), "x")
				check(t, err)
				var list []string
				for _, d := range img.DiffIDs() {
					list = append(list, d.String())
				}
				digests = append(digests, append(list, img.ID.String()))
			}
			if !slices.Equal(digests[0], digests[1]) {
				t.Errorf("layers and image (-kernel +simulator)\n%s", cmp.Diff(digests[0], digests[1]))
			}
		})
	}
}
