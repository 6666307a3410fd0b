//go:build linux

package linux

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
)

// layerOf unpacks a lowest layer of folders (names that end in a slash), links (text after ->) and files of the user 5.
func (l *lab) layerOf(t testing.TB, names ...string) digest.Digest {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range names {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Uid: 5, Gid: 6, Size: int64(len(name))}
		if from, to, ok := strings.Cut(name, "->"); ok {
			h = &tar.Header{Typeflag: tar.TypeSymlink, Name: from, Linkname: to, Mode: 0o777}
		} else if strings.HasSuffix(name, "/") {
			h.Typeflag, h.Mode, h.Size = tar.TypeDir, 0o755, 0
		}
		must(t, w.WriteHeader(h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(name))
			must(t, err)
		}
	}
	must(t, w.Close())
	id := digest.FromBytes(buf.Bytes())
	if err := l.layers.Apply(t.Context(), id, "", id, &buf); err != nil && !errors.Is(err, driver.ErrExists) {
		t.Fatal(err)
	}
	return id
}

// everyMount is one mount of each kind, some in others.
func (l *lab) everyMount(t testing.TB) []driver.Mount {
	t.Helper()
	must(t, l.MakeFolder(t.Context(), "cache", 0, 0, 0o755))
	host := t.TempDir()
	must(t, os.WriteFile(host+"/f", []byte("host\n"), 0o644))
	return []driver.Mount{
		{Type: "bind", Source: host, Target: "/m/bind"},
		{Type: "tmpfs", Target: "/m/tmpfs"},
		{Type: "tree", Chain: l.layerOf(t, "src/", "src/a", "up->../../.."), Source: "up/src", Target: "/m/tree"},
		{Type: "folder", Source: "cache", Subpath: "sub", Target: "/m/cache"},
		{Type: "file", Data: []byte("secret"), Mode: 0o400, Target: "/m/cache/in/secret", ReadOnly: true},
		{Type: "file", Data: []byte("issue"), Mode: 0o444, Target: "/etc/issue"},
	}
}

func TestMountEveryKind(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "cd /m; cat bind/f tree/src/a tree/a cache/in/secret /etc/issue 2>/dev/null; echo; ls -A / /m; echo x >cache/f; echo y >tmpfs/f; (echo z >tree/n) 2>/dev/null || echo sealed")
	spec.Mounts = l.everyMount(t)
	out, exit := l.run(t, spec)
	if want := "host\nsrc/asecretissue\n"; !strings.HasPrefix(out, want) || !strings.Contains(out, "\n/m:\nbind\ncache\ntmpfs\ntree\nsealed\n") || exit.Code != 0 {
		t.Errorf("exit %d, output %q", exit.Code, out)
	}
	if names := below(t, filepath.Join(l.home.Snapshots(), spec.ID, "upper")); len(names) > 0 {
		t.Errorf("the writable layer has %q", names)
	}
	if data, err := os.ReadFile(filepath.Join(l.home.Snapshots(), "folders/cache/sub/f")); err != nil || string(data) != "x\n" {
		t.Errorf("the folder has %q, %v", data, err)
	}
	must(t, l.RemoveFolder(t.Context(), "cache"))
}

// below lists everything in a folder.
func below(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != dir {
			names = append(names, strings.TrimPrefix(path, dir))
		}
		return err
	}))
	return names
}

