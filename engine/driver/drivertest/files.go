package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

// Files of a container are reached in three states, in which the same rules hold.
const (
	stopped = "stopped"
	running = "running"
	paused  = "paused"
)

// filesCase is what has been done to a container, an archive for it, and what it has then.
type filesCase struct {
	rule    string
	before  string  // run in the container first
	dir     string  // to extract to; / if empty
	tar     []entry // nil: nothing is extracted
	owner   *driver.Owner
	path    string // archived afterwards
	as      string
	want    []string // its entries
	refused string   // what Extract says
	missing bool     // Extract says ErrNotFound
}

func testFiles(t *testing.T, l *lab) {
	for _, state := range []string{stopped, running, paused} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			each(t, slices.Concat(filesCases(), hostileFilesCases()), func(c filesCase) string { return c.rule }, func(t *testing.T, c filesCase) {
				f, _ := l.files(t, state, c.before, nil)
				c.check(t, f)
			})
		})
	}
	l.tests(t, statTests(), filesTests(), filesLimitTests(), filesMountTests())
}

// files opens the files of a container in one of the states, after the script before ran in it.
func (l *lab) files(t testing.TB, state, before string, change func(*driver.Spec)) (driver.Files, driver.Spec) {
	t.Helper()
	opener, ok := l.Runtime.(driver.FileOpener)
	if !ok {
		t.Fatal("the runtime opens no files")
	}
	spec := l.staying(t, before+"\necho done\nread x")
	if change != nil {
		change(&spec)
	}
	if state == stopped {
		spec.Process.Args = script(before)
		spec.OpenStdin = false
		b := l.start(t, spec)
		if r := b.wait(); r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		must(t, b.Delete(t.Context()))
	} else {
		b := l.start(t, spec)
		b.says("done\n")
		if state == paused {
			must(t, b.Task.(driver.Pauser).Pause(t.Context()))
		}
	}
	f, err := opener.OpenFiles(t.Context(), spec)
	must(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, spec
}

func (c filesCase) check(t *testing.T, f driver.Files) {
	if c.dir == "" {
		c.dir = "/"
	}
	if c.tar != nil {
		_, err := f.Extract(t.Context(), c.dir, bytes.NewReader(archive(t, c.tar...)), driver.ExtractOptions{Owner: c.owner})
		var refused *driver.FileError
		switch {
		case c.missing:
			if !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("error %v, want ErrNotFound", err)
			}
		case c.refused != "":
			if !errors.As(err, &refused) || !strings.Contains(refused.Msg, c.refused) {
				t.Errorf("error %v, want it refused: %s", err, c.refused)
			}
		default:
			must(t, err)
		}
	}
	if c.path == "" {
		return
	}
	if diff := cmp.Diff(c.want, listing(t, archived(t, f, c.path, c.as), everything)); diff != "" {
		t.Errorf("archive of %s (-want +got):\n%s", c.path, diff)
	}
}

func archived(t testing.TB, f driver.Files, path, as string) []byte {
	t.Helper()
	var buf bytes.Buffer
	_, err := f.Archive(t.Context(), path, as, &buf)
	must(t, err)
	return buf.Bytes()
}

