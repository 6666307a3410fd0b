package container

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/volume"
)

func invalidSpec(raw string) error { return invalid("invalid volume specification: '%s'", raw) }

// splitBind splits SOURCE:TARGET[:MODE] at its colons. That of a drive letter, on hosts that have such, belongs to the source.
func splitBind(raw string) []string {
	drive := filepath.VolumeName(raw)
	parts := strings.Split(raw[len(drive):], ":")
	parts[0] = drive + parts[0]
	return parts
}

// parseBind reads what -v gave: a volume's name or a path of the host, where to mount it, and how.
func parseBind(raw, driver string) (MountPoint, error) {
	parts := splitBind(raw)
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || len(parts) == 2 && isMode(parts[1]) {
		return MountPoint{}, invalidSpec(raw)
	}
	mode := ""
	if len(parts) == 3 {
		mode = parts[2]
	}
	if !validMode(mode) {
		return MountPoint{}, invalid("invalid mode: %s", mode)
	}
	words := strings.Split(mode, ",")
	m := mount.Mount{Type: mount.TypeVolume, Source: parts[0], Target: parts[1], ReadOnly: slices.Contains(words, "ro")}
	if i := slices.IndexFunc(words, isPropagation); i >= 0 {
		m.BindOptions = &mount.BindOptions{Propagation: mount.Propagation(words[i])}
	}
	if filepath.IsAbs(m.Source) {
		m.Type = mount.TypeBind
	}
	if slices.Contains(words, "nocopy") {
		m.VolumeOptions = &mount.VolumeOptions{NoCopy: true}
	}
	p, err := parseMount(m, driver)
	if err != nil {
		return p, invalid("%v: %v", invalidSpec(raw), err)
	}
	p.MakeSource = p.Type == mount.TypeBind
	if mode != "" {
		p.Mode = mode
	}
	return p, nil
}

func isPropagation(word string) bool {
	return slices.Contains(mount.Propagations, mount.Propagation(word))
}

// isMode reports whether a word that stands where a target should could be a mode.
func isMode(word string) bool { return word == "" || validMode(word) }

// validMode reports whether each word of a mode is known, and none twice in another sense.
func validMode(mode string) bool {
	if mode == "" {
		return true
	}
	kinds := [][]string{{"rw", "ro"}, {"z", "Z"}, {"consistent", "cached", "delegated", "default"}, {"nocopy"},
		{"private", "rprivate", "slave", "rslave", "shared", "rshared"}}
	counts := make([]int, len(kinds))
	for word := range strings.SplitSeq(mode, ",") {
		i := slices.IndexFunc(kinds, func(k []string) bool { return slices.Contains(k, word) })
		if i < 0 {
			return false
		}
		if counts[i]++; counts[i] > 1 {
			return false
		}
	}
	return true
}

// parseMount reads what --mount gave, and what -v comes to.
func parseMount(m mount.Mount, driver string) (MountPoint, error) {
	p := MountPoint{MountPoint: container.MountPoint{Type: m.Type, Destination: path.Clean(m.Target), RW: !m.ReadOnly}}
	err := checkTarget(m.Target)
	if err == nil {
		switch m.Type {
		case mount.TypeBind:
			err = p.bind(&m)
		case mount.TypeVolume:
			err = p.ofVolume(&m, driver)
		case mount.TypeTmpfs:
			err = p.tmpfs(&m)
		case mount.TypeImage:
			err = p.image(&m)
		default:
			err = invalid("mount type unknown")
		}
	}
	if err != nil {
		return p, invalid("invalid mount config for type %q: %v", m.Type, err)
	}
	return p, nil
}

func extra(fields ...any) error {
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1].(bool) {
			return invalid("field %s must not be specified", fields[i])
		}
	}
	return nil
}

func (p *MountPoint) bind(m *mount.Mount) error {
	if err := extra("VolumeOptions", m.VolumeOptions != nil && !onlyNoCopy(m), "TmpfsOptions", m.TmpfsOptions != nil, "ImageOptions", m.ImageOptions != nil); err != nil {
		return err
	}
	switch {
	case m.Source == "":
		return invalid("field Source must not be empty")
	case !filepath.IsAbs(m.Source):
		return invalid("invalid mount path: '%s' mount path must be absolute", m.Source)
	case strings.ContainsRune(m.Source, 0):
		return invalid("invalid mount path: %q holds a zero byte", m.Source)
	}
	p.Source, p.Propagation = filepath.Clean(m.Source), mount.PropagationRPrivate
	o := m.BindOptions
	if o == nil {
		return nil
	}
	if o.Propagation != "" {
		p.Propagation = o.Propagation
	}
	if !isPropagation(string(p.Propagation)) {
		return invalid("invalid propagation mode: %s", p.Propagation)
	}
	p.MakeSource, p.Flat, p.FlatRO = o.CreateMountpoint, o.NonRecursive, o.ReadOnlyNonRecursive
	if o.ReadOnlyForceRecursive && (o.NonRecursive || o.ReadOnlyNonRecursive || !m.ReadOnly) {
		return invalid("mount options conflict: a mount that is read-only with all below it has to be read-only and recursive")
	}
	return nil
}