// A mount table of a container with every kind of mount: nothing in it reaches further than it should.
func TestMountTableStaysInside(t *testing.T) {
	l := newLab(t)
	mounts := l.everyMount(t)
	spec := l.spec(t, "sh", "-c", "ls /proc/self/fd; echo --; cat /proc/self/mountinfo")
	spec.Mounts = mounts
	out, _ := l.run(t, spec)
	fds, table, _ := strings.Cut(out, "--\n")
	if got := strings.Fields(fds); strings.Join(got, " ") != "0 1 2 3" { // ls has one for itself
		t.Errorf("descriptors %q", got)
	}
	targets := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		f := strings.Fields(line)
		targets[f[4]] = true
		if strings.Contains(line, " shared:") || strings.Contains(line, " master:") {
			t.Errorf("propagates: %s", line)
		}
		if !regexp.MustCompile(`^(/|/(proc|dev|sys|m)(/.*)?|/etc/(hosts|hostname|resolv.conf|issue))$`).MatchString(f[4]) {
			t.Errorf("mounted: %s", line)
		}
		if strings.HasPrefix(f[4], "/m/") && !strings.Contains(f[5], "nodev") {
			t.Errorf("devices work: %s", line)
		}
	}
	for _, m := range mounts {
		if !targets[m.Target] {
			t.Errorf("%s is not mounted in\n%s", m.Target, table)
		}
	}
	host, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if strings.Contains(string(host), l.home.Root()) {
		t.Error("something is mounted on the host")
	}
}

// What is removed belongs to users that the container made up.
func TestFolderOfOthersIsRemoved(t *testing.T) {
	l := newLab(t)
	must(t, l.MakeFolder(t.Context(), "f", 3, 4, 0o700))
	spec := l.spec(t, "sh", "-c", "cd /f; busybox mkdir -p a/b; echo 12345 >a/b/c; busybox chown -R 7:8 a; chmod 500 a/b; chmod 0 a; stat -c %a:%u:%g . a")
	spec.Mounts = []driver.Mount{{Type: "folder", Source: "f", Target: "/f"}}
	out, _ := l.run(t, spec)
	if want := "700:3:4\n0:7:8\n"; out != want && !l.mode.SquashOwners {
		t.Errorf("output %q, want %q", out, want)
	}
	if size, err := l.FolderSize(t.Context(), "f"); size != 6 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
	must(t, l.RemoveFolder(t.Context(), "f"))
	if names, err := l.ListFolders(t.Context()); len(names) > 0 || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	if names := below(t, filepath.Join(l.home.Snapshots(), "folders")); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

// listen makes a unix socket that says on a channel what it is told.
func listen(t testing.TB, path string) <-chan string {
	t.Helper()
	ln, err := net.Listen("unix", path)
	must(t, err)
	heard := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(drivertest.Patience()))
		buf := make([]byte, 1000)
		n, _ := conn.Read(buf)
		heard <- string(buf[:n])
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return heard
}

func TestMountSocket(t *testing.T) {
	l := newLab(t)
	source := filepath.Join(l.home.Root(), "s")
	heard := listen(t, source)
	spec := l.spec(t, "sh", "-c", "stat -c %F:%a:%u:%g /dev/log; busybox logger hello from inside")
	spec.Mounts = []driver.Mount{{Type: "socket", Source: source, Target: "/dev/log", Mode: 0o660, UID: 5, GID: 6}}
	want := "socket:660:5:6\n"
	if l.mode.SquashOwners {
		spec.Mounts[0].UID, spec.Mounts[0].GID, want = 0, 0, "socket:660:0:0\n"
	}
	if out, exit := l.run(t, spec); out != want || exit.Code != 0 {
		t.Errorf("exit %d, output %q", exit.Code, out)
	}
	select {
	case text := <-heard:
		if !strings.Contains(text, "hello from inside") {
			t.Errorf("heard %q", text)
		}
	case <-time.After(drivertest.Patience()):
		t.Error("nothing was heard")
	}
}

