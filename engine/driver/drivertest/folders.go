package drivertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

// folder makes a folder that is gone when the case ends.
func (l *lab) folder(t testing.TB, uid, gid, mode uint32) string {
	t.Helper()
	name := l.key()
	must(t, l.Folders.MakeFolder(t.Context(), name, uid, gid, mode))
	t.Cleanup(func() {
		if err := l.Folders.RemoveFolder(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// inFolder is a container with the folder on /mnt.
func (l *lab) inFolder(t testing.TB, m driver.Mount, text string) driver.Spec {
	t.Helper()
	spec := l.spec(t, script(text)...)
	m.Type, m.Target = "folder", "/mnt"
	spec.Mounts = []driver.Mount{m}
	return spec
}

func testFolders(t *testing.T, l *lab) {
	l.tests(t, folderKeeping(), folderSharing(), subpathTests())
}

func folderKeeping() []test {
	return []test{
		{"a folder is listed from its making to its removal", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			names, err := l.Folders.ListFolders(t.Context())
			if err != nil || !slices.Contains(names, name) || !slices.IsSorted(names) {
				t.Errorf("%v, %v", names, err)
			}
			must(t, l.Folders.RemoveFolder(t.Context(), name))
			must(t, l.Folders.RemoveFolder(t.Context(), name))
			names, err = l.Folders.ListFolders(t.Context())
			if err != nil || slices.Contains(names, name) {
				t.Errorf("removed: %v, %v", names, err)
			}
		}},
		{"names that differ in case or dots are different folders", func(t *testing.T, l *lab) {
			base := l.key()
			for _, name := range []string{base + "-a", base + "-A", base + "-a.", base + ".A", "N." + base + ".b", "n." + base + ".B"} {
				must(t, l.Folders.MakeFolder(t.Context(), name, 0, 0, 0o755))
				names, err := l.Folders.ListFolders(t.Context())
				if err != nil || !slices.Contains(names, name) {
					t.Errorf("%s is not in %v, %v", name, names, err)
				}
				t.Cleanup(func() { _ = l.Folders.RemoveFolder(context.Background(), name) })
			}
		}},
		{"a name that is taken is ErrExists", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			if err := l.Folders.MakeFolder(t.Context(), name, 1, 1, 0o700); !errors.Is(err, driver.ErrExists) {
				t.Errorf("error %v", err)
			}
		}},
		{"names that are paths are refused", func(t *testing.T, l *lab) {
			for _, name := range []string{"", ".", "..", "../../x", "a/b", "/x", ".x", "-x", "a\x00", "ä", strings.Repeat("a", 129)} {
				if err := l.Folders.MakeFolder(t.Context(), name, 0, 0, 0o755); err == nil {
					t.Errorf("%q was made", name)
				}
				if err := l.Folders.RemoveFolder(t.Context(), name); err == nil {
					t.Errorf("%q was removed", name)
				}
				spec := l.inFolder(t, driver.Mount{Source: name}, "true")
				if _, err := l.Runtime.Create(t.Context(), spec); err == nil {
					t.Errorf("%q was mounted", name)
				}
			}
		}},
		{"what is not there is ErrNotFound, and can't be mounted", func(t *testing.T, l *lab) {
			name := l.key()
			if _, err := l.Folders.FolderSize(t.Context(), name); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("size: %v", err)
			}
			if err := l.create(t, l.inFolder(t, driver.Mount{Source: name}, "true")).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("start: %v", err)
			}
		}},
		{"the size is that of the files, each once", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "cd /mnt; head -c 1000 /dev/zero > a; mkdir d; head -c 500 /dev/zero > d/b; ln a d/c; ln -s a l; mkfifo p; echo x > gone; rm gone"))
			if size, err := l.Folders.FolderSize(t.Context(), name); size != 1500 || err != nil {
				t.Errorf("%d, %v", size, err)
			}
		}},
		{"an owner or a mode that can't be is refused", func(t *testing.T, l *lab) {
			for _, o := range [][3]uint32{{1 << 31, 0, 0o755}, {0, 1<<32 - 1, 0o755}, {0, 0, 0o10000}} {
				if err := l.Folders.MakeFolder(t.Context(), l.key(), o[0], o[1], o[2]); err == nil {
					t.Errorf("%v: no error", o)
				}
			}
		}},
	}
}

