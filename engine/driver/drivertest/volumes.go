package drivertest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace/vocab"
)

// fill fills a folder from what path has in the tree of chain.
func (l *lab) fill(t testing.TB, name string, chain digest.Digest, path string) driver.Filling {
	t.Helper()
	f, ok := l.Folders.(driver.FolderFiller)
	if !ok {
		t.Fatal("the driver can't fill folders")
	}
	done, err := f.FillFolder(t.Context(), name, chain, path, true)
	must(t, err)
	return done
}

// show is what a container sees of a folder: each name with its kind, mode, owner and content.
func (l *lab) show(t *testing.T, name string) string {
	t.Helper()
	const script = `cd /mnt; find . | sort | while read f; do stat -c "%n %f %u:%g %h %Y" "$f"; [ -f "$f" ] && ! [ -L "$f" ] && cat "$f"; [ -L "$f" ] && readlink "$f"; done; true`
	r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, script))
	if r.errs != "" {
		t.Errorf("%+v", r)
	}
	return r.out
}

func testVolumes(t *testing.T, l *lab) { l.tests(t, filling(), strictSubpaths(), volumeEvents()) }

func filling() []test {
	hostile := func(t *testing.T, l *lab) digest.Digest {
		return l.stack(t, l.Base, []entry{
			dir("data").owner(5, 6).mode(0o2751), file("data/f", "one\n").owner(7, 8).mode(0o4640), hardlink("data/g", "data/f"),
			symlink("data/out", "/etc/passwd"), symlink("data/up", "../../../etc"), dir("data/sub").mode(0o700), fifo("data/sub/p"),
			symlink("link", "data/sub/.."), symlink("away", "../../../../data"), symlink("nowhere", "/not/there"), symlink("loop", "loop"), file("plain", "x"),
		}, []entry{whiteout("data/gone"), file("data/new", "two\n")})
	}
	return []test{
		{"an empty folder gets content, owners, modes, links and times", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			done := l.fill(t, name, hostile(t, l), "/data")
			if !done.Filled || done.Files != 7 || done.Bytes != 8 {
				t.Errorf("%+v", done)
			}
			got := l.show(t, name)
			for _, want := range []string{". 45e9 5:6 ", "./f 89a0 7:8 2 1700000000\none\n", "./g 89a0 7:8 2 1700000000\none\n", "./new 81a4 0:0 1 1700000000\ntwo\n", "./out a1ff 0:0 1 1700000000\n/etc/passwd\n",
				"./sub 41c0 0:0 2 1700000000\n", "./sub/p 11a4 0:0 1 1700000000\n", "./up a1ff 0:0 1 1700000000\n../../../etc\n"} {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
		}},
		{"one that has something, a path that is missing and a file fill nothing", func(t *testing.T, l *lab) {
			chain := hostile(t, l)
			name := l.folder(t, 3, 4, 0o711)
			for _, p := range []string{"/not/there", "/plain", "/plain/x", "/nowhere"} {
				if done := l.fill(t, name, chain, p); done.Filled {
					t.Errorf("%s: %+v", p, done)
				}
			}
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "touch /mnt/mine"))
			if done := l.fill(t, name, chain, "/data"); done.Filled {
				t.Errorf("full: %+v", done)
			}
			if r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, "ls -A /mnt; stat -c %a:%u:%g /mnt")); r.out != "mine\n711:3:4\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"links in the path lead nowhere but inside the tree", func(t *testing.T, l *lab) {
			chain := hostile(t, l)
			for _, p := range []string{"/link", "/away", "/../../data", "/data/../data/."} {
				name := l.folder(t, 0, 0, 0o755)
				if done := l.fill(t, name, chain, p); done.Files != 7 {
					t.Errorf("%s: %+v", p, done)
				}
			}
			f := l.Folders.(driver.FolderFiller)
			if done, err := f.FillFolder(t.Context(), l.folder(t, 0, 0, 0o755), chain, "/loop", false); err == nil && done.Filled {
				t.Error("a link to itself filled a folder")
			}
		}},
		{"what is filled is filled once, and finishing changes nothing", func(t *testing.T, l *lab) {
			chain := hostile(t, l)
			name := l.folder(t, 0, 0, 0o755)
			l.fill(t, name, chain, "/data")
			want := l.show(t, name)
			if done := l.fill(t, name, chain, "/"); done.Filled {
				t.Errorf("%+v", done)
			}
			must(t, l.Folders.(driver.FolderFiller).FinishFills(t.Context()))
			if got := l.show(t, name); got != want {
				t.Errorf("after it\n%s, before\n%s", got, want)
			}
		}},
		{"a running container sees what its folder is filled with", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			spec := l.inFolder(t, driver.Mount{Source: name}, "echo up; read x")
			spec.OpenStdin = true
			b := l.start(t, spec)
			b.says("up\n")
			l.fill(t, name, hostile(t, l), "/data")
			if r := b.exec("cat /mnt/f; echo mine > /mnt/m; cat /mnt/m"); r.out != "one\nmine\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a folder that is not there can't be filled, and has no path", func(t *testing.T, l *lab) {
			if _, err := l.Folders.(driver.FolderFiller).FillFolder(t.Context(), l.key(), l.Base, "/etc", true); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("fill: %v", err)
			}
			p := l.Folders.(driver.FolderPlacer)
			if at, err := p.FolderPath(l.key()); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("path: %s, %v", at, err)
			}
			if at, err := p.FolderPath(l.folder(t, 0, 0, 0o755)); err != nil || !strings.HasPrefix(at, l.Home.Root()) {
				t.Errorf("path: %s, %v", at, err)
			}
		}},
	}
}

