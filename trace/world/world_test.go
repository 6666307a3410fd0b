package world

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
	"github.com/learn-containers/learn/trace/vocab"
)

// story records what tell does, checked against the vocabulary.
func story(t testing.TB, tell func(s *teller)) []trace.Event {
	t.Helper()
	c := tracetest.NewChecker(t)
	r := trace.New(c)
	tell(&teller{r: r})
	return c.Events()
}

// teller records events with the attributes that matter to a test.
type teller struct{ r *trace.Recorder }

var (
	str  = trace.String
	num  = trace.Int
	list = trace.Strings
)

func (s *teller) fact(kind string, attrs ...trace.Attr) {
	trace.Fact(trace.With(ctx, s.r), kind, attrs...)
}

func (s *teller) image(id string, size int64, layers ...string) {
	s.fact(vocab.ImageCreate, str("image", "sha256:"+id), str("manifest", "sha256:m"+id), list("diff_ids", layers), num("size_bytes", size), str("origin", "build"))
}

func (s *teller) tag(ref, id, previous string) {
	s.fact(vocab.ImageTag, str("ref", ref), str("image", "sha256:"+id), str("previous", previous))
}

func (s *teller) container(id, name, image string) {
	s.fact(vocab.SnapshotPrepare, str("key", id), str("chain_id", "chain2"), num("lowers", 2), str("upper", "/upper"))
	s.fact(vocab.ContainerCreate, str("container", id), str("name", name), str("image", "sha256:"+image), list("command", []string{"sh"}))
}

func (s *teller) state(id, from, to string, code int64) {
	s.fact(vocab.ContainerState, str("container", id), str("from", from), str("to", to), num("exit_code", code), trace.Bool("oom_killed", false))
}

func (s *teller) copyUp(key, path string, copied, changed int64) {
	s.fact(vocab.CowCopyUp, str("key", key), str("path", path), str("layer", "L1"), num("copied_bytes", copied), num("changed_bytes", changed), str("change", "content"))
}

func (s *teller) create(key, path, kind string, size int64) {
	s.fact(vocab.CowCreate, str("key", key), str("path", path), str("type", kind), num("size_bytes", size))
}

func (s *teller) whiteout(key, path string) {
	s.fact(vocab.CowWhiteout, str("key", key), str("path", path), str("layer", "L1"))
}

func (s *teller) remove(key, path string) {
	s.fact(vocab.CowRemove, str("key", key), str("path", path))
}

func (s *teller) commit(key, diffID, chain string, size int64, end error) {
	_, done := trace.Step(trace.With(ctx, s.r), vocab.LayerCommit, str("key", key), str("parent", "chain1"))
	if end != nil {
		done(end)
		return
	}
	done(nil, str("diff_id", diffID), str("chain_id", chain), num("size_bytes", size), num("files", 1), num("whiteouts", 1))
}

func (s *teller) unpack(diffID, chain string) {
	_, done := trace.Step(trace.With(ctx, s.r), vocab.LayerApply, str("diff_id", diffID), str("chain_id", chain), str("parent", ""))
	done(nil, num("files", 3), num("size_bytes", 100))
}

func TestImagesAndNames(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.unpack("L1", "chain1")
		s.image("aaa1", 100, "L1")
		s.tag("docker.io/learn/base:latest", "aaa1", "")
		s.image("aab2", 150, "L1", "L2")
		s.tag("docker.io/library/app:latest", "aab2", "")
		s.tag("docker.io/library/app:v1", "aab2", "")
		s.tag("docker.io/library/app:latest", "aaa1", "sha256:aab2")
		s.image("ccc3", 0)
		s.tag("localhost:5000/x:y", "ccc3", "")
		s.fact(vocab.ImageUntag, str("ref", "localhost:5000/x:y"), str("image", "sha256:ccc3"))
	}))
	for name, want := range map[string]string{
		"app": "sha256:aaa1", "app:latest": "sha256:aaa1", "docker.io/library/app": "sha256:aaa1", "app:v1": "sha256:aab2",
		"learn/base": "sha256:aaa1", "aaa": "sha256:aaa1", "sha256:aaa1": "sha256:aaa1", "aa": "", "c": "sha256:ccc3",
		"app:v2": "", "": "", "localhost:5000/x:y": "", "app@sha256:maab2": "sha256:aab2", "app@sha256:other": "",
	} {
		img := w.Image(name)
		if img.ID != want || img.Exists != (want != "") {
			t.Errorf("Image(%q) is %q, want %q", name, img.ID, want)
		}
	}
	if diff := cmp.Diff([]string{"learn/base:latest", "app:latest"}, w.Image("app").Refs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"app:v1"}, w.Image("app:v1").Refs); diff != "" {
		t.Error(diff)
	}
	if w.Sharers("L1") != 2 || w.Sharers("L2") != 1 || !w.Image("app:v1").Has("L2") {
		t.Error("sharing is wrong")
	}
	if got := w.Image("app:v1").Layers[0]; got.Size != 100 || got.Files != 3 {
		t.Errorf("layer facts: %+v", got)
	}
}