func filesCases() []filesCase {
	tree := "mkdir -p /d/sub; echo x >/d/f; ln -s f /d/l; ln /d/f /d/sub/h; chmod 4711 /d/f; chown 5:6 /d/sub; mkfifo /d/p"
	return []filesCase{
		{rule: "a folder is archived with all that is in it, files of several names once", before: tree, path: "/d", as: "n",
			want: []string{"d 0755 n/", `- 4711 n/f "x\n"`, "l n/l -> f", "p 0644 n/p", "d 0755 n/sub/ of 5:6", "h n/sub/h = n/f"}},
		{rule: "a dot stands for what is in a folder", before: tree, path: "/d/.", as: ".", want: []string{"d 0755 ./", `- 4711 ./f "x\n"`, "l ./l -> f", "p 0644 ./p", "d 0755 ./sub/ of 5:6", "h ./sub/h = ./f"}},
		{rule: "a file is archived alone", before: tree, path: "/d/f", as: "other", want: []string{`- 4711 other "x\n"`}},
		{rule: "a link is not followed", before: tree + "; ln -s d /e", path: "/e", as: "e", want: []string{"l e -> d"}},
		{rule: "a link with a slash is followed", before: tree + "; ln -s d/sub /e", path: "/e/", as: "e", want: []string{"d 0755 e/ of 5:6", `- 4711 e/h "x\n"`}},
		{rule: "what an archive has is made", tar: []entry{dir("n").owner(7, 8).mode(0o2750), file("n/f", "y").mode(0o4600).owner(3, 4), symlink("n/l", "../../out"), hardlink("n/h", "n/f"), fifo("n/p"), device("n/null", 1, 3)},
			path: "/n", as: "n", want: []string{"d 2750 n/ of 7:8", `- 4600 n/f "y" of 3:4`, "h n/h = n/f", "l n/l -> ../../out", "c 0644 n/null 1:3", "p 0644 n/p"}},
		{rule: "who owns it can be said", tar: []entry{dir("n"), file("n/f", "y").owner(3, 4), symlink("n/l", "f")}, owner: &driver.Owner{UID: 9, GID: 10}, path: "/n", as: "n",
			want: []string{"d 0755 n/ of 9:10", `- 0644 n/f "y" of 9:10`, "l n/l -> f of 9:10"}},
		{rule: "folders that an archive does not mention are made", dir: "/tmp", tar: []entry{file("a/b/c", "y")}, path: "/tmp/a", as: "a", want: []string{"d 0755 a/", "d 0755 a/b/", `- 0644 a/b/c "y"`}},
		{rule: "a file replaces a file and a link", before: "mkdir /n; echo old >/n/f; ln -s /etc/passwd /n/l", dir: "/n", tar: []entry{file("f", "new"), file("l", "new")}, path: "/n", as: "n",
			want: []string{"d 0755 n/", `- 0644 n/f "new"`, `- 0644 n/l "new"`}},
		{rule: "a folder keeps what it has and takes the archive's looks", before: "mkdir /n; echo old >/n/f", tar: []entry{dir("n").mode(0o700).owner(1, 2), file("n/g", "new")}, path: "/n", as: "n",
			want: []string{"d 0700 n/ of 1:2", `- 0644 n/f "old\n"`, `- 0644 n/g "new"`}},
		{rule: "the folder that is extracted to keeps its looks", before: "mkdir /n", dir: "/n", tar: []entry{dir(".").mode(0o700), file("./g", "new")}, path: "/n", as: "n", want: []string{"d 0755 n/", `- 0644 n/g "new"`}},
		{rule: "a folder is not replaced by a file", before: "mkdir /n", tar: []entry{file("n", "x")}, refused: `cannot overwrite directory "/n" with non-directory "/"`, path: "/n", as: "n", want: []string{"d 0755 n/"}},
		{rule: "a file is not replaced by a folder", before: "echo x >/n", tar: []entry{dir("n")}, refused: `cannot overwrite non-directory "/n" with directory "/"`, path: "/n", as: "n", want: []string{`- 0644 n "x\n"`}},
		{rule: "a link to a folder is extracted to", before: "mkdir /n; ln -s n /m", dir: "/m", tar: []entry{file("f", "y")}, path: "/n", as: "n", want: []string{"d 0755 n/", `- 0644 n/f "y"`}},
		{rule: "a file is no folder to extract to", dir: "/etc/passwd", tar: []entry{file("f", "y")}, refused: "extraction point is not a directory"},
		{rule: "nor is what is not there", dir: "/nothing", tar: []entry{file("f", "y")}, missing: true},
		{rule: "names of whiteouts are names like others", tar: []entry{dir("n"), file("n/.wh.f", "y"), file("n/.wh..wh..opq", "")}, path: "/n/.wh.f", as: "plain", want: []string{`- 0644 plain "y"`}},
		{rule: "attributes go in and out", tar: []entry{file("n", "x").xattr("user.k", "v")}, path: "/n", as: "n", want: []string{`- 0644 n "x" user.k=v`}},
	}
}

