package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/registry/server"
	"github.com/learn-containers/learn/engine/registry/server/depot"
)

// shelf is a registry of somebody else's, or our own, and where it listens.
type shelf struct{ name, host string }

// shelves starts Debian's docker-registry and the embedded server.
func shelves(t *testing.T) []shelf {
	t.Helper()
	s, err := server.New(t.TempDir(), server.Options{Storage: depot.Options{Volatile: true}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() { _ = h.Serve(l); close(served) }()
	t.Cleanup(func() { _ = h.Close(); <-served; _ = s.Close() })
	return []shelf{{"docker-registry", dockerRegistry(t)}, {"learn", l.Addr().String()}}
}

// dockerRegistry starts Debian's registry on a free port.
func dockerRegistry(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("docker-registry")
	if err != nil {
		lacks(t, "docker-registry is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: " + dir + "/data}}\nhttp: {addr: \"" + host + "\"}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 600 {
		if resp, err := http.Get("http://" + host + "/v2/"); err == nil {
			_ = resp.Body.Close()
			return host
		}
		time.Sleep(50 * time.Millisecond) // until it listens; nothing tells
	}
	t.Fatal("docker-registry does not answer")
	return ""
}

// digestBySkopeo is the digest of what a name leads to, as skopeo sees it.
func digestBySkopeo(t *testing.T, at string) string {
	t.Helper()
	out, err := exec.Command("skopeo", "inspect", "--tls-verify=false", at).Output()
	if err != nil {
		t.Fatalf("skopeo inspect %s: %v", at, err)
	}
	var got struct{ Digest string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got.Digest
}

func runPeer(t *testing.T, words ...string) {
	t.Helper()
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

var pushedAs = regexp.MustCompile(`digest: (sha256:[0-9a-f]{64}) size`)

// TestDigestsStayTheSame sends an image from here to one registry, by skopeo to the other, and by skopeo from there to folders: its digest is
// the same everywhere, and each takes every byte.
func TestDigestsStayTheSame(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("skopeo"); err != nil {
		lacks(t, "skopeo is not installed")
	}
	list := shelves(t)
	m := newMachine(t, nativeName)
	m.write("Dockerfile", "FROM learn/base\nRUN echo one >/one\n")
	for i, from := range list {
		to := list[1-i]
		for _, kind := range []string{"gzip", "zstd", "none"} {
			name := from.host + "/shop/app:" + kind
			m.must("build", "-q", "-t", name, ".")
			out := m.must("push", "--compression", kind, name)
			want := pushedAs.FindStringSubmatch(out)
			if want == nil {
				t.Fatalf("%s, %s: %s", from.name, kind, out)
			}
			if got := digestBySkopeo(t, "docker://"+name); got != want[1] {
				t.Errorf("%s, %s: skopeo sees %s, pushed was %s", from.name, kind, got, want[1])
			}
			folder := filepath.Join(t.TempDir(), "oci") + ":app"
			runPeer(t, "skopeo", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests", "docker://"+name, "docker://"+to.host+"/copy/app:"+kind)
			runPeer(t, "skopeo", "copy", "-q", "--src-tls-verify=false", "--preserve-digests", "docker://"+to.host+"/copy/app:"+kind, "oci:"+folder)
			if got := digestBySkopeo(t, "oci:"+folder); got != want[1] {
				t.Errorf("%s to %s, %s: the folder has %s, pushed was %s", from.name, to.name, kind, got, want[1])
			}
			m.must("rmi", "-f", name)
			m.must("builder", "prune", "-af")
			if out := m.must("pull", name); !strings.Contains(out, "\nDigest: "+want[1]+"\n") {
				t.Errorf("%s, %s: pushed was %s, pulled is\n%s", from.name, kind, want[1], out)
			}
			again := pushedAs.FindStringSubmatch(m.must("push", "--compression", kind, name))
			if again == nil || again[1] != want[1] {
				t.Errorf("%s, %s: pushed again as %v", from.name, kind, again)
			}
		}
	}
}

// TestPodmanPulls: podman unpacks and verifies what came from here.
func TestPodmanPulls(t *testing.T) {
	p := newPodman(t)
	host := dockerRegistry(t)
	m := newMachine(t, nativeName)
	m.write("Dockerfile", "FROM learn/base\nRUN echo one >/one\n")
	m.must("build", "-q", "-t", host+"/shop/app:1", ".")
	want := pushedAs.FindStringSubmatch(m.must("push", host+"/shop/app:1"))
	if out, code := p.try("pull", "-q", "--tls-verify=false", host+"/shop/app:1"); code != 0 || want == nil {
		t.Fatalf("podman pull: %s", out)
	}
	out, _ := p.try("image", "inspect", "--format", "{{.Digest}}", host+"/shop/app:1")
	if strings.TrimSpace(out) != want[1] {
		t.Errorf("podman has %s, pushed was %s", out, want[1])
	}
	if out, code := p.try("push", "-q", "--tls-verify=false", host+"/shop/app:1", "docker://"+host+"/podman/app:1"); code != 0 {
		t.Fatalf("podman push: %s", out)
	}
}
