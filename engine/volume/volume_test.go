package volume_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/volume"
)

// folders are plain folders of the host.
type folders struct{ dir string }

func (f folders) path(name string) string { return filepath.Join(f.dir, name) }

func (f folders) MakeFolder(_ context.Context, name string, _, _, _ uint32) error {
	if err := driver.CheckFolderName(name); err != nil {
		return err
	}
	err := os.Mkdir(f.path(name), 0o700)
	if errors.Is(err, os.ErrExist) {
		return driver.ErrExists
	}
	return err
}

func (f folders) FolderSize(_ context.Context, name string) (int64, error) {
	entries, err := os.ReadDir(f.path(name))
	return int64(len(entries)), err
}

func (f folders) RemoveFolder(_ context.Context, name string) error {
	return os.RemoveAll(f.path(name))
}
func (f folders) ListFolders(context.Context) ([]string, error) { return home.Names(f.dir) }
func (f folders) FolderPath(name string) (string, error) {
	if _, err := os.Lstat(f.path(name)); err != nil {
		return "", driver.ErrNotFound
	}
	return f.path(name), nil
}

type bench struct {
	*volume.Store
	t       testing.TB
	home    *home.Home
	folders folders
	mu      sync.Mutex
	uses    map[string][]string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, home: h, folders: folders{t.TempDir()}, uses: map[string][]string{}}
	b.Store = volume.New(h, b.folders, "overlay2")
	b.Uses = func(context.Context) (map[string][]string, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		all := map[string][]string{}
		for k, v := range b.uses {
			all[k] = v
		}
		return all, nil
	}
	return b
}