func strictSubpaths() []test {
	return []test{
		{"a strict subpath is not made", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			if err := l.create(t, l.inFolder(t, driver.Mount{Source: name, Subpath: "a/b", Strict: true}, "true")).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), "a/b") {
				t.Errorf("error %v", err)
			}
			if r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, "ls -A /mnt")); r.out != "" {
				t.Errorf("%+v", r)
			}
		}},
		{"a strict subpath may be a file", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "mkdir /mnt/a; echo x > /mnt/a/f"))
			spec := l.inFolder(t, driver.Mount{Source: name, Subpath: "a/f", Strict: true}, "cat /file; echo y > /file")
			spec.Mounts[0].Target = "/file"
			if r := l.run(t, spec); r.out != "x\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			if r := l.run(t, l.inFolder(t, driver.Mount{Source: name}, "cat /mnt/a/f")); r.out != "y\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a strict subpath leads nowhere but inside the folder", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "cd /mnt; echo mine > f; ln -s / abs; ln -s ../../../.. up; ln -s /etc/passwd pw; ln -s /proc/self/root magic"))
			for sub, want := range map[string]string{"abs": "mine", "up": "mine", "../..": "mine", "pw": "", "magic": ""} {
				spec := l.inFolder(t, driver.Mount{Source: name, Subpath: sub, Strict: true}, "cat /mnt/f")
				b := l.create(t, spec)
				err := b.Start(t.Context(), b.streams(nil))
				if err == nil != (want != "") {
					t.Errorf("%s: error %v", sub, err)
				}
				if err == nil {
					if r := b.wait(); strings.TrimSpace(r.out) != want {
						t.Errorf("%s: %+v", sub, r)
					}
				}
			}
		}},
	}
}

func volumeEvents() []test {
	const script = `cd /mnt; echo new > f; echo more >> f; mkdir d; echo x > d/in; cat old; echo o >> old; mv d e; rm f; ln -s x l; chmod 600 old; mv old two; echo w > /w; echo z > /mnt/last`
	want := []string{
		"/f create file 4", "/f write  9", "/d create dir 0", "/d/in create file 2", "/old write  4", "/d/in remove  0", "/d remove  0", "/e create dir 0", "/e/in create file 2",
		"/f remove  0", "/l create symlink 0", "/old remove  0", "/two create file 4", "/last create file 2",
	}
	return []test{
		{"what is written to a volume is told, and that to the writable layer besides", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			l.runOn(t, l.inFolder(t, driver.Mount{Source: name}, "echo o > /mnt/old"))
			events := l.runTraced(t, l.inFolder(t, driver.Mount{Source: name, Volume: "vol"}, strings.ReplaceAll(script, ";", "; sleep 0.1;")))
			got := attrs(events, vocab.VolumeWrite, "path", "change", "type", "size_bytes")
			slices.Sort(got)
			slices.Sort(want)
			same(t, "writes", want, got)
			same(t, "volume", []string{"vol"}, slices.Compact(attrs(events, vocab.VolumeWrite, "volume")))
			same(t, "layer", []string{"/w"}, attrs(events, vocab.CowCreate, "path"))
		}},
		{"a read-only volume and a folder that is none tell nothing", func(t *testing.T, l *lab) {
			name := l.folder(t, 0, 0, 0o755)
			for _, m := range []driver.Mount{{Source: name, Volume: "vol", ReadOnly: true}, {Source: name}} {
				if got := attrs(l.runTraced(t, l.inFolder(t, m, "echo x > /mnt/f; true")), vocab.VolumeWrite, "path"); len(got) != 0 {
					t.Errorf("%+v: %v", m, got)
				}
			}
		}},
	}
}
