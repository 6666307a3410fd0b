//go:build linux

package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/home"
)

// trial is what is remembered of an attempt to use the kernel: it holds for one start of the machine and one kind of process.
type trial struct {
	Boot     string `json:"boot_id"`
	UID      int    `json:"uid"`
	Rootless bool   `json:"rootless"`
	Kernel   string `json:"kernel"`
	Problem  string `json:"problem,omitempty"` // empty: it works
}

// Usable tells why this process can't run containers with the kernel, or nil. What decides is an attempt: to make namespaces and to
// mount an overlay in h. It is remembered in h until the machine is started anew, so that it costs a few milliseconds only once.
func Usable(h *home.Home) error {
	mode := Detect()
	now := trial{Boot: home.BootID(), UID: os.Geteuid(), Rootless: mode.Rootless, Kernel: release()}
	path := filepath.Join(h.Root(), "kernel.json")
	data, err := os.ReadFile(path)
	var known trial
	if err == nil && json.Unmarshal(data, &known) == nil {
		problem := known.Problem
		known.Problem = ""
		if known == now && now.Boot != "" && problem == "" { // a failure may have been mended meanwhile
			return nil
		}
	}
	if err := try(h, mode); err != nil {
		return err
	}
	data, err = json.Marshal(now)
	if err != nil {
		return fmt.Errorf("remember what the kernel can do: %w", err)
	}
	return home.WriteVolatile(path, append(data, '\n'), 0o600)
}

func try(h *home.Home, mode Mode) error {
	for _, f := range []Finding{kernelFinding(), networkNamespaceFinding(mode), overlayFinding(h, mode)} {
		if !f.OK {
			return errors.New(f.Name + ": " + f.Detail)
		}
	}
	return nil
}