func (b *bench) create(name string) *volume.Volume {
	b.t.Helper()
	v, err := b.Create(b.t.Context(), volume.CreateOptions{Name: name})
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// clean wants no problem, and nothing left half-way.
func (b *bench) clean() {
	b.t.Helper()
	for _, p := range b.Verify(b.t.Context()) {
		b.t.Error(p)
	}
	if left, _ := os.ReadDir(filepath.Join(b.home.Root(), "tmp")); len(left) > 0 {
		b.t.Errorf("left in tmp: %v", left)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("n", 255)
	for name, ok := range map[string]bool{"ab": true, "a.b-c_D": true, "0x": true, long: true, strings.Repeat("A", 255): true, "": false, "a": false, ".a": false, "-a": false, "_a": false,
		"a/b": false, "a b": false, "../x": false, "a\x00": false, "ä1": false, long + "n": false} {
		if err := volume.CheckName(name); err == nil != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	b := newBench(t)
	// Names that a file system may take for one are several.
	names := []string{"data", "Data", "DATA", "d.a-t_a", long, long[:254] + "N", strings.Repeat("A", 101)}
	for _, n := range names {
		b.create(n)
	}
	all, err := b.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range all {
		got = append(got, v.Name)
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("volumes %v, want %v", got, names)
	}
	b.clean()
	for _, n := range names {
		if err := b.Remove(t.Context(), n); err != nil {
			t.Error(err)
		}
	}
	if left, _ := b.folders.ListFolders(t.Context()); len(left) > 0 {
		t.Errorf("folders are left: %v", left)
	}
}

func TestOptionsOfLocal(t *testing.T) {
	tests := []struct {
		o    map[string]string
		want string // error, or the type of the mount
	}{
		{nil, "folder"},
		{map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=5"}, "tmpfs"},
		{map[string]string{"type": "none", "device": "/srv", "o": "bind"}, "bind"},
		{map[string]string{"type": "none", "device": "/srv", "o": "rbind,ro"}, "bind"},
		{map[string]string{"type": "none", "device": "srv", "o": "bind"}, "invalid device"},
		{map[string]string{"foo": "bar"}, `invalid option: "foo"`},
		{map[string]string{"type": "tmpfs"}, `missing required option: "device"`},
		{map[string]string{"device": "/x"}, `missing required option: "type"`},
		{map[string]string{"o": "bind"}, `missing required option: "device"`},
		{map[string]string{"type": "nfs", "device": ":/x", "o": "addr=1.2.3.4"}, `type "nfs"`},
		{map[string]string{"size": "1g"}, "quota size requested but no quota support"},
	}
	b := newBench(t)
	for i, tt := range tests {
		name := "v" + string(rune('a'+i))
		v, err := b.Create(t.Context(), volume.CreateOptions{Name: name, Options: tt.o})
		if err != nil {
			if !errors.As(err, new(*volume.InvalidError)) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v: %v, want %s", tt.o, err, tt.want)
			}
			if _, err := b.Get(name); !volume.IsNotFound(err) {
				t.Errorf("%v: something of it is there: %v", tt.o, err)
			}
			continue
		}
		if m := v.Mount(); m.Type != tt.want || m.ReadOnly != strings.Contains(tt.o["o"], "ro") {
			t.Errorf("%v: mount %+v, want %s", tt.o, m, tt.want)
		}
	}
	b.clean()
}

func TestBrokenRecordsStopNobody(t *testing.T) {
	b := newBench(t)
	for _, n := range []string{"good", "bad", "torn", "other", "lost"} {
		b.create(n)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(b.home.Volumes(), name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("bad", "")
	write("torn", `{"Name":"torn","Dri`)
	write("other", `{"Name":"good","Driver":"local","Folder":"vol-good"}`)
	write("evil", `{"Name":"evil","Driver":"local","Folder":"../../x"}`)
	write("no such name!", "{}")
	_ = os.RemoveAll(b.folders.path("vol-lost"))
	all, err := b.List()
	if err != nil || len(all) != 6 {
		t.Fatalf("List() = %v, %v", all, err)
	}
	for _, v := range all {
		if good := v.Name == "good" || v.Name == "lost"; good != (v.Problem == nil) {
			t.Errorf("%s: problem %v", v.Name, v.Problem)
		}
		if v.Problem != nil && strings.Contains(v.Folder, "/") {
			t.Errorf("%s: folder %s", v.Name, v.Folder)
		}
	}
	if found := b.Verify(t.Context()); len(found) != 5 {
		t.Errorf("Verify() = %v", found)
	}
	b.create("another")
	for _, n := range []string{"bad", "torn", "other", "evil", "lost"} {
		if err := b.Remove(t.Context(), n); err != nil {
			t.Errorf("remove %s: %v", n, err)
		}
	}
	b.clean()
}

func TestAnotherDriversVolume(t *testing.T) {
	b := newBench(t)
	b.create("data")
	other := volume.New(b.home, folders{t.TempDir()}, "sim")
	var conflict *volume.ConflictError
	if _, err := other.Create(t.Context(), volume.CreateOptions{Name: "data"}); !errors.As(err, &conflict) {
		t.Errorf("create: %v", err)
	}
	if err := other.Remove(t.Context(), "data"); !errors.As(err, &conflict) {
		t.Errorf("remove: %v", err)
	}
	if gone, _, err := other.Prune(t.Context(), func(*volume.Volume) bool { return true }); err != nil || len(gone) > 0 {
		t.Errorf("prune: %v, %v", gone, err)
	}
	b.clean()
}

func TestUsedVolumesStay(t *testing.T) {
	b := newBench(t)
	b.create("used")
	b.create("free")
	b.uses["used"] = []string{"c1", "c2"}
	err := b.Remove(t.Context(), "used")
	if !errors.As(err, new(*volume.InUseError)) || err.Error() != "remove used: volume is in use - [c1, c2]" {
		t.Errorf("Remove() = %v", err)
	}
	gone, _, err := b.Prune(t.Context(), func(*volume.Volume) bool { return true })
	if err != nil || !slices.Equal(gone, []string{"free"}) {
		t.Errorf("Prune() = %v, %v", gone, err)
	}
	if err := b.RemoveUnused(t.Context(), "used", "free"); err != nil {
		t.Error(err)
	}
	if _, err := b.Get("used"); err != nil {
		t.Error(err)
	}
	b.clean()
}

// TestManyAtOnce has several stores of one home, as processes have, make, take and remove the same volumes: whoever holds them and then
// has one finds it until it lets go.
func TestManyAtOnce(t *testing.T) {
	b := newBench(t)
	var wait sync.WaitGroup
	for i := range 6 {
		s := volume.New(b.home, b.folders, "overlay2")
		s.Uses = b.Uses
		wait.Go(func() {
			id := string(rune('a' + i))
			for range 12 {
				release, err := s.Hold(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				v, err := s.Create(t.Context(), volume.CreateOptions{Name: "shared"})
				if err != nil {
					t.Error(err)
				}
				b.mu.Lock()
				b.uses["shared"] = append(slices.Clone(b.uses["shared"]), id)
				b.mu.Unlock()
				release()
				if err := s.Remove(t.Context(), "shared"); !errors.As(err, new(*volume.InUseError)) {
					t.Errorf("a volume in use was removed: %v", err)
				}
				if _, err := s.Get("shared"); err != nil || s.Mountpoint(v) == "" {
					t.Errorf("a volume in use is not there: %v", err)
				}
				b.mu.Lock()
				b.uses["shared"] = slices.DeleteFunc(slices.Clone(b.uses["shared"]), func(u string) bool { return u == id })
				b.mu.Unlock()
				if err := s.RemoveUnused(t.Context(), "shared"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	b.clean()
}

func TestSweepRemovesWhatNoRecordNames(t *testing.T) {
	b := newBench(t)
	b.create("kept")
	b.create(strings.Repeat("k", 200))
	for _, n := range []string{"vol-lost", "cache-0123", "volx-0000"} {
		if err := b.folders.MakeFolder(t.Context(), n, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, _ := b.folders.ListFolders(t.Context())
	if len(left) != 3 || slices.Contains(left, "vol-lost") || !slices.Contains(left, "cache-0123") {
		t.Errorf("folders after the sweep: %v", left)
	}
	b.clean()
}

// FuzzRecord wants no record to name a folder that is not its volume's.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"Name":"data","Driver":"local","Folder":"vol-data","Storage":"overlay2"}`))
	f.Add([]byte(`{"Name":"data","Driver":"local","Options":{"type":"none","o":"bind","device":"/"}}`))
	b := newBench(f)
	b.create("data")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(b.home.Volumes(), "data.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := b.Get("data")
		if err != nil {
			t.Fatal(err)
		}
		if v.Name != "data" || v.Folder != "" && v.Folder != "vol-data" {
			t.Errorf("%+v", v)
		}
		if all, err := b.List(); err != nil || len(all) != 1 {
			t.Errorf("List() = %v, %v", all, err)
		}
	})
}