// A socket of somebody else stays as it is, and what is no socket is refused, also if a link leads to one.
func TestMountSocketOfOthers(t *testing.T) {
	l := newLab(t)
	dir := t.TempDir()
	listen(t, dir+"/s")
	must(t, os.Chmod(dir+"/s", 0o700))
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	must(t, os.Symlink(dir+"/s", dir+"/link"))
	for source, tc := range map[string]struct {
		mode uint32
		says string
	}{"s": {0o666, "0666"}, "file": {0, "not a unix socket"}, "link": {0, "not a unix socket"}, "none": {0, "none"}} {
		spec := l.spec(t, "true")
		spec.Mounts = []driver.Mount{{Type: "socket", Source: dir + "/" + source, Target: "/run/s", Mode: tc.mode}}
		if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", source, err, tc.says)
		}
	}
	spec := l.spec(t, "stat", "-c", "%a", "/run/s")
	spec.Mounts = []driver.Mount{{Type: "socket", Source: dir + "/s", Target: "/run/s"}}
	if out, _ := l.run(t, spec); out != "700\n" {
		t.Errorf("as it is: %q", out)
	}
	if st, err := os.Stat(dir + "/s"); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the socket has %v, %v", st.Mode(), err)
	}
}

// onHost is a container in the host's network.
func (l *lab) onHost(t testing.TB, script string) driver.Spec {
	t.Helper()
	spec := l.spec(t, "sh", "-c", script)
	spec.Network = driver.NetworkHost
	return spec
}

func TestNetworkOfTheHost(t *testing.T) {
	l := newLab(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	if !loopbackWorks() {
		t.Skip("needs a loopback interface that is up; the network namespace around the tests has none")
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	must(t, err)
	heard := make(chan string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			heard <- err.Error()
			return
		}
		defer conn.Close()
		buf := make([]byte, 100)
		n, _ := conn.Read(buf)
		heard <- string(buf[:n])
	}()
	own, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	settings := hostSettings(t)
	tk := l.create(t, l.onHost(t, "readlink /proc/self/ns/net; echo hi | busybox nc 127.0.0.1 "+port+"; (echo 1 >/sys/kernel/mm/ksm/run) 2>/dev/null && echo written; ls -d /sys/class/net/lo; busybox cat"))
	var out syncBuffer
	must(t, tk.Start(t.Context(), driver.Streams{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}))
	_, err = tk.Wait(t.Context())
	must(t, err)
	if want := own + "\n/sys/class/net/lo\n"; out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
	select {
	case text := <-heard:
		if text != "hi\n" {
			t.Errorf("heard %q", text)
		}
	case <-time.After(drivertest.Patience()):
		t.Error("nothing was heard")
	}
	if now := hostSettings(t); now != settings {
		t.Errorf("the host's settings changed from %q to %q", settings, now)
	}
}

// loopbackWorks: a network namespace begins with an interface that is switched off; where it is the test's own, it is switched on.
func loopbackWorks() bool {
	if lo, err := netlink.LinkByName("lo"); ownsNetwork() && err == nil {
		_ = netlink.LinkSetUp(lo) // if that fails, it shows
	}
	lo, err := net.InterfaceByName("lo")
	return err == nil && lo.Flags&net.FlagUp != 0
}

// ownsNetwork: TestAsOrdinaryUser runs the tests once in a network namespace that nobody else is in.
func ownsNetwork() bool { return Detect().Rootless && os.Getenv(enterVariable) == "" }

// hostSettings are those that a container gets of its own. Others on the machine turn the last one on and off with their first and last bridge, so
// it is only looked at where there are no others.
func hostSettings(t testing.TB) string {
	t.Helper()
	names := []string{"ip_unprivileged_port_start", "ping_group_range"}
	if ownsNetwork() {
		names = append(names, "ip_forward")
	}
	var all string
	for _, name := range names {
		data, _ := os.ReadFile("/proc/sys/net/ipv4/" + name)
		all += string(data)
	}
	return all
}

func TestNetworkOfTheHostForFurtherProcesses(t *testing.T) {
	l := newLab(t)
	own, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	tk := l.create(t, l.onHost(t, "sleep 1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	var out syncBuffer
	_, err = tk.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"sh", "-c", "readlink /proc/self/ns/net; cat /proc/net/unix"}, Env: []string{"PATH=/bin"}}, streamsWith(&out))
	must(t, err)
	first, sockets, _ := strings.Cut(out.String(), "\n")
	if first != own {
		t.Errorf("network %s, not %s", first, own)
	}
	// Names that begin with @ are reached by everybody in the same network (CVE-2020-15257).
	for line := range strings.Lines(sockets) {
		if f := strings.Fields(line); len(f) > 7 && strings.HasPrefix(f[7], "@") && regexp.MustCompile(`learn|shim|`+tkID(tk)).MatchString(f[7]) {
			t.Errorf("a socket of the engine can be reached: %s", line)
		}
	}
}

