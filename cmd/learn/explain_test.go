package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
	"github.com/learn-containers/learn/trace/world"
	"github.com/moby/moby/api/types/mount"
)

// state is what a World and an engine can both be asked for.
type state struct {
	Images     map[string]string // id -> names and layers
	Containers map[string]string // id -> name, state, exit code, changes
	Volumes    map[string]string // name -> containers that run with it
	Cache      []string
	Chains     []string
	Blobs      []string
}

func stateOfWorld(w world.World) state {
	s := state{Images: map[string]string{}, Containers: map[string]string{}, Volumes: map[string]string{}}
	for _, v := range w.Volumes {
		var mounts []string
		for _, m := range v.Mounts {
			mounts = append(mounts, fmt.Sprint(m.Container, " ", m.Target, " ", m.ReadOnly))
		}
		slices.Sort(mounts)
		s.Volumes[v.Name] = fmt.Sprint(v.Anonymous, mounts)
	}
	for _, img := range w.Images {
		var layers []string
		for _, l := range img.Layers {
			layers = append(layers, l.DiffID)
		}
		refs := slices.Sorted(slices.Values(img.Refs))
		s.Images[img.ID] = fmt.Sprint(refs, layers)
	}
	for _, c := range w.Containers {
		var changes []string
		for _, ch := range c.Changes {
			changes = append(changes, ch.Kind+ch.Path)
		}
		s.Containers[c.ID] = fmt.Sprint(c.Name, " ", c.State, " ", c.ExitCode, " ", withoutParents(changes))
	}
	for _, e := range w.Cache {
		s.Cache = append(s.Cache, e.Key)
	}
	for _, c := range w.Chains {
		s.Chains = append(s.Chains, c.ID)
	}
	for _, b := range w.Blobs {
		s.Blobs = append(s.Blobs, b.Digest)
	}
	s.sort()
	return s
}

func (s *state) sort() {
	slices.Sort(s.Cache)
	slices.Sort(s.Chains)
	slices.Sort(s.Blobs)
}

// stateOfEngine asks under the recorder: to look at a container is to find out that it ended, and that belongs into the trace.
func stateOfEngine(ctx context.Context, t *testing.T, e *engine.Engine) state {
	t.Helper()
	s := state{Images: map[string]string{}, Containers: map[string]string{}, Volumes: map[string]string{}}
	images, err := e.Images.List(ctx)
	check(t, err)
	for _, img := range images {
		refs, layers := []string{}, []string(nil)
		for _, r := range img.Refs {
			refs = append(refs, r.Familiar())
		}
		for _, l := range img.Layers {
			layers = append(layers, l.DiffID.String())
		}
		slices.Sort(refs)
		s.Images[img.ID.String()] = fmt.Sprint(refs, layers)
	}
	s.askContainers(ctx, t, e)
	entries, err := filepath.Glob(filepath.Join(e.Home.Cache(), "*.json"))
	check(t, err)
	for _, f := range entries {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); len(name) == 64 {
			s.Cache = append(s.Cache, "sha256:"+name)
		}
	}
	chains, err := e.Driver.Layers.List(ctx)
	check(t, err)
	for _, c := range chains {
		s.Chains = append(s.Chains, c.String())
	}
	blobs, err := os.ReadDir(filepath.Join(e.Home.Images(), "blobs", "sha256"))
	check(t, err)
	for _, b := range blobs {
		s.Blobs = append(s.Blobs, "sha256:"+b.Name())
	}
	s.sort()
	return s
}

func (s *state) askContainers(ctx context.Context, t *testing.T, e *engine.Engine) {
	t.Helper()
	containers, err := e.Containers.List(ctx, true)
	check(t, err)
	for _, c := range containers {
		changes, err := e.Containers.Changes(ctx, c.ID)
		check(t, err)
		var list []string
		for _, ch := range changes {
			list = append(list, string(ch.Kind)+ch.Path)
		}
		s.Containers[c.ID] = fmt.Sprint(c.Name, " ", c.State.Status, " ", c.State.ExitCode, " ", withoutParents(list))
	}
	s.askVolumes(t, e, containers)
}

func (s *state) askVolumes(t *testing.T, e *engine.Engine, containers []container.Container) {
	t.Helper()
	volumes, err := e.Volumes.List()
	check(t, err)
	mounts := map[string][]string{}
	for _, c := range containers {
		for _, p := range c.Mounts {
			if c.State.Live() && p.Type == mount.TypeVolume {
				mounts[p.Name] = append(mounts[p.Name], fmt.Sprint(c.ID, " ", p.Destination, " ", !p.RW))
			}
		}
	}
	for _, v := range volumes {
		slices.Sort(mounts[v.Name])
		s.Volumes[v.Name] = fmt.Sprint(v.Anonymous(), mounts[v.Name])
	}
}

