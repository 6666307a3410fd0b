// Package world rebuilds the state of an engine from its trace: which images, layers, tags, cache entries and
// containers exist after an event, without asking the engine.
//
// A World is a value. Applying an event to one gives another and leaves the first as it was, so a program may
// keep the worlds before and after a step and compare them. Lists are in the order in which things came to be.
//
// It knows what the events say and nothing else: a trace that does not begin with an empty engine home gives a
// world that holds only what was touched since. It does not check a trace; an event that makes no sense
// (a container removed twice) changes nothing.
//
// Field names in JSON and in check expressions (tag expr) are the same. Sizes are bytes.
package world

import (
	"strings"
	"time"
)

// World is the state of an engine after one event.
type World struct {
	Seq        uint64            `json:"seq" expr:"seq"`     // of the last event applied, 0 before the first
	At         time.Duration     `json:"at_ns" expr:"at_ns"` // of the last event applied
	Home       string            `json:"home,omitempty" expr:"home"`
	Driver     string            `json:"driver,omitempty" expr:"driver"`
	Images     []Image           `json:"images" expr:"images"`
	Refs       map[string]string `json:"refs" expr:"refs"` // full name -> image id; never written to
	Containers []Container       `json:"containers" expr:"containers"`
	Layers     []Layer           `json:"layers" expr:"layers"`       // every layer that the trace told of, also after its image went
	Chains     []Chain           `json:"chains" expr:"chains"`       // layers that are unpacked on disk
	Snapshots  []Snapshot        `json:"snapshots" expr:"snapshots"` // writable layers that belong to no container: build steps
	Cache      []CacheEntry      `json:"cache" expr:"cache"`
	Blobs      []Blob            `json:"blobs" expr:"blobs"`
	Volumes    []Volume          `json:"volumes,omitempty" expr:"volumes"`
	Networks   []Network         `json:"networks,omitempty" expr:"networks"`
	Registry   []Pushed          `json:"registry,omitempty" expr:"registry"` // what a registry of our own was given

	open []openStep // steps that have begun and whose end will matter
}

// Image is an image, or the zero Image, for which Exists is false.
type Image struct {
	Exists     bool     `json:"-" expr:"exists"`
	ID         string   `json:"id" expr:"id"`             // digest of its config
	Manifest   string   `json:"manifest" expr:"manifest"` // digest of its manifest
	Refs       []string `json:"refs" expr:"refs"`         // names as docker shows them: debian:12
	Layers     []Layer  `json:"layers" expr:"layers"`     // lowest first
	Size       int64    `json:"size" expr:"size"`         // sum of its layers, uncompressed
	Origin     string   `json:"origin" expr:"origin"`     // build, commit, load, import or base
	CreatedSeq uint64   `json:"created_seq" expr:"created_seq"`
}

// Layer is a read-only layer. What the trace did not tell is zero.
type Layer struct {
	DiffID    string   `json:"diff_id" expr:"diff_id"`     // digest of its uncompressed archive
	Size      int64    `json:"size" expr:"size"`           // length of that archive; bytes of file content when only these are known
	Files     int64    `json:"files" expr:"files"`         // files and folders in it
	Whiteouts []string `json:"whiteouts" expr:"whiteouts"` // paths that it hides, sorted; known for layers made in this trace
	Deleted   int64    `json:"deleted" expr:"deleted"`     // how many paths it hides
	Changes   []Change `json:"changes,omitempty" expr:"changes"`
	Seq       uint64   `json:"seq" expr:"seq"` // the event that told of it first

	exact bool // Size is the length of the archive
}

// Container is a container, or the zero Container, for which Exists is false.
type Container struct {
	Exists       bool      `json:"-" expr:"exists"`
	ID           string    `json:"id" expr:"id"`
	Name         string    `json:"name" expr:"name"`
	Image        string    `json:"image" expr:"image"` // image id
	Command      []string  `json:"command" expr:"command"`
	State        string    `json:"state" expr:"state"`             // created, running, paused, restarting, exited
	Health       string    `json:"health,omitempty" expr:"health"` // starting, healthy or unhealthy; empty: it is not checked
	PID          int64     `json:"pid" expr:"pid"`                 // on the host; 0 when it doesn't run
	ExitCode     int64     `json:"exit_code" expr:"exit_code"`
	OOMKilled    bool      `json:"oom_killed" expr:"oom_killed"`
	Chain        string    `json:"chain_id" expr:"chain_id"`           // the read-only layers below
	Changes      []Change  `json:"changes" expr:"changes"`             // of its writable layer, sorted by path
	CopiedBytes  int64     `json:"copied_bytes" expr:"copied_bytes"`   // copied up from lower layers, over its life
	ChangedBytes int64     `json:"changed_bytes" expr:"changed_bytes"` // of these, bytes that differ afterwards
	Ports        []Port    `json:"ports,omitempty" expr:"ports"`       // of the machine that lead to it while it runs
	Refused      []Refusal `json:"refused,omitempty" expr:"refused"`   // connections to these that it did not take, the latest ones
	Lookups      []Lookup  `json:"lookups,omitempty" expr:"lookups"`   // names that it asked its own name server for, the latest ones
	CreatedSeq   uint64    `json:"created_seq" expr:"created_seq"`
}