func TestImageIsRemovedWithItsNames(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.image("aaa1", 100, "L1")
		s.tag("docker.io/library/a:latest", "aaa1", "")
		s.fact(vocab.ImageRemove, str("image", "sha256:aaa1"))
	}))
	if len(w.Images) != 0 || len(w.Refs) != 0 || w.Image("a").Exists {
		t.Errorf("left: %+v", w)
	}
}

func TestContainerLife(t *testing.T) {
	var w World
	at := map[string]World{}
	for _, e := range story(t, func(s *teller) {
		s.container("c1", "tim", "aaa1")
		_, started := trace.Step(trace.With(ctx, s.r), vocab.ContainerStart, str("container", "c1"))
		s.state("c1", "created", "running", 0)
		started(nil, num("pid", 4711))
		s.state("c1", "running", "exited", 7)
		s.fact(vocab.ContainerRemove, str("container", "c1"))
	}) {
		w = w.Apply(e)
		at[e.Kind+" "+string(e.Phase)+" "+e.Attr("to").Str()] = w
	}
	for moment, want := range map[string]Container{
		"container.create note ":       {Exists: true, ID: "c1", Name: "tim", Image: "sha256:aaa1", Command: []string{"sh"}, State: "created", Chain: "chain2", CreatedSeq: 2},
		"container.start end ":         {Exists: true, ID: "c1", Name: "tim", Image: "sha256:aaa1", Command: []string{"sh"}, State: "running", PID: 4711, Chain: "chain2", CreatedSeq: 2},
		"container.state note exited":  {Exists: true, ID: "c1", Name: "tim", Image: "sha256:aaa1", Command: []string{"sh"}, State: "exited", ExitCode: 7, Chain: "chain2", CreatedSeq: 2},
		"container.remove note ":       {},
		"container.state note running": {Exists: true, ID: "c1", Name: "tim", Image: "sha256:aaa1", Command: []string{"sh"}, State: "running", Chain: "chain2", CreatedSeq: 2},
	} {
		if diff := cmp.Diff(want, at[moment].Container("/tim")); diff != "" {
			t.Errorf("after %s: %s", moment, diff)
		}
	}
	if len(w.Snapshots) != 0 {
		t.Errorf("writable layers left: %+v", w.Snapshots)
	}
}

func TestContainerLookup(t *testing.T) {
	w := World{Containers: []Container{{Exists: true, ID: "abc1", Name: "one"}, {Exists: true, ID: "abd2", Name: "ab"}}}
	for name, want := range map[string]string{"one": "abc1", "/one": "abc1", "abc": "abc1", "ab": "abd2", "a": "", "": "", "x": ""} {
		if got := w.Container(name).ID; got != want {
			t.Errorf("Container(%q) is %q, want %q", name, got, want)
		}
	}
}

