//go:build linux

package linux

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// Known classes of escape by cp, archives and layers, and the test that each has:
//
//	CVE-2018-15664  path swapped between look and use  TestCopyWhileComponentsAreSwapped
//	CVE-2019-14271  libraries of the container loaded  TestCopyLoadsNothingOfTheContainer
//	CVE-2021-41089  modes of host paths changed        TestCopyWhileComponentsAreSwapped, pack.TestHostileArchivesStayInside
//	CVE-2026-41567  decompressor run in the container  TestCopyLoadsNothingOfTheContainer, cmd/learn testdata/cp.txtar
//	CVE-2026-42306  mount target swapped during a copy TestCopyWhileMountTargetIsSwapped
//	CVE-2026-17106  links in archives lead outside     drivertest "files", drivertest "hostile archives", pack.TestHostileArchivesStayInside, pack.FuzzExtract
//	CVE-2021-29136, 2020-10696  the root as a link     drivertest "hostile archives" and "files", layer.TestReaderNames
//	containerd 2.2.3  two extractions at once          TestTwoExtractionsAtOnce
//	CVE-2017-14992  gzip bomb                          layer.TestDecompressStopsAtBomb, layer.TestDecompressStopsAtBombsOfOtherPrograms
//	CVE-2023-25153, 2024-3727  unbounded documents     image.TestLoadRefuses, image.TestHostileLayouts, blob.TestHostileDigestsTouchNoPath, oci.TestCheckDigest
//	CVE-2021-21285, 2021-41190  malformed manifests    image.FuzzArchiveIndex, image.FuzzLoad, registry.TestHostileManifests
//	CVE-2020-15157  credentials sent elsewhere         registry.TestRedirects, registry.TestCredentials
//	CVE-2024-24557  cache poisoning                    build.TestImagesAreNoCache
//	CVE-2026-50195  names that an archive chooses      image.TestLoadTagsNothingIfOneImageIsBad, image.TestLoadTakesANameOver

// canary is a folder of the host that nothing may touch, and a check that nothing did.
func canary(t *testing.T) (dir string, unharmed func()) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.Chmod(dir, 0o711))
	file := filepath.Join(dir, "f")
	must(t, os.WriteFile(file, []byte("canary"), 0o640))
	var before unix.Stat_t
	must(t, unix.Stat(file, &before))
	return dir, func() {
		t.Helper()
		var after, folder unix.Stat_t
		must(t, errors.Join(unix.Stat(file, &after), unix.Stat(dir, &folder)))
		text, err := os.ReadFile(file)
		entries, _ := os.ReadDir(dir)
		if err != nil || string(text) != "canary" || after.Mode != before.Mode || after.Uid != before.Uid || after.Mtim != before.Mtim || len(entries) != 1 || folder.Mode&0o7777 != 0o711 {
			t.Errorf("the host's folder was touched: %q, %v, %v, %o", text, err, entries, folder.Mode)
		}
	}
}

// swapping makes names of a folder change places as fast as it can, until stop.
func swapping(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	})
	stop = sync.OnceFunc(func() { close(done); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// files opens the files of a container, which runs if asked.
func (l *lab) files(t *testing.T, run bool, mounts ...driver.Mount) (driver.Files, driver.Task, driver.Spec) {
	t.Helper()
	spec := l.spec(t, "sleep", "1000")
	spec.Mounts = mounts
	var tk driver.Task
	if run {
		tk = l.create(t, spec)
		must(t, tk.Start(context.Background(), driver.Streams{}))
	}
	f, err := l.runtime.OpenFiles(t.Context(), spec)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f, tk, spec
}

func oneFile(t *testing.T, name string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: filepath.Dir(name) + "/", Mode: 0o777}))
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o777, Size: 1}))
	_, err := w.Write([]byte("x"))
	must(t, errors.Join(err, w.Close()))
	return buf.Bytes()
}

