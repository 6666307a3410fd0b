package build

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// snapshotOf is every file below dir with its mode, time and content. Lock files, which are empty, come to be when somebody first waits.
func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "locks":
			return fs.SkipDir
		case d.IsDir():
			all[p] = "dir"
			return nil
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(p)
		all[p] = fmt.Sprint(fi.Mode(), fi.ModTime(), string(text))
		return err
	}))
	return all
}

// randomWalk is a random walk of Dockerfile and context.
type randomWalk struct {
	*rand.Rand
	stages [][]string // instructions after each FROM
	args   map[string]*string
}

func newWalk(seed uint64) *randomWalk {
	v := "1"
	return &randomWalk{Rand: rand.New(rand.NewPCG(seed, 2)), args: map[string]*string{"v": &v}, stages: [][]string{
		{"ARG v=0", "COPY src /src", "RUN write /out built", "WORKDIR /w"},
		{"COPY a /a", "COPY --from=s0 /out /got", "RUN echo 1"},
		{"COPY --from=s0 /src /two", "COPY --link b /linked", "RUN --mount=type=bind,from=s1,source=/a,target=/m echo 2", "COPY --from=base /data /data2"},
		{"RUN write /last 1", "COPY . /all", "RUN echo 3"},
	}}
}

// bases: the last stage stands on the second.
func (e *randomWalk) text() string {
	var b strings.Builder
	for i, list := range e.stages {
		from := "base"
		if i == len(e.stages)-1 {
			from = "s1"
		}
		fmt.Fprintf(&b, "FROM %s AS s%d\n%s\n", from, i, strings.Join(list, "\n"))
		if i == len(e.stages)-1 {
			b.WriteString("COPY --from=s2 /two /three\n")
		}
	}
	return b.String()
}

func (e *randomWalk) step(l *lab) string {
	n := e.IntN(100)
	s := e.IntN(len(e.stages))
	i := e.IntN(len(e.stages[s]))
	switch e.IntN(8) {
	case 0:
		l.write("src/f", fmt.Sprint(n))
		return "src/f"
	case 1:
		l.write("b", fmt.Sprint(n%3))
		return "b"
	case 2:
		v := fmt.Sprint(n % 3)
		e.args["v"] = &v
		return "v=" + v
	case 3:
		in := fmt.Sprintf("RUN write /f%d %d", n%4, n)
		e.stages[s] = append(e.stages[s][:i:i], append([]string{in}, e.stages[s][i:]...)...)
		return "inserted " + in
	case 4:
		if strings.HasPrefix(e.stages[s][i], "RUN write /f") {
			e.stages[s] = append(e.stages[s][:i:i], e.stages[s][i+1:]...)
			return "taken out"
		}
	case 5:
		if n < 20 {
			l.prune(PruneOptions{All: true})
			return "pruned"
		}
	case 6:
		in := fmt.Sprintf("ENV E%d=%d", n%2, n%5)
		e.stages[s] = append([]string{in}, e.stages[s]...)
		return in
	}
	return "nothing"
}

// TestDryRunPredicts edits at random: what the dry run says of each step is what the build then does, and the home is the same to the
// byte and to the times. A step may be a hit against the prediction only behind one that was carried out and gave the same tree.
func TestDryRunPredicts(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2 // one instruction after the other: little for a race detector
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l, e := newLab(t), newWalk(seed)
			l.write("a", "a")
			l.write("b", "b")
			l.write("src/f", "f")
			l.write(".dockerignore", "Dockerfile\n")
			for range 12 {
				what := e.step(l)
				l.write("Dockerfile", e.text())
				before := snapshotOf(t, l.home.Root())
				dry := l.build(e.text(), Options{DryRun: true, Args: e.args})
				if d := cmp.Diff(before, snapshotOf(t, l.home.Root())); d != "" {
					t.Fatalf("%s: the dry run changed the home:\n%s", what, d)
				}
				res := l.build(e.text(), Options{Args: e.args, Parallel: 1})
				agree(t, what, dry.Build, res.Build)
			}
		})
	}
}

func agree(t *testing.T, what string, dry, real BuildRecord) {
	t.Helper()
	if len(dry.Steps) != len(real.Steps) {
		t.Fatalf("%s: %d steps predicted, %d done", what, len(dry.Steps), len(real.Steps))
	}
	missed := false
	for i, d := range dry.Steps {
		r := real.Steps[i]
		if d.Text != r.Text {
			t.Fatalf("%s: step %d is %q and %q", what, i, d.Text, r.Text)
		}
		if d.Hit && !r.Hit {
			t.Errorf("%s: %s was to be a hit, and missed: %+v", what, d.Text, r.Reason)
		}
		if !d.Hit && r.Hit && !missed {
			t.Errorf("%s: %s was to be a miss (%s), and was a hit, though nothing before it was carried out", what, d.Text, d.Reason.Text)
		}
		missed = missed || !r.Hit
	}
}

// TestDryRunOfWhatIsNotUnpacked predicts a COPY --from an image that nobody has unpacked, without unpacking it.
func TestDryRunOfWhatIsNotUnpacked(t *testing.T) {
	l := newLab(t)
	const df = "FROM base\nCOPY --from=base /data /copied\nRUN --mount=type=bind,from=base,source=/data,target=/m echo 1\n"
	first := l.build(df, Options{})
	for chain := range l.machine.chains {
		delete(l.machine.chains, chain)
	}
	l.machine.chains[""] = files{}
	entries, err := filepath.Glob(filepath.Join(l.home.Cache(), "from-*"))
	must(t, err)
	for _, e := range entries {
		must(t, os.Remove(e))
	}
	dry := l.build(df, Options{DryRun: true})
	if dry.Hits != 2 || dry.Misses != 0 || dry.Saved != first.Build.Saved && dry.Saved.Bytes == 0 {
		t.Errorf("%d hits, %d misses: %+v", dry.Hits, dry.Misses, misses(dry.Build))
	}
	if len(l.machine.chains) != 1 {
		t.Errorf("the dry run unpacked %d layers", len(l.machine.chains)-1)
	}
}

// TestDryRunOfBrokenCache leaves a broken record alone.
func TestDryRunOfBrokenCache(t *testing.T) {
	l := newLab(t)
	res := l.build("FROM base\nRUN write /a 1\n", Options{})
	record := openCache(l.home.Cache()).path(res.Build.Steps[0].Key)
	must(t, os.WriteFile(record, []byte("{"), 0o600))
	dry := l.build("FROM base\nRUN write /a 1\n", Options{DryRun: true})
	if dry.Misses != 1 {
		t.Errorf("%d misses, want 1", dry.Misses)
	}
	if text, err := os.ReadFile(record); err != nil || string(text) != "{" {
		t.Errorf("the record is %q, %v", text, err)
	}
}
