package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
)

// listen serves a registry on a port of the loopback interface until the test ends it.
func listen(t *testing.T, l *lab) (host string, end func()) {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Listen(ctx, port, Logged(l, io.Discard, time.Now), ListenOptions{}) }()
	return port.Addr().String(), func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// An upload that is under way when the server is told to end is either finished or leaves nothing.
func TestEndWhileUploading(t *testing.T) {
	l := newLab(t, Options{})
	host, end := listen(t, l)
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+host+"/v2/a/blobs/uploads/?digest="+string(oci.Sum([]byte("slowly"))), pr)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	if _, err := pw.Write([]byte("slow")); err != nil {
		t.Fatal(err)
	}
	for len(l.files("uploads")) == 0 { // until its first bytes are there
		time.Sleep(time.Millisecond)
	}
	go func() {
		_, _ = pw.Write([]byte("ly"))
		_ = pw.Close()
	}()
	end()
	if resp := <-answered; resp != nil {
		_ = resp.Body.Close()
		if resp.StatusCode != 201 {
			t.Error(resp.Status)
		}
	}
	if left := l.files("uploads"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if _, err := net.Dial("tcp", host); err == nil {
		t.Error("the port still answers")
	}
}

// Whoever sends no bytes for too long is let go, and what came of a chunk stays.
func TestSlowClientIsLetGo(t *testing.T) {
	l := newLab(t, Options{Patience: 50 * time.Millisecond})
	host, end := listen(t, l)
	defer end()
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n{", host, oci.MediaTypeManifest)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Error(resp.Status)
	}
}

// The kernel can copy a blob from its file to the connection also when requests are logged.
func TestLoggedStillCopiesFiles(t *testing.T) {
	var w http.ResponseWriter = &counted{}
	if _, ok := w.(io.ReaderFrom); !ok {
		t.Error("a logged answer takes no files")
	}
	l := newLab(t, Options{})
	big := strings.Repeat("x", 1<<20)
	g := string(l.pushBlob("a", big))
	host, end := listen(t, l)
	defer end()
	resp, err := http.Get("http://" + host + "/v2/a/blobs/" + g)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); err != nil || string(data) != big {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
