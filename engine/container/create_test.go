package container_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
)

func TestEntrypointAndCommand(t *testing.T) {
	img := oci.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"a", "b"}}
	tests := []struct {
		name       string
		img        oci.ImageConfig
		entry, cmd []string
		want       []string
	}{
		{"all of the image", img, nil, nil, []string{"/entry", "a", "b"}},
		{"own arguments", img, nil, []string{"c"}, []string{"/entry", "c"}},
		{"own entrypoint drops the image's command", img, []string{"/mine"}, nil, []string{"/mine"}},
		{"both own", img, []string{"/mine"}, []string{"c"}, []string{"/mine", "c"}},
		{"empty entrypoint", img, []string{""}, []string{"c"}, []string{"c"}},
		{"empty entrypoint and no command", img, []string{""}, nil, nil},
		{"image without a command", oci.ImageConfig{}, nil, nil, nil},
		{"command only", oci.ImageConfig{Cmd: []string{"sh"}}, nil, nil, []string{"sh"}},
	}
	for _, tt := range tests {
		b := newBench(t, tt.img)
		c, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Entrypoint: tt.entry, Cmd: tt.cmd}})
		if tt.want == nil {
			if err == nil || err.Error() != "no command specified" {
				t.Errorf("%s: error %v, want no command specified", tt.name, err)
			}
			b.t = t
			b.empty()
			continue
		}
		b.must(err)
		if d := cmp.Diff(tt.want, append([]string{c.Path}, c.Args...)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestEnvironment(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Env: []string{"PATH=/bin", "A=image", "GONE=1"}, WorkingDir: "/srv"})
	c, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}, Env: []string{"A=own", "B=new", "GONE"}, Tty: true}})
	b.must(err)
	b.start(c.ID)
	spec := b.task(c.ID).spec
	want := []string{"PATH=/bin", "HOSTNAME=" + c.ID[:12], "TERM=xterm", "A=own", "B=new", "HOME=/root"}
	if d := cmp.Diff(want, spec.Process.Env); d != "" {
		t.Error(d)
	}
	if spec.Process.Cwd != "/srv" || spec.Hostname != c.ID[:12] || !spec.Process.Terminal {
		t.Errorf("spec: %+v", spec)
	}
	code, err := b.Exec(b.ctx, c.ID, container.ExecOptions{Cmd: []string{"x", "y"}, Env: []string{"A=exec"}, WorkingDir: "/tmp"})
	if code != 2 || err != nil {
		t.Fatalf("Exec() = %d, %v", code, err)
	}
	p := b.task(c.ID).exec
	if !slices.Contains(p.Env, "A=exec") || slices.Contains(p.Env, "A=own") || p.Cwd != "/tmp" {
		t.Errorf("exec process: %+v", p)
	}
	if d := cmp.Diff([]string{"x y", "2"}, b.events.kinds("container.exec")); d != "" {
		t.Error(d)
	}
}