func tkID(tk driver.Task) string { return tk.(*task).id }

func TestNetworkNames(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"resolv.conf", "hosts"} {
		want, err := os.ReadFile("/etc/" + name)
		if err != nil {
			continue
		}
		if out, _ := l.run(t, l.onHost(t, "cat /etc/"+name)); out != string(want) {
			t.Errorf("%s: %q, want %q", name, out, want)
		}
	}
	spec := l.spec(t, "true")
	spec.Network = "bridge"
	if _, err := l.runtime.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "bridge") {
		t.Errorf("error %v", err)
	}
}

// A writable layer in which a folder is marked, as kernels do it that mark every new one, still shows what is mounted in it.
func TestMountInMarkedFolder(t *testing.T) {
	l := newLab(t)
	if l.mode.UserXattr {
		t.Skip("marks of root's kind")
	}
	spec := l.spec(t, "ls", "/etc", "/new/d")
	_, upper, _, _, err := l.RootMount(spec.Key)
	must(t, err)
	must(t, os.MkdirAll(upper+"/new/d/e", 0o755))
	must(t, os.Mkdir(upper+"/etc", 0o755))
	for _, name := range []string{"/new", "/etc"} {
		must(t, unix.Lsetxattr(upper+name, "trusted.overlay.opaque", []byte("y"), 0))
	}
	spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/new/d/t"}, {Type: "tmpfs", Target: "/etc/t"}}
	if out, _ := l.run(t, spec); out != "/etc:\nhostname\nhosts\nresolv.conf\nt\n\n/new/d:\ne\nt\n" {
		t.Errorf("output %q", out)
	}
	if _, err := os.Lstat(upper + "/new/d/t"); err == nil {
		t.Error("the target was made in the writable layer")
	}
	var mark [4]byte
	if n, err := unix.Lgetxattr(upper+"/etc", "trusted.overlay.opaque", mark[:]); n != 1 || err != nil {
		t.Errorf("the mark that hides something is gone: %v", err)
	}
}

// Racing starts and ends of containers on one folder, while somebody exchanges a folder on the way for a link that leads out.
func TestMountRaces(t *testing.T) {
	for name, tc := range map[string]struct {
		subpath string
		target  string
	}{
		"target's parent": {"", "/vol/a/t"},
		"source's parent": {"a/s", "/other"},
	} {
		t.Run(name, func(t *testing.T) { mountRace(t, tc.subpath, tc.target) })
	}
}

func mountRace(t *testing.T, subpath, target string) {
	l := newLab(t)
	canary := t.TempDir()
	must(t, os.MkdirAll(canary+"/s", 0o755))
	must(t, os.WriteFile(canary+"/t", nil, 0o644))
	must(t, os.WriteFile(canary+"/s/outside", []byte("mine"), 0o644))
	must(t, l.MakeFolder(t.Context(), "shared", 0, 0, 0o755))
	shared, err := l.FolderPath("shared")
	must(t, err)
	must(t, os.MkdirAll(shared+"/a/s", 0o755))
	must(t, os.Symlink(canary, shared+"/b"))
	stop := race(t, shared)
	before := snapshotOf(t, canary)
	started, tries := 0, 100
	if l.mode.Rootless {
		tries = 10 // the same code, once more
	}
	for range tries {
		spec := l.spec(t, "sh", "-c", "cat /proc/self/mountinfo; cat /other/outside 2>/dev/null")
		spec.Mounts = []driver.Mount{{Type: "folder", Source: "shared", Target: "/vol"}, {Type: "file", Data: []byte("data"), Target: target, Mode: 0o600}}
		if subpath != "" {
			spec.Mounts[1] = driver.Mount{Type: "folder", Source: "shared", Subpath: subpath, Target: target}
		}
		tk := l.create(t, spec)
		var out syncBuffer
		if tk.Start(t.Context(), streamsWith(&out)) == nil {
			started++
			_, err := tk.Wait(t.Context())
			must(t, err)
		}
		must(t, tk.Delete(context.Background()))
		if strings.Contains(out.String(), canary) || strings.Contains(out.String(), "mine") {
			t.Fatalf("the canary is in reach: %s", out.String())
		}
	}
	stop()
	if started == 0 {
		t.Error("no container came to run")
	}
	if after := snapshotOf(t, canary); after != before {
		t.Errorf("the canary changed from\n%s to\n%s", before, after)
	}
	for _, name := range below(t, shared) {
		if strings.Contains(name, "outside") {
			t.Errorf("%s came in", name)
		}
	}
}

