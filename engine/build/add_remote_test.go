package build

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
)

// web serves files, and counts how often their content was sent.
func web(t *testing.T, files map[string]string) (url string, sent *atomic.Int64) {
	t.Helper()
	sent = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		tag := `"` + oci.Sum([]byte(text)).Encoded() + `"`
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", "Mon, 03 Feb 2020 04:05:06 GMT")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent.Add(1)
		io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL, sent
}

// remoteRepo serves a repository and returns its address and the commit.
func remoteRepo(t *testing.T, tree fstest.MapFS) (address, commit string) {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		lacks(t, "git is not installed")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "app")
	must(t, os.CopyFS(dir, tree))
	run := func(args ...string) string {
		cmd := exec.Command(git, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a",
			"GIT_COMMITTER_DATE=1580702706 +0000")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "-b", "main")
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	run("add", "-A")
	run("commit", "-qm", "all")
	s := httptest.NewServer(&cgi.Handler{Path: git, Args: []string{"http-backend"}, InheritEnv: []string{"PATH"}, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "HOME=" + root}})
	t.Cleanup(s.Close)
	return s.URL + "/app/.git", run("rev-parse", "HEAD")
}

// bench is a session in which sources can be fetched, and the instruction that asks for them.
func (l *lab) bench() (*session, dockerfile.Instruction, *home.Operation) {
	l.t.Helper()
	op, err := l.home.Begin("test")
	must(l.t, err)
	file, err := dockerfile.Parse("Dockerfile", []byte("FROM scratch\nADD https://user:hunter2@host/x.git#--x /\n"))
	must(l.t, err)
	plan, err := file.Plan(dockerfile.PlanOptions{})
	must(l.t, err)
	return &session{Builder: l.builder, op: op, plan: plan}, plan.Stages[0].Instructions[0], op
}

func TestFetchSourceOfURL(t *testing.T) {
	l := newLab(t)
	url, sent := web(t, map[string]string{"/a/file.txt": "content"})
	s, in, op := l.bench()
	defer op.End()
	for range 2 {
		got, top, done, err := s.fetchSource(l.ctx, in, copySpec{name: "ADD", paths: []string{url + "/a/file.txt?x"}}, url+"/a/file.txt?x")
		must(t, err)
		n, err := got.lstat(top)
		must(t, err)
		if top != "file.txt" || n.mode != 0o600 || n.uid != 0 || n.gid != 0 || n.size != 7 || n.sum != oci.Sum([]byte("content")) ||
			!n.mtime.Equal(time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)) {
			t.Errorf("%s: %+v", top, n)
		}
		f, err := got.open(top)
		must(t, err)
		if text, err := io.ReadAll(f); err != nil || string(text) != "content" {
			t.Errorf("%q, %v", text, err)
		}
		f.Close()
		must(t, got.digest([]*node{&n}))
		if names, err := got.list("."); err != nil || len(names) != 1 || names[0] != top {
			t.Errorf("%v, %v", names, err)
		}
		done()
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("the content was sent %d times", n)
	}
	if left, _ := filepath.Glob(filepath.Join(op.Dir(), "source-*")); len(left) > 0 {
		t.Errorf("done leaves %v", left)
	}
}

func TestFetchSourceOfRepository(t *testing.T) {
	l := newLab(t)
	address, commit := remoteRepo(t, fstest.MapFS{"file": {Data: []byte("x"), Mode: 0o644}, "d/run": {Data: []byte("y"), Mode: 0o755}})
	s, in, op := l.bench()
	defer op.End()
	at := time.Unix(1580702706, 0)
	for _, c := range []struct {
		src  string
		spec copySpec
		want string
	}{
		{address, copySpec{}, "d file link"},
		{address + "#main:d", copySpec{}, "run"},
		{address, copySpec{checksum: commit}, "d file link"},
		{address, copySpec{keepGitDir: new(true)}, ".git d file link"},
		{address + "?keep-git-dir=1", copySpec{}, ".git d file link"},
	} {
		c.spec.name, c.spec.paths = "ADD", []string{c.src}
		got, top, done, err := s.fetchSource(l.ctx, in, c.spec, c.src)
		must(t, err)
		names, err := got.list(top)
		if err != nil || strings.Join(names, " ") != c.want {
			t.Errorf("%s: %v, %v", c.src, names, err)
		}
		for _, name := range names {
			n, err := got.lstat(name)
			if err != nil || !n.mtime.Equal(at) || n.uid != 0 || n.mode.Type() == fs.ModeSymlink && n.link != "file" {
				t.Errorf("%s: %s: %+v, %v", c.src, name, n, err)
			}
		}
		done()
	}
}

