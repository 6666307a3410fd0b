package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace/vocab"
)

func TestTrees(t *testing.T) {
	context := map[string]string{"a.txt": "a", "b.txt": "b", "src/x.go": "x", "src/sub/y.go": "y", "src/skip.log": "log", ".dockerignore": "**/*.log\n"}
	tests := []struct {
		name, dockerfile string
		want             map[string]string
	}{
		{"file to file", "COPY a.txt /new", map[string]string{"new": "a"}},
		{"file into folder by slash", "COPY a.txt /new/", map[string]string{"new": "dir", "new/a.txt": "a"}},
		{"file into existing folder", "COPY a.txt /data", map[string]string{"data/a.txt": "a"}},
		{"folder's contents", "COPY src /app", map[string]string{"app": "dir", "app/x.go": "x", "app/sub": "dir", "app/sub/y.go": "y"}},
		{"several sources", "COPY a.txt b.txt /two/", map[string]string{"two": "dir", "two/a.txt": "a", "two/b.txt": "b"}},
		{"wildcard", "COPY *.txt /w/", map[string]string{"w": "dir", "w/a.txt": "a", "w/b.txt": "b"}},
		{"wildcard in folder", "COPY src/*.go /w/", map[string]string{"w": "dir", "w/x.go": "x"}},
		{"through a link below", "COPY a.txt /lib/a", map[string]string{"usr/lib/a": "a"}},
		{"relative to WORKDIR", "WORKDIR /app\nCOPY a.txt .", map[string]string{"app": "dir", "app/a.txt": "a"}},
		{"nested WORKDIR", "WORKDIR /app\nWORKDIR sub", map[string]string{"app": "dir", "app/sub": "dir"}},
		{"source can't leave", "COPY ../../a.txt /new", map[string]string{"new": "a"}},
		{"JSON form", `COPY ["a.txt", "/with space"]`, map[string]string{"with space": "a"}},
		{"here-document", "COPY <<EOF /doc\nhello\nEOF", map[string]string{"doc": "hello\n"}},
		{"expanded here-document", "ARG who=you\nCOPY <<EOF /doc\nhello $who\nEOF", map[string]string{"doc": "hello you\n"}},
		{"exclude", "COPY --exclude=**/y.go src /app", map[string]string{"app": "dir", "app/x.go": "x", "app/sub": "dir"}},
		{"run", "RUN write /r text", map[string]string{"r": "text"}},
		{"run deletes", "RUN rm /data/old", map[string]string{}},
		{"add a file", "ADD a.txt /new", map[string]string{"new": "a"}},
		{"copy from stage", "RUN write /made here\nFROM base\nCOPY --from=0 /made /got", map[string]string{"got": "here"}},
		{"copy folder from stage", "RUN mkdir /d && write /d/f here\nFROM base\nCOPY --from=0 /d /got", map[string]string{"got": "dir", "got/f": "here"}},
		{"copy from image", "COPY --from=base /data/old /got", map[string]string{"got": "old"}},
		{"copy after copy", "COPY a.txt /n/a\nCOPY b.txt /n", map[string]string{"n": "dir", "n/a": "a", "n/b.txt": "b"}},
		{"stage on stage", "RUN write /one 1\nFROM first\nRUN write /two 2", map[string]string{"one": "1", "two": "2"}},
	}
	for _, noList := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				l := newLab(t)
				l.machine.noList = noList
				for name, text := range context {
					l.write(name, text)
				}
				res := l.build("FROM base AS first\n"+tt.dockerfile+"\n", Options{})
				if diff := cmp.Diff(tt.want, l.tree(res)); diff != "" {
					t.Errorf("tree (-want +got):\n%s", diff)
				}
				again := l.build("FROM base AS first\n"+tt.dockerfile+"\n", Options{})
				if again.Misses != 0 || again.Image.ID != res.Image.ID {
					t.Errorf("second build: %d misses, image %s, want none and %s", again.Misses, again.Image.ID, res.Image.ID)
				}
			})
		}
	}
}

