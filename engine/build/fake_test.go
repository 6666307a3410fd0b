package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// machine is a driver in memory: trees are maps, and programs are a few words of a shell.
type machine struct {
	mu     sync.Mutex
	chains map[digest.Digest]files
	keys   map[string]*writable
	runs   []driver.Spec
	going  int // tasks under way
	most   int // the most at once
	meet   sync.Cond
	met    map[string]int
	opened int  // trees
	noList bool // trees offer nothing but what driver.Tree demands
}

type file struct {
	layer.Entry
	data string
}

type files map[string]file

type writable struct {
	base files
	now  files
}

type (
	fakeLayers    struct{ *machine }
	fakeSnapshots struct{ *machine }
	fakeRuntime   struct{ *machine }
)

func newMachine() *machine {
	m := &machine{chains: map[digest.Digest]files{"": {}}, keys: map[string]*writable{}, met: map[string]int{}}
	m.meet.L = &m.mu
	return m
}

func (m fakeLayers) Apply(_ context.Context, chain, parent, diffID digest.Digest, r io.Reader) error {
	if m.Has(chain) {
		return driver.ErrExists
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	tree := maps.Clone(m.chains[parent])
	sum := digest.SHA256.Digester()
	in := layer.NewReader(io.TeeReader(r, sum.Hash()), layer.Limits{})
	for {
		e, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if e.Kind == layer.Whiteout {
			delete(tree, e.Path)
			continue
		}
		var b bytes.Buffer
		if _, err := io.Copy(&b, in); err != nil {
			return err
		}
		tree[e.Path] = file{*e, b.String()}
	}
	if got := sum.Digest(); got != diffID {
		return fmt.Errorf("layer is %s, expected %s", got, diffID)
	}
	m.chains[chain] = tree
	return nil
}

func (m fakeLayers) Has(chain digest.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.chains[chain]
	return ok
}

func (m fakeLayers) List(context.Context) ([]digest.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.chains)), nil
}

func (m fakeLayers) Drop(_ context.Context, chain digest.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.chains, chain)
	return nil
}

func (m fakeSnapshots) Prepare(_ context.Context, key string, chain digest.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	base, ok := m.chains[chain]
	if !ok {
		return driver.ErrNotFound
	}
	m.keys[key] = &writable{base: base, now: maps.Clone(base)}
	return nil
}

func (m fakeSnapshots) Diff(_ context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, out, stats := m.keys[key], layer.NewWriter(w), driver.DiffStats{}
	for _, p := range slices.Sorted(maps.Keys(k.now)) {
		f := k.now[p]
		if old, ok := k.base[p]; ok && old.data == f.data && old.Mode == f.Mode {
			continue
		}
		stats.Files++
		if err := out.WriteEntry(f.Entry, strings.NewReader(f.data)); err != nil {
			return stats, err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(k.base)) {
		if _, ok := k.now[p]; !ok {
			stats.Whiteouts++
			if err := out.Whiteout(p); err != nil {
				return stats, err
			}
		}
	}
	return stats, out.Close()
}

func (m fakeSnapshots) Changes(context.Context, string) ([]driver.Change, error) { return nil, nil }

func (m fakeSnapshots) Commit(_ context.Context, key string, chain, _ digest.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chains[chain] = m.keys[key].now
	delete(m.keys, key)
	return nil
}

func (m fakeSnapshots) Remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, key)
	return nil
}

func (m fakeSnapshots) List(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.keys)), nil
}

func (m *machine) OpenChain(_ context.Context, chain digest.Digest) (driver.Tree, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.chains[chain]
	if !ok {
		return nil, driver.ErrNotFound
	}
	m.opened++
	if m.noList {
		return fakeTree{t}, nil
	}
	return listedTree{fakeTree{t}}, nil
}

func (m *machine) OpenKey(_ context.Context, key string) (driver.Tree, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fakeTree{m.keys[key].now}, nil
}

type fakeTree struct{ files }

func (t fakeTree) Open(p string) (io.ReadCloser, error) {
	f, ok := t.files[rooted(p)]
	if !ok {
		return nil, driver.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(f.data)), nil
}

func (t fakeTree) Stat(p string) (fs.FileInfo, error) { return listedTree{t}.Lstat(p) }
func (t fakeTree) Close() error                       { return nil }

func (t fakeTree) Export(_ context.Context, w io.Writer) error {
	out := layer.NewWriter(w)
	for _, p := range slices.Sorted(maps.Keys(t.files)) {
		if err := out.WriteEntry(t.files[p].Entry, strings.NewReader(t.files[p].data)); err != nil {
			return err
		}
	}
	return out.Close()
}

type listedTree struct{ fakeTree }