// A program in the container makes a folder change places with a link to a folder of the host while files are copied through it.
func TestCopyWhileComponentsAreSwapped(t *testing.T) {
	for _, run := range []bool{true, false} {
		l := newLab(t)
		host, unharmed := canary(t)
		shared := t.TempDir()
		must(t, errors.Join(os.Mkdir(shared+"/d", 0o755), os.WriteFile(shared+"/d/f", []byte("inside"), 0o644), os.Symlink(host, shared+"/l")))
		f, _, _ := l.files(t, run, driver.Mount{Type: "bind", Source: shared, Target: "/w"})
		stop := swapping(t, shared+"/d", shared+"/l")
		archive := oneFile(t, "sub/f")
		copies, through := 0, 0
		for end := time.Now().Add(1500 * time.Millisecond); copies < 500 && time.Now().Before(end); copies++ {
			var buf bytes.Buffer
			if _, err := f.Archive(t.Context(), "/w/d/f", "f", &buf); err == nil {
				through++
			}
			if bytes.Contains(buf.Bytes(), []byte("canary")) {
				t.Fatal("a file of the host came out")
			}
			buf.Reset()
			_, _ = f.Archive(t.Context(), "/w/d/", "d", &buf)
			if bytes.Contains(buf.Bytes(), []byte("canary")) {
				t.Fatal("a file of the host came out")
			}
			_, _ = f.Extract(t.Context(), "/w/d", bytes.NewReader(archive), driver.ExtractOptions{})
			_, _ = f.Extract(t.Context(), "/w", bytes.NewReader(oneFile(t, "d/f2")), driver.ExtractOptions{})
		}
		stop()
		unharmed()
		if through == 0 {
			t.Errorf("none of %d copies went through: the race was not tried", copies)
		}
	}
}

// The target of a mount changes places with a link while the view of a stopped container is put together.
func TestCopyWhileMountTargetIsSwapped(t *testing.T) {
	l := newLab(t)
	host, unharmed := canary(t)
	shared, other := t.TempDir(), t.TempDir()
	must(t, errors.Join(os.Mkdir(shared+"/t", 0o755), os.Symlink(host, shared+"/l"), os.WriteFile(other+"/o", nil, 0o644)))
	spec := l.spec(t, "sleep", "1000")
	spec.Mounts = []driver.Mount{{Type: "bind", Source: shared, Target: "/w"}, {Type: "bind", Source: other, Target: "/w/t/made"}}
	stop := swapping(t, shared+"/t", shared+"/l")
	defer stop()
	opened := 0
	for end := time.Now().Add(1500 * time.Millisecond); opened < 100 && time.Now().Before(end); {
		f, err := l.runtime.OpenFiles(t.Context(), spec)
		if err != nil {
			continue // it saw the race, or lost it inside
		}
		opened++
		_, _ = f.Stat(t.Context(), "/w/t/made/o")
		_, _ = f.Archive(t.Context(), "/w/t", "t", io.Discard)
		_, _ = f.Extract(t.Context(), "/w/t", bytes.NewReader(oneFile(t, "made/f")), driver.ExtractOptions{})
		must(t, f.Close())
	}
	unharmed()
}

// stages finds the files stages that this test has started, by the name that they were given.
func stages(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	var found []string
	for _, dir := range dirs {
		if text, err := os.ReadFile(dir + "/cmdline"); err == nil && strings.HasPrefix(string(text), "learn-"+shim.StageFiles+"\x00") {
			found = append(found, dir)
		}
	}
	return found
}

// mapped are the files that a process has mapped, by device and inode.
func mapped(proc string) (map[string]string, error) {
	text, err := os.ReadFile(proc + "/maps")
	files := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] != "0" {
			files[fields[3]+" "+fields[4]] = fields[5]
		}
	}
	return files, err
}

// An image has libraries and programs in all the places where an engine might look for some. The stage maps what this program does and nothing else, and
// no program of the container ever runs.
func TestCopyLoadsNothingOfTheContainer(t *testing.T) {
	for _, run := range []bool{true, false} {
		l := newLab(t)
		marker := "#!/bin/sh\ntouch /marker\n"
		for _, name := range []string{"lib/x86_64-linux-gnu/libnss_files.so.2", "lib/libnss_files.so.2", "usr/lib/libnss_compat.so.2", "lib/evil.so", "bin/gzip", "usr/bin/unpigz", "usr/bin/xz", "bin/tar"} {
			must(t, os.MkdirAll(filepath.Join(l.lower, filepath.Dir(name)), 0o755))
			must(t, os.WriteFile(filepath.Join(l.lower, name), []byte(marker), 0o755))
		}
		must(t, os.WriteFile(filepath.Join(l.lower, "etc/ld.so.preload"), []byte("/lib/evil.so\n"), 0o644))
		must(t, os.WriteFile(filepath.Join(l.lower, "etc/nsswitch.conf"), []byte("passwd: files compat\n"), 0o644))
		f, _, _ := l.files(t, run)
		_, err := f.Extract(t.Context(), "/tmp", bytes.NewReader(oneFile(t, "d/f")), driver.ExtractOptions{})
		must(t, err)
		_, err = f.Archive(t.Context(), "/", "/", io.Discard)
		must(t, err)
		ours, err := mapped("/proc/self")
		must(t, err)
		seen := stages(t)
		if len(seen) == 0 {
			t.Fatal("no stage is there")
		}
		for _, dir := range seen {
			theirs, err := mapped(dir)
			if err != nil {
				continue // another test's, gone by now
			}
			for file, name := range theirs {
				if _, ok := ours[file]; !ok {
					t.Errorf("%s has mapped %s, which this program has not", dir, name)
				}
			}
		}
		if _, err := f.Stat(t.Context(), "/marker"); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("something of the container was run: %v", err)
		}
	}
}

