package tree

import (
	"archive/tar"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// listener keeps the events of a union, and what they add up to.
type listener struct {
	t      *testing.T
	s      *store
	u      *Union
	layers map[string]string // diff id -> name
	mu     sync.Mutex
	events []string
	state  map[string]string
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{t: t, s: newStore(t), layers: map[string]string{}, state: map[string]string{}}
	bottom := archive(t, file("a.txt", "one\n"), file("b.txt", "two\n"), folder("dir2"), file("dir2/in.txt", "in\n"), folder("dir2/more"),
		file("dir2/more/z.txt", "z\n"), link(tar.TypeSymlink, "link", "a.txt"))
	top := archive(t, file("c.txt", "three\n"), folder("dir"), folder("dir/sub"), file("dir/sub/y.txt", "deep\n"))
	low := l.s.apply("", bottom)
	chain := l.s.apply(low, top)
	l.layers[low.String()] = "bottom"
	_, id := chainOf(low, top)
	l.layers[id.String()] = "top"
	l.s.prepare("k", chain)
	l.u = l.s.open("k", l.hear)
	return l
}

func (l *listener) hear(kind string, attrs ...trace.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	checkVocab(l.t, kind, attrs)
	line, p := strings.TrimPrefix(kind, "cow."), ""
	for _, a := range attrs[1:] { // the first is the key
		text := a.Value.String()
		if a.Key == "path" {
			p = text
		}
		if a.Key == "layer" {
			text = l.layers[text]
		}
		line += " " + text
	}
	l.events = append(l.events, line)
	l.fold(kind, p)
}

func checkVocab(t *testing.T, kind string, attrs []trace.Attr) {
	for _, k := range vocab.Kinds {
		if k.Name != kind {
			continue
		}
		for i, a := range k.Attrs {
			if i >= len(attrs) || attrs[i].Key != a.Key || attrs[i].Value.Type() != a.Type {
				t.Errorf("%s: attributes %v do not match the vocabulary", kind, attrs)
			}
		}
		return
	}
	t.Errorf("%s is not in the vocabulary", kind)
}

func (l *listener) fold(kind, p string) {
	switch kind {
	case vocab.CowCreate:
		l.state[p] = "A"
	case vocab.CowCopyUp:
		l.state[p] = "C"
	case vocab.CowRemove:
		delete(l.state, p)
	case vocab.CowOpaque:
		l.state[p] = "O"
	case vocab.CowWhiteout:
		for q := range l.state {
			if strings.HasPrefix(q, p+"/") {
				delete(l.state, q)
			}
		}
		l.state[p] = "D"
	}
}

// run does each step and lets it be told before the next begins.
func (l *listener) run(steps ...string) {
	for _, step := range steps {
		shell(l.t, l.u, step)
		must(l.t, l.u.Sync())
	}
}

// close ends the union and compares what the events add up to with what the tree says.
func (l *listener) close() {
	l.t.Helper()
	must(l.t, l.u.Close())
	want := map[string]string{}
	u, err := l.s.snapshots.view("k")
	must(l.t, err)
	must(l.t, u.scan(func(c change) error {
		if k := wanted(c); k != nothing && !c.implied {
			want["/"+c.path] = string(k)
		}
		return nil
	}))
	if diff := cmp.Diff(want, l.state); diff != "" {
		l.t.Errorf("events add up to something else (-tree +events):\n%s\nevents:\n%s", diff, strings.Join(l.events, "\n"))
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name  string
		steps []string // each is told before the next begins
		want  []string
	}{
		{"append", []string{">> a.txt more!"}, []string{"copyup /a.txt bottom 4 5 content"}},
		{"append twice", []string{">> a.txt more!", ">> a.txt more!"}, []string{"copyup /a.txt bottom 4 5 content", "write /a.txt 14"}},
		{"truncate", []string{"> a.txt One"}, []string{"copyup /a.txt bottom 4 2 content"}},
		{"open for writing only", []string{">> a.txt"}, []string{"copyup /a.txt bottom 4 0 none"}},
		{"create", []string{"> n.txt new"}, []string{"create /n.txt file 3"}},
		{"create and write again", []string{"> n.txt new", ">> n.txt new"}, []string{"create /n.txt file 3", "write /n.txt 6"}},
		{"rewrite with as many bytes", []string{"> n.txt new", "> n.txt old"}, []string{"create /n.txt file 3", "write /n.txt 3"}},
		{"delete lower", []string{"rm b.txt"}, []string{"whiteout /b.txt bottom"}},
		{"delete upper", []string{"> n.txt x", "rm n.txt"}, []string{"create /n.txt file 1", "remove /n.txt"}},
		{"mkdir", []string{"mkdir d"}, []string{"create /d dir 0"}},
		{"mkdir and file", []string{"mkdir d; > d/f x"}, []string{"create /d dir 0", "create /d/f file 1"}},
		{"chmod", []string{"chmod600 c.txt"}, []string{"copyup /c.txt top 6 0 metadata"}},
		{"nested append", []string{">> dir/sub/y.txt x"}, []string{"copyup /dir/sub/y.txt top 5 1 content"}},
		{"rename lower file", []string{"mv b.txt b2.txt"}, []string{"whiteout /b.txt bottom", "create /b2.txt file 4"}},
		{"rename onto lower file", []string{"> t other", "mv t a.txt"}, []string{"create /t file 5", "remove /t", "copyup /a.txt bottom 0 4 content"}},
		{"replace", []string{"rm a.txt", "> a.txt anew"}, []string{"whiteout /a.txt bottom", "copyup /a.txt bottom 0 2 content"}},
		{"rm -r lower folder", []string{"rm-r dir2"}, []string{"whiteout /dir2/in.txt bottom", "whiteout /dir2/more/z.txt bottom",
			"whiteout /dir2/more bottom", "whiteout /dir2 bottom"}},
		{"rm -r upper folder", []string{"mkdir d; mkdir d/e; > d/e/f x", "rm-r d"},
			[]string{"create /d dir 0", "create /d/e dir 0", "create /d/e/f file 1", "remove /d/e/f", "remove /d/e", "remove /d"}},
		{"rename upper folder", []string{"mkdir d; > d/f x", "mv d e"},
			[]string{"create /d dir 0", "create /d/f file 1", "remove /d/f", "remove /d", "create /e dir 0", "create /e/f file 1"}},
		{"folder over a whiteout", []string{"rm b.txt", "mkdir b.txt"}, []string{"whiteout /b.txt bottom", "opaque /b.txt"}},
		{"opaque folder", []string{"rm-r dir2", "mkdir dir2; > dir2/in.txt x"}, nil},
		{"symlink and pipe", []string{"symlink x s; mkfifo p"}, []string{"create /s symlink 0", "create /p pipe 0"}},
		{"device", []string{"mknod n"}, []string{"create /n device 0"}},
		{"symlink waits", []string{"symlink x s; rm b.txt"}, []string{"whiteout /b.txt bottom", "create /s symlink 0"}},
		{"hard link", []string{"> n x", "ln n m"}, []string{"create /n file 1", "create /m file 1"}},
		{"hard link to lower", []string{"ln c.txt m"}, []string{"copyup /c.txt top 6 0 none", "create /m file 6"}},
		{"change a lower link", []string{"rm link; symlink b.txt link"}, []string{"whiteout /link bottom", "copyup /link bottom 0 0 content"}},
		{"make and delete before it is told", []string{"symlink x s; rm s"}, []string{}},
		{"only metadata of a folder", []string{"chmod600 dir"}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newListener(t)
			l.events = []string{}
			l.run(tt.steps...)
			l.close()
			if tt.want == nil {
				return
			}
			if diff := cmp.Diff(tt.want, l.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// A report that waits is made when the machine's time has come, at the next change.
func TestReportsComeWithTime(t *testing.T) {
	l := newListener(t)
	shell(t, l.u, "symlink x s")
	l.s.clock = l.s.clock.Add(settle)
	shell(t, l.u, "rm b.txt")
	if diff := cmp.Diff([]string{"create /s symlink 0", "whiteout /b.txt bottom"}, l.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	l.close()
}

func TestStorm(t *testing.T) {
	l := newListener(t)
	for i := range 400 {
		dir := fmt.Sprintf("s%d", i%7)
		_ = run(l.u, "mkdir", []string{dir})
		_ = run(l.u, "mkdir", []string{dir + "/d"})
		must(t, write(l.u, fmt.Sprintf("%s/d/f%d", dir, i%50), fmt.Sprint(i), false))
		if gone := fmt.Sprintf("s%d", (i+3)%7); i > 7 {
			_ = removeAll(l.u, gone)
		}
		l.s.clock = l.s.clock.Add(time.Millisecond)
	}
	shell(t, l.u, "rm-r dir; mkdir dir; mkdir dir/sub; > dir/sub/new x")
	l.close()
}

// What was told before is not told again, whether it was told by another process or not at all.
func TestRestartReportsOnlyNews(t *testing.T) {
	l := newListener(t)
	l.run(">> a.txt x; mkdir d; > d/f y; rm c.txt")
	l.close()
	l.events = nil
	l.u = l.s.again().open("k", l.hear)
	l.run("> d/g zz")
	l.close()
	if diff := cmp.Diff([]string{"create /d/g file 2"}, l.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestUnwatchedIsToldLater(t *testing.T) {
	l := newListener(t)
	l.run("mkdir told")
	l.u.SetReport(nil)
	shell(t, l.u, "> untold x")
	l.events = nil
	l.u.SetReport(l.hear)
	must(t, l.u.Sync())
	if !strings.Contains(strings.Join(l.events, "\n"), "create /untold file 1") {
		t.Errorf("events %q", l.events)
	}
	l.close()
}

// A report may take its time, and may ask for the tree meanwhile: no lock is held.
func TestReportHoldsNoLock(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	var u *Union
	var seen []string
	u, err := s.snapshots.Open(context.Background(), "k", func(kind string, attrs ...trace.Attr) {
		names, _ := u.ReadDir(".")
		seen = append(seen, fmt.Sprint(kind, len(names)))
	})
	must(t, err)
	shell(t, u, "mkdir x")
	must(t, u.Close())
	if diff := cmp.Diff([]string{"cow.create5"}, seen); diff != "" {
		t.Error(diff)
	}
}
