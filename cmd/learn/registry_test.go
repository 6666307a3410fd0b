package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// served is a registry in a process of its own.
type served struct {
	t       testing.TB
	host    string
	storage string
	cmd     *exec.Cmd
	err     bytes.Buffer
}

// serve starts learn registry serve on a free port and waits until it takes requests.
func serve(t testing.TB, storage string, env []string, flags ...string) *served {
	t.Helper()
	if runtime.GOOS == "windows" {
		lacks(t, "a process can't be told to end here")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, storage: storage, cmd: exec.Command(exe)}
	s.cmd.Args = append([]string{"learn", "--home", filepath.Join(t.TempDir(), "home"), "registry", "serve", "--addr", "127.0.0.1:0", "--storage", storage}, flags...)
	s.cmd.Env = append(append(os.Environ(), "LEARN_TRACE="), env...)
	s.cmd.Stderr = &s.err
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, rest, _ := strings.Cut(line, " on ")
	s.host, _, _ = strings.Cut(rest, ";")
	if err != nil || s.host == "" {
		_ = s.cmd.Wait()
		t.Fatalf("serve: %q %v\n%s", line, err, s.err.String())
	}
	return s
}

// end tells the server to end, which is to happen in good order.
func (s *served) end() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("serve: %v\n%s", err, s.err.String())
	}
}

// push pushes an image of one layer and gives the descriptor of its manifest.
func (s *served) push(ctx context.Context, c *registry.Client, name string) (v1.Descriptor, error) {
	ref, err := oci.ParseRef(s.host + "/" + name)
	if err != nil {
		return v1.Descriptor{}, err
	}
	blobs := []string{"{}", "layer of " + name}
	for _, b := range blobs {
		if _, err := c.PushBlob(ctx, ref, descriptorOf(oci.MediaTypeLayer, b), opened(b)); err != nil {
			return v1.Descriptor{}, err
		}
	}
	data := manifestOf(blobs[0], blobs[1])
	d := descriptorOf(oci.MediaTypeManifest, data)
	return d, c.PushManifest(ctx, ref, d, []byte(data))
}

// whole reports what an image in the registry lacks.
func (s *served) whole(ctx context.Context, c *registry.Client, name string) error {
	ref, err := oci.ParseRef(s.host + "/" + name)
	if err != nil {
		return err
	}
	d, err := c.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	data, err := c.Manifest(ctx, ref, d)
	if err != nil {
		return err
	}
	m, err := oci.ParseManifest(data)
	if err != nil {
		return err
	}
	for _, b := range append(m.Layers, m.Config) {
		if err := readBlob(ctx, c, ref, b); err != nil {
			return err
		}
	}
	return nil
}

func TestRegistryRefusesToBeOpen(t *testing.T) {
	m := newMachine(t, simName)
	for _, c := range []struct{ flags, want string }{
		{"--addr 0.0.0.0:0", "give --tls-cert and --tls-key, or --insecure"},
		{"--addr :5000", "give --tls-cert and --tls-key, or --insecure"},
		{"--addr 127.0.0.1:0 --tls-cert c.pem", "belong together"},
		{"--addr 127.0.0.1:0 --tls-cert c.pem --tls-key k.pem", "read certificate"},
		{"--addr 127.0.0.1:0 --auth-file none", "read password file"},
		{"--addr 127.0.0.1:x", "serve registry"},
	} {
		r := m.run(nil, append([]string{"learn", "registry", "serve"}, strings.Fields(c.flags)...)...)
		if r.code != 1 || !strings.Contains(r.err, c.want) {
			t.Errorf("%s: exit code %d, %q; expected %q", c.flags, r.code, r.err, c.want)
		}
	}
}