func TestChangesFollowCopyOnWrite(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell func(s *teller)
		want string
	}{
		{"a copy", func(s *teller) { s.copyUp("c1", "/a", 10, 2) }, "C /a"},
		{"a new file, written again", func(s *teller) {
			s.create("c1", "/n", "file", 0)
			s.fact(vocab.CowWrite, str("key", "c1"), str("path", "/n"), num("size_bytes", 5))
		}, "A /n"},
		{"a new file, removed", func(s *teller) { s.create("c1", "/n", "file", 1); s.remove("c1", "/n") }, ""},
		{"a lower file hidden", func(s *teller) { s.whiteout("c1", "/a") }, "D /a"},
		{"copied, then hidden", func(s *teller) { s.copyUp("c1", "/a", 10, 2); s.whiteout("c1", "/a") }, "D /a"},
		{"hidden, then made anew", func(s *teller) { s.whiteout("c1", "/a"); s.create("c1", "/a", "file", 3) }, "C /a"},
		{"a new folder removed with what is in it", func(s *teller) {
			s.create("c1", "/d", "dir", 0)
			s.create("c1", "/d/x", "file", 1)
			s.create("c1", "/dx", "file", 1)
			s.remove("c1", "/d")
		}, "A /dx"},
		{"a lower folder hidden with what was new in it", func(s *teller) { s.create("c1", "/d/x", "file", 1); s.whiteout("c1", "/d") }, "D /d"},
		{"a folder made opaque", func(s *teller) {
			s.whiteout("c1", "/d")
			s.fact(vocab.CowOpaque, str("key", "c1"), str("path", "/d"))
			s.create("c1", "/d/x", "file", 1)
		}, "C /d, A /d/x"},
		{"a write to what was never told of", func(s *teller) {
			s.fact(vocab.CowWrite, str("key", "c1"), str("path", "/w"), num("size_bytes", 5))
		}, "C /w"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events := story(t, func(s *teller) { s.container("c1", "tim", "aaa1"); tt.tell(s) })
			if got := changes(Fold(events).Container("tim").Changes); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func changes(list []Change) string {
	var words []string
	for _, c := range list {
		words = append(words, c.Kind+" "+c.Path)
	}
	return strings.Join(words, ", ")
}

func TestCopiedBytesAddUp(t *testing.T) {
	c := Fold(story(t, func(s *teller) {
		s.container("c1", "tim", "aaa1")
		s.copyUp("c1", "/a", 4096, 6)
		s.whiteout("c1", "/a")
		s.copyUp("c1", "/b", 1000, 10)
	})).Container("c1")
	if c.CopiedBytes != 5096 || c.ChangedBytes != 16 {
		t.Errorf("copied %d, changed %d", c.CopiedBytes, c.ChangedBytes)
	}
	if ch := c.Change("/b"); ch.Layer != "L1" || ch.CopiedBytes != 1000 || ch.ChangedBytes != 10 {
		t.Errorf("%+v", ch)
	}
}

func TestCommittedLayerKnowsItsChanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell func(s *teller)
	}{
		{"of a build step", func(s *teller) {
			s.create("step3", "/new", "file", 5)
			s.whiteout("step3", "/big.bin")
			s.commit("step3", "L3", "chain3", 2048, nil)
		}},
		{"whose writable layer goes before the end", func(s *teller) {
			s.create("step3", "/new", "file", 5)
			s.whiteout("step3", "/big.bin")
			_, done := trace.Step(trace.With(ctx, s.r), vocab.LayerCommit, str("key", "step3"), str("parent", "chain1"))
			s.fact(vocab.SnapshotRemove, str("key", "step3"))
			done(nil, str("diff_id", "L3"), str("chain_id", "chain3"), num("size_bytes", 2048), num("files", 1), num("whiteouts", 1))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := Fold(story(t, func(s *teller) { tt.tell(s); s.image("aaa1", 2048, "L3") }))
			l := w.Image("aaa1").Layers[0]
			if l.Size != 2048 || l.Files != 1 || l.Deleted != 1 || changes(l.Changes) != "D /big.bin, A /new" || cmp.Diff([]string{"/big.bin"}, l.Whiteouts) != "" {
				t.Errorf("%+v", l)
			}
			if diff := cmp.Diff([]Chain{{"chain3", "L3", "chain1"}}, w.Chains); diff != "" || len(w.Snapshots) != 0 {
				t.Error(diff, w.Snapshots)
			}
		})
	}
}

func TestCommitOfContainerLeavesIt(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.container("c1", "tim", "aaa1")
		s.whiteout("c1", "/a")
		s.commit("c1", "L3", "chain3", 10, nil)
		s.commit("c1", "L4", "chain4", 10, errFull)
	}))
	if changes(w.Container("tim").Changes) != "D /a" || changes(w.Layer("L3").Changes) != "D /a" {
		t.Errorf("%+v", w)
	}
	if w.Layer("L4").DiffID != "" || len(w.Chains) != 0 || len(w.open) != 0 {
		t.Errorf("a failed commit left something: %+v", w)
	}
}