// hostileFilesCases are archives whose maker means harm. Whatever comes of them is inside of the container.
func hostileFilesCases() []filesCase {
	return []filesCase{
		{rule: "a name with dots", dir: "/tmp", tar: []entry{file("../x", "y")}, refused: "is outside of"},
		{rule: "a name with dots in the middle", dir: "/tmp", tar: []entry{file("a/../../x", "y")}, refused: "is outside of"},
		{rule: "an absolute name means one in the folder", dir: "/tmp", tar: []entry{file("/x", "y")}, path: "/tmp/x", as: "x", want: []string{`- 0644 x "y"`}},
		{rule: "a link and a file through it stay inside", before: "mkdir /n", dir: "/n", tar: []entry{symlink("l", "/../../../tmp"), file("l/x", "y")}, path: "/tmp/x", as: "x", want: []string{`- 0644 x "y"`}},
		{rule: "a hard link with dots", dir: "/tmp", tar: []entry{hardlink("h", "../etc/passwd")}, refused: `invalid hardlink "h" -> "../etc/passwd"`},
		{rule: "a hard link to an absolute name means one in the folder", dir: "/tmp", tar: []entry{hardlink("h", "/etc/passwd")}, missing: true},
		{rule: "a hard link through a link stays inside", dir: "/tmp", tar: []entry{symlink("l", "/../../../root"), hardlink("h", "l/../etc/nothing")}, missing: true},
		{rule: "a hard link to a link is that link", dir: "/tmp", tar: []entry{symlink("l", "/nowhere"), hardlink("h", "l")}, path: "/tmp/h", as: "h", want: []string{"l h -> /nowhere"}},
		{rule: "a folder that became a link is not entered again", dir: "/tmp", tar: []entry{dir("d"), file("d/f", "x"), symlink("d", "/etc"), file("d/passwd", "y")}, refused: "cannot overwrite directory"},
		{rule: "the last of several entries counts", dir: "/tmp", tar: []entry{file("f", "one"), symlink("f", "/etc/passwd"), file("f", "three")}, path: "/tmp/f", as: "f", want: []string{`- 0644 f "three"`}},
		{rule: "a link at the folder itself changes nothing", dir: "/tmp", tar: []entry{symlink(".", "/etc"), file("f", "x")}, path: "/tmp/f", as: "f", want: []string{`- 0644 f "x"`}},
		{rule: "nothing is copied to /proc", dir: "/proc", tar: []entry{file("x", "y")}, refused: "is made by the kernel"},
		{rule: "nor to /dev by a link", before: "ln -s /dev /n", dir: "/n", tar: []entry{file("x", "y")}, refused: "is made by the kernel"},
		{rule: "nor by a link in the archive", dir: "/tmp", tar: []entry{symlink("l", "/sys"), file("l/x", "y")}, refused: "is made by the kernel"},
	}
}

func statTests() []test {
	return []test{
		{"stat tells what is there", func(t *testing.T, l *lab) {
			f, _ := l.files(t, stopped, "mkdir -p /d/sub; printf 12345 >/d/f; chmod 4711 /d/f; ln -s /d/../d/f /l; ln -s nothing/x /d/dangling; ln -s loop /loop; ln -s d /dirlink; ln -s ../../../../etc /up", nil)
			for _, c := range []struct {
				path, name, link, real string
				mode                   fs.FileMode
				size                   int64
			}{
				{"/d/f", "f", "", "/d/f", 0o711 | fs.ModeSetuid, 5},
				{"d/f", "f", "", "/d/f", 0o711 | fs.ModeSetuid, 5},
				{"/../../d//sub/./../f", "f", "", "/d/f", 0o711 | fs.ModeSetuid, 5},
				{"/l", "l", "/d/f", "/l", 0o777 | fs.ModeSymlink, -1},
				{"/up", "up", "/etc", "/up", 0o777 | fs.ModeSymlink, -1},
				{"/d/dangling", "dangling", "/d/nothing/x", "/d/dangling", 0o777 | fs.ModeSymlink, -1},
				{"/dirlink", "dirlink", "/d", "/dirlink", 0o777 | fs.ModeSymlink, -1},
				{"/dirlink/", "dirlink", "", "/d", 0o755 | fs.ModeDir, -1},
				{"/dirlink/.", "dirlink", "", "/d", 0o755 | fs.ModeDir, -1},
				{"/dirlink/f", "f", "", "/d/f", 0o711 | fs.ModeSetuid, 5},
				{"/", "/", "", "/", 0o755 | fs.ModeDir, -1},
			} {
				st, err := f.Stat(t.Context(), c.path)
				must(t, err)
				if st.Name != c.name || st.Link != c.link || st.Real != c.real || st.Mode != c.mode || c.size >= 0 && st.Size != c.size {
					t.Errorf("%s: %+v, want %+v", c.path, st, c)
				}
			}
			for _, p := range []string{"/nothing", "/nothing/at/all", "/d/f/x", "/proc/self", "/dev/null"} {
				if _, err := f.Stat(t.Context(), p); !errors.Is(err, driver.ErrNotFound) {
					t.Errorf("%s: %v", p, err)
				}
			}
			var refused *driver.FileError
			for _, p := range []string{"/d/f/", "/d/f/."} {
				if _, err := f.Stat(t.Context(), p); !errors.As(err, &refused) || !strings.Contains(refused.Msg, "not a directory") {
					t.Errorf("%s: %v", p, err)
				}
			}
			if _, err := f.Archive(t.Context(), "/nothing", "x", io.Discard); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("archive of nothing: %v", err)
			}
		}},
	}
}

