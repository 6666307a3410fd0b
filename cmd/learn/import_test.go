package main

import (
	"archive/tar"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// TestImportFromAnAddress imports a tree that a server on this machine gives, compressed in each way, with a comment, changes and a platform.
func TestImportFromAnAddress(t *testing.T) {
	var tree bytes.Buffer
	w := tar.NewWriter(&tree)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "menu", Size: 4, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("soup"))
	_ = w.Close()
	files := map[string][]byte{"/tree.tar": tree.Bytes()}
	for name, program := range map[string]string{"/tree.tar.gz": "gzip", "/tree.tar.xz": "xz", "/tree.tar.zst": "zstd", "/tree.tar.bz2": "bzip2"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks(t, program+" is not installed")
		}
		cmd := exec.Command(program, "-c")
		cmd.Stdin = bytes.NewReader(tree.Bytes())
		packed, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		files[name] = packed
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if data, ok := files[r.URL.Path]; ok {
			_, _ = w.Write(data)
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	m := newMachine(t, "sim")
	for name := range files {
		m.must("import", "-m", "from afar", "-c", `CMD ["cat","/menu"]`, "--platform", "linux/arm64", server.URL+name, "afar:1")
		const format = "{{.Architecture}} {{.Comment}} {{.Config.Cmd}} {{index .RootFS.Layers 0}}"
		want := "arm64 from afar [cat /menu] "
		if got := m.must("inspect", "-f", format, "afar:1"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if r := m.docker("import", server.URL+"/none.tar"); r.code == 0 || !strings.Contains(r.err, "404") {
		t.Errorf("exit code %d, %s", r.code, r.err)
	}
	if r := m.docker("system", "check"); r.code != 0 {
		t.Errorf("check: %s%s", r.out, r.err)
	}
}