func TestStoreAndCache(t *testing.T) {
	blob := func(s *teller, d string, size int64) {
		s.fact(vocab.BlobWrite, str("digest", d), num("size_bytes", size), str("media_type", "t"), trace.Bool("existed", false))
	}
	w := Fold(story(t, func(s *teller) {
		blob(s, "L1", 512)
		blob(s, "b2", 7)
		blob(s, "L1", 512)
		s.unpack("L1", "chain1")
		s.unpack("L2", "chain2")
		blob(s, "L2", 99)
		s.fact(vocab.BlobRemove, str("digest", "b2"), num("size_bytes", 7))
		s.fact(vocab.LayerRemove, str("chain_id", "chain2"))
		s.fact(vocab.LayerReuse, str("diff_id", "L1"), str("chain_id", "chain1"))
		s.fact(vocab.CacheStore, str("key", "k1"), str("diff_id", "L1"))
		s.fact(vocab.CacheStore, str("key", "k2"), str("diff_id", ""))
		s.fact(vocab.CacheStore, str("key", "k1"), str("diff_id", "L2"))
		s.fact(vocab.CacheRemove, str("key", "k2"), str("reason", "old"))
	}))
	want := World{Blobs: []Blob{{"L1", 512, "t"}, {"L2", 99, "t"}}, Chains: []Chain{{"chain1", "L1", ""}}, Cache: []CacheEntry{{"k1", "L2"}}}
	if d := Diff(want, w); len(d) > 0 {
		t.Error(d)
	}
	if w.Layer("L1").Size != 512 || w.Layer("L2").Size != 99 || !w.Cached("k1") || w.Cached("k2") {
		t.Errorf("%+v", w)
	}
}

func TestRecoveryTakesLeftoversAway(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.container("c1", "tim", "aaa1")
		s.fact(vocab.SnapshotPrepare, str("key", "step1"), str("chain_id", ""), num("lowers", 0), str("upper", ""))
		s.fact(vocab.BlobWrite, str("digest", "sha256:b1"), num("size_bytes", 1), str("media_type", "t"), trace.Bool("existed", false))
		s.fact(vocab.RecoverRemove, str("what", "container"), str("path", "/home/containers/c1"))
		s.fact(vocab.RecoverRemove, str("what", "snapshot"), str("path", "step1"))
		s.fact(vocab.RecoverRemove, str("what", "blob"), str("path", "/home/images/blobs/sha256/b1"))
	}))
	if d := Diff(World{}, w); len(d) > 0 || len(w.Snapshots) > 0 {
		t.Error(d, w.Snapshots)
	}
}

func TestNames(t *testing.T) {
	for familiar, full := range map[string]string{
		"debian:latest":           "docker.io/library/debian:latest",
		"learn/base:1":            "docker.io/learn/base:1",
		"localhost/x:1":           "localhost/x:1",
		"localhost:5000/x:latest": "localhost:5000/x:latest",
		"ghcr.io/a/b:c":           "ghcr.io/a/b:c",
	} {
		if got := FullName(familiar); got != full {
			t.Errorf("FullName(%s) = %s, want %s", familiar, got, full)
		}
		if got := FamiliarName(full); got != familiar {
			t.Errorf("FamiliarName(%s) = %s, want %s", full, got, familiar)
		}
	}
	for name, full := range map[string]string{"debian": "docker.io/library/debian:latest", "index.docker.io/debian": "docker.io/library/debian:latest", "host:1/x": "host:1/x:latest"} {
		if got := FullName(name); got != full {
			t.Errorf("FullName(%s) = %s, want %s", name, got, full)
		}
	}
}

func TestJSONHasNoNull(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.image("aaa1", 100, "L1")
		s.container("c1", "tim", "aaa1")
	}))
	for _, w := range []World{{}, w} {
		b, err := json.Marshal(w)
		if err != nil || strings.Contains(string(b), "null") {
			t.Errorf("%s, %v", b, err)
		}
	}
}

func TestDiff(t *testing.T) {
	a := Fold(story(t, func(s *teller) { s.image("aaa1", 100, "L1"); s.tag("docker.io/library/a:1", "aaa1", "") }))
	b := Fold(story(t, func(s *teller) { s.image("bbb1", 100, "L1"); s.tag("docker.io/library/a:1", "bbb1", "") }))
	if d := Diff(a, a); len(d) != 0 {
		t.Errorf("a world differs from itself: %v", d)
	}
	got := strings.Join(Diff(a, b), "\n")
	for _, want := range []string{"image sha256:bbb1 is new", "image sha256:aaa1 is gone", `name docker.io/library/a:1 was {`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