func TestConfig(t *testing.T) {
	l := newLab(t)
	res := l.build(`ARG base=base
FROM $base
ARG version=1
ENV A=$version B="x y"
LABEL a=b
RUN write /f $version
COPY --chown=app:1002 Dockerfile /d
WORKDIR /app
USER app
EXPOSE 80 53/udp 8000-8001
VOLUME /data
STOPSIGNAL SIGTERM
SHELL ["/bin/ash", "-c"]
ENTRYPOINT echo hi
HEALTHCHECK --retries=3 CMD true
ONBUILD RUN echo built
CMD ["a", "b"]
`, Options{Labels: map[string]string{"extra": "1"}})
	cfg := res.Image.Config.Config
	want := oci.ImageConfig{
		User: "app", ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}},
		Env: []string{"PATH=/bin", "LANG=C", "A=1", "B=x y"}, Entrypoint: []string{"/bin/ash", "-c", "echo hi"}, Cmd: []string{"a", "b"},
		Volumes: map[string]struct{}{"/data": {}}, WorkingDir: "/app", Labels: map[string]string{"a": "b", "extra": "1"},
		StopSignal: "SIGTERM", Shell: []string{"/bin/ash", "-c"}, ArgsEscaped: true, OnBuild: []string{"RUN echo built"},
		Healthcheck: &oci.HealthConfig{Test: []string{"CMD-SHELL", "true"}, Retries: 3},
	}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	var history []string
	for _, h := range res.Image.Config.History {
		if text := h.CreatedBy; h.EmptyLayer {
			history = append(history, text+" (empty)")
		} else {
			history = append(history, text)
		}
	}
	wantHistory := []string{
		"ARG version=1 (empty)", "ENV A=1 B=x y (empty)", "LABEL a=b (empty)", "RUN |1 version=1 /bin/sh -c write /f $version # buildkit",
		"COPY --chown=app:1002 Dockerfile /d # buildkit", "WORKDIR /app", "USER app (empty)", "EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp] (empty)",
		"VOLUME [/data] (empty)", "STOPSIGNAL SIGTERM (empty)", "SHELL [/bin/ash -c] (empty)", `ENTRYPOINT ["/bin/ash" "-c" "echo hi"] (empty)`,
		"HEALTHCHECK {Test:[CMD-SHELL true] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3} (empty)", `CMD ["a" "b"] (empty)`,
	}
	if diff := cmp.Diff(wantHistory, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	d := l.machine.chains[res.Image.Layers[len(res.Image.Layers)-1].ChainID]["d"]
	if d.UID != 1000 || d.GID != 1002 {
		t.Errorf("COPY --chown=app:1002 gave %d:%d, want 1000:1002", d.UID, d.GID)
	}
}

