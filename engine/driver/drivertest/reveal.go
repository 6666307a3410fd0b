package drivertest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/kernelview"
)

func revealTests() []test {
	return []test{
		{"the kernel shows what the first process is, and never its environment", func(t *testing.T, l *lab) {
			spec := l.staying(t, "trap : USR1; echo up; read x")
			spec.Process.Env = append(spec.Process.Env, "SECRET=hushhush")
			spec.Process.NoNewPrivs, spec.Process.Cwd = true, "/tmp"
			b := l.start(t, spec)
			b.says("up\n")
			v := l.reveal(t, b)
			if v.Command[0] != "sh" || v.Cwd != "/tmp" || v.Root != "/" || !v.Status.NoNewPrivs || v.Status.Seccomp != "filter" {
				t.Errorf("command %q in %s of %s, no_new_privs %v, seccomp %s", v.Command, v.Cwd, v.Root, v.Status.NoNewPrivs, v.Status.Seccomp)
			}
			if n := len(v.Status.Effective.Names); n != 14 || len(v.Status.Inherited.Names) != 0 {
				t.Errorf("powers %+v", v.Status)
			}
			if !slices.Contains(v.Status.Caught.Names, "SIGUSR1") {
				t.Errorf("handled signals: %q", v.Status.Caught.Names)
			}
			if last := v.Status.NSPid[len(v.Status.NSPid)-1]; last != "1" {
				t.Errorf("its number inside is %q", last)
			}
		}},
		{"the kernel shows which namespaces are the container's own, as they are told of", func(t *testing.T, l *lab) {
			ctx, sink := traced(t)
			b := l.create(t, l.staying(t, "echo up; read x"))
			must(t, b.Start(ctx, b.streams(nil)))
			told := attrs(sink.Events(), "ns.create", "namespace", "inode")
			own := 0
			for _, n := range l.reveal(t, b).Namespaces {
				if n.Shared {
					continue
				}
				own++
				if line := n.Kind + " " + uitoa(n.Inode); !slices.Contains(told, line) && n.Kind != "user" {
					t.Errorf("%s is not in %q", line, told)
				}
			}
			if own < 6 {
				t.Errorf("%d namespaces of its own", own)
			}
		}},
		{"the kernel shows the mounts as a tree, with the layers", func(t *testing.T, l *lab) {
			spec := l.staying(t, "echo up; read x")
			spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/mnt", Options: []string{"size=1m"}}}
			v := l.reveal(t, l.start(t, spec))
			if r := v.Mounts[0]; r.Target != "/" || r.Type != "overlay" || r.Upper == "" || len(r.Lower) == 0 {
				t.Errorf("root: %+v", r)
			}
			for _, target := range []string{"/proc", "/dev", "/mnt"} {
				if !slices.ContainsFunc(v.Mounts, func(m kernelview.Mount) bool { return m.Target == target && m.Depth == 1 }) {
					t.Errorf("no %s below the root: %+v", target, v.Mounts)
				}
			}
		}},
		{"the kernel shows limits as files of control groups", func(t *testing.T, l *lab) {
			spec := l.staying(t, "echo up; read x")
			spec.Limits = driver.Limits{MemoryBytes: 64 << 20, Pids: 50}
			v := l.reveal(t, l.start(t, spec))
			var values []string
			for _, g := range v.Groups {
				for _, f := range g.Values {
					values = append(values, f.File+" "+f.Text)
				}
			}
			all := strings.Join(values, "\n")
			if !strings.Contains(all, " 67108864") || !slices.Contains(values, "pids.max 50") {
				t.Errorf("%s", all)
			}
		}},
		{"the kernel shows nothing of what has ended", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			_, err := b.Task.(driver.Revealer).Reveal(t.Context())
			isNotRunning(t, err)
		}},
	}
}

func (l *lab) reveal(t *testing.T, b *box) kernelview.View {
	t.Helper()
	r, err := b.Task.(driver.Revealer).Reveal(t.Context())
	must(t, err)
	for name, text := range r.Files {
		if strings.Contains(text, "hushhush") {
			t.Errorf("%s tells the environment", name)
		}
	}
	return kernelview.Read(r)
}

func uitoa(n uint64) string { return strconv.FormatUint(n, 10) }
