package exercises

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBeginWritesTheSetupAndRunsIt(t *testing.T) {
	fake := newFake(t)
	tr := newTrial(t, fake, sizeCheck, "setup/{{n}}/run", "#!/bin/sh\necho {{n}}\n", "setup/plain.txt", "x", "setup/commands.sh", "docker image base 9\n")
	n := tr.task.Setup.Files[1].Path
	if info, err := os.Stat(filepath.Join(tr.bench.Folder, n)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o755 {
		t.Errorf("script %s: %v, %v; expected one that can be executed", n, info, err)
	}
	if all := fake.events.Events(); tr.bench.Began != all[len(all)-1].Seq || tr.bench.Began == 0 {
		t.Errorf("began after event %d; expected the last one of the setup, %d", tr.bench.Began, all[len(all)-1].Seq)
	}
}

func TestCommandThatFailsEndsAnAttempt(t *testing.T) {
	tr := newTrial(t, newFake(t), sizeCheck)
	err := tr.task.Apply(t.Context(), tr.bench, Attempt{Name: "M-A", Do: "docker fail 4\ndocker image apple 5\n"})
	if err == nil || !strings.Contains(err.Error(), "run commands of M-A: exit code 4: it did not work") {
		t.Errorf("error is %v; expected the name, the code and what was printed", err)
	}
	if v := tr.judge(t); v.Solved() {
		t.Error("the command after the one that failed was carried out")
	}
	if err := tr.task.Apply(t.Context(), tr.bench, Attempt{Name: "M-B", Do: "docker fail 4 || true\ndocker image apple 5\n"}); err != nil {
		t.Errorf("error is %v; expected a script to be allowed to say that a command may fail", err)
	}
	if v := tr.judge(t); !v.Solved() {
		t.Errorf("the last command was not carried out: %q", v.First().Reasons)
	}
}

func TestFilesStayInTheFolder(t *testing.T) {
	tr := newTrial(t, newFake(t), sizeCheck)
	err := tr.task.Apply(t.Context(), tr.bench, Attempt{Name: "M-A", Files: []File{{Path: "../out.txt", Content: "x", Mode: 0o644}}})
	if err == nil || !strings.Contains(err.Error(), "write ../out.txt of M-A") {
		t.Errorf("error is %v; expected the file to be refused", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(tr.bench.Folder), "out.txt")); err == nil {
		t.Error("a file was written outside the folder")
	}
}

func TestBoundedKeepsTheFirstBytes(t *testing.T) {
	w := &bounded{left: 5}
	for _, s := range []string{"abc", "defg", "h"} {
		if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("Write(%q) is %d, %v; expected that it seems to be taken", s, n, err)
		}
	}
	if w.String() != "abcde" {
		t.Errorf("kept %q", w)
	}
}

func TestCopyFolder(t *testing.T) {
	old := time.Unix(1_000_000_000, 0)
	outside := filepath.Join(t.TempDir(), "secret.txt")
	put(t, outside, "secret", 0o600)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "run"), "#!/bin/sh\n", 0o755)
	put(t, filepath.Join(dir, "a", "b", "c.txt"), "c", 0o644)
	put(t, filepath.Join(dir, ".env"), "hidden", 0o644)
	must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755), os.Chtimes(filepath.Join(dir, "run"), old, old),
		os.Symlink("a/b/c.txt", filepath.Join(dir, "inside")), os.Symlink(outside, filepath.Join(dir, "outside")))
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	dst := filepath.Join(t.TempDir(), "copy")
	must(t, copyFolder(root, dst, maxCopyFiles, maxCopyBytes))
	for name, want := range map[string]string{"run": "#!/bin/sh\n", "a/b/c.txt": "c", ".env": "hidden", "inside": "c"} {
		if got, err := os.ReadFile(filepath.Join(dst, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; expected %q", name, got, err, want)
		}
	}
	info, err := os.Stat(filepath.Join(dst, "run"))
	must(t, err)
	if !info.ModTime().Equal(old) || runtime.GOOS != "windows" && info.Mode().Perm() != 0o755 {
		t.Errorf("run has time %v and mode %v; expected those of the original", info.ModTime(), info.Mode())
	}
	if target, err := os.Readlink(filepath.Join(dst, "outside")); err != nil || target != outside {
		t.Errorf("link outside is %q, %v; expected a link, and not what it leads to", target, err)
	}
	if info, err := os.Stat(filepath.Join(dst, "empty")); err != nil || !info.IsDir() {
		t.Errorf("empty folder: %v, %v", info, err)
	}
}

func TestCopyFolderHasLimits(t *testing.T) {
	src := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		put(t, filepath.Join(src, name), "12345", 0o644)
	}
	root, err := os.OpenRoot(src)
	must(t, err)
	defer root.Close()
	for _, c := range []struct {
		files int
		bytes int64
		want  string
	}{
		{3, 15, ""},
		{2, 15, "more than 2 files"},
		{3, 14, "more than 14 bytes"},
	} {
		err := copyFolder(root, filepath.Join(t.TempDir(), "copy"), c.files, c.bytes)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %d files and %d bytes allowed, the error is %v; expected %q", c.files, c.bytes, err, c.want)
		}
	}
}

func put(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), mode))
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Fatal(errs[i])
	}
}
