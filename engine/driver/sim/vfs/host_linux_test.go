package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAgainstHost does the same at random to a View and to the kernel of the host, with links, dots and slashes in the names, and
// compares every result. Both have the same folder. Nothing on the host outside the test's own folder can be reached: a link's text
// has no .. and begins with a name or with the folder, so a walk goes up no further than the few .. in the name that is asked for, and
// the folder lies deeper than that.
func TestAgainstHost(t *testing.T) {
	old := syscall.Umask(0o022)
	t.Cleanup(func() { syscall.Umask(old) })
	top := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		base := dir + strings.Repeat("/deep", 8)
		if err := os.MkdirAll(base, 0o755); err != nil {
			t.Fatal(err)
		}
		n := New(NewTmpfs(0, 0o755, time.Now, nil))
		makeAll(t, n.kernelView(), base)
		v := n.View(Cred{UID: os.Getuid(), GID: os.Getgid()}, &proc{pid: 2})
		for p := base; p != filepath.Dir(dir); p = filepath.Dir(p) { // the user's own on the host, too
			if err := n.kernelView().Lchown(p, os.Getuid(), os.Getgid()); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(hostActions(base, v))
	})
}

func makeAll(t *rapid.T, v *View, name string) {
	if name == "/" {
		return
	}
	makeAll(t, v, filepath.Dir(name))
	if err := v.Mkdir(name, 0o755); err != nil && !errors.Is(err, syscall.EEXIST) {
		t.Fatal(err)
	}
}

func hostActions(base string, v *View) map[string]func(*rapid.T) {
	part := rapid.SampledFrom([]string{"a", "b", "c", "a", "b", "c", "a", "b", ".", "..", ""})
	relative := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, "parts"), "/")
	})
	// What a link says. Never the host's root, and never upwards: see above.
	target := rapid.Custom(func(t *rapid.T) string {
		first := rapid.SampledFrom([]string{"a", "b", "c", "."}).Draw(t, "first")
		return strings.Join(append([]string{first}, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", ".", ""}), 0, 3).Draw(t, "rest")...), "/")
	})
	name := func(t *rapid.T) string { return base + "/" + relative.Draw(t, "name") }
	compare := func(t *rapid.T, what string, got, want error) {
		var a, b syscall.Errno
		errors.As(got, &a)
		errors.As(want, &b)
		if a != b || (got == nil) != (want == nil) {
			t.Fatalf("%s: %v; the host: %v", what, got, want)
		}
	}
	modes := []os.FileMode{0o755, 0o700, os.ModeSetgid | 0o775, os.ModeSticky | 0o777}
	if os.Getuid() == 0 { // others could not remove what they made; permissions have tests of their own
		modes = append(modes, 0o644, 0o111)
	}
	mode := rapid.SampledFrom(modes)
	return map[string]func(*rapid.T){
		"mkdir": func(t *rapid.T) {
			n, m := name(t), mode.Draw(t, "mode")
			want := syscall.Mkdir(n, uint32(m.Perm()))
			compare(t, "mkdir "+n, v.Mkdir(n, m.Perm()), want)
		},
		"open": func(t *rapid.T) {
			n := name(t)
			flag := rapid.SampledFrom([]int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR}).Draw(t, "access") |
				rapid.SampledFrom([]int{0, os.O_CREATE, os.O_CREATE | os.O_EXCL, os.O_TRUNC, os.O_CREATE | os.O_TRUNC}).Draw(t, "flags")
			host, want := os.OpenFile(n, flag, 0o666)
			f, got := v.OpenFile(n, flag, 0o666)
			compare(t, "open "+n, got, want)
			if got == nil {
				a, errA := f.Write([]byte("text"))
				b, errB := host.Write([]byte("text"))
				compare(t, "write "+n, errA, errB)
				if a != b {
					t.Fatalf("write %s: %d; the host: %d", n, a, b)
				}
				f.Close()
				host.Close()
			}
		},
		"symlink": func(t *rapid.T) {
			n, to := name(t), target.Draw(t, "to")
			if rapid.Bool().Draw(t, "absolute") {
				to = base + "/" + to
			}
			compare(t, "symlink "+n, v.Symlink(to, n), os.Symlink(to, n))
		},
		"link": func(t *rapid.T) { a, b := name(t), name(t); compare(t, "link "+a+" "+b, v.Link(a, b), os.Link(a, b)) },
		"rename": func(t *rapid.T) {
			a, b := name(t), name(t)
			compare(t, "rename "+a+" "+b, v.Rename(a, b), syscall.Rename(a, b))
		},
		"remove": func(t *rapid.T) { n := name(t); compare(t, "remove "+n, v.Remove(n), os.Remove(n)) },
		"chmod": func(t *rapid.T) {
			n, m := name(t), mode.Draw(t, "mode")
			compare(t, "chmod "+n, v.Chmod(n, m), os.Chmod(n, m))
		},
		"readlink": func(t *rapid.T) {
			n := name(t)
			got, gotErr := v.Readlink(n)
			want, wantErr := os.Readlink(n)
			if compare(t, "readlink "+n, gotErr, wantErr); got != want {
				t.Fatalf("readlink %s: %s; the host: %s", n, got, want)
			}
		},
		"stat":  func(t *rapid.T) { n := name(t); compareInfo(t, v, n, v.Stat, os.Stat) },
		"lstat": func(t *rapid.T) { n := name(t); compareInfo(t, v, n, v.Lstat, os.Lstat) },
		"readdir": func(t *rapid.T) {
			n := name(t)
			got, gotErr := v.ReadDir(n)
			want, wantErr := os.ReadDir(n)
			compare(t, "readdir "+n, gotErr, wantErr)
			if len(got) != len(want) {
				t.Fatalf("readdir %s: %v; the host: %v", n, got, want)
			}
			for i := range got {
				if got[i].Name() != want[i].Name() || got[i].Type() != want[i].Type() {
					t.Fatalf("readdir %s: %v; the host: %v", n, got, want)
				}
			}
		},
		"real": func(t *rapid.T) {
			n := name(t)
			got, gotErr := v.Real(n)
			if want, err := filepath.EvalSymlinks(n); err == nil && (gotErr != nil || got != want) {
				t.Fatalf("real %s: %s, %v; the host: %s", n, got, gotErr, want)
			}
		},
	}
}

func compareInfo(t *rapid.T, v *View, name string, stat, host func(string) (os.FileInfo, error)) {
	got, gotErr := stat(name)
	want, wantErr := host(name)
	if (gotErr == nil) != (wantErr == nil) {
		t.Fatalf("stat %s: %v; the host: %v", name, gotErr, wantErr)
	}
	if gotErr != nil {
		return
	}
	st := want.Sys().(*syscall.Stat_t)
	a := v.Attr(got)
	if got.Mode() != want.Mode() || !got.IsDir() && (got.Size() != want.Size() || a.Links != uint64(st.Nlink)) || a.UID != int(st.Uid) || a.GID != int(st.Gid) {
		t.Fatalf("stat %s: %v %+v; the host: %v %+v", name, got.Mode(), a, want.Mode(), st)
	}
}
