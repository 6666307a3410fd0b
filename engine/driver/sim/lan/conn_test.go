package lan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/userland"
)

func TestConnectionCarriesBothWaysAndHalfCloses(t *testing.T) {
	_, a, b := two(t)
	near, far := connect(t, a, b)
	if near.LocalAddr().String() != far.RemoteAddr().String() || near.RemoteAddr().String() != "10.0.0.2:80" {
		t.Errorf("addresses: %s -> %s, %s <- %s", near.LocalAddr(), near.RemoteAddr(), far.LocalAddr(), far.RemoteAddr())
	}
	fmt.Fprint(near, "question")
	near.(userland.Conn).CloseWrite()
	if got, err := io.ReadAll(far); string(got) != "question" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	fmt.Fprint(far, "answer")
	far.Close()
	if got, err := io.ReadAll(near); string(got) != "answer" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write after half-close: %v", err)
	}
}

func TestCloseWithUnreadBytesResets(t *testing.T) {
	_, a, b := two(t)
	near, far := connect(t, a, b)
	fmt.Fprint(far, "last words")
	fmt.Fprint(near, "unread")
	far.Close()
	got, err := io.ReadAll(near)
	if string(got) != "last words" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
}

func TestWriterWaitsForSlowReader(t *testing.T) {
	_, a, b := two(t)
	near, far := connect(t, a, b)
	data := bytes.Repeat([]byte("0123456789abcdef"), 3*bufferSize/16)
	near.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := near.Write(data)
	if n != bufferSize || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	near.SetWriteDeadline(time.Time{})
	go func() {
		near.Write(data[n:])
		near.Close()
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestDeadlineWakesReader(t *testing.T) {
	_, a, b := two(t)
	near, _ := connect(t, a, b)
	done := make(chan error)
	go func() {
		_, err := near.Read(make([]byte, 1))
		done <- err
	}()
	near.SetReadDeadline(time.Now().Add(time.Hour))
	near.SetReadDeadline(time.Unix(1, 0))
	var timeout net.Error
	if err := <-done; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("%v is no timeout", err)
	}
}

func TestHTTP(t *testing.T) {
	_, a, b := two(t)
	l := listen(t, b, ":80")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.URL.Path) })}
	go server.Serve(httpListener{l})
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		c, err := a.Dial(ctx, address)
		if err != nil {
			return nil, err
		}
		return c.(net.Conn), nil
	}}}
	defer client.CloseIdleConnections()
	for i := range 3 { // the second and third on the same connection
		res, err := client.Get(fmt.Sprintf("http://db/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if string(body) != fmt.Sprintf("hello /%d", i) || err != nil {
			t.Fatalf("%q, %v", body, err)
		}
	}
}

type httpListener struct{ userland.Listener }

func (l httpListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return c.(net.Conn), nil
}

func (l httpListener) Addr() net.Addr { return &net.TCPAddr{} }