func filesTests() []test {
	return []test{
		{"what the kernel makes up is empty", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running} {
				f, _ := l.files(t, state, "true", nil)
				for _, p := range []string{"/proc", "/sys", "/dev"} {
					if lines := listing(t, archived(t, f, p, "x"), everything); len(lines) != 1 {
						t.Errorf("%s: %s has %q", state, p, lines)
					}
				}
				for _, line := range listing(t, archived(t, f, "/", "/"), everything) {
					if strings.Contains(line, " /proc/1") || strings.Contains(line, " /dev/null") || strings.Contains(line, " /sys/kernel") {
						t.Errorf("%s: %s", state, line)
					}
				}
			}
		}},
		{"what is copied in is a change of the writable layer", func(t *testing.T, l *lab) {
			f, spec := l.files(t, stopped, "true", nil)
			_, err := f.Extract(t.Context(), "/tmp", bytes.NewReader(archive(t, file("f", "x"))), driver.ExtractOptions{})
			must(t, errors.Join(err, f.Close()))
			if diff := cmp.Diff([]string{"C /tmp", "A /tmp/f"}, l.changes(t, spec.Key)); diff != "" {
				t.Error(diff)
			}
		}},
		{"a running container sees at once what is copied in", func(t *testing.T, l *lab) {
			b := l.up(t)
			f, err := l.Runtime.(driver.FileOpener).OpenFiles(t.Context(), b.spec)
			must(t, err)
			defer f.Close()
			counts, err := f.Extract(t.Context(), "/tmp", bytes.NewReader(archive(t, file("f", "copied"), dir("d"))), driver.ExtractOptions{})
			must(t, err)
			if counts != (driver.FileCounts{Files: 2, Bytes: 6}) {
				t.Errorf("%+v", counts)
			}
			if r := b.exec("cat /tmp/f; echo more >/tmp/d/g"); r.out != "copied" {
				t.Errorf("%+v", r)
			}
			if lines := listing(t, archived(t, f, "/tmp/d", "d"), everything); !slices.Contains(lines, `- 0644 d/g "more\n"`) {
				t.Errorf("%q", lines)
			}
		}},
		{"a copy is no process of the container", func(t *testing.T, l *lab) {
			b := l.up(t)
			const count = "ls -d /proc/[0-9]* | wc -l"
			before := b.exec(count)
			f, err := l.Runtime.(driver.FileOpener).OpenFiles(t.Context(), b.spec)
			must(t, err)
			defer f.Close()
			_, err = f.Stat(t.Context(), "/")
			must(t, err)
			if r := b.exec(count); r.out != before.out {
				t.Errorf("%s processes, and %s before", r.out, before.out)
			}
		}},
	}
}

