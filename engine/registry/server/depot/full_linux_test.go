package depot

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
)

// A full disk leaves nothing half stored, and what is there stays served.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs root, for a small file system: ", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	d, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	putImage(t, d, "a", "1", "{}", "layer")
	u := d.NewUpload("big")
	err = u.Append(strings.NewReader(strings.Repeat("x", 1<<20)))
	var disk *DiskError
	if !errors.As(err, &disk) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error = %v", err)
	}
	if err := u.Cancel(); err != nil {
		t.Error(err)
	}
	m := manifestOf("{}", "layer") + strings.Repeat(" ", 512<<10)
	if _, err := d.Put(t.Context(), "a", oci.Sum([]byte(m)), oci.MediaTypeManifest, []byte(m), "2"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error = %v", err)
	}
	for _, sub := range []string{"uploads", "blobs/sha256"} {
		left, err := os.ReadDir(d.path(sub))
		if err != nil || sub == "uploads" && len(left) != 0 || sub != "uploads" && len(left) != 3 {
			t.Errorf("%s holds %v, %v", sub, left, err)
		}
	}
	putImage(t, d, "a", "2", "{}", "layer")
	if _, err := d.Find("a", "1"); err != nil {
		t.Error(err)
	}
}
