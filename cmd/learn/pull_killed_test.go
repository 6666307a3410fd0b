package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/opencontainers/go-digest"
)

// TestPullGoesOnAfterKill kills a pull when half of a layer is on the disk. The next one asks for the other half alone.
func TestPullGoesOnAfterKill(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		if driver == nativeName {
			needRoot(t)
		}
		hub := registrytest.New(t)
		m := newMachine(t, driver)
		noise := make([]byte, 8<<20)
		_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
		m.write("noise", string(noise))
		m.write("Dockerfile", "FROM learn/base\nCOPY noise /noise\n")
		name := hub.Host() + "/shop/app:1"
		m.must("build", "-q", "--output", "type=registry,name="+name, ".")
		m.docker("rmi", "-f", name)
		m.must("builder", "prune", "-af")
		half := make(chan string, 9)
		hub.Before = func(w http.ResponseWriter, r *http.Request) bool {
			_, d, _ := strings.Cut(r.URL.Path, "/blobs/sha256:")
			data := hub.Blob(digest.Digest("sha256:" + d))
			if r.Method != http.MethodGet || len(data) < 8<<20 || len(data) > 9<<20 {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:len(data)/2])
			w.(http.Flusher).Flush()
			half <- d
			<-r.Context().Done()
			return true
		}
		big, kept := m.killAtHalf(name, half)
		from := make(chan string, 9)
		hub.Before = func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, big) {
				from <- r.Header.Get("Range")
			}
			return false
		}
		m.must("pull", name)
		var at int64
		if _, err := fmt.Sscanf(<-from, "bytes=%d-", &at); err != nil || at != kept || at < 2<<20 {
			t.Errorf("the second pull asked for the bytes from %d on, %d are there, %v", at, kept, err)
		}
		if r := m.docker("system", "check"); r.code != 0 {
			t.Errorf("check: %s%s", r.out, r.err)
		}
	})
}

// killAtHalf pulls, and kills that when a good part of what the registry sent is on the disk. It returns the blob's digest, in hex, and
// how many bytes of it are there.
func (m *machine) killAtHalf(name string, half <-chan string) (string, int64) {
	m.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args, cmd.Dir = []string{"docker", "pull", name}, m.dir
	cmd.Env = append(append(os.Environ(), "LEARN_HOME="+m.home, "LEARN_TRACE="), m.env...)
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	blob := <-half
	for range 1200 {
		if fi, err := os.Stat(filepath.Join(m.home, "downloads", blob, "blob")); err == nil && fi.Size() >= 2<<20 {
			break
		}
		time.Sleep(50 * time.Millisecond) // until it is there; nothing tells
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	fi, err := os.Stat(filepath.Join(m.home, "downloads", blob, "blob"))
	if err != nil {
		m.t.Fatal(err)
	}
	return blob, fi.Size()
}
