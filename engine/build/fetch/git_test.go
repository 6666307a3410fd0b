package fetch

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// forge is a server of real repositories on the loopback interface.
type forge struct {
	t      *testing.T
	root   string
	url    string
	mu     sync.Mutex
	auth   map[string]int // Authorization headers that came
	secret bool           // user:secret is needed
}

func newForge(t *testing.T) *forge {
	t.Helper()
	if testing.Short() {
		t.Skip("runs git many times, one after the other")
	}
	git := findGit(t)
	f := &forge{t: t, root: t.TempDir(), auth: map[string]int{}}
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + f.root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=" + f.root}, InheritEnv: []string{"PATH"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.auth[r.Header.Get("Authorization")]++
		f.mu.Unlock()
		if user, pass, _ := r.BasicAuth(); f.secret && (user != "user" || pass != "hunter2") {
			w.Header().Set("WWW-Authenticate", `Basic realm="forge"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func findGit(t *testing.T) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		lacks(t, "git is not installed")
	}
	return git
}

// repo is a repository with a work tree, served as NAME.git.
type repo struct {
	f    *forge
	name string
}

func (f *forge) repo(name string) *repo {
	r := &repo{f, name}
	r.git("init", "-q", "-b", "main", r.dir())
	return r
}

func (r *repo) dir() string { return filepath.Join(r.f.root, r.name+".git") }

// url is the address of the repository: of its .git folder, since it has a work tree.
func (r *repo) url() string { return r.f.url + "/" + r.name + ".git/.git" }

func (r *repo) git(args ...string) string {
	r.f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir()
	if args[0] == "init" {
		cmd.Dir = r.f.root
	}
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.org", "GIT_AUTHOR_DATE=1580702706 +0000", "GIT_COMMITTER_DATE=1580702706 +0000", "GIT_ALLOW_PROTOCOL=file:http:https")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, text string) {
	r.f.t.Helper()
	p := filepath.Join(r.dir(), name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
		r.f.t.Fatal(err)
	}
}

func (r *repo) commit(files ...string) string {
	r.f.t.Helper()
	for i := 0; i < len(files); i += 2 {
		r.write(files[i], files[i+1])
	}
	r.git("add", "-A")
	r.git("commit", "-qm", "change")
	return r.git("rev-parse", "HEAD")
}

// cloned clones word and returns what came and the tree.
func cloned(t *testing.T, word string, keep bool) (Checkout, string, error) {
	t.Helper()
	g, ok, err := ParseGit(word)
	if !ok || err != nil {
		return Checkout{}, "", errors.Join(err, errors.New("parse"))
	}
	c, err := Clone(t.Context(), t.TempDir(), g, keep)
	if err != nil {
		return c, "", err
	}
	return c, list(t, c.Dir), nil
}

func TestClone(t *testing.T) {
	f := newForge(t)
	r := f.repo("app")
	first := r.commit("file", "one", "sub/dir/x", "x", "run.sh", "#!")
	r.git("tag", "light")
	r.git("tag", "-a", "-m", "tag", "heavy")
	heavy := r.git("rev-parse", "heavy")
	r.git("branch", "both")
	r.git("checkout", "-q", "-b", "feature/one")
	second := r.commit("file", "two")
	r.git("tag", "both")
	r.git("update-ref", "refs/pull/1/head", second)
	r.git("checkout", "-q", "main")
	third := r.commit("file", "three")
	one, two, three := "file: one\nrun.sh: #!\nsub/\nsub/dir/\nsub/dir/x: x\n", "", ""
	two, three = strings.Replace(one, "one", "two", 1), strings.Replace(one, "one", "three", 1)

	for _, c := range []struct{ address, commit, tree string }{
		{"", third, three},
		{"#main", third, three},
		{"#refs/heads/main", third, three},
		{"#light", first, one},
		{"#heavy", first, one},
		{"#tags/heavy", first, one},
		{"#feature/one", second, two},
		{"#both", first, one}, // branches come before tags
		{"?tag=both", second, two},
		{"?branch=both", first, one},
		{"#pull/1/head", second, two},
		{"#refs/pull/1/head", second, two},
		{"#" + first, first, one},
		{"#" + second, second, two},
		{"#light:sub", first, "dir/\ndir/x: x\n"},
		{"#:sub/dir", third, "x: x\n"},
		{"?subdir=sub/dir&ref=light", first, "x: x\n"},
		{"?checksum=" + third[:10], third, three},
		{"?ref=heavy&checksum=" + first, first, one},
		{"?ref=heavy&checksum=" + heavy, first, one},
		{"?ref=main&fetch-by-commit&checksum=" + first, first, one},
	} {
		got, tree, err := cloned(t, r.url()+c.address, false)
		if err != nil || got.Commit != c.commit || tree != c.tree {
			t.Errorf("%s: commit %s, %v\n%swant %s\n%s", c.address, got.Commit, err, tree, c.commit, c.tree)
		}
	}
	for address, want := range map[string]string{
		"#missing":                              "does not contain ref missing",
		"#" + first[:10]:                        "whole id",
		"#" + strings.Repeat("a", 40):           "",
		"#:missing":                             `there is no "missing"`,
		"#:file":                                "is not a folder",
		"?checksum=" + first:                    "expected checksum to match " + first + ", got " + third,
		"?ref=" + first + "&checksum=" + second: "expected checksum",
	} {
		if got, _, err := cloned(t, r.url()+address, false); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "git repository "+f.url) {
			t.Errorf("%s: %+v, %v; want %q", address, got, err, want)
		}
	}
	if _, _, err := cloned(t, f.url+"/nothing.git", false); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("no such repository: %v", err)
	}
}

// The same commit must give the same tree: modes do not come from the umask nor times from the clock.
func TestCloneIsReproducible(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	f := newForge(t)
	r := f.repo("app")
	r.write("run", "x")
	if err := os.Chmod(filepath.Join(r.dir(), "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.commit("d/file", "x")
	got, _, err := cloned(t, r.url(), true)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1580702706, 0)
	for name, mode := range map[string]fs.FileMode{"run": 0o755, "d/file": 0o644, "d": fs.ModeDir | 0o755, ".": fs.ModeDir | 0o755, ".git/HEAD": 0o644} {
		fi, err := os.Lstat(filepath.Join(got.Dir, name))
		if err != nil || fi.Mode() != mode || !fi.ModTime().Equal(at) {
			t.Errorf("%s: %v %v, %v", name, fi.Mode(), fi.ModTime(), err)
		}
	}
	again, _, err := cloned(t, r.url(), true)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := list(t, got.Dir), list(t, again.Dir); a != b {
		t.Errorf("two clones with .git differ:\n%s\n%s", a, b)
	}
	late, _, err := cloned(t, r.url()+"?mtime=checkout", false)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(filepath.Join(late.Dir, "run")); err != nil || time.Since(fi.ModTime()) > time.Minute {
		t.Errorf("mtime=checkout: %v, %v", fi, err)
	}
}

func TestCloneKeepsGitDir(t *testing.T) {
	f := newForge(t)
	r := f.repo("app")
	r.commit("file", "one")
	r.git("tag", "-a", "-m", "tag", "v1")
	want := r.commit("file", "two")
	for _, address := range []string{"", "#v1", "#" + want} {
		got, tree, err := cloned(t, r.url()+address, true)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "-C", got.Dir, "-c", "safe.directory=*", "status", "--porcelain")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: the repository is not clean: %s, %v", address, out, err)
		}
		out, err := exec.Command("git", "-C", got.Dir, "rev-parse", "HEAD").Output()
		if err != nil || strings.TrimSpace(string(out)) != got.Commit {
			t.Errorf("%s: HEAD is %s, %v; want %s", address, out, err, got.Commit)
		}
		if strings.Contains(tree, "FETCH_HEAD") || strings.Contains(tree, "hooks/") {
			t.Errorf("%s: .git holds what it must not:\n%s", address, tree)
		}
	}
	if _, tree, err := cloned(t, r.url()+"?keep-git-dir=1", false); err != nil || strings.Contains(tree, ".git") {
		t.Errorf("the address alone does not decide for Clone: %v\n%s", err, tree)
	}
}

func TestCloneTakesNoPathThroughALink(t *testing.T) {
	f := newForge(t)
	r := f.repo("app")
	r.write("d/x", "x")
	for name, to := range map[string]string{"out": "../../..", "in": "d", "d/up": "../../../.."} {
		if err := os.Symlink(to, filepath.Join(r.dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	r.commit()
	for _, sub := range []string{"out", "in", "d/up", "out/etc"} {
		if got, _, err := cloned(t, r.url()+"#:"+sub, false); err == nil || !strings.Contains(err.Error(), "is not a folder") {
			t.Errorf("%s: %+v, %v", sub, got, err)
		}
	}
	if _, ok, err := ParseGit(r.url() + "#main:../../"); !ok || err == nil {
		t.Error("#main:../../ is accepted")
	}
	if _, ok, err := ParseGit(r.url() + "#--upload-pack=x"); !ok || err == nil {
		t.Error("#--upload-pack=x is accepted")
	}
}

func TestCloneSubmodules(t *testing.T) {
	f := newForge(t)
	inner := f.repo("inner")
	inner.commit("in", "inner")
	r := f.repo("app")
	r.commit("file", "x")
	r.git("submodule", "--quiet", "add", inner.url(), "lib")
	r.commit()
	if _, tree, err := cloned(t, r.url(), false); err != nil || !strings.Contains(tree, "lib/in: inner\n") || strings.Contains(tree, "lib/.git") {
		t.Errorf("%v\n%s", err, tree)
	}
	if _, tree, err := cloned(t, r.url(), true); err != nil || !strings.Contains(tree, "lib/in: inner\n") || !strings.Contains(tree, "lib/.git: gitdir: ../.git/modules/lib\n") {
		t.Errorf("with .git: %v\n%s", err, tree)
	}
	if _, tree, err := cloned(t, r.url()+"?submodules=false", false); err != nil || strings.Contains(tree, "lib/in") {
		t.Errorf("without: %v\n%s", err, tree)
	}
}

// Submodules may not name what is on this machine (CVE-2022-39253), nor run anything.
func TestCloneRefusesHostileSubmodules(t *testing.T) {
	f := newForge(t)
	secret := f.repo("secret")
	id := secret.commit("key", "hunter2")
	marker := filepath.Join(t.TempDir(), "marker")
	for _, address := range []string{"file://" + secret.dir(), secret.dir(), "ext::sh -c touch% " + marker, "ext::touch " + marker, "-u./x", "fd::3"} {
		r := f.repo("app" + id[:4] + strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' {
				return c
			}
			return -1
		}, address))
		r.commit("file", "x", ".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = "+address+"\n\tupdate = !touch "+marker+"\n")
		r.git("update-index", "--add", "--cacheinfo", "160000,"+id+",lib")
		r.git("commit", "-qm", "submodule")
		got, tree, err := cloned(t, r.url(), false)
		if err == nil || strings.Contains(tree, "hunter2") {
			t.Errorf("%s: %+v\n%s", address, got, tree)
		}
		if _, err := os.Stat(marker); err == nil {
			t.Fatalf("%s: a program was run", address)
		}
	}
}

// Nothing in a repository, nor in the user's settings, makes git run a program.
func TestCloneRunsNothing(t *testing.T) {
	f := newForge(t)
	marker := filepath.Join(t.TempDir(), "marker")
	home := t.TempDir()
	config := "[filter \"evil\"]\n\tsmudge = touch " + marker + "\n\trequired = true\n[core]\n\thooksPath = " + home + "\n\tfsmonitor = \"touch " + marker + "\"\n[url \"file:///\"]\n\tinsteadOf = http://\n"
	hook := "#!/bin/sh\ntouch " + marker + "\n"
	if err := errors.Join(os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(config), 0o644), os.WriteFile(filepath.Join(home, "post-checkout"), []byte(hook), 0o755)); err != nil {
		t.Fatal(err)
	}
	r := f.repo("app")
	r.commit("file", "x", ".gitattributes", "* filter=evil\n")
	t.Setenv("HOME", home)
	t.Setenv("GIT_TEMPLATE_DIR", home)
	t.Setenv("GIT_DIR", home)
	t.Setenv("GIT_SSH_COMMAND", "touch "+marker)
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
	t.Setenv("GIT_CONFIG_VALUE_0", home)
	if _, tree, err := cloned(t, r.url(), false); err != nil || !strings.Contains(tree, "file: x\n") {
		t.Errorf("%v\n%s", err, tree)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a program was run")
	}
}

func TestCloneWithCredentials(t *testing.T) {
	f := newForge(t)
	inner := f.repo("inner")
	inner.commit("in", "inner")
	r := f.repo("app")
	r.commit("file", "x")
	r.git("submodule", "--quiet", "add", inner.url(), "lib")
	r.commit()
	f.secret = true
	home := t.TempDir()
	t.Setenv("HOME", home)
	store := filepath.Join(home, "store")
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[credential]\n\thelper = store --file "+store+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	withUser := func(user string) string { return strings.Replace(r.url(), "http://", "http://"+user+"@", 1) }

	got, tree, err := cloned(t, withUser("user:hunter2"), true)
	if err != nil || !strings.Contains(tree, "file: x\n") || !strings.Contains(tree, "lib/in: inner\n") {
		t.Fatalf("%v\n%s", err, tree)
	}
	if strings.Contains(tree, "hunter2") {
		t.Error("the password is in the tree")
	}
	if _, err := os.Stat(store); err == nil {
		t.Error("the user's helper was told the password of an address")
	}
	config, _ := os.ReadFile(filepath.Join(filepath.Dir(got.Dir), "gitconfig"))
	if len(config) == 0 || strings.Contains(string(config), "hunter2") {
		t.Errorf("git's settings: %s", config)
	}
	for _, user := range []string{"user:wrongSecret", "wrongToken", "user:"} {
		_, _, err := cloned(t, withUser(user), false)
		if err == nil || strings.Contains(err.Error(), "wrong") || !strings.Contains(err.Error(), "xxxxx:xxxxx@") {
			t.Errorf("%s: %v", user, err)
		}
	}
	if _, _, err := cloned(t, r.url(), false); err == nil || !strings.Contains(err.Error(), "could not read Username") {
		t.Errorf("without: %v", err)
	}
	host := strings.TrimPrefix(f.url, "http://")
	if err := os.WriteFile(store, []byte("http://user:hunter2@"+host+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, tree, err := cloned(t, r.url(), false); err != nil || !strings.Contains(tree, "lib/in: inner\n") {
		t.Errorf("by the user's helper: %v\n%s", err, tree)
	}
}

// A server that sends git elsewhere must not learn the password there.
func TestCloneSendsNoCredentialsToAnotherHost(t *testing.T) {
	f := newForge(t)
	r := f.repo("app")
	r.commit("file", "x")
	f.secret = true
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, _, ok := req.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="first"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, req, strings.Replace(f.url, "127.0.0.1", "localhost", 1)+req.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	defer first.Close()
	_, _, err := cloned(t, strings.Replace(first.URL, "http://", "http://user:hunter2@", 1)+"/app.git/.git", false)
	if err == nil {
		t.Error("no error")
	}
	for header, n := range f.auth {
		if header != "" {
			t.Errorf("%d requests with %q came to the other host", n, header)
		}
	}
}

func TestCloneWithoutGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	g, _, _ := ParseGit("https://host.invalid/x.git")
	if _, err := Clone(t.Context(), t.TempDir(), g, false); !errors.Is(err, ErrNoGit) || !strings.Contains(err.Error(), "install") {
		t.Errorf("%v", err)
	}
}

func TestCloneEndsWithItsContext(t *testing.T) {
	findGit(t)
	stuck := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	g, _, err := ParseGit(stuck.URL + "/x.git")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err = Clone(ctx, t.TempDir(), g, false)
	stuck.Close() // waits until nobody asks any more: what git had started must be gone, too
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

// lacks skips for want of something that the machine does not have; under CI that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
