//go:build linux

package cow

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// machine is a real overlay mount with a watch on its upper folder.
type machine struct {
	t      *testing.T
	cfg    Config
	merged string
	mu     sync.Mutex
	events []string
	state  map[string]string // what folding the events gives
	watch  *Watcher
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "mounting overlay needs root")
	}
	base := t.TempDir()
	m := &machine{t: t, merged: filepath.Join(base, "merged"), state: map[string]string{}, cfg: Config{
		Key: "k", Upper: filepath.Join(base, "upper"),
		Lowers: []string{filepath.Join(base, "top"), filepath.Join(base, "bottom")}, DiffIDs: []string{"sha256:top", "sha256:bottom"},
	}}
	for _, dir := range append([]string{m.merged, m.cfg.Upper, filepath.Join(base, "work")}, m.cfg.Lowers...) {
		must(t, os.Mkdir(dir, 0o755))
	}
	m.lower(1, "a.txt", "one\n")
	m.lower(1, "b.txt", "two\n")
	m.lower(0, "c.txt", "three\n")
	m.lower(0, "dir/sub/y.txt", "deep\n")
	m.lower(1, "dir2/in.txt", "in\n")
	m.lower(1, "dir2/more/z.txt", "z\n")
	must(t, os.Symlink("a.txt", filepath.Join(m.cfg.Lowers[1], "link")))
	err := unix.Mount("overlay", m.merged, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s",
		strings.Join(m.cfg.Lowers, ":"), m.cfg.Upper, filepath.Join(base, "work")))
	must(t, err)
	t.Cleanup(func() { _ = unix.Unmount(m.merged, unix.MNT_DETACH) })
	m.start()
	return m
}

