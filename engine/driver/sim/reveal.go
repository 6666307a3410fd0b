package sim

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

var _ driver.Revealer = (*task)(nil)

// Reveal implements driver.Revealer.
func (t *task) Reveal(ctx context.Context) (driver.Reveal, error) {
	r, err := t.ask(ctx, request{Do: doReveal})
	if err != nil {
		return driver.Reveal{}, err
	}
	if r.Reveal == nil {
		return driver.Reveal{}, fmt.Errorf("container %s: its supervisor is of an older version and can't show this", t.id)
	}
	return *r.Reveal, nil
}

// The machine has no /proc but its containers'.
const (
	insideProc  = "/proc/1"
	insideGroup = "/sys/fs/cgroup"
)

// reveal reads the container's own /proc, of its first process.
func (h *host) reveal() *driver.Reveal {
	r := &driver.Reveal{Pid: h.proc.HostPID(), Proc: insideProc, Inside: true, Files: map[string]string{}, Links: map[string]string{}, Machine: machineNamespaces()}
	for _, name := range driver.RevealedFiles {
		if text, ok := readView(h.view, insideProc+"/"+name); ok {
			r.Files[name] = text
		}
	}
	links := driver.RevealedLinks
	for _, dir := range []string{"ns", "fd"} {
		entries, _ := h.view.ReadDir(insideProc + "/" + dir)
		for _, e := range entries {
			links = append(links[:len(links):len(links)], dir+"/"+e.Name())
		}
	}
	for _, name := range links {
		if to, err := h.view.Readlink(insideProc + "/" + name); err == nil {
			r.Links[name] = to
		}
	}
	if h.group.dir != "" {
		r.Groups = []driver.RevealedGroup{{Controllers: "unified", Dir: insideGroup, Files: groupFiles(h.view)}}
	}
	return r
}

func groupFiles(v *vfs.View) map[string]string {
	files := map[string]string{}
	entries, _ := v.ReadDir(insideGroup)
	for _, e := range entries {
		if text, ok := readView(v, insideGroup+"/"+e.Name()); ok && e.Type().IsRegular() {
			files[e.Name()] = text
		}
	}
	return files
}

func readView(v *vfs.View, name string) (string, bool) {
	f, err := v.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return "", false
	}
	defer f.Close()
	var b strings.Builder
	_, err = io.Copy(&b, io.LimitReader(f, 1<<20))
	return b.String(), err == nil
}