// race exchanges a and b in dir without a pause until it is stopped.
func race(t testing.TB, dir string) (stop func()) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, dir+"/a", unix.AT_FDCWD, dir+"/b", unix.RENAME_EXCHANGE)
			}
		}
	}()
	return func() { close(quit); <-done }
}

// snapshotOf tells of everything in a folder.
func snapshotOf(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		fi, err := d.Info()
		must(t, err)
		fmt.Fprintln(&b, path, fi.Mode(), fi.Size(), fi.ModTime().UnixNano())
		return nil
	}))
	return b.String()
}

// Whoever runs in the container puts a link in the place of what was made for a mount; afterwards nobody follows it (CVE-2024-23652).
func TestMountPointSwappedForALink(t *testing.T) {
	l := newLab(t)
	canary := t.TempDir()
	must(t, os.WriteFile(canary+"/t", nil, 0o644))
	must(t, os.Mkdir(canary+"/d", 0o755))
	before := snapshotOf(t, canary)
	for _, target := range []string{"/w/x/t", "/w/x/d", "/w/t"} {
		spec := l.spec(t, "sh", "-c", "cd /; busybox mv w gone; busybox mv w/x w/gone; busybox rm -rf w; busybox ln -sn "+canary+" w; busybox ln -sfn "+canary+" /w/x; true")
		spec.Mounts = []driver.Mount{{Type: "file", Target: target, Mode: 0o600}}
		if strings.HasSuffix(target, "d") {
			spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: target}}
		}
		l.run(t, spec)
	}
	if after := snapshotOf(t, canary); after != before {
		t.Errorf("the canary changed from\n%s to\n%s", before, after)
	}
}

// A target through links of the image stays in the container, whatever they say.
func TestMountTargetThroughLinks(t *testing.T) {
	l := newLab(t)
	canary := t.TempDir()
	before := snapshotOf(t, canary)
	must(t, os.Symlink(canary, l.lower+"/abs"))
	must(t, os.Symlink("../../../../../.."+canary, l.lower+"/rel"))
	for _, dir := range []string{"/abs", "/rel", "/abs/deeper/still", "/rel/../rel"} {
		for _, m := range []driver.Mount{{Type: "tmpfs"}, {Type: "file", Data: []byte("x"), Mode: 0o600}} {
			spec := l.spec(t, "cat", "/proc/self/mountinfo")
			m.Target = dir + "/t"
			spec.Mounts = []driver.Mount{m}
			out, exit := l.run(t, spec)
			if exit.Code != 0 || !strings.Contains(out, " "+canary) {
				t.Errorf("%s: exit %d, mounted at\n%s", m.Target, exit.Code, out)
			}
			if names := below(t, filepath.Join(l.home.Snapshots(), spec.ID, "upper")); len(names) > 0 {
				t.Errorf("%s: the writable layer has %q", m.Target, names)
			}
		}
	}
	if after := snapshotOf(t, canary); after != before {
		t.Errorf("the canary changed from\n%s to\n%s", before, after)
	}
}