func (m *machine) lower(i int, name, text string) {
	p := filepath.Join(m.cfg.Lowers[i], name)
	must(m.t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(m.t, os.WriteFile(p, []byte(text), 0o644))
}

func (m *machine) start() {
	m.t.Helper()
	w, err := Watch(m.cfg, m.emit)
	must(m.t, err)
	m.watch = w
	m.t.Cleanup(func() { _ = w.Close() })
}

func (m *machine) emit(kind string, attrs ...trace.Attr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	line := strings.TrimPrefix(kind, "cow.")
	p := ""
	for i, a := range attrs {
		if i == 0 {
			continue // the key, the same in all
		}
		if a.Key == "path" {
			p = a.Value.String()
		}
		line += " " + a.Value.String()
	}
	checkVocab(m.t, kind, attrs)
	m.events = append(m.events, line)
	m.fold(kind, p)
}

func checkVocab(t *testing.T, kind string, attrs []trace.Attr) {
	for _, k := range vocab.Kinds {
		if k.Name != kind {
			continue
		}
		for i, a := range k.Attrs {
			if i >= len(attrs) || attrs[i].Key != a.Key || attrs[i].Value.Type() != a.Type {
				t.Errorf("%s: attributes %v do not match the vocabulary", kind, attrs)
				return
			}
		}
		return
	}
	t.Errorf("%s is not in the vocabulary", kind)
}

func (m *machine) fold(kind, p string) {
	switch kind {
	case vocab.CowCreate:
		m.state[p] = "A"
	case vocab.CowCopyUp:
		m.state[p] = "C"
	case vocab.CowRemove:
		delete(m.state, p)
	case vocab.CowOpaque:
		m.state[p] = "O"
	case vocab.CowWhiteout:
		for q := range m.state {
			if strings.HasPrefix(q, p+"/") {
				delete(m.state, q)
			}
		}
		m.state[p] = "D"
	}
}

func (m *machine) sh(script string) {
	m.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = m.merged
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// close ends the watch and compares what the events add up to with what the folders say.
func (m *machine) close() {
	m.t.Helper()
	must(m.t, m.watch.Close())
	want := map[string]string{}
	must(m.t, Scan(m.cfg.Upper, NewStack(m.cfg.Lowers, false), func(c Change) error {
		if k := wanted(c); k != unknown && !c.Implied {
			want["/"+c.Path] = string(k)
		}
		return nil
	}))
	if diff := cmp.Diff(want, m.state); diff != "" {
		m.t.Errorf("events add up to something else (-folders +events):\n%s\nevents:\n%s", diff, strings.Join(m.events, "\n"))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	const pause = "\n" // between two steps, each of which is told before the next begins
	tests := []struct {
		name, script string
		want         []string // sorted when several
	}{
		{"append", "echo more >> a.txt", []string{"copyup /a.txt sha256:bottom 4 5 content"}},
		{"append twice", "echo more >> a.txt" + pause + "echo more >> a.txt",
			[]string{"copyup /a.txt sha256:bottom 4 5 content", "write /a.txt 14"}},
		{"overwrite one byte", "printf O | dd of=a.txt conv=notrunc 2>/dev/null", []string{"copyup /a.txt sha256:bottom 4 1 content"}},
		{"open for writing only", ": >> a.txt", []string{"copyup /a.txt sha256:bottom 4 0 none"}},
		{"create", "echo new > n.txt", []string{"create /n.txt file 4"}},
		{"create and write again", "echo new > n.txt" + pause + "echo new >> n.txt", []string{"create /n.txt file 4", "write /n.txt 8"}},
		{"delete lower", "rm b.txt", []string{"whiteout /b.txt sha256:bottom"}},
		{"delete upper", "echo x > n.txt" + pause + "rm n.txt", []string{"create /n.txt file 2", "remove /n.txt"}},
		{"mkdir", "mkdir d", []string{"create /d dir 0"}},
		{"mkdir and file", "mkdir d; echo x > d/f", []string{"create /d dir 0", "create /d/f file 2"}},
		{"chmod", "chmod 600 c.txt", []string{"copyup /c.txt sha256:top 6 0 metadata"}},
		{"touch", "touch c.txt", []string{"copyup /c.txt sha256:top 6 0 metadata"}},
		{"nested append", "echo x >> dir/sub/y.txt", []string{"copyup /dir/sub/y.txt sha256:top 5 2 content"}},
		{"rename lower file", "mv b.txt b2.txt", []string{"create /b2.txt file 4", "whiteout /b.txt sha256:bottom"}},
		{"rename onto lower file", "echo other > t" + pause + "mv t a.txt",
			[]string{"copyup /a.txt sha256:bottom 0 5 content", "create /t file 6", "remove /t"}},
		{"replace", "rm a.txt" + pause + "echo anew > a.txt",
			[]string{"copyup /a.txt sha256:bottom 0 3 content", "whiteout /a.txt sha256:bottom"}},
		{"rm -r lower directory", "rm -r dir2", nil},
		{"mv lower directory", "mv dir2 dir3", nil},
		{"rm -r upper directory", "mkdir -p d/e; echo x > d/e/f" + pause + "rm -r d",
			[]string{"create /d dir 0", "create /d/e dir 0", "create /d/e/f file 2", "remove /d", "remove /d/e", "remove /d/e/f"}},
		{"rename upper directory", "mkdir d; echo x > d/f" + pause + "mv d e",
			[]string{"create /d dir 0", "create /d/f file 2", "create /e dir 0", "create /e/f file 2", "remove /d", "remove /d/f"}},
		{"directory over a whiteout", "rm b.txt" + pause + "mkdir b.txt", []string{"opaque /b.txt", "whiteout /b.txt sha256:bottom"}},
		{"opaque directory", "rm -r dir2" + pause + "mkdir dir2; echo x > dir2/in.txt", nil},
		{"symlink and pipe", "ln -s x s; mkfifo p", []string{"create /p pipe 0", "create /s symlink 0"}},
		{"hard link", "echo x > n" + pause + "ln n m", []string{"create /m file 2", "create /n file 2"}},
		{"hard link to lower", "ln c.txt m", nil},
		{"change a lower link", "ln -sfn b.txt link", nil},
		{"create and delete at once", "for i in 1 2 3 4 5 6 7 8 9; do echo x > t; rm t; done", nil},
		{"read only", "cat a.txt dir/sub/y.txt > /dev/null; ls -R > /dev/null", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			for step := range strings.Lines(tt.script) {
				m.sh(step)
				m.watch.Sync()
			}
			m.close()
			if tt.want == nil {
				return
			}
			got := append([]string(nil), m.events...)
			if len(got) > 1 {
				sort.Strings(got)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventsComeWhileRunning(t *testing.T) {
	m := newMachine(t)
	m.sh("echo x >> a.txt; chmod 600 c.txt; rm b.txt")
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		n := len(m.events)
		m.mu.Unlock()
		if n == 3 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("3 events expected before the watch ends, got %v", m.events)
		}
	}
	m.close()
}

// After Finish the writable layer is told of to the end, and what comes later is nobody's.
func TestFinishIsTheLastWord(t *testing.T) {
	m := newMachine(t)
	m.sh("echo new > new.txt; exec 3>open.txt; echo x >&3")
	must(t, m.watch.Finish())
	m.mu.Lock()
	told := len(m.events)
	_, complete := m.state["/new.txt"]
	_, unclosed := m.state["/open.txt"]
	m.mu.Unlock()
	if !complete || !unclosed {
		t.Errorf("Finish left something out: %q", m.events)
	}
	m.sh("echo late > late.txt")
	must(t, m.watch.Close())
	must(t, m.watch.Close())
	m.watch.Sync()
	if len(m.events) != told {
		t.Errorf("told after the end: %q", m.events[told:])
	}
}

func TestStorm(t *testing.T) {
	m := newMachine(t)
	m.sh(`i=0; while [ $i -lt 400 ]; do mkdir -p s$((i%7))/d; echo $i > s$((i%7))/d/f$((i%50)); rm -rf s$(((i+3)%7)); i=$((i+1)); done`)
	m.sh("rm -rf dir; mkdir -p dir/sub; echo x > dir/sub/new")
	m.close()
}

func TestLostEventsAreMadeUp(t *testing.T) {
	m := newMachine(t)
	for wd := 1; wd < 10; wd++ { // the kernel stops telling, as when its queue overflows or no watch can be had
		_, _ = unix.InotifyRmWatch(m.watch.fd, uint32(wd))
	}
	m.sh("echo x >> a.txt; mkdir d; echo y > d/f; rm c.txt")
	m.close()
}

func TestRestartReportsOnlyNews(t *testing.T) {
	m := newMachine(t)
	m.sh("echo x >> a.txt; mkdir d; echo y > d/f; rm c.txt")
	m.close()
	m.events, m.cfg.Known = nil, true
	m.start()
	m.sh("echo z > d/g")
	m.close()
	if diff := cmp.Diff([]string{"create /d/g file 2"}, m.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
