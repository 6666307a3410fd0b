//go:build linux

package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// probeStage tries, in the namespaces it was started in, what doctor wants to know: nothing more than to be there or, with a
// scratch folder as argument, to mount an overlay in it and to write to that.
func probeStage() {
	if len(os.Args) < 2 {
		os.Exit(0)
	}
	if err := probeOverlay(os.Args[1], len(os.Args) > 2 && os.Args[2] == "userxattr"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func probeOverlay(dir string, userXattr bool) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	r := Root{Lowers: []string{dir + "/lower"}, Upper: dir + "/upper", Work: dir + "/work", UserXattr: userXattr}
	for _, d := range []string{r.Lowers[0], r.Upper, r.Work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(r.Lowers[0], "file"), []byte("lower"), 0o644); err != nil {
		return err
	}
	root, err := mountOverlay(r, r.Upper)
	if err != nil {
		return err
	}
	// Appending copies the file up; removing the folder's only file leaves a whiteout.
	fd, err := root.open("file", unix.O_WRONLY|unix.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("write to overlay: %w", err)
	}
	if _, err := unix.Write(fd, []byte("+")); err != nil {
		return fmt.Errorf("write to overlay: %w", err)
	}
	if err := unix.Unlinkat(root.fd, "file", 0); err != nil {
		return fmt.Errorf("remove from overlay: %w", err)
	}
	return nil
}

// SeccompAvailable reports why filters with this action can't be loaded, or nil.
func SeccompAvailable(action uint32) error {
	const getActionAvail = 2 // SECCOMP_GET_ACTION_AVAIL
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, getActionAvail, 0, uintptr(unsafe.Pointer(&action))); errno != 0 {
		return fmt.Errorf("ask for system call filter: %w", errno)
	}
	return nil
}
