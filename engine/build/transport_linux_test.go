package build

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
)

const (
	exportHome = "BUILD_TEST_EXPORT_HOME"
	exportTo   = "BUILD_TEST_EXPORT_TO"
)

// TestCacheExportWork is the process that TestKilledCacheExport kills.
func TestCacheExportWork(t *testing.T) {
	if os.Getenv(exportHome) == "" {
		t.Skip("only as a child of TestKilledCacheExport")
	}
	h, err := home.Open(os.Getenv(exportHome))
	must(t, err)
	blobs, err := blob.Open(h.Images())
	must(t, err)
	m := newMachine()
	b := New(h, image.New(h, blobs, fakeLayers{m}), fakeLayers{m}, fakeSnapshots{m}, m, fakeRuntime{m})
	keys, err := openCache(h.Cache()).keys()
	must(t, err)
	must(t, b.exportCache(context.Background(), cacheOf(t, os.Getenv(exportTo)), keys))
}

// What an export that was killed leaves is no cache, or that which was there before.
func TestKilledCacheExport(t *testing.T) {
	l, keys := trader(t)
	for _, before := range []int{0, 1} {
		dir := t.TempDir()
		if before > 0 {
			must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir), keys[:before]))
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestCacheExportWork$")
		cmd.Env = append(os.Environ(), exportHome+"="+l.home.Root(), exportTo+"=type=local,dest="+dir, failpoint.Variable+"=build.cache.after-blob")
		out, _ := cmd.CombinedOutput()
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() {
			t.Fatalf("the export was not killed: %s", out)
		}
		c := newCustomer(t, "type=local,src="+dir)
		if n, _ := c.hits(l, keys); n != before {
			t.Errorf("%d hits after the crash, expected %d; warnings %v", n, before, c.warnings)
		}
		must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir), keys))
		if n, _ := newCustomer(t, "type=local,src="+dir).hits(l, keys); n != len(keys) {
			t.Errorf("%d hits after the export was carried out again", n)
		}
	}
}

const unpackTo = "BUILD_TEST_UNPACK_TO"

// ordinaryItems are what an ordinary user can have: folders that are closed to their owner are filled first.
var ordinaryItems = []item{dirItem("closed", 0o555), fileItem("closed/f", "f", 0o400), dirItem("dark", 0o000), fileItem("su", "su", 0o4755), linkItem("up", "../..")}

// TestUnpackWork is what TestOutputLocalAsOrdinaryUser runs as another user.
func TestUnpackWork(t *testing.T) {
	dir := os.Getenv(unpackTo)
	if dir == "" {
		t.Skip("only as a child of TestOutputLocalAsOrdinaryUser")
	}
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	tree := files{}
	for _, i := range ordinaryItems {
		tree[i.Path] = file(i)
	}
	for range 2 { // also over what the first time left
		var n int64
		u := unpacker{root: root, written: &n}
		must(t, u.tree(t.Context(), driver.Tree(fakeTree{tree})))
	}
}

func TestOutputLocalAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root, to become somebody else")
		}
		lacks(t, "needs root, to become somebody else")
	}
	const nobody = 65534
	dir := filepath.Join(t.TempDir(), "out")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Chown(dir, nobody, nobody))
	for p := dir; p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		must(t, os.Chmod(p, 0o755))
	}
	self := filepath.Join(filepath.Dir(dir), "test")
	data, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(self, data, 0o755))
	cmd := exec.Command(self, "-test.run=^TestUnpackWork$")
	cmd.Env = append(os.Environ(), unpackTo+"="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[string]string{"closed": "dr-xr-xr-x", "closed/f": "-r-------- f", "dark": "d---------", "su": "urwxr-xr-x su", "up": "-> ../.."}
	if diff := cmp.Diff(want, shown(t, dir)); diff != "" {
		t.Error(diff)
	}
	for p := range want {
		fi, err := os.Lstat(filepath.Join(dir, p))
		must(t, err)
		if st := fi.Sys().(*syscall.Stat_t); st.Uid != nobody {
			t.Errorf("%s belongs to %d", p, st.Uid)
		}
	}
}
