package lan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// joined is a switch with one host on the trunk in dir.
func joined(t *testing.T, dir, name, addr string) (*Switch, *Host) {
	t.Helper()
	s := NewSwitch()
	t.Cleanup(func() { s.Close() })
	if err := s.Trunk(dir); err != nil {
		t.Fatal(err)
	}
	h := s.Host("id-"+name, name)
	plugIn(t, s, h, addr)
	know(map[string]string{"a": "10.0.0.1", "b": "10.0.0.2", "child": "10.0.0.2", "web": "10.0.0.2"}, h)
	return s, h
}

// spawn starts a process with a host of its own and returns when it is there.
func spawn(t *testing.T, dir, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), childEnv+"="+addr)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	return cmd
}

func ask(t *testing.T, h *Host, address, question string) (string, error) {
	t.Helper()
	c, err := h.Dial(quickly(t), address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	go func() {
		io.WriteString(c, question)
		c.CloseWrite()
	}()
	answer, err := io.ReadAll(c)
	return string(answer), err
}

func TestTrunkReachesOtherProcesses(t *testing.T) {
	dir := t.TempDir()
	_, h := joined(t, dir, "parent", "10.0.0.1")
	spawn(t, dir, "10.0.0.2")
	question := strings.Repeat("is anybody there? ", 50_000)
	for _, name := range []string{"10.0.0.2", "child", "WEB"} {
		if answer, err := ask(t, h, name+":7", question); answer != question || err != nil {
			t.Fatalf("%s: %d bytes, %v", name, len(answer), err)
		}
	}
	if _, err := ask(t, h, "child:8", ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed port: %v", err)
	}
	if _, err := ask(t, h, "10.0.0.3:7", ""); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("nobody's address: %v", err)
	}
}

func TestKilledProcessLeavesItsAddressFree(t *testing.T) {
	dir := t.TempDir()
	s, h := joined(t, dir, "parent", "10.0.0.1")
	child := spawn(t, dir, "10.0.0.2")
	if err := plugErr(s, h, "10.0.0.2"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("plug a taken address: %v", err)
	}
	if len(h.Addrs()) != 1 {
		t.Fatalf("a refused address stays: %v", h.Addrs())
	}
	c := dial(t, h, "web:7")
	child.Process.Kill()
	child.Wait()
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("connection to a killed process: %v", err)
	}
	if s.Present("child", netip.MustParseAddr("10.0.0.2")) {
		t.Error("a dead host is still there")
	}
	if err := Sweep(dir); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.json")); len(left) != 1 || err != nil {
		t.Errorf("after a sweep: %v, %v", left, err)
	}
	if _, err := ask(t, h, "10.0.0.2:7", ""); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("dial a dead host: %v", err)
	}
	plugIn(t, s, h, "10.0.0.2")
	s.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != folderLock {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}

func TestTrunkInAFolderWithALongPath(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	s, _ := joined(t, dir, "a", "10.0.0.1")
	_, b := joined(t, dir, "b", "10.0.0.2")
	l := listen(t, s.hosts[0], ":7")
	go echoAll(l)
	if answer, err := ask(t, b, "a:7", "hello"); answer != "hello" || err != nil {
		t.Fatalf("%q, %v", answer, err)
	}
	socket := s.trunk.socket
	s.Close()
	if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder is left: %v", err)
	}
}

func TestTrunkClaimsWhatIsPlugged(t *testing.T) {
	dir := t.TempDir()
	joined(t, dir, "a", "10.0.0.1")
	s := NewSwitch()
	defer s.Close()
	h := s.Host("idb", "b")
	plugIn(t, s, h, "10.0.0.1")
	if err := s.Trunk(dir); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("trunk: %v", err)
	}
	s.Unplug(h)
	if err := s.Trunk(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Trunk(dir); err == nil {
		t.Error("a second trunk")
	}
}

func TestRemoteEndsCloseAndAbort(t *testing.T) {
	dir := t.TempDir()
	_, a := joined(t, dir, "a", "10.0.0.1")
	sb, b := joined(t, dir, "b", "10.0.0.2")
	l := listen(t, b, ":80")
	near := dial(t, a, "b:80")
	got, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	far := got.(net.Conn)
	if far.RemoteAddr().String() != near.LocalAddr().String() {
		t.Errorf("%s, %s", far.RemoteAddr(), near.LocalAddr())
	}
	near.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	near.SetReadDeadline(time.Time{})
	sb.Unplug(b)
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("own end: %v", err)
	}
	if n, err := near.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("peer's end: %d, %v", n, err)
	}
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	if err := near.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second close: %v", err)
	}
	a.sw.mu.Lock()
	defer a.sw.mu.Unlock()
	if len(a.conns) != 0 {
		t.Error("the connection is still the host's")
	}
}

func TestTrunkRefusesStrangers(t *testing.T) {
	dir := t.TempDir()
	s, h := joined(t, dir, "a", "10.0.0.1")
	listen(t, h, ":80")
	for _, words := range []string{"\xff\xff", "\x00\x02{}", "\x00\x02[]", "\x00\x05hello",
		call2("127.0.0.1:1", "10.0.0.1:80"), call2("10.0.0.2:1", "127.0.0.1:80"), call2("[fd00::1]:1", "10.0.0.1:80")} {
		c, err := net.Dial("unix", s.trunk.socket)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, words)
		if got, _ := io.ReadAll(c); len(got) != 0 {
			t.Errorf("%q is answered by %q", words, got)
		}
		c.Close()
	}
}

func call2(from, to string) string {
	text := fmt.Sprintf(`{"network":"n","from":%q,"to":%q}`, from, to)
	return string([]byte{0, byte(len(text))}) + text
}

func FuzzCall(f *testing.F) {
	f.Add([]byte(call2("10.0.0.2:1", "10.0.0.1:80")))
	f.Add([]byte("\x00\x02{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readCall(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := writeCall(&b, c); err != nil {
			t.Fatal(err)
		}
		if again, err := readCall(&b); err != nil || again != c {
			t.Fatalf("%v becomes %v, %v", c, again, err)
		}
	})
}

func FuzzLease(f *testing.F) {
	f.Add([]byte(`{"socket":"/tmp/s","addresses":[{"network":{"id":"n","gateways":["10.0.0.254"]},"address":"10.0.0.1/24","host":"id"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseLease(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseLease(again); err != nil && len(again) <= maxLease {
			t.Fatalf("%s: %v", again, err)
		}
	})
}

func FuzzHosts(f *testing.F) {
	f.Add([]byte("127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # x\n"), "localhost")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		for _, a := range parseHosts(data, plainName(name)) {
			if _, err := netip.ParseAddr(a); err != nil {
				t.Fatal(err)
			}
		}
	})
}
