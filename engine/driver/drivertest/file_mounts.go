package drivertest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

// secret is a content that must not be found anywhere.
const secret = "correct-horse-battery-staple"

// withFile is a container with a file on a target.
func (l *lab) withFile(t testing.TB, m driver.Mount, text string) driver.Spec {
	t.Helper()
	spec := l.spec(t, script(text)...)
	m.Type = "file"
	if m.Target == "" {
		m.Target = "/run/secrets/s"
	}
	spec.Mounts = []driver.Mount{m}
	return spec
}

func testFileMounts(t *testing.T, l *lab) {
	l.tests(t, fileTests(), targetTests())
}

func fileTests() []test {
	return []test{
		{"a file has its content, mode and owner, and is no change", func(t *testing.T, l *lab) {
			spec := l.withFile(t, driver.Mount{Data: []byte(secret), Mode: 0o440, UID: 5, GID: 6, ReadOnly: true}, "cat /run/secrets/s; stat -c ' %a:%u:%g' /run/secrets/s; stat -c %a /run/secrets; ls -A /run/secrets")
			if r := l.run(t, spec); r.out != secret+" 440:5:6\n755\ns\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			l.unchanged(t, spec.Key)
		}},
		{"permissions hold", func(t *testing.T, l *lab) {
			spec := l.withFile(t, driver.Mount{Data: []byte(secret), Mode: 0o400, UID: 5}, "cat /run/secrets/s")
			spec.Process.UID = 5
			if r := l.run(t, spec); r.out != secret {
				t.Errorf("the owner: %+v", r)
			}
			spec = l.withFile(t, driver.Mount{Data: []byte(secret), Mode: 0o400, UID: 5}, "cat /run/secrets/s")
			spec.Process.UID = 7
			if r := l.run(t, spec); r.out != "" || !complaints(r.errs, denied) {
				t.Errorf("another user: %+v", r)
			}
		}},
		{"a read-only one is not written", func(t *testing.T, l *lab) {
			r := l.run(t, l.withFile(t, driver.Mount{Data: []byte("x\n"), Mode: 0o666, ReadOnly: true}, "echo y > /run/secrets/s; chmod 600 /run/secrets/s; cat /run/secrets/s"))
			if r.out != "x\n" || !complaints(r.errs, readOnlyFS+readOnlyFS) {
				t.Errorf("%+v", r)
			}
		}},
		{"another one is written, and forgotten", func(t *testing.T, l *lab) {
			spec := l.withFile(t, driver.Mount{Data: []byte("x\n"), Mode: 0o644, Target: "/etc/issue"}, "echo y >> /etc/issue; cat /etc/issue")
			if r := l.run(t, spec); r.out != "x\ny\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			l.unchanged(t, spec.Key)
			if r := l.run(t, l.specOn(t, spec.Key, "cat", "/etc/issue")); r.out != "learn base\n" {
				t.Errorf("afterwards: %+v", r)
			}
		}},
		{"an empty file", func(t *testing.T, l *lab) {
			if r := l.run(t, l.withFile(t, driver.Mount{Mode: 0o600}, "stat -c %s:%a /run/secrets/s")); r.out != "0:600\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a large one is whole, a larger one refused", func(t *testing.T, l *lab) {
			if r := l.run(t, l.withFile(t, driver.Mount{Data: bytes.Repeat([]byte("0123456789abcdef"), 1<<16), Mode: 0o600}, "wc -c < /run/secrets/s")); strings.TrimSpace(r.out) != "1048576" {
				t.Errorf("%+v", r)
			}
			spec := l.withFile(t, driver.Mount{Data: make([]byte, 1<<20+1)}, "true")
			if _, err := l.Runtime.Create(t.Context(), spec); err == nil {
				t.Error("no error")
			}
		}},
		{"the content is in no file, no event, no environment and no command line", func(t *testing.T, l *lab) {
			spec := l.withFile(t, driver.Mount{Data: []byte(secret), Mode: 0o400, ReadOnly: true}, "cat /proc/*/environ /proc/*/cmdline /proc/mounts | grep -c [c]"+secret[1:20]+"; wc -c < /run/secrets/s; echo up; read x")
			spec.OpenStdin = true
			spec.Log = filepath.Join(spec.Dir, "log")
			ctx, sink := traced(t)
			b := l.create(t, spec)
			must(t, b.Start(ctx, b.streams(nil)))
			eventually(t, "up", func() bool { return strings.HasSuffix(b.out.String(), "up\n") })
			if out := b.out.String(); !strings.HasPrefix(out, "0\n") {
				t.Errorf("output %q", out)
			}
			l.holdsNot(t, secret)
			must(t, b.Signal(ctx, 9))
			b.wait()
			must(t, b.Delete(ctx))
			l.holdsNot(t, secret)
			for _, e := range sink.Events() {
				for _, a := range e.Attrs {
					if strings.Contains(a.Value.String(), secret) {
						t.Errorf("event %s tells it in %s", e.Kind, a.Key)
					}
				}
			}
		}},
	}
}

// holdsNot fails if a file of the home has the text, or its beginning in base64.
func (l *lab) holdsNot(t testing.TB, text string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(l.Home.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // removed since
		}
		if fi, err := d.Info(); err != nil || fi.Size() > 1<<20 {
			return nil // the program itself, which holds this test's words in no case
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		seen++
		if bytes.Contains(data, []byte(text)) || bytes.Contains(data, []byte("Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5")) {
			t.Errorf("%s holds it", path)
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("looked at %d files: %v", seen, err)
	}
}

func targetTests() []test {
	return []test{
		{"the root can't be mounted on, nor what leads to it", func(t *testing.T, l *lab) {
			for _, target := range []string{"/", "//", "/..", "/etc/..", "relative", "", "../x"} {
				spec := l.spec(t, "true")
				spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: target}}
				if _, err := l.Runtime.Create(t.Context(), spec); err == nil {
					t.Errorf("%q: no error", target)
				}
			}
			key := l.prepare(t, l.apply(t, l.Base, symlink("slash", "/"), symlink("up", "../..")))
			for _, target := range []string{"/slash", "/up", "/slash/up/."} {
				spec := l.specOn(t, key, "true")
				spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: target}}
				if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), "root") {
					t.Errorf("%q: %v", target, err)
				}
			}
		}},
		{"a type that there is not is refused", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Mounts = []driver.Mount{{Type: "nfs", Target: "/mnt"}}
			if _, err := l.Runtime.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "nfs") {
				t.Errorf("error %v", err)
			}
		}},
		{"targets of all kinds at once, one in another, leave nothing behind", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("cat /w/src/a /w/secret /w/cache/deep/s; ls /w /w/cache; echo y > /w/cache/f")...)
			name := l.folder(t, 0, 0, 0o777)
			spec.Mounts = []driver.Mount{{Type: "tree", Chain: l.buildStage(t), Source: "src", Target: "/w/src"}, {Type: "folder", Source: name, Target: "/w/cache"},
				{Type: "file", Data: []byte("s\n"), Target: "/w/secret", Mode: 0o400}, {Type: "file", Data: []byte("t\n"), Target: "/w/cache/deep/s", Mode: 0o400},
				{Type: "tmpfs", Target: "/etc/none/t"}}
			if r := l.run(t, spec); r.out != "high\ns\nt\n/w:\ncache\nsecret\nsrc\n\n/w/cache:\ndeep\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			l.unchanged(t, spec.Key)
		}},
		{"a target in a folder that a layer made opaque", func(t *testing.T, l *lab) {
			chain := l.commit(t, l.written(t, l.Base, "mkdir -p /app/d; echo x > /app/f; chmod 710 /app; chown 3:4 /app"), l.Base)
			spec := l.specOn(t, l.prepare(t, chain), script("ls -A /app; stat -c %a:%u:%g /app; cat /app/t/s")...)
			spec.Mounts = []driver.Mount{{Type: "file", Data: []byte("s\n"), Target: "/app/t/s", Mode: 0o400}}
			if r := l.run(t, spec); r.out != "d\nf\nt\n710:3:4\ns\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			l.unchanged(t, spec.Key)
		}},
		{"a target in a folder that the container made itself", func(t *testing.T, l *lab) {
			key := l.written(t, l.Base, "mkdir -p /mine/d; echo x > /mine/d/f")
			spec := l.specOn(t, key, script("ls -A /mine/d")...)
			spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/mine/d/t"}}
			if r := l.run(t, spec); r.out != "f\nt\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			same(t, "changes", []string{"A /mine", "A /mine/d", "A /mine/d/f"}, l.changes(t, key))
		}},
		{"a container with mounts starts again on its writable layer", func(t *testing.T, l *lab) {
			key := l.prepare(t, l.Base)
			for range 3 {
				spec := l.specOn(t, key, script("echo x >> /a/b/f; cat /a/b/f | wc -l; ls /a/b")...)
				spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/a/b/c"}}
				if r := l.run(t, spec); !strings.HasSuffix(r.out, "\nc\nf\n") || r.errs != "" {
					t.Errorf("%+v", r)
				}
			}
			same(t, "changes", []string{"A /a", "A /a/b", "A /a/b/f"}, l.changes(t, key))
		}},
	}
}
