//go:build linux

package linux

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/nameconf"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/engine/network"
)

// writeNames writes the files that are mounted over the image's /etc/hosts, /etc/hostname and /etc/resolv.conf.
func writeNames(spec *driver.Spec) error {
	files := standard.NameFiles(spec.Hostname)
	if spec.Net != nil {
		files = nameconf.ConnectedFiles(spec.Hostname, spec.Net, hostResolv())
	}
	for _, f := range files {
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
	if text, ok := hostFile(f.Name); ok { // a host may do without
		f.Content, f.Keep = text, false
	}
	return f
}

// hostFile reads a file of the host's /etc.
func hostFile(name string) (string, bool) {
	const most = 1 << 20
	file, err := os.Open("/etc/" + name)
	if err != nil {
		return "", false
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most))
	return string(text), err == nil
}

// hostResolv is how the host finds names.
func hostResolv() network.Resolv {
	text, _ := hostFile("resolv.conf")
	return nameconf.ParseResolv(text)
}