func TestMissesSayWhy(t *testing.T) {
	const df = "FROM base\nARG v=1\nENV E=1\nRUN echo one\nCOPY src /src\nRUN echo two\n"
	tests := []struct {
		name   string
		df     string
		change func(l *lab)
		opts   Options
		want   []string // one reason for each miss
	}{
		{name: "nothing"},
		{name: "times only", change: func(l *lab) {
			must(l.t, os.Chtimes(filepath.Join(l.dir, "src/a"), time.Now(), time.Now().Add(-time.Hour)))
			must(l.t, os.Chtimes(filepath.Join(l.dir, "src"), time.Now(), time.Now().Add(-time.Hour)))
		}},
		{name: "label", df: "FROM base\nLABEL new=1\nARG v=1\nENV E=1\nRUN echo one\nCOPY src /src\nRUN echo two\n"},
		{name: "file", change: func(l *lab) { l.write("src/a", "changed") }, want: []string{"src/a changed from ", "the tree below it changed: COPY src /src was carried out anew"}},
		{name: "new file", change: func(l *lab) { l.write("src/n", "new") }, want: []string{"src/n is new", "the tree below"}},
		{name: "mode", change: func(l *lab) { must(l.t, os.Chmod(filepath.Join(l.dir, "src/a"), 0o755)) }, want: []string{"src/a changed its mode from 0644 to 0755", "the tree below"}},
		{name: "gone", change: func(l *lab) { must(l.t, os.Remove(filepath.Join(l.dir, "src/b"))) }, want: []string{"src/b is gone", "the tree below"}},
		{name: "word", df: "FROM base\nARG v=1\nENV E=1\nRUN echo one\nCOPY src /src\nRUN echo three\n", want: []string{`was "two" and is "three"`}},
		{name: "argument", opts: Options{Args: map[string]*string{"v": new("2")}}, want: []string{`build argument v changed from "1" to "2"`, `build argument v changed from "1" to "2"`}},
		{name: "variable", df: "FROM base\nARG v=1\nENV E=2\nRUN echo one\nCOPY src /src\nRUN echo two\n", want: []string{`environment variable E changed from "1" to "2"`, `environment variable E changed`}},
		{name: "inserted", df: "FROM base\nARG v=1\nENV E=1\nRUN echo one\nRUN write /zero 0\nCOPY src /src\nRUN echo two\n", want: []string{"never ran before", "the tree below it changed: RUN write /zero 0", "the tree below"}},
		{name: "no cache", opts: Options{NoCache: true}, want: []string{"--no-cache", "--no-cache", "--no-cache"}},
		{name: "pruned", change: func(l *lab) { l.prune(PruneOptions{All: true}) }, want: []string{"ran before, but its result is not kept any more", "ran before, but", "ran before, but"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.write("src/a", "a")
			l.write("src/b", "b")
			must(t, os.Chmod(filepath.Join(l.dir, "src/a"), 0o644))
			l.build(df, Options{})
			if tt.df == "" {
				tt.df = df
			}
			if tt.change != nil {
				tt.change(l)
			}
			res := l.build(tt.df, tt.opts)
			got := l.reasons()
			if len(got) != len(tt.want) || res.Misses != len(tt.want) {
				t.Fatalf("%d misses %q, want %q", res.Misses, got, tt.want)
			}
			for i := range got {
				if !strings.Contains(got[i], tt.want[i]) {
					t.Errorf("miss %d: %q, want %q", i+1, got[i], tt.want[i])
				}
			}
		})
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ name, dockerfile, want string }{
		{"source missing", "FROM base\nCOPY nothing /x", `Dockerfile:2:6: "/nothing": not found: no such file in the build context`},
		{"source ignored", "FROM base\nCOPY secret.key /x", `Dockerfile:2:6: "/secret.key": not found: left out of the build context by line 2 of .dockerignore: *.key`},
		{"several to file", "FROM base\nCOPY a b /x", "Dockerfile:2:1: When using COPY with more than one source file, the destination must be a directory and end with a /"},
		{"folder on file", "FROM base\nCOPY dir /data/old", "cannot copy to non-directory: /data/old"},
		{"unknown owner", "FROM base\nCOPY --chown=nobody a /x", "Dockerfile:2:6: unable to find user nobody: no matching entries in passwd file"},
		{"large id", "FROM base\nUSER 4294967296\nRUN echo", "invalid user 4294967296: uids and gids must be in range 0-2147483647"},
		{"large id by name", "FROM base\nUSER big\nRUN echo", "unable to find user big"},
		{"failing command", "FROM base\nRUN echo one && exit 3", "The command '/bin/sh -c echo one && exit 3' returned a non-zero code: 3"},
		{"no such program", "FROM base\nRUN [\"nope\"]", `returned a non-zero code: 127: exec: "nope": executable file not found in $PATH`},
		{"no such image", "FROM nowhere\n", "Dockerfile:1:6: No such image: nowhere"},
		{"bad mode", "FROM base\nCOPY --chmod=888 a /x", "Dockerfile:2:6: invalid chmod parameter: '888'. it should be octal string and between 0 and 07777"},
		{"bad symbols", "FROM base\nCOPY --chmod=u+q a /x", "Dockerfile:2:6: invalid chmod parameter: 'u+q': expected"},
		{"folder over file", "FROM base\nCOPY dir /data/old", "Dockerfile:2:1: COPY: cannot copy to non-directory: /data/old"},
		{"into a file", "FROM base\nCOPY a /data/old/", "Dockerfile:2:1: COPY: cannot copy to non-directory: /data/old"},
		{"below a file", "FROM base\nCOPY a /data/old/x", "Dockerfile:2:1: COPY: cannot copy to non-directory: /data/old"},
		{"file over folder", "FROM base\nCOPY a /data/d/f/x\nCOPY dir /data/d", "Dockerfile:3:1: COPY: cannot replace to directory /data/d/f with file"},
		{"folder over link", "FROM base\nCOPY tree /", "Dockerfile:2:1: COPY: cannot copy to non-directory: /lib"},
		{"name in a layer apart", "FROM base\nCOPY --link --chown=app a /x", "such a layer knows no tree below it"},
		{"bad pattern", "FROM base\nCOPY [a /x", `pattern "[a": syntax error in pattern`},
		{"bad exclude", "FROM base\nCOPY --exclude=[ dir /x", "--exclude: invalid excludepatterns: [[]: syntax error in pattern"},
		{"link out", "FROM base\nCOPY out /x", `"/out": not found`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			for name, text := range map[string]string{"a": "a", "b": "b", "dir/f": "f", "tree/lib/x": "x", "secret.key": "k", ".dockerignore": "# keys\n*.key\n"} {
				l.write(name, text)
			}
			must(t, os.Symlink("/etc/hostname", filepath.Join(l.dir, "out")))
			_, err := l.try(tt.dockerfile, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if len(l.machine.keys) != 0 {
				t.Errorf("writable layers are left: %v", l.machine.keys)
			}
		})
	}
}