// A stage is nothing that the container can reach: it is in no namespace of its processes, in none of its control groups, and can't be traced.
func TestFilesStageIsOutOfReach(t *testing.T) {
	l := newLab(t)
	_, tk, _ := l.files(t, true)
	st, err := tk.Status(t.Context())
	must(t, err)
	inside, err := os.Readlink("/proc/" + strconv.Itoa(st.Pid) + "/ns/mnt")
	must(t, err)
	found := false
	for _, dir := range stages(t) {
		mnt, err := os.Readlink(dir + "/task/" + filepath.Base(dir) + "/ns/mnt")
		if err != nil || mnt != inside {
			continue
		}
		found = true
		for _, ns := range []string{"pid", "net", "ipc", "uts"} {
			own, _ := os.Readlink("/proc/self/ns/" + ns)
			if its, err := os.Readlink(dir + "/ns/" + ns); err != nil || its != own {
				t.Errorf("namespace %s is %s, %v", ns, its, err)
			}
		}
		env, err := os.ReadFile(dir + "/environ")
		if err != nil || strings.Contains(string(env), "PATH=") {
			t.Errorf("environment %q, %v", env, err)
		}
		fds, err := os.ReadDir(dir + "/fd")
		must(t, err)
		for _, fd := range fds {
			if to, err := os.Readlink(dir + "/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, l.home.Root()) {
				t.Errorf("descriptor %s is %s", fd.Name(), to)
			}
		}
	}
	if !found {
		t.Error("no stage is in the container's view")
	}
}

// Two archives that undo each other's work are extracted at once.
func TestTwoExtractionsAtOnce(t *testing.T) {
	l := newLab(t)
	host, unharmed := canary(t)
	_, _, spec := l.files(t, true)
	link := func() []byte {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "d", Linkname: host}))
		must(t, w.Close())
		return buf.Bytes()
	}()
	var wg sync.WaitGroup
	for _, archive := range [][]byte{link, oneFile(t, "d/f")} {
		f, err := l.runtime.OpenFiles(t.Context(), spec)
		must(t, err)
		wg.Go(func() {
			defer f.Close()
			for range 100 {
				_, _ = f.Extract(t.Context(), "/tmp", bytes.NewReader(archive), driver.ExtractOptions{})
			}
		})
	}
	wg.Wait()
	unharmed()
}

// A container that ends takes the copy along: nothing may hold its writable layer when it is started again or removed.
func TestContainerEndsDuringACopy(t *testing.T) {
	l := newLab(t)
	f, tk, spec := l.files(t, true)
	r, w := io.Pipe()
	defer w.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := f.Extract(t.Context(), "/tmp", r, driver.ExtractOptions{})
		copied <- err
	}()
	_, err := w.Write(oneFile(t, "d/f")[:600])
	must(t, err)
	must(t, tk.Delete(t.Context()))
	if err := <-copied; err == nil {
		t.Error("the copy went on")
	}
	again, err := l.runtime.OpenFiles(t.Context(), spec)
	must(t, err)
	if _, err := again.Stat(t.Context(), "/bin/busybox"); err != nil {
		t.Error(err)
	}
	must(t, again.Close())
	if left := stages(t); len(left) != 0 {
		for _, dir := range left {
			if mnt, err := os.ReadFile(dir + "/mountinfo"); err == nil && strings.Contains(string(mnt), spec.Key) {
				t.Errorf("%s has the layer mounted", dir)
			}
		}
	}
}
