//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// AppArmorActive reports whether the machine confines processes by AppArmor's profiles.
func AppArmorActive() bool {
	data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(data), "Y")
}

// confine asks that the program which the calling thread executes next runs under an AppArmor profile. It must be called while the host's own
// /proc is in sight: the file is opened there and held to be the kernel's, so that nothing of the container's can stand in its place.
func confine(profile string) error {
	if profile == "" || profile == "unconfined" || !AppArmorActive() {
		return nil
	}
	fd, err := unix.Open("/proc/thread-self/attr/apparmor/exec", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		fd, err = unix.Open("/proc/thread-self/attr/exec", unix.O_WRONLY|unix.O_CLOEXEC, 0) // before Linux 5.8
	}
	if err != nil {
		return fmt.Errorf("apply AppArmor profile %s: %w", profile, err)
	}
	defer unix.Close(fd)
	if !magic(fd, unix.PROC_SUPER_MAGIC) {
		return fmt.Errorf("apply AppArmor profile %s: /proc is not the kernel's", profile)
	}
	if _, err := unix.Write(fd, []byte("exec "+profile)); err != nil {
		return fmt.Errorf("apply AppArmor profile %s: %w; is it loaded (aa-status)?", profile, err)
	}
	return nil
}
