package volume

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// checkOptions holds the options of docker's driver local against what can be done with them here: type=tmpfs, and a bind of a host folder
// (type=none, o=bind, device=PATH).
func checkOptions(o map[string]string) error {
	known := []string{"device", "o", "size", "type"}
	for k := range o {
		if !slices.Contains(known, k) {
			return invalid("invalid option: %q", k)
		}
	}
	needs := map[string][]string{"device": {"type"}, "type": {"device"}, "o": {"device", "type"}}
	for _, k := range known {
		for _, n := range needs[k] {
			if _, there := o[n]; o[k] != "" && !there {
				return invalid("missing required option: %q", n)
			}
		}
	}
	if o["size"] != "" {
		return invalid("quota size requested but no quota support: a volume's folder has no limit of its own; for one in memory use --opt type=tmpfs --opt device=tmpfs --opt o=size=%s", o["size"])
	}
	switch kind := o["type"]; {
	case kind == "" || kind == "tmpfs":
		return nil
	case isBind(o) && filepath.IsAbs(o["device"]):
		return nil
	case isBind(o):
		return invalid("invalid device %q: a bind needs the absolute path of a folder of this machine", o["device"])
	default:
		return invalid("type %q with o=%q: this engine mounts type=tmpfs, and folders of this machine with type=none, o=bind and device=PATH; mount anything else on a folder first and bind that", kind, o["o"])
	}
}

func isBind(o map[string]string) bool {
	words := strings.Split(o["o"], ",")
	return slices.Contains(words, "bind") || slices.Contains(words, "rbind")
}

// Mount is how the volume is mounted. What the container asks for besides (Target, ReadOnly, Subpath ...) is left to the caller.
func (v *Volume) Mount() driver.Mount {
	switch {
	case v.Options["type"] == "tmpfs":
		m := driver.Mount{Type: "tmpfs"}
		if o := v.Options["o"]; o != "" {
			m.Options = strings.Split(o, ",")
		}
		return m
	case isBind(v.Options):
		words := strings.Split(v.Options["o"], ",")
		return driver.Mount{Type: "bind", Source: filepath.Clean(v.Options["device"]), ReadOnly: slices.Contains(words, "ro"), Flat: !slices.Contains(words, "rbind")}
	}
	return driver.Mount{Type: "folder", Source: v.Folder, Volume: v.Name, Strict: true}
}
