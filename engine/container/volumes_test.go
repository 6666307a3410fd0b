package container_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/learn-containers/learn/trace/vocab"
)

// folders are those of the machine, by name.
type folders struct{ *machine }

func (f folders) MakeFolder(_ context.Context, name string, _, _, _ uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept[name] {
		return driver.ErrExists
	}
	if f.kept == nil {
		f.kept = map[string]bool{}
	}
	f.kept[name] = true
	return nil
}

func (f folders) FolderSize(context.Context, string) (int64, error) { return 0, nil }

func (f folders) RemoveFolder(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.kept, name)
	return nil
}

func (f folders) ListFolders(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.kept)), nil
}

// with makes a container with a host config.
func (b *bench) with(name string, cfg api.Config, h api.HostConfig) *container.Container {
	b.t.Helper()
	cfg.Cmd = []string{"sleep"}
	c, err := b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img", Config: cfg, HostConfig: h})
	b.must(err)
	return c
}

// volumes names those with a record, made-up names as *.
func (b *bench) volumes() string {
	b.t.Helper()
	all, err := b.Volumes.List()
	b.must(err)
	var names []string
	for _, v := range all {
		name := v.Name
		if v.Anonymous() {
			name = "*"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// mounts describes what a container has: type, name or source, target, and ro.
func mountsOf(c *container.Container) string {
	var all []string
	for _, p := range c.Mounts {
		name := p.Name + p.Source
		if p.Anonymous {
			name = "*"
		}
		text := string(p.Type) + " " + name + " " + p.Destination
		if !p.RW {
			text += " ro"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestWhatIsMounted(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Volumes: map[string]struct{}{"/declared": {}, "/a/b/../c/": {}}})
	b.with("src", api.Config{}, api.HostConfig{Binds: []string{"shared:/s", "/tmp:/s/deep/x:ro"}})
	tests := []struct {
		name string
		cfg  api.Config
		host api.HostConfig
		want string
	}{
		{"what the image declares", api.Config{}, api.HostConfig{}, "volume * /declared, volume * /a/c"},
		{"a name in the place of a declared one", api.Config{}, api.HostConfig{Binds: []string{"data:/declared"}}, "volume data /declared, volume * /a/c"},
		{"tmpfs in the place of a declared one", api.Config{}, api.HostConfig{Tmpfs: map[string]string{"/declared": ""}}, "volume * /a/c"},
		{"-v without a source", api.Config{Volumes: map[string]struct{}{"/x": {}}}, api.HostConfig{}, "volume * /declared, volume * /x, volume * /a/c"},
		{"what is inside another comes after it", api.Config{}, api.HostConfig{Binds: []string{"in:/o/in", "deep:/o/in/deep/er", "out:/o"}},
			"volume * /declared, volume out /o, volume * /a/c, volume in /o/in, volume deep /o/in/deep/er"},
		{"another container's", api.Config{}, api.HostConfig{VolumesFrom: []string{"src"}}, "volume * /declared, volume shared /s, volume * /a/c, bind /tmp /s/deep/x ro"},
		{"another container's, read-only, but for one", api.Config{}, api.HostConfig{VolumesFrom: []string{"src:ro"}, Binds: []string{"mine:/s"}},
			"volume * /declared ro, volume mine /s, volume * /a/c ro, bind /tmp /s/deep/x ro"},
		{"--mount", api.Config{}, api.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "mm", Target: "/m", ReadOnly: true}, {Type: mount.TypeTmpfs, Target: "/t"}, {Type: mount.TypeVolume, Target: "/n"}}},
			"volume * /declared, volume mm /m ro, volume * /n, tmpfs  /t, volume * /a/c"},
	}
	for _, tt := range tests {
		c := b.with("cc", tt.cfg, tt.host)
		if got := mountsOf(c); got != tt.want {
			t.Errorf("%s: mounts are\n%s, want\n%s", tt.name, got, tt.want)
		}
		b.must(b.RemoveWith(b.ctx, "cc", container.RemoveOptions{Volumes: true}))
	}
	if got := b.volumes(); strings.Count(got, "*") != 2 { // those of src
		t.Errorf("volumes are left: %s", got)
	}
}

func TestMountsThatMakeNoSense(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	binds := map[string]string{
		"/a:/b:/c":                  "invalid mode: /c",
		"v:/x:ro,rw":                "invalid mode: ro,rw",
		"v:/x:z,Z":                  "invalid mode: z,Z",
		"v:/x:what":                 "invalid mode: what",
		":/x":                       "invalid volume specification: ':/x'",
		"/x:ro":                     "invalid volume specification: '/x:ro'",
		"a:b:c:d":                   "invalid volume specification: 'a:b:c:d'",
		"v:x":                       "mount path must be absolute",
		"v:/":                       "destination can't be '/'",
		"v:/x/../..":                "destination can't be '/'",
		"x:/x":                      "volume name is too short",
		"a/b:/x":                    `"a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
		"v:/x:rshared":              "field BindOptions must not be specified",
		"/a:/x:rprivate,rw,private": "invalid mode",
	}
	for spec, want := range binds {
		_, err := b.Create(b.ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{Binds: []string{spec}}})
		if !errors.As(err, new(*container.InvalidError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("-v %s: error %v, want %q", spec, err, want)
		}
	}
	sub := func(s string) *mount.VolumeOptions { return &mount.VolumeOptions{Subpath: s} }
	mounts := map[string]mount.Mount{
		"mount type unknown":                                         {Type: "nfs", Target: "/x"},
		"field Target must not be empty":                             {Type: mount.TypeVolume},
		"field Source must not be empty":                             {Type: mount.TypeBind, Target: "/x"},
		"invalid mount path: 'rel' mount path must be absolute":      {Type: mount.TypeBind, Source: "rel", Target: "/x"},
		"bind source path does not exist: /not/there":                {Type: mount.TypeBind, Source: "/not/there", Target: "/x"},
		"invalid propagation mode: loud":                             {Type: mount.TypeBind, Source: "/", Target: "/x", BindOptions: &mount.BindOptions{Propagation: "loud"}},
		"must not set Subpath when using anonymous volumes":          {Type: mount.TypeVolume, Target: "/x", VolumeOptions: sub("a")},
		"subpath must be a relative path within the volume":          {Type: mount.TypeVolume, Source: "vv", Target: "/x", VolumeOptions: sub("a/../../b")},
		"must not set ReadOnly mode when using anonymous volumes":    {Type: mount.TypeVolume, Target: "/x", ReadOnly: true},
		"field Source must not be specified":                         {Type: mount.TypeTmpfs, Source: "x", Target: "/x"},
		"field VolumeOptions must not be specified":                  {Type: mount.TypeBind, Source: "/", Target: "/x", VolumeOptions: sub("a")},
		`error looking up volume plugin nfs: plugin "nfs" not found`: {Type: mount.TypeVolume, Source: "vv", Target: "/x", VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: "nfs"}}},
	}
	for want, m := range mounts {
		_, err := b.Create(b.ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{Mounts: []mount.Mount{m}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", m, err, want)
		}
	}
	for _, from := range []string{"", "x:what", "x:ro,rprivate", "x:nocopy", "nobody"} {
		if _, err := b.Create(b.ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{VolumesFrom: []string{from}}}); err == nil {
			t.Errorf("--volumes-from %q: no error", from)
		}
	}
	b.empty()
	if got := b.volumes(); got != "" {
		t.Errorf("volumes are left: %s", got)
	}
}

func TestVolumesGoWithTheirContainer(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Volumes: map[string]struct{}{"/d": {}}})
	b.with("one", api.Config{}, api.HostConfig{Binds: []string{"named:/n"}})
	b.with("two", api.Config{}, api.HostConfig{VolumesFrom: []string{"one"}})
	if err := b.Volumes.Remove(b.ctx, "named"); !errors.As(err, new(*volume.InUseError)) || !strings.Contains(err.Error(), "remove named: volume is in use - [") {
		t.Errorf("Remove of a used volume: %v", err)
	}
	b.must(b.RemoveWith(b.ctx, "one", container.RemoveOptions{Volumes: true}))
	if got := b.volumes(); got != "* named" {
		t.Errorf("volumes after the first: %s", got)
	}
	b.must(b.Remove(b.ctx, "two", false))
	if got := b.volumes(); got != "* named" {
		t.Errorf("volumes after rm without -v: %s", got)
	}
	b.with("rm", api.Config{}, api.HostConfig{AutoRemove: true, Binds: []string{"named:/n"}})
	b.must(b.Remove(b.ctx, "rm", false))
	if got := b.volumes(); got != "* named" {
		t.Errorf("volumes after one that removes itself: %s", got)
	}
	b.must(b.Volumes.Remove(b.ctx, "named"))
}

func TestVolumesAreToldOf(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.with("cc", api.Config{}, api.HostConfig{Binds: []string{"data:/n:ro"}})
	b.start("cc")
	b.must(b.Pause(b.ctx, "cc"))
	b.must(b.Unpause(b.ctx, "cc"))
	b.must(b.Kill(b.ctx, "cc", "KILL"))
	_, err := b.Wait(b.ctx, "cc")
	b.must(err)
	b.must(b.Remove(b.ctx, "cc", false))
	b.must(b.Volumes.Remove(b.ctx, "data"))
	for kind, want := range map[string]string{vocab.VolumeCreate: "data local false", vocab.VolumeMount: "data /n true", vocab.VolumeUnmount: "data /n", vocab.VolumeRemove: "data"} {
		if got := strings.Join(b.events.kinds(kind), "; "); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// FuzzBind wants no word of -v to crash, and every volume that comes out of one to have a name.
func FuzzBind(f *testing.F) {
	for _, s := range []string{"a:/b", "/a:/b:ro", "::", "v:/x:z,nocopy", "/a:/b:rshared", "a:b:c:d", `C:\x:/y`} {
		f.Add(s)
	}
	b := newBench(f, oci.ImageConfig{Cmd: []string{"sleep"}})
	f.Fuzz(func(t *testing.T, spec string) {
		c, err := b.Create(b.ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{Binds: []string{spec}}})
		if err != nil {
			return
		}
		for _, p := range c.Mounts {
			if !strings.HasPrefix(p.Destination, "/") || p.Destination == "/" || p.Type == mount.TypeVolume && volume.CheckName(p.Name) != nil {
				t.Errorf("%q: %+v", spec, p)
			}
		}
		if err := b.Remove(b.ctx, c.ID, false); err != nil {
			t.Error(err)
		}
	})
}