func TestMissingDockerfile(t *testing.T) {
	l := newLab(t)
	_, err := l.builder.Build(l.ctx, Options{ContextDir: l.dir})
	if err == nil || !strings.HasPrefix(err.Error(), "failed to read dockerfile: open Dockerfile: no such file or directory") {
		t.Errorf("error %v", err)
	}
	must(t, os.Symlink("/etc/passwd", filepath.Join(l.dir, "Dockerfile")))
	if _, err = l.builder.Build(l.ctx, Options{ContextDir: l.dir}); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a Dockerfile that links out of the context: %v", err)
	}
}

func TestFailedBuildKeepsItsSteps(t *testing.T) {
	l := newLab(t)
	_, err := l.try("FROM base\nRUN write /a 1\nRUN exit 9\n", Options{})
	var run *RunError
	if !errors.As(err, &run) || run.Code != 9 {
		t.Fatalf("error %v, want a RunError with code 9", err)
	}
	res := l.build("FROM base\nRUN write /a 1\nRUN write /b 2\n", Options{})
	if res.Hits != 1 || res.Misses != 1 {
		t.Errorf("%d hits, %d misses, want 1 and 1", res.Hits, res.Misses)
	}
}

func TestBrokenCacheIsNoHit(t *testing.T) {
	const df = "FROM base\nRUN write /a 1\n"
	tests := map[string]func(l *lab, record string, res Result){
		"truncated record": func(l *lab, record string, _ Result) { must(l.t, os.Truncate(record, 10)) },
		"foreign record": func(l *lab, record string, _ Result) {
			must(l.t, os.WriteFile(record, []byte(`{"key":{"instruction":"x"}}`), 0o600))
		},
		"layer gone": func(l *lab, _ string, res Result) {
			must(l.t, os.Remove(l.blobs.Path(res.Image.Layers[1].Descriptor.Digest)))
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			res := l.build(df, Options{})
			records, err := filepath.Glob(filepath.Join(l.home.Cache(), "*.json"))
			if err != nil || len(records) != 1 {
				t.Fatalf("records %v, %v", records, err)
			}
			damage(l, records[0], res)
			if res := l.build(df, Options{}); res.Misses != 1 {
				t.Errorf("%d misses, want 1", res.Misses)
			}
			var removed bool
			for _, e := range l.trace.Events()[l.seen:] {
				removed = removed || e.Kind == vocab.CacheRemove
			}
			if !removed {
				t.Error("no cache.remove event")
			}
		})
	}
}

func TestArgsAndProxies(t *testing.T) {
	l := newLab(t)
	secret := "http://user:pass@proxy"
	res := l.build("FROM base\nARG used=1\nRUN env used && env HTTP_PROXY && env HOME && env PATH\n",
		Options{Args: map[string]*string{"HTTP_PROXY": &secret, "used": new("2"), "other": new("x")}})
	for _, want := range []string{"used=2", "HTTP_PROXY=" + secret, "HOME=/root", "PATH=/bin"} {
		if !strings.Contains(l.out.String(), want) {
			t.Errorf("RUN did not see %s:\n%s", want, l.out.String())
		}
	}
	if diff := cmp.Diff([]string{"other"}, res.UnusedArgs); diff != "" {
		t.Errorf("unused arguments (-want +got):\n%s", diff)
	}
	for _, h := range res.Image.Config.History {
		if strings.Contains(h.CreatedBy, "pass") {
			t.Errorf("history holds the proxy's password: %s", h.CreatedBy)
		}
	}
	if again := l.build("FROM base\nARG used=1\nRUN env used && env HTTP_PROXY && env HOME && env PATH\n", Options{Args: map[string]*string{"used": new("2")}}); again.Misses != 0 {
		t.Errorf("the proxy is part of the key: %v", l.reasons())
	}
}