func TestFetchSourceRefuses(t *testing.T) {
	l := newLab(t)
	url, _ := web(t, map[string]string{"/x": "x"})
	s, in, op := l.bench()
	defer op.End()
	for _, c := range []struct {
		src  string
		spec copySpec
		want string
	}{
		{url + "/x", copySpec{name: "COPY"}, "COPY: source can't be a URL or a git repository"},
		{url + "/x", copySpec{name: "ADD", checksum: "sha256:00"}, "expected sha256:"},
		{url + "/x", copySpec{name: "ADD", checksum: oci.Sum([]byte("y")).String()}, "digest mismatch"},
		{url + "/missing", copySpec{name: "ADD"}, "404 Not Found"},
		{"http://user:hunter2@127.0.0.1:1/x", copySpec{name: "ADD"}, "download http://xxxxx:xxxxx@127.0.0.1:1/x: dial"},
		{"https://user:hunter2@host/x.git#--x", copySpec{name: "ADD"}, "invalid git ref"},
		{"https://host/x.git?keep-git-dir=0", copySpec{name: "ADD", keepGitDir: new(true)}, "inconsistent keep-git-dir"},
		{"https://host/x.git?checksum=ab", copySpec{name: "ADD", checksum: "cd"}, "checksum mismatch"},
		{"https://host/x.git", copySpec{name: "ADD", checksum: "--x"}, "invalid checksum"},
	} {
		c.spec.paths = []string{c.src}
		_, _, _, err := s.fetchSource(l.ctx, in, c.spec, c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "Dockerfile:2:") {
			t.Errorf("%s: %v; want %q", c.src, err, c.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error has the password: %v", c.src, err)
		}
	}
	for _, c := range []copySpec{{name: "ADD", checksum: "sha256:00", paths: []string{"file"}}, {name: "ADD", checksum: "sha256:00", paths: []string{url + "/x", url + "/x"}},
		{name: "COPY", paths: []string{"file", url + "/x"}}} {
		if err := s.checkRemote(in, c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(op.Dir(), "source-*")); len(left) > 0 {
		t.Errorf("errors leave %v", left)
	}
}

func TestAddOfRemoteSources(t *testing.T) {
	l := newLab(t)
	url, sent := web(t, map[string]string{"/file.txt": "content"})
	address, _ := remoteRepo(t, fstest.MapFS{"file": {Data: []byte("x"), Mode: 0o644}, "d/run": {Data: []byte("y"), Mode: 0o755}})
	text := fmt.Sprintf("FROM base\nADD %s/file.txt /got/\nADD --checksum=%s %s/file.txt /named\nADD %s#main:d /repo/\n", url, oci.Sum([]byte("content")), url, address)
	res := l.build(text, Options{})
	tree := l.tree(res)
	for _, p := range []string{"got/file.txt", "named", "repo/run"} {
		if _, ok := tree[p]; !ok {
			t.Errorf("%s is missing in %v", p, tree)
		}
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("the content was sent %d times", n)
	}
	if again := l.build(text, Options{}); again.Misses != 0 || again.Image.ID != res.Image.ID {
		t.Errorf("the second build: %d misses, %v", again.Misses, l.reasons())
	}
	if _, err := l.try("FROM base\nADD --checksum="+oci.Sum([]byte("content")).String()+" Dockerfile /x\n", Options{}); err == nil || !strings.Contains(err.Error(), "checksum requires HTTP(S) or Git sources") {
		t.Errorf("checksum of a local file: %v", err)
	}
	if _, err := l.try("FROM base\nCOPY "+url+"/file.txt /x\n", Options{}); err == nil || !strings.Contains(err.Error(), "use ADD") {
		t.Errorf("COPY: %v", err)
	}
}

// Credentials in an address are nowhere afterwards: not in the image, the records, the events or the output.
func TestAddKeepsNoCredentials(t *testing.T) {
	l := newLab(t)
	url, _ := web(t, map[string]string{"/file": "content"})
	secret := strings.Replace(url, "http://", "http://user:hunter2@", 1)
	res := l.build(fmt.Sprintf("FROM base\nARG FROM_ARG\nADD %s/file?sig=hunter2 /a\nADD [\"%s/file\", \"/b\"]\nADD ${FROM_ARG}/file /c\n", secret, secret),
		Options{Args: map[string]*string{"FROM_ARG": &secret}})
	_, failed := l.try(fmt.Sprintf("FROM base\nADD %s/missing?sig=hunter2 /a\n", secret), Options{})
	config, err := json.Marshal(res.Image.Config)
	must(t, err)
	events, err := json.Marshal(l.trace.Events())
	must(t, err)
	places := map[string]string{"config and history": string(config), "events": string(events), "output": l.out.String(), "error": fmt.Sprint(failed)}
	must(t, filepath.WalkDir(l.home.Root(), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			data, err := os.ReadFile(p)
			places[p] = string(data)
			return err
		}
		return err
	}))
	for where, data := range places {
		if strings.Contains(data, "hunter2") {
			t.Errorf("the password is in %s:\n%s", where, data)
		}
	}
}