// onlyNoCopy: -v lets nocopy stand also where it says nothing.
func onlyNoCopy(m *mount.Mount) bool {
	o := m.VolumeOptions
	return o.Subpath == "" && o.Labels == nil && o.DriverConfig == nil
}

// ofVolume has the name in Name; without one the volume is to be anonymous.
func (p *MountPoint) ofVolume(m *mount.Mount, driver string) error {
	if err := extra("BindOptions", m.BindOptions != nil, "TmpfsOptions", m.TmpfsOptions != nil, "ImageOptions", m.ImageOptions != nil); err != nil {
		return err
	}
	p.Name, p.Anonymous, p.Driver = m.Source, m.Source == "", or(driver, volume.Local)
	p.volume = &mount.VolumeOptions{}
	if m.VolumeOptions != nil {
		p.volume = m.VolumeOptions
	}
	if c := p.volume.DriverConfig; c != nil {
		p.Driver = or(c.Name, p.Driver)
	}
	p.NoCopy, p.Subpath = p.volume.NoCopy, p.volume.Subpath
	if !p.Anonymous {
		p.Mode = "z" // as docker says of every volume that has a name, relabelled or not
	}
	switch {
	case p.Anonymous && m.ReadOnly:
		return invalid("must not set ReadOnly mode when using anonymous volumes")
	case p.Subpath != "" && p.Anonymous:
		return invalid("must not set Subpath when using anonymous volumes")
	case !localSubpath(p.Subpath):
		return invalid("subpath must be a relative path within the volume")
	}
	return nil
}

// localSubpath reports whether a subpath stays, as it is written, where it begins.
func localSubpath(p string) bool {
	clean := path.Clean(p)
	return p == "" || !path.IsAbs(p) && clean != ".." && !strings.HasPrefix(clean, "../") && !strings.ContainsAny(p, "\x00\\")
}

func (p *MountPoint) tmpfs(m *mount.Mount) error {
	if err := extra("BindOptions", m.BindOptions != nil, "VolumeOptions", m.VolumeOptions != nil, "ImageOptions", m.ImageOptions != nil, "Source", m.Source != ""); err != nil {
		return err
	}
	o := m.TmpfsOptions
	if o == nil {
		return nil
	}
	switch {
	case o.SizeBytes < 0:
		return invalid("size can't be negative: %d", o.SizeBytes)
	case o.SizeBytes > 0:
		p.Options = append(p.Options, fmt.Sprintf("size=%d", o.SizeBytes))
	}
	if o.Mode != 0 {
		p.Options = append(p.Options, fmt.Sprintf("mode=%o", uint32(o.Mode)))
	}
	for _, pair := range o.Options {
		words, err := tmpfsWords(strings.Join(pair, "="))
		if err != nil {
			return err
		}
		p.Options = append(p.Options, words...)
	}
	return nil
}

// image is the tree of an image, which stays as it is: the mount is read-only.
func (p *MountPoint) image(m *mount.Mount) error {
	if err := extra("BindOptions", m.BindOptions != nil, "VolumeOptions", m.VolumeOptions != nil, "TmpfsOptions", m.TmpfsOptions != nil); err != nil {
		return err
	}
	if m.Source == "" {
		return invalid("field Source must not be empty")
	}
	p.Name, p.RW = m.Source, false
	if m.ImageOptions != nil {
		p.Subpath = m.ImageOptions.Subpath
	}
	if !localSubpath(p.Subpath) {
		return invalid("subpath must be a relative path within the image")
	}
	return nil
}

// from is a container whose mounts are taken over, and how.
type from struct {
	ref      string
	readOnly bool
}

func parseFrom(spec string) (from, error) {
	if spec == "" {
		return from{}, invalid("volumes-from specification cannot be an empty string")
	}
	ref, mode, _ := strings.Cut(spec, ":")
	words := strings.Split(mode, ",")
	if !validMode(mode) || slices.ContainsFunc(words, isPropagation) || slices.Contains(words, "nocopy") {
		return from{}, invalid("invalid mode: %s", mode)
	}
	return from{ref, slices.Contains(words, "ro")}, nil
}
