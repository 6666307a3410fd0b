package container

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
)

// checkSysctls refuses settings that the kernel does not keep apart for each namespace, and those of a namespace that is not the container's.
func checkSysctls(h *container.HostConfig) error {
	for _, name := range slices.Sorted(maps.Keys(h.Sysctls)) {
		switch {
		case !CanSet(name):
			return invalid("sysctl '%s=%s' is not allowed", name, h.Sysctls[name])
		case strings.HasPrefix(name, "net."):
			if h.NetworkMode == "host" {
				return invalid("sysctl %q not allowed in host network namespace", name)
			}
		case h.IpcMode.IsHost():
			return invalid("sysctl %q is not allowed in the hosts ipc namespace", name)
		}
	}
	return nil
}

// CanSet reports whether sysctl(8)'s name is a setting of a namespace that a container may have of its own.
func CanSet(name string) bool {
	switch name {
	case "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced":
		return true
	}
	rest, ok := strings.CutPrefix(name, "net.")
	if !ok {
		rest, ok = strings.CutPrefix(name, "fs.mqueue.")
	}
	return ok && rest != "" && !strings.Contains(rest, "..") && strings.Trim(rest, "/.") == rest && !strings.ContainsAny(rest, "\x00\n")
}

// checkDevices refuses devices that can't be meant. Whether they are there is found out at the start.
func checkDevices(h *container.HostConfig) error {
	for _, d := range h.Devices {
		switch {
		case !path.IsAbs(d.PathOnHost):
			return invalid("%s is not an absolute path", d.PathOnHost)
		case !path.IsAbs(d.PathInContainer) || path.Clean(d.PathInContainer) == "/":
			return invalid("%s is not an absolute path", d.PathInContainer)
		case !ValidAccess(or(d.CgroupPermissions, "rwm")):
			return invalid("bad mode specified: %s", d.CgroupPermissions)
		}
	}
	for _, r := range h.DeviceCgroupRules {
		if !ValidDeviceRule(r) {
			return invalid("invalid device cgroup format '%s'", r)
		}
	}
	if len(h.DeviceRequests) > 0 {
		return invalid("could not select device driver %q with capabilities: %v: this engine has no drivers for GPUs; give the device nodes with --device",
			h.DeviceRequests[0].Driver, h.DeviceRequests[0].Capabilities)
	}
	return nil
}

// ValidAccess reports whether the letters are of r, w and m, each once at most.
func ValidAccess(letters string) bool {
	seen := ""
	for _, c := range letters {
		if !strings.ContainsRune("rwm", c) || strings.ContainsRune(seen, c) {
			return false
		}
		seen += string(c)
	}
	return letters != ""
}

// ValidDeviceRule holds a rule against docker's grammar: "c 1:3 rwm", with * for any number.
func ValidDeviceRule(rule string) bool {
	f := strings.Split(rule, " ")
	if len(f) != 3 || len(f[0]) != 1 || !strings.Contains("acb", f[0]) || !ValidAccess(f[2]) {
		return false
	}
	major, minor, ok := strings.Cut(f[1], ":")
	return ok && deviceNumber(major) && deviceNumber(minor)
}

func deviceNumber(s string) bool {
	return s == "*" || s != "" && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}