func TestNames(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	first := b.create("web", "sleep")
	_, err := b.Create(b.ctx, container.CreateOptions{Name: "/web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
	want := `Conflict. The container name "/web" is already in use by container "` + first.ID + `". You have to remove (or rename) that container to be able to reuse that name.`
	if err == nil || err.Error() != want {
		t.Errorf("second web:\n got %v\nwant %s", err, want)
	}
	for _, bad := range []string{"a", "-web", "we b", "../x", "a/b", "ü", strings.Repeat("x", 300)} {
		_, err := b.Create(b.ctx, container.CreateOptions{Name: bad, Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
		if !errors.As(err, new(*container.InvalidError)) {
			t.Errorf("name %q: error %v, want *InvalidError", bad, err)
		}
	}
	made, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
	b.must(err)
	if adjective, surname, ok := strings.Cut(made.Name, "_"); !ok || adjective == "" || surname == "" {
		t.Errorf("made-up name is %q", made.Name)
	}
	// A link that leads nowhere takes no name.
	b.must(os.Symlink(strings.Repeat("0", 64), filepath.Join(b.home.Containers(), "@ghost")))
	b.create("ghost", "sleep")
}

func TestFind(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	c := b.create("web", "sleep")
	for _, ref := range []string{c.ID, c.ID[:12], c.ID[:3], "web", "/web"} {
		if got, err := b.Find(b.ctx, ref); err != nil || got.ID != c.ID {
			t.Errorf("Find(%q) = %v, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"", "nothing", "..", "@web", strings.Repeat("0", 64), "config.json"} {
		_, err := b.Find(b.ctx, ref)
		if !errors.As(err, new(*container.NotFoundError)) || err.Error() != "No such container: "+ref {
			t.Errorf("Find(%q): error %v", ref, err)
		}
	}
	seen := map[string]bool{c.ID[:1]: true}
	for {
		prefix := b.create("", "sleep").ID[:1]
		if !seen[prefix] {
			seen[prefix] = true
			continue
		}
		_, err := b.Find(b.ctx, prefix)
		if err == nil || err.Error() != "multiple IDs found with provided prefix: "+prefix {
			t.Errorf("Find(%q): error %v", prefix, err)
		}
		return
	}
}

func TestNothingIsLeftWhenCreateFails(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.failPrepare = errors.New("disk full")
	_, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
	if !errors.Is(err, b.failPrepare) {
		t.Errorf("Create() = %v, want disk full", err)
	}
	b.empty()
	if _, err := b.Create(b.ctx, container.CreateOptions{Image: "absent", Config: api.Config{Cmd: []string{"sleep"}}}); err == nil {
		t.Error("a container was made of an image that is not there")
	}
	b.empty()
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	tests := map[string]container.CreateOptions{
		"memory":      {HostConfig: api.HostConfig{Resources: api.Resources{Memory: 100}}},
		"cpus":        {HostConfig: api.HostConfig{Resources: api.Resources{NanoCPUs: -1}}},
		"quota":       {HostConfig: api.HostConfig{Resources: api.Resources{NanoCPUs: 1, CPUQuota: 5000}}},
		"bind":        {HostConfig: api.HostConfig{Binds: []string{"no/name:/x"}}},
		"bind target": {HostConfig: api.HostConfig{Binds: []string{"/x:y"}}},
		"root":        {HostConfig: api.HostConfig{Binds: []string{"/x:/"}}},
		"twice":       {HostConfig: api.HostConfig{Binds: []string{"/x:/a"}, Tmpfs: map[string]string{"/a": ""}}},
		"workdir":     {Config: api.Config{WorkingDir: "x"}},
		"signal":      {Config: api.Config{StopSignal: "SIGNOTHING"}},
	}
	for name, opts := range tests {
		opts.Image = "img"
		if _, err := b.Create(b.ctx, opts); !errors.As(err, new(*container.InvalidError)) {
			t.Errorf("%s: error %v, want *InvalidError", name, err)
		}
	}
	b.empty()
}

func TestInspect(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep", "9"}, Labels: map[string]string{"a": "b"}})
	c := b.create("web")
	b.start("web")
	got, err := b.Inspect(b.ctx, "web")
	b.must(err)
	if got.ID != c.ID || got.Name != "/web" || got.Path != "sleep" || got.Args[0] != "9" || got.Image != b.img.ID.String() ||
		!got.State.Running || got.State.Pid == 0 || got.Config.Labels["a"] != "b" || got.Config.Image != "img" || got.LogPath == "" {
		t.Errorf("Inspect() = %+v", got)
	}
	top, err := b.Top(b.ctx, "web")
	b.must(err)
	if d := cmp.Diff("UID PID PPID C STIME TTY TIME CMD", strings.Join(top.Titles, " ")); d != "" {
		t.Error(d)
	}
	if r := top.Processes[0]; r[0] != "root" || r[1] != "7" || r[3] != "5" || r[6] != "00:00:03" || r[7] != "sleep 9" {
		t.Errorf("top: %q", r)
	}
	uses, err := b.InUse(b.ctx, b.img.ID)
	if len(uses) != 1 || !uses[0].Running || err != nil {
		t.Errorf("InUse() = %v, %v", uses, err)
	}
	roots, err := b.Roots(b.ctx)
	if len(roots.Chains) != 1 || len(roots.Blobs) != 2 || err != nil {
		t.Errorf("Roots() = %v, %v", roots, err)
	}
}