// What is pushed is an image layout, a second server is refused, the first one ends in good order, and the rest is collected.
func TestRegistryCommand(t *testing.T) {
	m := newMachine(t, simName)
	s := serve(t, filepath.Join(m.dir, "store"), nil)
	c := registry.New(registry.Config{CredentialsDir: t.TempDir()})
	d, err := s.push(t.Context(), c, "team/app:1")
	check(t, err)
	if r := m.run(nil, "learn", "registry", "serve", "--addr", "127.0.0.1:0", "--storage", s.storage); r.code != 1 || !strings.Contains(r.err, "another server") {
		t.Errorf("a second one: exit code %d, %q", r.code, r.err)
	}
	stray := "nobody's"
	ref, err := oci.ParseRef(s.host + "/team/app:1")
	check(t, err)
	_, err = c.PushBlob(t.Context(), ref, descriptorOf(oci.MediaTypeLayer, stray), opened(stray))
	check(t, err)
	gc := func(want string, flags ...string) {
		t.Helper()
		r := m.run(nil, append([]string{"learn", "registry", "gc", "--storage", s.storage}, flags...)...)
		if r.code != 0 || r.out != want {
			t.Errorf("gc: exit code %d, %q%s; expected %q", r.code, r.out, r.err, want)
		}
	}
	gc("Deleted 0 blobs, 0B\n1 blobs without a manifest are young and may belong to a push that is under way: kept (--older-than 0 takes them, too)\n")
	s.end()
	if log := s.err.String(); !strings.Contains(log, `PUT "/v2/team/app/manifests/1" 201`) {
		t.Errorf("log: %s", log)
	}
	removed := "deleted: " + string(oci.Sum([]byte(stray))) + "\n"
	gc(removed+"Would delete 1 blobs, 8B\n", "--dry-run")
	gc(removed + "Deleted 1 blobs, 8B\n")
	index, err := os.ReadFile(filepath.Join(s.storage, "index.json"))
	check(t, err)
	if !strings.Contains(string(index), string(d.Digest)) || !strings.Contains(string(index), `"org.opencontainers.image.ref.name":"team/app:1"`) {
		t.Errorf("index.json: %s", index)
	}
}

// TestRegistryKilledAtEveryPoint kills a registry at each named moment of a push and of a collection. What was there before is whole afterwards, and
// what was under way can be done again.
func TestRegistryKilledAtEveryPoint(t *testing.T) {
	m := newMachine(t, simName)
	c := registry.New(registry.Config{CredentialsDir: t.TempDir()})
	for _, point := range failpoints(t, isRegistryPoint) {
		t.Run(point, func(t *testing.T) {
			storage := filepath.Join(t.TempDir(), "store")
			s := serve(t, storage, nil, "-q")
			_, err := s.push(t.Context(), c, "old:1")
			check(t, err)
			_, err = c.PushBlob(t.Context(), mustRef(t, s.host+"/old:1"), descriptorOf(oci.MediaTypeLayer, "stray"), opened("stray"))
			check(t, err)
			s.end()
			if collecting := strings.Contains(point, ".collect."); collecting {
				if r := m.run([]string{failpoint.Variable + "=" + point}, "learn", "registry", "gc", "--storage", storage); !r.killed {
					t.Errorf("gc was not killed: %s%s", r.out, r.err)
				}
			} else {
				s = serve(t, storage, []string{failpoint.Variable + "=" + point}, "-q")
				if _, err := s.push(t.Context(), c, "new:1"); err == nil {
					t.Error("the push succeeded though the registry was to die")
				}
				if err := s.cmd.Wait(); err == nil {
					t.Error("the registry was not killed")
				}
			}
			s = serve(t, storage, nil, "-q")
			check(t, s.whole(t.Context(), c, "old:1"))
			if err := s.whole(t.Context(), c, "new:1"); err != nil && !strings.Contains(err.Error(), "has no such") {
				t.Errorf("the new image is there, but not whole: %v", err)
			}
			_, err = s.push(t.Context(), c, "new:1")
			check(t, err)
			check(t, s.whole(t.Context(), c, "new:1"))
			s.end()
			if r := m.run(nil, "learn", "registry", "gc", "--storage", storage); r.code != 0 {
				t.Errorf("gc: %s", r.err)
			}
			if left, err := os.ReadDir(filepath.Join(storage, "blobs", "sha256")); err != nil || len(left) != 5 { // two manifests, two layers, one config
				t.Errorf("blobs: %v %v", left, err)
			}
		})
	}
}
