package world

import (
	"slices"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Volume is a folder that outlives containers, or the zero Volume, for which Exists is false.
type Volume struct {
	Exists    bool          `json:"-" expr:"exists"`
	Name      string        `json:"name" expr:"name"`
	Anonymous bool          `json:"anonymous,omitempty" expr:"anonymous"`
	Filled    string        `json:"filled,omitempty" expr:"filled"` // the folder of an image that was copied into it, or empty
	Mounts    []VolumeMount `json:"mounts" expr:"mounts"`           // in containers that run
	Writes    int64         `json:"writes" expr:"writes"`           // changes in it that were seen
	Seq       uint64        `json:"seq" expr:"seq"`                 // the event that told of it first
}

// VolumeMount is a volume in a running container.
type VolumeMount struct {
	Container string `json:"container" expr:"container"` // id
	Target    string `json:"target" expr:"target"`
	ReadOnly  bool   `json:"read_only,omitempty" expr:"read_only"`
}

// Volume finds a volume by its name.
func (w World) Volume(name string) Volume {
	for _, v := range w.Volumes {
		if v.Name == name {
			return v
		}
	}
	return Volume{}
}

func (f *folder) applyVolume(e trace.Event) {
	name := e.Attr("volume").Str()
	if e.Kind == vocab.VolumeRemove {
		f.removeVolume(name)
		return
	}
	v := f.volume(name, e.Seq)
	at := VolumeMount{e.Attr("container").Str(), e.Attr("target").Str(), e.Attr("read_only").Bool()}
	switch e.Kind {
	case vocab.VolumeCreate:
		v.Anonymous = e.Attr("anonymous").Bool()
	case vocab.VolumeFill:
		v.Filled = e.Attr("path").Str()
	case vocab.VolumeWrite:
		v.Writes++
	case vocab.VolumeMount:
		v.unmount(at)
		v.Mounts = append(v.Mounts, at)
	case vocab.VolumeUnmount:
		v.unmount(at)
	}
}

// unmount takes a mount away, in a list of its own: what a snapshot gave out never changes.
func (v *Volume) unmount(at VolumeMount) {
	v.Mounts = slices.DeleteFunc(slices.Clone(v.Mounts), func(m VolumeMount) bool { return m.Container == at.Container && m.Target == at.Target })
}

// volume returns the entry of a volume for writing; it is added if it is not there.
func (f *folder) volume(name string, seq uint64) *Volume {
	writable(f, partVolumes, &f.w.Volumes)
	i := slices.IndexFunc(f.w.Volumes, func(v Volume) bool { return v.Name == name })
	if i < 0 {
		i = len(f.w.Volumes)
		f.w.Volumes = append(f.w.Volumes, Volume{Exists: true, Name: name, Seq: seq})
	}
	return &f.w.Volumes[i]
}

func (f *folder) removeVolume(name string) {
	if i := slices.IndexFunc(f.w.Volumes, func(v Volume) bool { return v.Name == name }); i >= 0 {
		writable(f, partVolumes, &f.w.Volumes)
		f.w.Volumes = slices.Delete(f.w.Volumes, i, i+1)
	}
}

// unmountAll: a container that is gone has nothing mounted.
func (f *folder) unmountAll(id string) {
	has := func(m VolumeMount) bool { return m.Container == id }
	for i, v := range f.w.Volumes {
		if slices.ContainsFunc(v.Mounts, has) {
			writable(f, partVolumes, &f.w.Volumes)
			f.w.Volumes[i].Mounts = slices.DeleteFunc(slices.Clone(v.Mounts), has)
		}
	}
}
