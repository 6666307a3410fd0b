package docker

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/mount"
)

// mountFlag is one --mount while it is read.
type mountFlag struct {
	m   mount.Mount
	abs func(string) string
}

// parseMount reads the words of --mount as docker's client does. abs makes a path of the user absolute.
func parseMount(text string, abs func(string) string) (mount.Mount, error) {
	fields, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return mount.Mount{}, err
	}
	f := mountFlag{mount.Mount{Type: mount.TypeVolume}, abs}
	for _, field := range fields {
		if err := f.field(field); err != nil {
			return f.m, err
		}
	}
	return f.m, f.check()
}

func (f *mountFlag) field(field string) error {
	key, val, ok := strings.Cut(field, "=")
	if strings.TrimSpace(key) != key {
		return fmt.Errorf("invalid option '%s' in '%s': option should not have whitespace", key, field)
	}
	key = strings.ToLower(key)
	if !ok {
		switch key {
		case "readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src":
			val = "true"
		default:
			return fmt.Errorf("invalid field '%s' must be a key=value pair", field)
		}
	}
	if strings.TrimSpace(val) != val {
		return fmt.Errorf("invalid value for '%s' in '%s': value should not have whitespace", key, field)
	}
	for _, set := range []func(key, val string) (bool, error){f.common, f.bind, f.volume, f.other} {
		if known, err := set(key, val); known || err != nil {
			return err
		}
	}
	return fmt.Errorf("unknown option '%s' in '%s'", key, field)
}

func truth(key, val string, to *bool) error {
	b, err := strconv.ParseBool(val)
	if err != nil {
		return fmt.Errorf("invalid value for '%s': invalid boolean value (%q): must be one of \"true\", \"1\", \"false\", or \"0\" (default \"true\")", key, val)
	}
	*to = b
	return nil
}

func (f *mountFlag) common(key, val string) (bool, error) {
	switch key {
	case "type":
		f.m.Type = mount.Type(strings.ToLower(val))
	case "source", "src":
		f.m.Source = val
		if !filepath.IsAbs(val) && strings.HasPrefix(val, ".") {
			f.m.Source = f.abs(val)
		}
	case "target", "dst", "destination":
		f.m.Target = val
	case "readonly", "ro":
		return true, truth(key, val, &f.m.ReadOnly)
	case "consistency":
		f.m.Consistency = mount.Consistency(strings.ToLower(val))
	default:
		return false, nil
	}
	return true, nil
}

func (f *mountFlag) bind(key, val string) (bool, error) {
	if !strings.HasPrefix(key, "bind-") {
		return false, nil
	}
	o := f.m.BindOptions
	if o == nil {
		o = &mount.BindOptions{}
	}
	var err error
	switch key {
	case "bind-propagation":
		o.Propagation = mount.Propagation(strings.ToLower(val))
	case "bind-nonrecursive":
		err = truth(key, val, &o.NonRecursive)
	case "bind-create-src":
		err = truth(key, val, &o.CreateMountpoint)
	case "bind-recursive":
		switch val {
		case "enabled":
		case "disabled":
			o.NonRecursive = true
		case "writable":
			o.ReadOnlyNonRecursive = true
		case "readonly":
			o.ReadOnlyForceRecursive = true
		default:
			err = fmt.Errorf("invalid value for %s: %s (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")", key, val)
		}
	default:
		return false, nil
	}
	f.m.BindOptions = o
	return true, err
}

func (f *mountFlag) volume(key, val string) (bool, error) {
	if !strings.HasPrefix(key, "volume-") {
		return false, nil
	}
	o := f.m.VolumeOptions
	if o == nil {
		o = &mount.VolumeOptions{}
	}
	var err error
	switch key {
	case "volume-nocopy":
		err = truth(key, val, &o.NoCopy)
	case "volume-subpath":
		o.Subpath = val
	case "volume-label":
		o.Labels = put(o.Labels, val)
	case "volume-driver", "volume-opt":
		if o.DriverConfig == nil {
			o.DriverConfig = &mount.Driver{}
		}
		if key == "volume-driver" {
			o.DriverConfig.Name = val
		} else {
			o.DriverConfig.Options = put(o.DriverConfig.Options, val)
		}
	default:
		return false, nil
	}
	f.m.VolumeOptions = o
	return true, err
}

func put(m map[string]string, pair string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	k, v, _ := strings.Cut(pair, "=")
	if k != "" {
		m[k] = v
	}
	return m
}

func (f *mountFlag) other(key, val string) (bool, error) {
	switch key {
	case "image-subpath":
		f.m.ImageOptions = &mount.ImageOptions{Subpath: val}
		return true, nil
	case "tmpfs-size", "tmpfs-mode":
	default:
		return false, nil
	}
	if f.m.TmpfsOptions == nil {
		f.m.TmpfsOptions = &mount.TmpfsOptions{}
	}
	if key == "tmpfs-size" {
		n, err := units.RAMInBytes(val)
		if err != nil {
			return true, fmt.Errorf("invalid value for %s: %s", key, val)
		}
		f.m.TmpfsOptions.SizeBytes = n
		return true, nil
	}
	n, err := strconv.ParseUint(val, 8, 32)
	if err != nil {
		return true, fmt.Errorf("invalid value for %s: %s", key, val)
	}
	f.m.TmpfsOptions.Mode = fs.FileMode(n)
	return true, nil
}

// check holds the words against each other.
func (f *mountFlag) check() error {
	mix := func(prefix string) error {
		return fmt.Errorf("cannot mix '%s-*' options with mount type '%s'", prefix, f.m.Type)
	}
	o := f.m.BindOptions
	switch {
	case f.m.Type == "":
		return errors.New("type is required")
	case f.m.VolumeOptions != nil && f.m.Type != mount.TypeVolume:
		return mix("volume")
	case f.m.ImageOptions != nil && f.m.Type != mount.TypeImage:
		return mix("image")
	case o != nil && f.m.Type != mount.TypeBind:
		return mix("bind")
	case f.m.TmpfsOptions != nil && f.m.Type != mount.TypeTmpfs:
		return mix("tmpfs")
	case f.m.Target == "":
		return errors.New("target is required")
	case o == nil:
		return nil
	case o.ReadOnlyNonRecursive && !f.m.ReadOnly:
		return errors.New("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
	case o.ReadOnlyForceRecursive && !f.m.ReadOnly:
		return errors.New("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
	case o.ReadOnlyForceRecursive && o.Propagation != mount.PropagationRPrivate:
		return errors.New("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction")
	}
	return nil
}
