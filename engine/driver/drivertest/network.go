package drivertest

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

func testNetwork(t *testing.T, l *lab) {
	l.tests(t, networkTests(), mountEvents())
}

func networkTests() []test {
	return []test{
		{"a container has a network of its own unless it is said otherwise", func(t *testing.T, l *lab) {
			var all []string
			for _, network := range []string{driver.NetworkPrivate, driver.NetworkPrivate, driver.NetworkHost, driver.NetworkHost} {
				spec := l.spec(t, "readlink", "/proc/self/ns/net")
				spec.Network = network
				r := l.run(t, spec)
				if !strings.HasPrefix(r.out, "net:[") || r.errs != "" {
					t.Fatalf("%+v", r)
				}
				all = append(all, r.out)
			}
			if all[2] != all[3] || all[0] == all[2] || all[1] == all[2] {
				t.Errorf("networks %q", all)
			}
		}},
		{"only a network of its own is news", func(t *testing.T, l *lab) {
			for network, want := range map[string]string{driver.NetworkPrivate: "mnt pid uts ipc net cgroup", driver.NetworkHost: "mnt pid uts ipc cgroup"} {
				spec := l.spec(t, "true")
				spec.Network = network
				if got := strings.Join(attrs(l.runTraced(t, spec), vocab.NamespaceCreate, "namespace"), " "); strings.Join(strings.Fields(got), " ") != want {
					t.Errorf("%q: %s, want %s", network, got, want)
				}
			}
		}},
		{"in the host's network loopback works, also for further processes", func(t *testing.T, l *lab) {
			spec := l.staying(t, "nc -l -p 47113 > /got; cat /got; echo up; read x")
			spec.Network = driver.NetworkHost
			b := l.start(t, spec)
			eventually(t, "listening", func() bool { return b.exec("echo hi | nc -w 1 127.0.0.1 47113").Code == 0 })
			b.says("hi\nup\n")
		}},
		{"a network that there is not is refused", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Network = "bridge"
			if _, err := l.Runtime.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "bridge") {
				t.Errorf("error %v", err)
			}
		}},
	}
}

// mountLine is a mount's event without what vocab.Masks names.
func mountLine(e trace.Event) string {
	line := e.Attr("target").Str() + " " + e.Attr("type").Str()
	if !vocab.Masked(vocab.MountDo, "options", func(key string) string { return e.Attr(key).Str() }) {
		line += " " + e.Attr("options").Str()
	}
	return line
}

func mountEvents() []test {
	return []test{
		{"each mount is an event, in order, the same on every driver", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			spec := l.spec(t, "true")
			spec.Mounts = []driver.Mount{
				{Type: "tree", Chain: l.buildStage(t), Source: "src", Target: "/m/tree"}, {Type: "tree", Key: l.prepare(t, l.Base), Target: "/m/key"},
				{Type: "folder", Source: name, Target: "/m/cache"}, {Type: "folder", Source: name, Subpath: "a", Target: "/m/sub", ReadOnly: true},
				{Type: "file", Data: []byte(secret), Mode: 0o440, UID: 1, GID: 2, Target: "/m/secret", ReadOnly: true}, {Type: "file", Target: "/m/file", Mode: 0o600},
				{Type: "tmpfs", Target: "/m/tmp", Options: []string{"size=1m"}}}
			var got []string
			for _, e := range l.runTraced(t, spec) {
				if e.Kind == vocab.MountDo && strings.HasPrefix(e.Attr("target").Str(), "/m/") {
					got = append(got, mountLine(e))
				}
			}
			want := []string{"/m/tree overlay", "/m/key overlay", "/m/cache bind bind,rw", "/m/sub bind bind,ro",
				"/m/secret tmpfs ro,nosuid,nodev,noexec,mode=0440,uid=1,gid=2", "/m/file tmpfs nosuid,nodev,noexec,mode=0600,uid=0,gid=0",
				"/m/tmp tmpfs nosuid,nodev,noexec,size=1m"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{"a socket is mounted, or it is said that there are none", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Mounts = []driver.Mount{{Type: "socket", Source: filepath.Join(l.Home.Root(), "none"), Target: "/run/s"}}
			task, err := l.Runtime.Create(t.Context(), spec)
			if errors.Is(err, driver.ErrUnsupported) {
				return
			}
			must(t, err)
			if err := task.Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), "/run/s") {
				t.Errorf("error %v", err)
			}
			must(t, task.Delete(t.Context()))
		}},
	}
}
