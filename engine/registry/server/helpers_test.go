package server

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// lab is a registry in a folder, asked without a network.
type lab struct {
	t   testing.TB
	dir string
	*Server
}

func newLab(t testing.TB, o Options) *lab {
	t.Helper()
	dir := t.TempDir()
	o.Storage.Volatile = true
	s, err := New(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t, dir, s}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// ask sends a request; headers are pairs.
func (l *lab) ask(method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	l.t.Helper()
	r := httptest.NewRequest(method, "http://registry"+path, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

// want asks and insists on a status.
func (l *lab) want(status int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	l.t.Helper()
	w := l.ask(method, path, strings.NewReader(body), headers...)
	if w.Code != status {
		l.t.Fatalf("%s %.200s: %d %s, expected %d", method, path, w.Code, w.Body, status)
	}
	return w
}

func (l *lab) pushBlob(repo, data string) digest.Digest {
	l.t.Helper()
	g := oci.Sum([]byte(data))
	l.want(201, "POST", "/v2/"+repo+"/blobs/uploads/?digest="+string(g), data)
	return g
}

func descriptor(mediaType, data string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, oci.Sum([]byte(data)), len(data))
}

// imageOf is the manifest of an image with that config and those layers.
func imageOf(extra, config string, layers ...string) string {
	list := make([]string, len(layers))
	for i, l := range layers {
		list[i] = descriptor(oci.MediaTypeLayer, l)
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]%s}`, oci.MediaTypeManifest, descriptor(oci.MediaTypeConfig, config), strings.Join(list, ","), extra)
}

// pushImage pushes all of an image and gives its manifest.
func (l *lab) pushImage(repo, ref, config string, layers ...string) string {
	l.t.Helper()
	for _, b := range append([]string{config}, layers...) {
		l.pushBlob(repo, b)
	}
	m := imageOf("", config, layers...)
	l.want(201, "PUT", "/v2/"+repo+"/manifests/"+ref, m, "Content-Type", oci.MediaTypeManifest)
	return m
}

// code is the error code of an answer, which must have the form of the distribution-spec.
func code(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || len(doc.Errors) != 1 || doc.Errors[0].Message == "" {
		t.Fatalf("%d %q is not an error in the form of the distribution-spec: %v", w.Code, w.Body, err)
	}
	return doc.Errors[0].Code
}

// files lists what lies below folders of the depot.
func (l *lab) files(below ...string) (list []string) {
	l.t.Helper()
	for _, b := range below {
		err := filepath.WalkDir(filepath.Join(l.dir, b), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return list
}

// reopen ends the server and begins another one on the same folder.
func (l *lab) reopen(o Options) *lab {
	l.t.Helper()
	if err := l.Close(); err != nil {
		l.t.Fatal(err)
	}
	o.Storage.Volatile = true
	s, err := New(l.dir, o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Server = s
	return l
}
