package drivertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

// mountCase is a container with one mount, a script, and what comes of it.
type mountCase struct {
	rule      string
	mount     driver.Mount
	readOnly  bool // the root
	script    string
	code      int
	out, errs string
	changes   []string // in the writable layer
}

func testMounts(t *testing.T, l *lab) {
	each(t, mountCases(), func(c mountCase) string { return c.rule }, func(t *testing.T, c mountCase) {
		spec := l.spec(t, script(c.script)...)
		spec.ReadOnly = c.readOnly
		if c.mount.Type != "" {
			spec.Mounts = []driver.Mount{c.mount}
		}
		r := l.run(t, spec)
		if r.Code != c.code || r.out != c.out || !complaints(r.errs, c.errs) {
			t.Errorf("%+v, want code %d, output %q, errors %q", r, c.code, c.out, c.errs)
		}
		if diff := cmp.Diff(c.changes, l.changes(t, spec.Key)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
	l.tests(t, bindTests(), mountTests())
}

func mountCases() []mountCase {
	tmpfs := func(options ...string) driver.Mount {
		return driver.Mount{Type: "tmpfs", Target: "/mnt", Options: options}
	}
	return []mountCase{
		{rule: "a read-only root can't be written", readOnly: true, script: "echo x > /f; mkdir /d; rm /etc/issue; chmod 700 /etc", code: 1,
			errs: strings.Repeat(readOnlyFS, 4)},
		{rule: "with a read-only root /dev is written", readOnly: true, script: "echo x > /dev/shm/f; cat /dev/shm/f; echo y > /dev/null", out: "x\n"},
		{rule: "a tmpfs is empty, and its content is no change", mount: tmpfs(), script: "ls /mnt; echo x > /mnt/f; mkdir -p /mnt/d/e; cat /mnt/f; ls /mnt", out: "x\nd\nf\n"},
		{rule: "a tmpfs on a read-only root is written", mount: tmpfs(), readOnly: true, script: "echo x > /mnt/f; cat /mnt/f", out: "x\n"},
		{rule: "a tmpfs has its mode", mount: tmpfs("mode=700"), script: "stat -c %a /mnt", out: "700\n"},
		{rule: "a tmpfs is open to all", mount: tmpfs(), script: "stat -c %a /mnt", out: "1777\n"},
		{rule: "a tmpfs is full when its size is", mount: tmpfs("size=1m"), script: "head -c 2000000 /dev/zero > /mnt/f; echo $?; stat -c %s /mnt/f; rm /mnt/f; echo x > /mnt/g; cat /mnt/g",
			out: "1\n1048576\nx\n", errs: noSpace},
		{rule: "a read-only tmpfs", mount: driver.Mount{Type: "tmpfs", Target: "/mnt", ReadOnly: true}, script: "echo x > /mnt/f", code: 1, errs: readOnlyFS},
		{rule: "a tmpfs renames, links and deletes like any other", mount: tmpfs(), script: "cd /mnt; mkdir a; echo x > a/f; mv a b; ln b/f g; ln -s g l; cat l; stat -c %h g; rm -r b; cat g; rm g; cat l; mkfifo p; ls",
			out: "x\n2\nx\nl\np\n", errs: noEntry},
		{rule: "a rename from one file system to another is a copy", mount: tmpfs(), script: "echo x > /mnt/f; mv /mnt/f /tmp/f; cat /tmp/f; ls /mnt; ln /tmp/f /mnt/g; echo $?", out: "x\n1\n",
			errs: crossDevice, changes: []string{"C /tmp", "A /tmp/f"}},
		{rule: "a mount point can't be deleted or renamed", mount: tmpfs(), script: "rmdir /mnt; mv -T /mnt /m", code: 1, errs: busy + busy},
		{rule: "a mount's target is made if it is not there", mount: driver.Mount{Type: "tmpfs", Target: "/made/for/it"}, script: "echo x > /made/for/it/f; cat /made/for/it/f", out: "x\n"},
		{rule: "a mount's target through a link stays inside", mount: driver.Mount{Type: "tmpfs", Target: "/var/run/t"}, script: "echo x > /run/t/f; cat /var/run/t/f", out: "x\n"},
		{rule: "what is put beside a mount's target is a change", mount: driver.Mount{Type: "tmpfs", Target: "/made/for/it"}, script: "echo x > /made/for/f; mkdir /made/d; stat -c %a:%u:%g /made /made/for",
			out: "755:0:0\n755:0:0\n", changes: []string{"A /made", "A /made/d", "A /made/for", "A /made/for/f"}},
		{rule: "a folder that holds a mount's target is what it was", mount: driver.Mount{Type: "tmpfs", Target: "/tmp/t"}, script: "stat -c %a /tmp; echo x > /tmp/f; ls /tmp", out: "1777\nf\nt\n",
			changes: []string{"C /tmp", "A /tmp/f"}},
		{rule: "a mount's target through a link that leads nowhere is made where it leads", mount: driver.Mount{Type: "tmpfs", Target: "/proc/../usr/../missing/../a//b/."}, script: "echo x > /a/b/f; cat /a/b/f", out: "x\n"},
	}
}

// bound is a host folder with a file in it.
func bound(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	must(t, os.Chmod(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(folder, "f"), []byte("host\n"), 0o644))
	return folder
}

// withBind runs a script with source on target.
func (l *lab) withBind(t testing.TB, m driver.Mount, text string) result {
	t.Helper()
	m.Type = "bind"
	spec := l.spec(t, script(text)...)
	spec.Mounts = []driver.Mount{m}
	return l.run(t, spec)
}

func bindTests() []test {
	return []test{
		{"a bound folder is the host's, both ways", func(t *testing.T, l *lab) {
			folder := bound(t)
			r := l.withBind(t, driver.Mount{Source: folder, Target: "/mnt"}, "cat /mnt/f; echo new > /mnt/g; mkdir /mnt/d; rm /mnt/f; echo sub > /mnt/d/s")
			g, err := os.ReadFile(filepath.Join(folder, "g"))
			_, gone := os.Stat(filepath.Join(folder, "f"))
			sub, serr := os.ReadFile(filepath.Join(folder, "d", "s"))
			if r.out != "host\n" || r.errs != "" || string(g) != "new\n" || err != nil || gone == nil || string(sub) != "sub\n" || serr != nil {
				t.Errorf("%+v, %q %v, gone %v, %q %v", r, g, err, gone, sub, serr)
			}
		}},
		{"a read-only bind is not written", func(t *testing.T, l *lab) {
			folder := bound(t)
			r := l.withBind(t, driver.Mount{Source: folder, Target: "/mnt", ReadOnly: true}, "cat /mnt/f; echo x > /mnt/f; touch /mnt/n; rm /mnt/f")
			if r.out != "host\n" || strings.Count(r.errs, "Read-only file system") != 3 {
				t.Errorf("%+v", r)
			}
		}},
		{"a single file is bound", func(t *testing.T, l *lab) {
			folder := bound(t)
			r := l.withBind(t, driver.Mount{Source: filepath.Join(folder, "f"), Target: "/etc/issue"}, "cat /etc/issue; echo in >> /etc/issue")
			text, err := os.ReadFile(filepath.Join(folder, "f"))
			if r.out != "host\n" || r.errs != "" || string(text) != "host\nin\n" || err != nil {
				t.Errorf("%+v, %q, %v", r, text, err)
			}
		}},
		{"what is bound is no change of the layer", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("echo x > /mnt/n")...)
			spec.Mounts = []driver.Mount{{Type: "bind", Source: bound(t), Target: "/mnt"}}
			l.runOn(t, spec)
			if got := l.changes(t, spec.Key); got != nil {
				t.Errorf("%q", got)
			}
		}},
		{"two containers share a bound folder", func(t *testing.T, l *lab) {
			folder := bound(t)
			l.withBind(t, driver.Mount{Source: folder, Target: "/a"}, "echo shared > /a/s")
			if r := l.withBind(t, driver.Mount{Source: folder, Target: "/b"}, "cat /b/s"); r.out != "shared\n" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

func mountTests() []test {
	return []test{
		{"links in a bound folder lead inside the container", func(t *testing.T, l *lab) {
			folder := bound(t)
			must(t, os.Symlink("/etc/issue", filepath.Join(folder, "l")))
			if r := l.withBind(t, driver.Mount{Source: folder, Target: "/mnt"}, "cat /mnt/l"); r.out != "learn base\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"dots do not lead out of a bound folder", func(t *testing.T, l *lab) {
			folder := bound(t)
			must(t, os.Mkdir(filepath.Join(folder, "in"), 0o755))
			if r := l.withBind(t, driver.Mount{Source: filepath.Join(folder, "in"), Target: "/mnt"}, "cat /mnt/../f; cat /mnt/../etc/issue"); r.out != "learn base\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a source that is not there fails the start, naming it", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			missing := filepath.Join(t.TempDir(), "missing")
			spec.Mounts = []driver.Mount{{Type: "bind", Source: missing, Target: "/mnt"}}
			if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), missing) {
				t.Errorf("error %v", err)
			}
		}},
		{"mounts are made in order, one in another", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("cat /mnt/sub/f; ls /mnt")...)
			spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/mnt"}, {Type: "bind", Source: bound(t), Target: "/mnt/sub"}}
			if r := l.run(t, spec); r.out != "host\nsub\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
		}},
	}
}