// withoutParents drops the folders that docker diff lists only because something below them changed: to the trace they are no change.
func withoutParents(changes []string) []string {
	return slices.DeleteFunc(slices.Clone(changes), func(c string) bool {
		return c[0] == 'C' && slices.ContainsFunc(changes, func(o string) bool { return strings.HasPrefix(o[1:], c[1:]+"/") })
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTraceExplainsEverything runs a random sequence of commands and wants the fold of the trace to be the engine's own account.
func TestTraceExplainsEverything(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, driver := range []string{nativeName, simName} {
		t.Run(driver, func(t *testing.T) { traceExplainsEverything(t, driver) })
	}
}

func traceExplainsEverything(t *testing.T, driver string) {
	n := 500
	if testing.Short() {
		n = 60
	}
	seed := uint64(20240601)
	r := rand.New(rand.NewPCG(seed, seed))
	dir := t.TempDir()
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.home, s.driver = filepath.Join(t.TempDir(), "home"), driver
	events := &trace.Collect{}
	ctx := trace.With(context.Background(), trace.New(trace.Tee(events, tracetest.NewChecker(t))))
	e, err := s.open(ctx, s.home)
	check(t, err)
	t.Cleanup(func() { check(t, removeAll(context.Background(), e)) })
	g := &generator{rand: r, dir: dir}
	for i := range n {
		words := g.next()
		var out bytes.Buffer
		app := &docker.App{Open: func(context.Context) (*engine.Engine, error) { return e, nil }, In: strings.NewReader(""), Out: &out, Err: &out, Dir: dir, Environ: os.LookupEnv, Plain: true}
		code := docker.Execute(ctx, app, words)
		if code == 125 && strings.Contains(out.String(), "panic") {
			t.Fatalf("command %d %q: %s", i, words, out.String())
		}
		if i%50 == 49 || i == n-1 {
			compare(t, ctx, e, events, fmt.Sprintf("after command %d, %q (seed %d):\n%s", i, words, seed, out.String()))
		}
	}
}

func compare(t *testing.T, ctx context.Context, e *engine.Engine, events *trace.Collect, when string) {
	t.Helper()
	d := "not compared yet"
	for try := 0; d != "" && try < 3; try++ { // a container may end between two looks at it
		want := stateOfEngine(ctx, t, e)
		d = cmp.Diff(want, stateOfWorld(world.Fold(events.Events())))
	}
	if d != "" {
		t.Fatalf("the trace tells another story than the engine (-engine +trace), %s\n%s", when, d)
	}
}

// generator makes command lines over few names, so that they meet each other in every state.
type generator struct {
	rand *rand.Rand
	dir  string
	made int
}

func (g *generator) pick(from ...string) string { return from[g.rand.IntN(len(from))] }
func (g *generator) container() string          { return g.pick("aa", "bb", "cc", "dd") }
func (g *generator) image() string              { return g.pick("learn/base", "x:1", "x:2", "y", "z") }
func (g *generator) script() string {
	return g.pick("echo hi", "echo x >/new", "echo y >>/etc/os-release", "rm /etc/shells", "mkdir /d; echo 1 >/d/f", "rm -rf /etc; mkdir /etc; echo n >/etc/n", "exit 3", "chmod 600 /etc/passwd", "mv /etc/profile /etc/p2")
}

func (g *generator) next() []string {
	switch g.rand.IntN(18) {
	case 0:
		return g.build()
	case 1, 2:
		return []string{"run", "--name", g.container(), g.image(), "sh", "-c", g.script()}
	case 3:
		return []string{"run", "--rm", g.image(), "sh", "-c", g.script()}
	case 4, 5:
		return []string{"run", "-d", "--name", g.container(), g.image(), "sleep", "1000"}
	case 6:
		return []string{"create", "--name", g.container(), g.image(), "sh", "-c", g.script()}
	case 7:
		return []string{g.pick("start", "unpause", "pause"), g.container()}
	case 8:
		return []string{g.pick("stop", "restart"), "-t", "0", g.container()}
	case 9:
		return []string{"kill", "-s", g.pick("KILL", "TERM", "USR1"), g.container()}
	case 10, 11:
		return []string{"rm", "-f", g.container()}
	case 12:
		return []string{"exec", g.container(), "sh", "-c", g.script()}
	case 13:
		return []string{"commit", g.container(), g.pick("x:2", "y", "z")}
	case 15:
		return []string{"run", g.pick("-d", "--rm", "-i"), "-v", g.pick("v1", "v2") + ":" + g.pick("/d", "/etc", "/etc/deep"), "-v", "/anon", g.image(), "sh", "-c", g.script()}
	case 16:
		return [][]string{{"rm", "-vf", g.container()}, {"volume", "rm", g.pick("v1", "v2")}, {"volume", "prune", g.pick("-f", "-af")}, {"volume", "create", g.pick("v1", "v2")},
			{"run", "-d", "--name", g.container(), "--volumes-from", g.container(), "-v", "v1:/d:ro", g.image(), "sleep", "1000"}}[g.rand.IntN(5)]
	case 14:
		return []string{"tag", g.image(), g.pick("x:1", "x:2", "y", "z")}
	}
	return [][]string{{"rmi", "-f", g.pick("x:1", "x:2", "y", "z")}, {"image", "prune", "-f"}, {"builder", "prune", "-f"}, {"ps", "-a"}, {"images"}, {"diff", g.container()}}[g.rand.IntN(6)]
}

func (g *generator) build() []string {
	g.made++
	text := fmt.Sprintf("FROM %s\nENV N=%d\nRUN %s\nCOPY Dockerfile /df\nRUN rm /df && echo %d >/k\n", g.image(), g.rand.IntN(3), g.script(), g.rand.IntN(3))
	_ = os.WriteFile(filepath.Join(g.dir, "Dockerfile"), []byte(text), 0o644)
	return []string{"build", "-t", g.pick("x:1", "x:2", "y"), "."}
}
