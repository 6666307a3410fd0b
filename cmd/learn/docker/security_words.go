package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	ctypes "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// powerNames gives capabilities their full names, each once and sorted, without those to leave out; ALL stands alone.
func powerNames(words, without []string) []string {
	var names []string
	for _, w := range words {
		n := strings.ToUpper(strings.TrimSpace(w))
		if n == "ALL" {
			return []string{n}
		}
		if !strings.HasPrefix(n, "CAP_") {
			n = "CAP_" + n
		}
		if !slices.Contains(without, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// parseDevice reads SOURCE[:TARGET][:rwm].
func parseDevice(word string) (ctypes.DeviceMapping, error) {
	parts := strings.Split(word, ":")
	d := ctypes.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	switch {
	case len(parts) > 3:
		return d, usagef("invalid device specification: %s", word)
	case len(parts) == 3:
		d.PathInContainer, d.CgroupPermissions = parts[1], parts[2]
		if !container.ValidAccess(parts[2]) {
			return d, usagef("bad mode specified: %s", parts[2])
		}
	case len(parts) == 2 && container.ValidAccess(parts[1]):
		d.CgroupPermissions = parts[1]
	case len(parts) == 2:
		d.PathInContainer = parts[1]
	}
	for _, p := range []string{d.PathOnHost, d.PathInContainer} {
		if !path.IsAbs(p) {
			return d, usagef("%s is not an absolute path", p)
		}
	}
	d.PathOnHost, d.PathInContainer = path.Clean(d.PathOnHost), path.Clean(d.PathInContainer)
	return d, nil
}

// ruleList is a flag whose values are held against the grammar at once.
type ruleList []string

func (l *ruleList) String() string { return strings.Join(*l, ",") }
func (l *ruleList) Type() string   { return "list" }
func (l *ruleList) Set(word string) error {
	if !container.ValidDeviceRule(word) {
		return fmt.Errorf("invalid device cgroup format '%s'", word)
	}
	*l = append(*l, word)
	return nil
}

// sysctlList is a flag of NAME=VALUE.
type sysctlList map[string]string

func (l *sysctlList) String() string { return "" }
func (l *sysctlList) Type() string   { return "map" }
func (l *sysctlList) Set(word string) error {
	name, value, ok := strings.Cut(word, "=")
	if !ok || !container.CanSet(name) {
		return fmt.Errorf("sysctl '%s' is not allowed", word)
	}
	if *l == nil {
		*l = sysctlList{}
	}
	(*l)[name] = value
	return nil
}

// securityOptions fills in --security-opt: a profile is read and goes along as text, and the options about kernel files become lists of them.
func (app *App) securityOptions(words []string, host *ctypes.HostConfig) error {
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok && w != "no-new-privileges" {
			if key, value, ok = strings.Cut(w, ":"); !ok {
				return usagef("Invalid --security-opt: %q", w)
			}
		}
		switch {
		case key == "seccomp" && value != driver.Unconfined && value != "builtin":
			text, err := app.profile(value)
			if err != nil {
				return err
			}
			w = "seccomp=" + text
		case w == "systempaths=unconfined":
			host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
			continue
		case key == "mask":
			if err := maskMore(host, value); err != nil {
				return err
			}
			continue
		}
		host.SecurityOpt = append(host.SecurityOpt, w)
	}
	return nil
}

// maskMore adds to the kernel files that can't be read.
func maskMore(host *ctypes.HostConfig, paths string) error {
	if host.MaskedPaths == nil {
		host.MaskedPaths = standard.MaskedPaths()
	}
	for _, p := range strings.Split(paths, ":") {
		if !path.IsAbs(p) || path.Clean(p) == "/" {
			return usagef("invalid --security-opt mask=%s: expected absolute paths inside the container, separated by colons", paths)
		}
		host.MaskedPaths = append(host.MaskedPaths, path.Clean(p))
	}
	return nil
}

// maxProfile bounds a seccomp profile; docker's own has 20 KB.
const maxProfile = 1 << 20

// profile reads a seccomp profile and takes out what only people need.
func (app *App) profile(name string) (string, error) {
	f, err := os.Open(app.path(name))
	if err != nil {
		return "", usagef("opening seccomp profile (%s) failed: %v", name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err == nil && len(data) > maxProfile {
		err = fmt.Errorf("it has more than %d bytes", maxProfile)
	}
	if err != nil {
		return "", usagef("opening seccomp profile (%s) failed: %v", name, err)
	}
	var text bytes.Buffer
	if err := json.Compact(&text, data); err != nil {
		return "", usagef("compacting json for seccomp profile (%s) failed: %v", name, err)
	}
	return text.String(), nil
}
