package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			lacks(t, n+" is not installed")
		}
	}
}

// skopeoDigest is the digest of a manifest as skopeo sees it.
func skopeoDigest(t *testing.T, at string) string {
	t.Helper()
	var doc struct{ Digest string }
	if err := json.Unmarshal([]byte(outside(t, "skopeo", "inspect", "--tls-verify=false", at)), &doc); err != nil || doc.Digest == "" {
		t.Fatalf("skopeo inspect %s: %v", at, err)
	}
	return doc.Digest
}

// skopeo, umoci and podman push to and pull from the registry, and what they see of each other has the same digests as what this engine made.
func TestRegistryWithPeers(t *testing.T) {
	needPrograms(t, "skopeo", "umoci", "podman")
	m := newMachine(t, nativeName)
	m.write("Dockerfile", "FROM learn/base\nRUN echo one >/one\n")
	s := serve(t, filepath.Join(m.dir, "store"), nil, "-q")
	defer s.end()
	m.must("build", "-q", "--output", "type=registry,name="+s.host+"/learn/made:1", ".")
	want := skopeoDigest(t, "docker://"+s.host+"/learn/made:1")

	layout := "oci:" + filepath.Join(m.dir, "layout") + ":made"
	outside(t, "skopeo", "copy", "--src-tls-verify=false", "docker://"+s.host+"/learn/made:1", layout)
	outside(t, "skopeo", "copy", "--dest-tls-verify=false", layout, "docker://"+s.host+"/skopeo/made:1")
	outside(t, "skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+s.host+"/skopeo/made:1", "docker://"+s.host+"/copied/made:1")
	for _, at := range []string{layout, "docker://" + s.host + "/skopeo/made:1", "docker://" + s.host + "/copied/made:1", "oci:" + s.storage + ":learn/made:1"} {
		if got := skopeoDigest(t, at); got != want {
			t.Errorf("%s is %s, expected %s", at, got, want)
		}
	}

	umociTurn(t, m, s)
	podmanTurn(t, s, want)

	m.write("Dockerfile", "FROM "+s.host+"/umoci/made:1\nRUN test \"$(cat /one)\" = one\n")
	m.must("build", "-q", "--pull", "--no-cache", "-t", "back", ".")
	if config := m.must("image", "inspect", "--format", "{{index .Config.Labels \"by\"}}", "back"); config != "umoci" {
		t.Errorf("umoci's image came back with label %q", config)
	}
}

// umociTurn changes an image in a layout with umoci, and lets skopeo push it; and lets umoci read the registry's own folder.
func umociTurn(t *testing.T, m *machine, s *served) {
	t.Helper()
	dir := filepath.Join(m.dir, "layout")
	outside(t, "umoci", "config", "--image", dir+":made", "--tag", "changed", "--config.label", "by=umoci")
	outside(t, "skopeo", "copy", "--dest-tls-verify=false", "oci:"+dir+":changed", "docker://"+s.host+"/umoci/made:1")
	if got, want := skopeoDigest(t, "docker://"+s.host+"/umoci/made:1"), skopeoDigest(t, "oci:"+dir+":changed"); got != want {
		t.Errorf("umoci's image is %s in the registry, expected %s", got, want)
	}
	if refs := outside(t, "umoci", "ls", "--layout", s.storage); !strings.Contains(refs, "umoci/made:1") || !strings.Contains(refs, "learn/made:1") {
		t.Errorf("umoci ls of the registry's folder: %q", refs)
	}
	// What another tool writes into the folder is served.
	outside(t, "skopeo", "copy", "oci:"+dir+":changed", "oci:"+s.storage+":placed/made:1")
	if got, want := skopeoDigest(t, "docker://"+s.host+"/placed/made:1"), skopeoDigest(t, "oci:"+dir+":changed"); got != want {
		t.Errorf("what skopeo put into the folder is %s, expected %s", got, want)
	}
	outside(t, "skopeo", "copy", "--src-tls-verify=false", "docker://"+s.host+"/placed/made:1", "oci:"+filepath.Join(m.dir, "again")+":made")
}

// podmanTurn pulls and pushes with podman.
func podmanTurn(t *testing.T, s *served, want string) {
	t.Helper()
	p := newPodman(t)
	from, to := s.host+"/learn/made:1", s.host+"/podman/made:1"
	p.ok("pull", "--tls-verify=false", from)
	if got := p.ok("image", "inspect", "--format", "{{.Digest}}", from); got != want {
		t.Errorf("podman pulled %s, expected %s", got, want)
	}
	id := p.ok("image", "inspect", "--format", "{{.Id}}", from)
	p.ok("push", "--tls-verify=false", from, to)
	p.ok("rmi", "--all", "--force")
	p.ok("pull", "--tls-verify=false", to)
	if got, seen := p.ok("image", "inspect", "--format", "{{.Digest}}", to), skopeoDigest(t, "docker://"+to); got != seen {
		t.Errorf("podman pushed %s and pulled %s", seen, got)
	}
	if got := p.ok("image", "inspect", "--format", "{{.Id}}", to); got != id {
		t.Errorf("the image came back as %s, expected %s", got, id)
	}
}
