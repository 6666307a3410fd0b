package container

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/volume"
)

// MountPoint is one mount of a container as its record has it: everything is decided, names of anonymous volumes too. The embedded part is
// what inspect shows; Source of a volume is left out of the record and filled in there.
type MountPoint struct {
	container.MountPoint
	Anonymous  bool                 `json:",omitempty"` // volume: it goes with the container
	NoCopy     bool                 `json:",omitempty"` // volume: it is not filled from the image
	Subpath    string               `json:",omitempty"` // volume, image: what of it is mounted
	MakeSource bool                 `json:",omitempty"` // bind: a source that is missing is made as a folder at each start
	Flat       bool                 `json:",omitempty"` // bind: without the mounts below it
	FlatRO     bool                 `json:",omitempty"` // bind: the mounts below it can be written
	Options    []string             `json:",omitempty"` // tmpfs
	Layers     []image.Layer        `json:",omitempty"` // image
	volume     *mount.VolumeOptions // for the making of a volume
}

// sortMounts puts what is mounted inside another mount after that one.
func sortMounts(all []MountPoint) {
	depth := func(p string) int { return strings.Count(p, "/") }
	slices.SortStableFunc(all, func(a, b MountPoint) int {
		if d := depth(a.Destination) - depth(b.Destination); d != 0 {
			return d
		}
		return strings.Compare(a.Destination, b.Destination)
	})
}

// wishes are the mounts that a host config asks for, without those of other containers: binds and mounts are in Mounts of inspect, those of
// --tmpfs are not.
type wishes struct{ points, tmpfs []MountPoint }

// readWishes parses all ways to ask for a mount, and refuses what can't be.
func readWishes(h *container.HostConfig) (wishes, error) {
	var w wishes
	for _, raw := range h.Binds {
		p, err := parseBind(raw, h.VolumeDriver)
		if err != nil {
			return w, err
		}
		w.points = append(w.points, p)
	}
	for _, m := range h.Mounts {
		p, err := parseMount(m, h.VolumeDriver)
		if err != nil {
			return w, err
		}
		w.points = append(w.points, p)
	}
	for target, options := range h.Tmpfs {
		p := MountPoint{MountPoint: container.MountPoint{Type: mount.TypeTmpfs, Destination: path.Clean(target), RW: true}}
		if err := checkTarget(target); err != nil {
			return w, err
		}
		var err error
		if p.Options, err = tmpfsWords(options); err != nil {
			return w, err
		}
		w.tmpfs = append(w.tmpfs, p)
	}
	return w, w.distinct()
}

// distinct refuses two mounts in one place. What is neither a path of the host nor the name of a volume is found here, too, as docker finds it
// when it makes the volume.
func (w wishes) distinct() error {
	seen := map[string]bool{}
	for _, p := range slices.Concat(w.points, w.tmpfs) {
		if p.Type == mount.TypeVolume && !p.Anonymous {
			if err := volume.CheckName(p.Name); err != nil {
				return invalid("%v", err)
			}
		}
		if seen[p.Destination] {
			return invalid("Duplicate mount point: %s", p.Destination)
		}
		seen[p.Destination] = true
	}
	return nil
}

func checkTarget(target string) error {
	switch {
	case target == "":
		return invalid("field Target must not be empty")
	case !path.IsAbs(target):
		return invalid("invalid mount path: '%s' mount path must be absolute", target)
	case path.Clean(target) == "/":
		return invalid("invalid specification: destination can't be '/'")
	case strings.ContainsRune(target, 0):
		return invalid("invalid mount path: %q holds a zero byte", target)
	}
	return nil
}

// tmpfsWords checks the options of --tmpfs.
func tmpfsWords(options string) ([]string, error) {
	if options == "" {
		return nil, nil
	}
	words := strings.Split(options, ",")
	for _, word := range words {
		key, _, _ := strings.Cut(word, "=")
		if !slices.Contains(strings.Fields(tmpfsOptions), key) {
			return nil, invalid("Invalid tmpfs option %q", word)
		}
	}
	return words, nil
}

// tmpfsOptions are those of mount(8) and tmpfs(5) that docker lets through and that both machines know.
const tmpfsOptions = "defaults rw ro suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime nodiratime " +
	"bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime strictatime nostrictatime " +
	"mode uid gid nr_inodes nr_blocks size mpol"