func filesLimitTests() []test {
	return []test{
		{"an archive that is cut is an error", func(t *testing.T, l *lab) {
			f, _ := l.files(t, running, "true", nil)
			data := archive(t, file("f", strings.Repeat("x", 5000)))
			if _, err := f.Extract(t.Context(), "/tmp", bytes.NewReader(data[:2000]), driver.ExtractOptions{}); err == nil {
				t.Error("no error")
			}
		}},
		{"a source that fails is the cause", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running} {
				f, _ := l.files(t, state, "true", nil)
				cause := errors.New("the disk is on fire")
				data := archive(t, file("f", strings.Repeat("x", 5000)))
				if _, err := f.Extract(t.Context(), "/tmp", io.MultiReader(bytes.NewReader(data[:2000]), failing{cause}), driver.ExtractOptions{}); !errors.Is(err, cause) {
					t.Errorf("%s: %v", state, err)
				}
			}
		}},
		{"what comes after an archive's end does not matter", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running} {
				f, _ := l.files(t, state, "true", nil)
				data := append(archive(t, file("f", "x")), bytes.Repeat([]byte("junk"), 1<<20)...)
				if _, err := f.Extract(t.Context(), "/tmp", bytes.NewReader(data), driver.ExtractOptions{}); err != nil {
					t.Errorf("%s: %v", state, err)
				}
			}
		}},
		{"a copy ends with its context", func(t *testing.T, l *lab) {
			f, _ := l.files(t, running, "true", nil)
			ctx, cancel := context.WithCancel(t.Context())
			r, w := io.Pipe()
			defer w.Close()
			go func() {
				_, _ = w.Write(archive(t, file("f", strings.Repeat("x", 5000)))[:2000])
				cancel()
			}()
			if _, err := f.Extract(ctx, "/tmp", r, driver.ExtractOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}},
		{"a file of many megabytes goes in and out", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running} {
				f, _ := l.files(t, state, "true", nil)
				text := strings.Repeat("0123456789abcdef", 5<<16)
				_, err := f.Extract(t.Context(), "/tmp", bytes.NewReader(archive(t, file("f", text))), driver.ExtractOptions{})
				must(t, err)
				if data := archived(t, f, "/tmp/f", "f"); !bytes.Contains(data, []byte(text)) {
					t.Errorf("%s: %d bytes came out", state, len(data))
				}
			}
		}},
	}
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func filesMountTests() []test {
	extract := func(t *testing.T, f driver.Files, dir string) error {
		_, err := f.Extract(t.Context(), dir, bytes.NewReader(archive(t, file("new", "x"))), driver.ExtractOptions{})
		return err
	}
	refused := func(t *testing.T, err error, want string) {
		t.Helper()
		var fe *driver.FileError
		if !errors.As(err, &fe) || fe.Msg != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	return []test{
		{"mounts are reached in every state", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running, paused} {
				folder := bound(t)
				f, spec := l.files(t, state, "true", func(s *driver.Spec) {
					s.Mounts = []driver.Mount{{Type: "bind", Source: folder, Target: "/made/mnt"}, {Type: "bind", Source: folder, Target: "/ro", ReadOnly: true}}
				})
				if lines := listing(t, archived(t, f, "/made/mnt/f", "f"), everything); len(lines) != 1 || !strings.HasPrefix(lines[0], `- 0644 f "host\n"`) {
					t.Errorf("%s: %q", state, lines)
				}
				must(t, extract(t, f, "/made/mnt"))
				if text, err := os.ReadFile(filepath.Join(folder, "new")); err != nil || string(text) != "x" {
					t.Errorf("%s: %q, %v", state, text, err)
				}
				refused(t, extract(t, f, "/ro"), "mounted volume is marked read-only")
				must(t, f.Close())
				if c := l.changes(t, spec.Key); c != nil {
					t.Errorf("%s: changes %q", state, c)
				}
			}
		}},
		{"a read-only root is not written, what is mounted on it is", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running} {
				folder := bound(t)
				f, _ := l.files(t, state, "true", func(s *driver.Spec) {
					s.ReadOnly, s.Mounts = true, []driver.Mount{{Type: "bind", Source: folder, Target: "/tmp"}}
				})
				refused(t, extract(t, f, "/etc"), "container rootfs is marked read-only")
				must(t, extract(t, f, "/tmp"))
			}
		}},
		{"the names of the container are there", func(t *testing.T, l *lab) {
			for _, state := range []string{stopped, running} {
				f, _ := l.files(t, state, "true", nil)
				if lines := listing(t, archived(t, f, "/etc/hostname", "h"), everything); len(lines) != 1 || !strings.HasPrefix(lines[0], `- 0644 h "lab\n"`) {
					t.Errorf("%s: %q", state, lines)
				}
			}
		}},
		{"links in a mount lead to places in the container", func(t *testing.T, l *lab) {
			folder := bound(t)
			canary := filepath.Join(t.TempDir(), "canary")
			must(t, os.WriteFile(canary, []byte("c"), 0o640))
			must(t, os.Symlink(filepath.Dir(canary), filepath.Join(folder, "out")))
			f, _ := l.files(t, running, "true", func(s *driver.Spec) { s.Mounts = []driver.Mount{{Type: "bind", Source: folder, Target: "/mnt"}} })
			if _, err := f.Archive(t.Context(), "/mnt/out/canary", "x", io.Discard); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("archive: %v", err)
			}
			if err := extract(t, f, "/mnt/out"); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("extract: %v", err)
			}
			if fi, err := os.Stat(canary); err != nil || fi.Mode() != 0o640 || fi.Size() != 1 {
				t.Error(fmt.Sprint(fi, err))
			}
		}},
	}
}
