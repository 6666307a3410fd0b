package home

import (
	"os"
	"path/filepath"
	"strings"
)

// BootID names the present run of the machine (proc(5), /proc/sys/kernel/random/boot_id); empty where there is none.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Restarted reports whether the machine was started anew since MarkBoot was last called on this home: processes
// that records speak of are gone then, and what was not synced may be lost.
func (h *Home) Restarted() bool {
	b, err := os.ReadFile(h.bootFile())
	if err != nil {
		return false
	}
	same := string(b) == BootID()
	h.marked.Store(same)
	return !same
}

// MarkBoot remembers the present run of the machine.
func (h *Home) MarkBoot() error {
	if h.marked.Load() {
		return nil
	}
	id := BootID()
	if b, err := os.ReadFile(h.bootFile()); err == nil && string(b) == id {
		return nil
	}
	return WriteFile(h.bootFile(), []byte(id), 0o600)
}

func (h *Home) bootFile() string { return filepath.Join(h.root, "boot-id") }