func (t listedTree) Lstat(p string) (fs.FileInfo, error) {
	if rooted(p) == "." {
		return info{file{Entry: layer.Entry{Path: ".", Kind: layer.Dir, Mode: 0o755}}}, nil
	}
	f, ok := t.files[rooted(p)]
	if !ok {
		return nil, driver.ErrNotFound
	}
	return info{f}, nil
}

func (t listedTree) Xattrs(p string) (map[string]string, error) {
	return t.files[rooted(p)].Xattrs, nil
}

func (t listedTree) ReadLink(p string) (string, error) { return t.files[rooted(p)].Link, nil }

func (t listedTree) ReadDir(p string) ([]fs.DirEntry, error) {
	var out []fs.DirEntry
	for name, f := range t.files {
		if path.Dir(name) == rooted(p) {
			out = append(out, fs.FileInfoToDirEntry(info{f}))
		}
	}
	return out, nil
}

type info struct{ f file }

func (i info) Name() string       { return path.Base(i.f.Path) }
func (i info) Size() int64        { return i.f.Size }
func (i info) ModTime() time.Time { return i.f.ModTime }
func (i info) IsDir() bool        { return i.f.Kind == layer.Dir }
func (i info) Sys() any           { return &i.f.Entry }
func (i info) Mode() fs.FileMode {
	m := fs.FileMode(i.f.Entry.Mode & 0o777)
	switch i.f.Kind {
	case layer.Dir:
		return m | fs.ModeDir
	case layer.Symlink:
		return m | fs.ModeSymlink
	}
	return m
}

type fakeTask struct {
	m    *machine
	spec driver.Spec
	code int
}

func (m fakeRuntime) Create(_ context.Context, s driver.Spec) (driver.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs = append(m.runs, s)
	return &fakeTask{m: m.machine, spec: s}, nil
}

func (m fakeRuntime) Load(context.Context, string) (driver.Task, error) {
	return nil, driver.ErrNotFound
}

// Start runs: echo WORDS, write PATH WORDS, rm PATH, mkdir PATH, exit N, env NAME, meet NAME N (wait until N tasks are there); separated by
// " && ".
func (t *fakeTask) Start(_ context.Context, s driver.Streams) error {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.m.going++
	t.m.most = max(t.m.most, t.m.going)
	defer func() { t.m.going-- }()
	argv := t.spec.Process.Args
	if argv[0] != "/bin/sh" {
		return &driver.CommandError{Code: 127, Msg: fmt.Sprintf("exec: %q: executable file not found in $PATH", argv[0])}
	}
	w := t.m.keys[t.spec.Key]
	for cmd := range strings.SplitSeq(argv[2], " && ") {
		name, rest, _ := strings.Cut(cmd, " ")
		arg, words, _ := strings.Cut(rest, " ")
		p := rooted(arg)
		switch name {
		case "echo":
			fmt.Fprintln(s.Stdout, rest)
		case "write":
			w.now[p] = file{layer.Entry{Path: p, Kind: layer.File, Mode: 0o644, Size: int64(len(words))}, words}
		case "mkdir":
			w.now[p] = file{Entry: layer.Entry{Path: p, Kind: layer.Dir, Mode: 0o755}}
		case "rm":
			delete(w.now, p)
		case "env":
			for _, kv := range t.spec.Process.Env {
				if strings.HasPrefix(kv, arg+"=") {
					fmt.Fprintln(s.Stdout, kv)
				}
			}
		case "meet":
			var n int
			if _, err := fmt.Sscan(words, &n); err != nil {
				return err
			}
			t.m.met[arg]++
			t.m.meet.Broadcast()
			for t.m.met[arg] < n {
				t.m.meet.Wait()
			}
		case "exit":
			_, err := fmt.Sscan(arg, &t.code)
			return err
		}
	}
	return nil
}

func (t *fakeTask) Wait(context.Context) (driver.Exit, error) { return driver.Exit{Code: t.code}, nil }
func (t *fakeTask) Signal(context.Context, driver.Signal) error {
	return errors.ErrUnsupported
}
func (t *fakeTask) Status(context.Context) (driver.Status, error) { return driver.Status{}, nil }
func (t *fakeTask) Delete(context.Context) error                  { return nil }

// tree gives the paths of a chain with their contents, link texts or "dir".
func (m *machine) tree(t *testing.T, chain digest.Digest) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	t.Helper()
	fs, ok := m.chains[chain]
	if !ok {
		t.Fatalf("chain %s is not unpacked", chain)
	}
	out := map[string]string{}
	for p, f := range fs {
		switch f.Kind {
		case layer.Dir:
			out[p] = "dir"
		case layer.Symlink:
			out[p] = "-> " + f.Link
		default:
			out[p] = f.data
		}
	}
	return out
}