func TestUserOfRun(t *testing.T) {
	l := newLab(t)
	l.build("FROM base\nUSER app\nRUN echo\nUSER 7\nRUN echo x\nUSER app:extra\nRUN echo y\n", Options{})
	var got [][]uint32
	for _, r := range l.machine.runs {
		got = append(got, append([]uint32{r.Process.UID, r.Process.GID}, r.Process.Groups...))
	}
	if diff := cmp.Diff([][]uint32{{1000, 1001, 1001, 1002}, {7, 0, 0}, {1000, 1002, 1002}}, got); diff != "" {
		t.Errorf("user, group, groups (-want +got):\n%s", diff)
	}
}

func TestOnbuild(t *testing.T) {
	l := newLab(t)
	l.base("trigger", map[string]string{"x": "1"}, oci.ImageConfig{OnBuild: []string{"COPY f /f", "RUN write /g g"}})
	l.write("f", "f")
	res := l.build("FROM trigger\nLABEL a=b\n", Options{})
	if len(res.Image.Config.Config.OnBuild) != 0 || len(res.Image.Layers) != 3 {
		t.Errorf("triggers %v, %d layers, want none and 3", res.Image.Config.Config.OnBuild, len(res.Image.Layers))
	}
}

func TestScratchAndTarget(t *testing.T) {
	l := newLab(t)
	l.write("f", "f")
	const df = "FROM base AS one\nRUN exit 1\nFROM scratch AS two\nCOPY f /f\nFROM two\nCOPY f /g\n"
	res := l.build(df, Options{Target: "two"})
	if diff := cmp.Diff(map[string]string{"f": "f"}, l.tree(res)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if _, err := l.try("FROM scratch\nLABEL a=b\n", Options{}); err != nil {
		t.Errorf("image without a layer: %v", err)
	}
	if _, err := l.try(df, Options{Target: "three"}); !errors.As(err, new(*dockerfile.SyntaxError)) {
		t.Errorf("unknown target: %v", err)
	}
}

func TestEpochMakesLayersReproducible(t *testing.T) {
	epoch := time.Unix(1600000000, 0)
	var ids []string
	for range 2 {
		l := newLab(t)
		l.write("f", "f")
		must(t, os.Chtimes(filepath.Join(l.dir, "f"), time.Now(), time.Now().Add(-time.Duration(len(ids))*time.Hour)))
		must(t, os.WriteFile(filepath.Join(l.dir, ".dockerignore"), []byte("Dockerfile\n"), 0o644))
		res := l.build("FROM base\nWORKDIR /app\nCOPY f /new/dir/f\nRUN write /x y\n", Options{Epoch: &epoch})
		ids = append(ids, res.Image.ID.String())
	}
	if ids[0] != ids[1] {
		t.Errorf("same input, same epoch, two images: %v", ids)
	}
}

func TestRootsNameEveryKeptLayer(t *testing.T) {
	l := newLab(t)
	res := l.build("FROM base\nRUN write /a 1\nRUN write /b 2\n", Options{})
	blobs, _, err := l.builder.Roots(l.ctx)
	must(t, err)
	kept := map[string]bool{}
	for _, b := range blobs {
		kept[b.String()] = true
	}
	for _, layer := range res.Image.Layers[1:] {
		if !kept[layer.Descriptor.Digest.String()] {
			t.Errorf("layer %s is not among the roots", layer.DiffID)
		}
	}
}

// TestImagesAreNoCache loads an image whose history says that it is the result of the very steps of a Dockerfile (CVE-2024-24557): only
// records of the cache are ever hit, and the config never comes from one.
func TestImagesAreNoCache(t *testing.T) {
	const text = "FROM base\nHEALTHCHECK CMD true\nRUN write /made here\n"
	l := newLab(t)
	good := l.build(text, Options{})
	l.prune(PruneOptions{All: true})
	evil := l.base("evil", map[string]string{"made": "elsewhere"}, oci.ImageConfig{Entrypoint: []string{"/evil"}})
	evil.Config.History = good.Image.Config.History
	res := l.build(text, Options{})
	if res.Hits != 0 || res.Misses != 1 {
		t.Errorf("%d hits and %d misses, want a miss", res.Hits, res.Misses)
	}
	again := l.build("FROM base\nHEALTHCHECK NONE\nONBUILD RUN exit 1\nRUN write /made here\n", Options{})
	if again.Hits != 1 || again.Image.ID == res.Image.ID || len(again.Image.Config.Config.OnBuild) != 1 {
		t.Errorf("%d hits, image %s, triggers %q: want the tree from the cache and a config of its own", again.Hits, again.Image.ID, again.Image.Config.Config.OnBuild)
	}
}
