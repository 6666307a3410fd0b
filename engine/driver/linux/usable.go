//go:build linux

package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/home"
)

// trial is what is remembered of an attempt to use the kernel: it holds for one start of the machine, one kind of process and one file system.
type trial struct {
	Device   uint64 `json:"device"` // of the home, as stat has it
	Boot     string `json:"boot_id"`
	UID      int    `json:"uid"`
	Rootless bool   `json:"rootless"`
	Kernel   string `json:"kernel"`
}

// Usable tells why this process can't run containers with the kernel, or nil. What decides is an attempt: to make namespaces and to
// mount an overlay in h. Success is remembered in the folder memory, which homes on one file system may share, until the machine is started anew;
// a failure is not, for it may be mended meanwhile.
func Usable(h *home.Home, memory string) error {
	mode := Detect()
	var st unix.Stat_t
	if err := unix.Stat(h.Root(), &st); err != nil {
		return fmt.Errorf("look at the home %s: %w", h.Root(), err)
	}
	now := trial{Device: st.Dev, Boot: home.BootID(), UID: os.Geteuid(), Rootless: mode.Rootless, Kernel: release()}
	path := filepath.Join(memory, "kernel.json")
	data, err := os.ReadFile(path)
	var known trial
	if err == nil && json.Unmarshal(data, &known) == nil && known == now && now.Boot != "" {
		return nil
	}
	if err := try(h, mode); err != nil {
		return err
	}
	if err := os.MkdirAll(memory, 0o700); err != nil {
		return fmt.Errorf("remember what the kernel can do: %w", err)
	}
	data, err = json.Marshal(now)
	if err != nil {
		return fmt.Errorf("remember what the kernel can do: %w", err)
	}
	return home.WriteVolatile(path, append(data, '\n'), 0o600)
}

// try asks for everything at once, and one by one only to find out what there is not.
func try(h *home.Home, mode Mode) error {
	if kernelFinding().OK && tryOverlay(h, mode, unix.CLONE_NEWNS|unix.CLONE_NEWNET) == nil {
		return nil
	}
	for _, f := range []Finding{kernelFinding(), networkNamespaceFinding(mode), overlayFinding(h, mode)} {
		if !f.OK {
			return errors.New(f.Name + ": " + f.Detail)
		}
	}
	return nil
}