// Change is one changed path of a writable layer.
type Change struct {
	Path         string `json:"path" expr:"path"`
	Kind         string `json:"kind" expr:"kind"`             // C changed, A added, D deleted, as docker diff shows
	Type         string `json:"type,omitempty" expr:"type"`   // of an added path: file, dir, symlink ...
	Layer        string `json:"layer,omitempty" expr:"layer"` // diff id of the layer that still holds the original
	Size         int64  `json:"size,omitempty" expr:"size"`   // when last seen
	CopiedBytes  int64  `json:"copied_bytes,omitempty" expr:"copied_bytes"`
	ChangedBytes int64  `json:"changed_bytes,omitempty" expr:"changed_bytes"`
	Opaque       bool   `json:"opaque,omitempty" expr:"opaque"` // a folder that hides everything below it in lower layers
	Seq          uint64 `json:"seq" expr:"seq"`                 // the event that told of it last
}

// Snapshot is a writable layer.
type Snapshot struct {
	Key     string   `json:"key" expr:"key"`
	Chain   string   `json:"chain_id" expr:"chain_id"`
	Changes []Change `json:"changes" expr:"changes"`
}

// Chain is a layer unpacked on its parents.
type Chain struct {
	ID     string `json:"chain_id" expr:"chain_id"`
	DiffID string `json:"diff_id" expr:"diff_id"`
	Parent string `json:"parent" expr:"parent"` // chain below, or empty
}

// CacheEntry is a kept result of a build step.
type CacheEntry struct {
	Key    string `json:"key" expr:"key"`
	DiffID string `json:"diff_id" expr:"diff_id"` // empty when the step added no layer
}

// Blob is a file of the content store.
type Blob struct {
	Digest    string `json:"digest" expr:"digest"`
	Size      int64  `json:"size" expr:"size"`
	MediaType string `json:"media_type" expr:"media_type"`
}

// Image finds an image as docker does: by name (the tag is latest if none is given), by name and manifest
// digest, by id or by the beginning of an id that only one image has.
func (w World) Image(name string) Image {
	if id, ok := w.Refs[FullName(name)]; ok && name != "" {
		return w.imageByID(id)
	}
	if repo, dgst, ok := strings.Cut(name, "@"); ok {
		return w.imageByManifest(FullName(repo), dgst)
	}
	return w.imageByPrefix(strings.TrimPrefix(name, "sha256:"))
}

func (w World) imageByID(id string) Image {
	for _, img := range w.Images {
		if img.ID == id {
			return img
		}
	}
	return Image{}
}

func (w World) imageByManifest(full, manifest string) Image {
	repo := full[:strings.LastIndexByte(full, ':')+1]
	for ref, id := range w.Refs {
		if strings.HasPrefix(ref, repo) {
			if img := w.imageByID(id); img.Manifest == manifest {
				return img
			}
		}
	}
	return Image{}
}

func (w World) imageByPrefix(prefix string) Image {
	var found Image
	for _, img := range w.Images {
		if prefix == "" || !strings.HasPrefix(strings.TrimPrefix(img.ID, "sha256:"), prefix) {
			continue
		}
		if found.Exists {
			return Image{}
		}
		found = img
	}
	return found
}

// Container finds a container by name, id, or the beginning of an id that only one container has.
func (w World) Container(name string) Container {
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		return Container{}
	}
	var found Container
	matches := 0
	for _, c := range w.Containers {
		if c.ID == name || c.Name == name {
			return c
		}
		if strings.HasPrefix(c.ID, name) {
			found = c
			matches++
		}
	}
	if matches != 1 {
		return Container{}
	}
	return found
}

// Layer finds a layer by its diff id, or gives the zero Layer.
func (w World) Layer(diffID string) Layer {
	for _, l := range w.Layers {
		if l.DiffID == diffID {
			return l
		}
	}
	return Layer{}
}

// Blob finds a blob by digest, or gives the zero Blob.
func (w World) Blob(digest string) Blob {
	for _, b := range w.Blobs {
		if b.Digest == digest {
			return b
		}
	}
	return Blob{}
}

// Cached reports whether the result of the build step with this key is kept.
func (w World) Cached(key string) bool {
	for _, c := range w.Cache {
		if c.Key == key {
			return true
		}
	}
	return false
}

// Sharers is how many images have the layer.
func (w World) Sharers(diffID string) int {
	n := 0
	for _, img := range w.Images {
		if img.Has(diffID) {
			n++
		}
	}
	return n
}

// LayersSize is the size of all images' layers together, a shared layer counted once: what they take on disk.
func (w World) LayersSize() int64 {
	var sum int64
	seen := map[string]bool{}
	for _, img := range w.Images {
		for _, l := range img.Layers {
			if !seen[l.DiffID] {
				seen[l.DiffID] = true
				sum += l.Size
			}
		}
	}
	return sum
}

// Has reports whether the image has the layer.
func (i Image) Has(diffID string) bool {
	for _, l := range i.Layers {
		if l.DiffID == diffID {
			return true
		}
	}
	return false
}

// Change returns how path was changed, or the zero Change.
func (c Container) Change(path string) Change {
	for _, ch := range c.Changes {
		if ch.Path == path {
			return ch
		}
	}
	return Change{}
}