func folderSharing() []test {
	return []test{
		{"a folder has its owner and mode", func(t *testing.T, l *lab) {
			name := l.folder(t, 5, 6, 0o2750)
			if r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, "stat -c %a:%u:%g /mnt; touch /mnt/f; stat -c %g /mnt/f")); r.out != "2750:5:6\n6\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"it outlives containers, with owners, modes, links and times, and is no change of any", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			spec := l.inFolder(t, driver.Mount{Source: name}, `cd /mnt; mkdir -p d/e; echo one > d/f; ln d/f g; ln -s d/f l; chown 7:8 d/f; chmod 4751 d/f; mkfifo p; mv d/e "d/E e"; touch -d @1000000000 d/f; chmod 1777 d`)
			l.runOn(t, spec)
			l.unchanged(t, spec.Key)
			r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, `cd /mnt; ls -A . d; cat l; stat -c "%a %u:%g %h %Y" g; stat -c %a d; readlink l; [ -p p ] && rm -r "d/E e" && ls d`))
			want := ".:\nd\ng\nl\np\n\nd:\nE e\nf\none\n4751 7:8 2 1000000000\n1777\nd/f\nf\n"
			if r.out != want || r.errs != "" {
				t.Errorf("%+v, want %q", r, want)
			}
		}},
		{"a read-only one is not written", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "echo x > /mnt/f"))
			r := l.run(t, l.inFolder(t, driver.Mount{Source: name, ReadOnly: true}, "cat /mnt/f; echo y > /mnt/f; rm /mnt/f; mkdir /mnt/d"))
			if r.out != "x\n" || !complaints(r.errs, strings.Repeat(readOnlyFS, 3)) {
				t.Errorf("%+v", r)
			}
		}},
		{"two containers use one folder at once", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			m := driver.Mount{Source: name}
			a, b := l.inFolder(t, m, "echo up; read x"), l.inFolder(t, m, "echo up; read x")
			a.OpenStdin, b.OpenStdin = true, true
			one, two := l.start(t, a), l.start(t, b)
			one.says("up\n")
			two.says("up\n")
			one.exec("echo first > /mnt/f; mkdir /mnt/d; echo log1 >> /mnt/log")
			if r := two.exec("cat /mnt/f; echo second >> /mnt/f; mv /mnt/f /mnt/d/g; echo log2 >> /mnt/log; chmod 711 /mnt/d"); r.out != "first\n" || r.errs != "" {
				t.Errorf("second: %+v", r)
			}
			if r := one.exec("cat /mnt/d/g /mnt/log; stat -c %a /mnt/d; cat /mnt/f"); r.out != "first\nsecond\nlog1\nlog2\n711\n" || !complaints(r.errs, noEntry) {
				t.Errorf("first: %+v", r)
			}
		}},
		{"appending to one file from several containers loses nothing", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o777)
			var all []*box
			for range 3 {
				all = append(all, l.start(t, l.inFolder(t, driver.Mount{Source: name}, "for i in 1 2 3 4 5 6 7 8 9 10; do echo line >> /mnt/log; touch /mnt/$i.$HOSTNAME; done")))
			}
			for _, b := range all {
				if r := b.wait(); r.Code != 0 {
					t.Errorf("%+v", r)
				}
			}
			if r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, "wc -l < /mnt/log")); strings.TrimSpace(r.out) != "30" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

func subpathTests() []test {
	return []test{
		{"a subpath is mounted, and made if it is not there", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name, Subpath: "a/b"}, "echo x > /mnt/f"))
			if r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, "cat /mnt/a/b/f")); r.out != "x\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a subpath leads nowhere but inside the folder", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "cd /mnt; echo mine > f; mkdir d; ln -s / abs; ln -s ../../../.. up; ln -s /etc etc; ln -s /d in"))
			for subpath, want := range map[string]string{"abs": "f", "up": "f", "../../..": "f", "abs/d": "", "in": ""} {
				r := l.run(t, l.inFolder(t, driver.Mount{Source: name, Subpath: subpath}, "ls /mnt | grep -x f; ls /mnt | grep -x -e passwd -e bin"))
				if strings.TrimSpace(r.out) != want {
					t.Errorf("%s: %+v", subpath, r)
				}
			}
			// What the link names is not in the folder, and a folder can't be made in place of the link.
			spec := l.inFolder(t, driver.Mount{Source: name, Subpath: "etc"}, "ls /mnt")
			if b := l.create(t, spec); b.Start(t.Context(), b.streams(nil)) == nil {
				if r := b.wait(); r.out != "" {
					t.Errorf("etc: %+v", r)
				}
			}
		}},
		{"a subpath that is a file is refused", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "echo x > /mnt/f"))
			if err := l.create(t, l.inFolder(t, driver.Mount{Source: name, Subpath: "f"}, "true")).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
		}},
	}
}
