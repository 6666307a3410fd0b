//go:build linux

package linux

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// writeNames writes the files that are mounted over the image's /etc/hosts, /etc/hostname and /etc/resolv.conf.
func writeNames(spec *driver.Spec) error {
	for _, f := range standard.NameFiles(spec.Hostname) {
		path := filepath.Join(spec.Dir, f.Name)
		if spec.Network == driver.NetworkHost {
			f = hostNames(f)
		}
		if f.Name == "hosts" {
			f.Content += standard.HostLines(spec.Hosts)
		}
		if f.Keep {
			if _, err := os.Lstat(path); err == nil {
				continue
			}
		}
		if err := os.WriteFile(path, []byte(f.Content), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	return nil
}

// hostNames gives a container in the host's network what the host itself finds names by.
func hostNames(f standard.NameFile) standard.NameFile {
	if f.Name == "hostname" {
		return f
	}
	const most = 1 << 20
	file, err := os.Open("/etc/" + f.Name)
	if err != nil {
		return f // a host may do without
	}
	defer file.Close()
	if text, err := io.ReadAll(io.LimitReader(file, most)); err == nil {
		f.Content, f.Keep = string(text), false
	}
	return f
}
