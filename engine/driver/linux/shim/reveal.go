//go:build linux

package shim

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of what is revealed: a container can have as many mounts and descriptors as it likes.
const (
	maxRevealed      = 1 << 20
	maxRevealedLinks = 1000
)

// Reveal is what the kernel shows of the container's first process; see driver.Reveal.
type Reveal struct {
	Files   map[string]string `json:"files"`
	Links   map[string]string `json:"links"`
	Machine map[string]string `json:"machine"`
	Groups  []RevealedGroup   `json:"groups"`
}

// RevealedGroup is one control group of it.
type RevealedGroup struct {
	Controllers string            `json:"controllers"`
	Dir         string            `json:"dir"`
	Files       map[string]string `json:"files"`
}

// reveal reads about the first process. The supervisor does it, for a rootless command may not look into another user namespace.
func (s *shim) reveal(files, links []string) (*Reveal, error) {
	proc, err := os.OpenRoot("/proc/" + strconv.Itoa(s.pid))
	if err != nil {
		return nil, fmt.Errorf("look at process %d: %w", s.pid, err)
	}
	defer proc.Close()
	r := &Reveal{Files: map[string]string{}, Links: map[string]string{}, Machine: map[string]string{}}
	for _, name := range files {
		if text, ok := readBounded(proc, name); ok && name != "environ" {
			r.Files[name] = text
		}
	}
	for _, dir := range []string{"ns", "fd"} {
		links = append(links, linksIn(proc, dir)...)
	}
	for _, name := range links {
		if to, err := proc.Readlink(name); err == nil {
			r.Links[name] = to
		}
	}
	for name := range r.Links {
		if kind, ok := strings.CutPrefix(name, "ns/"); ok {
			r.Machine[kind], _ = os.Readlink("/proc/self/ns/" + kind)
		}
	}
	if err := unix.PidfdSendSignal(s.pidfd, 0, nil, 0); err != nil { // it ended meanwhile, and its number may be somebody else's
		return nil, fmt.Errorf("look at process %d: %w", s.pid, err)
	}
	for _, m := range s.groups.members {
		r.Groups = append(r.Groups, RevealedGroup{m.Controller, m.Dir, groupFiles(m.Dir)})
	}
	return r, nil
}

func linksIn(proc *os.Root, dir string) []string {
	f, err := proc.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxRevealedLinks)
	for i, n := range names {
		names[i] = dir + "/" + n
	}
	return names
}

func readBounded(dir *os.Root, name string) (string, bool) {
	f, err := dir.Open(name)
	if err != nil {
		return "", false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRevealed))
	return string(data), err == nil
}

// groupFiles reads the small files of a control group that say something. The per-node and per-device tables are long and left out.
func groupFiles(dir string) map[string]string {
	const small = 4096
	files := map[string]string{}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return files
	}
	defer root.Close()
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), "numa_stat") {
			continue
		}
		if st, err := e.Info(); err != nil || st.Mode().Perm()&0o444 == 0 {
			continue
		}
		if text, ok := readBounded(root, filepath.Base(e.Name())); ok && len(text) <= small {
			files[e.Name()] = text
		}
	}
	return files
}
