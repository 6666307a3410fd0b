package image

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ent is an entry of a layer under test.
type ent struct {
	layer.Entry
	data string
}

var monday = time.Unix(1_700_000_000, 0)

func fileEnt(p, data string) ent {
	return ent{layer.Entry{Path: p, Kind: layer.File, Mode: 0o644, Size: int64(len(data)), ModTime: monday}, data}
}

func dirEnt(p string) ent {
	return ent{layer.Entry{Path: p, Kind: layer.Dir, Mode: 0o755, ModTime: monday}, ""}
}

func linkEnt(p, to string) ent {
	return ent{layer.Entry{Path: p, Kind: layer.Symlink, Link: to, Mode: 0o777, ModTime: monday}, ""}
}

func hardEnt(p, to string) ent {
	return ent{layer.Entry{Path: p, Kind: layer.HardLink, Link: to, Mode: 0o644, ModTime: monday}, ""}
}

func devEnt(p string, kind layer.Kind, major, minor uint32) ent {
	return ent{layer.Entry{Path: p, Kind: kind, Major: major, Minor: minor, Mode: 0o600, ModTime: monday}, ""}
}

func gone(p string) ent { return ent{layer.Entry{Path: p, Kind: layer.Whiteout}, ""} }

func opaqueEnt(p string) ent { return ent{layer.Entry{Path: p, Kind: layer.Opaque}, ""} }

// with changes a copy of e.
func (e ent) with(change func(e *ent)) ent {
	change(&e)
	return e
}

func (e ent) mode(m uint32) ent  { return e.with(func(e *ent) { e.Mode = m }) }
func (e ent) at(t time.Time) ent { return e.with(func(e *ent) { e.ModTime = t }) }
func (e ent) owner(u, g int) ent { return e.with(func(e *ent) { e.UID, e.GID = u, g }) }
func (e ent) xattr(k, v string) ent {
	return e.with(func(e *ent) { e.Xattrs = map[string]string{k: v} })
}

// layerOf writes an archive.
func layerOf(entries ...ent) []byte {
	var b bytes.Buffer
	w := layer.NewWriter(&b)
	for _, e := range entries {
		var err error
		switch e.Kind {
		case layer.Whiteout:
			err = w.Whiteout(e.Path)
		case layer.Opaque:
			err = w.Opaque(e.Path)
		default:
			err = w.WriteEntry(e.Entry, strings.NewReader(e.data))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// layers is a stack of layers, lowest first.
type layers [][]ent

func (l layers) archives() [][]byte {
	var all [][]byte
	for _, entries := range l {
		all = append(all, layerOf(entries...))
	}
	return all
}

// stackOf makes an image of archives; storedAs packs them first.
func (w *workshop) stackOf(config oci.Image, archives ...[]byte) Image {
	w.Helper()
	return w.storedAs(config, func(b []byte) []byte { return b }, archives...)
}

func (w *workshop) storedAs(config oci.Image, pack func([]byte) []byte, archives ...[]byte) Image {
	w.Helper()
	if config.OS == "" {
		config.OS, config.Architecture = "linux", "amd64"
	}
	var img Image
	err := w.withOperation("test", func(op *home.Operation) error {
		var list []Layer
		for _, a := range archives {
			d, err := w.blobs.Put(w.ctx, op, pack(a), oci.MediaTypeLayer)
			if err != nil {
				return err
			}
			list = append(list, Layer{Descriptor: d, DiffID: oci.Sum(a), Size: int64(len(a))})
		}
		var err error
		img, err = w.Create(w.ctx, op, config, list, nil, "build")
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return img
}

// lines are the files of a diff as short text.
func (d Diff) lines() []string {
	list := []string{}
	for _, f := range d.Files {
		list = append(list, f.String())
	}
	return list
}

func (f DiffFile) String() string {
	if f.Kind != DiffChanged {
		return fmt.Sprintf("%s %s %s %d", f.Kind, f.Path, f.Type, f.Size)
	}
	var words []string
	for _, c := range f.Changes {
		if c.What == "content" {
			words = append(words, "content")
			continue
		}
		words = append(words, fmt.Sprintf("%s %s>%s", c.What, c.A, c.B))
	}
	return fmt.Sprintf("%s %s %s", f.Kind, f.Path, strings.Join(words, ", "))
}

// diffOf compares two stacks, and checks that the way back is the mirror image and that nothing differs from itself.
func (w *workshop) diffOf(a, b Image) Diff {
	w.Helper()
	d, err := w.Diff(w.ctx, a, b)
	if err != nil {
		w.Fatal(err)
	}
	back, err := w.Diff(w.ctx, b, a)
	if err != nil {
		w.Fatal(err)
	}
	if x, y := asJSON(sizeless(mirror(d))), asJSON(sizeless(back)); x != y {
		w.Errorf("the way back is no mirror image:\n%s\n%s", x, y)
	}
	return d
}

// sizeless is d without the sizes of changed files, of which there is only that of b.
func sizeless(d Diff) Diff {
	d.Files = slices.Clone(d.Files)
	for i, f := range d.Files {
		if f.Kind == DiffChanged {
			d.Files[i].Size = 0
		}
	}
	return d
}

// mirror is the diff the other way round.
func mirror(d Diff) Diff {
	d.LayersA, d.LayersB = d.LayersB, d.LayersA
	d.Files = slices.Clone(d.Files)
	for i, f := range d.Files {
		d.Files[i].Kind = turned(f.Kind)
		d.Files[i].Changes = slices.Clone(f.Changes)
		for j, c := range f.Changes {
			d.Files[i].Changes[j] = DiffChange{c.What, c.B, c.A}
			if c.What == "type" {
				d.Files[i].Type = c.A
			}
		}

	}
	d.FileTimes = slices.Clone(d.FileTimes)
	for i, m := range d.FileTimes {
		d.FileTimes[i] = DiffMoment{m.Path, m.B, m.A}
	}
	d.Config, d.ConfigTimes = turnedFields(d.Config), turnedFields(d.ConfigTimes)
	return d
}

func turned(kind string) string {
	return map[string]string{DiffAdded: DiffDeleted, DiffDeleted: DiffAdded, DiffChanged: DiffChanged}[kind]
}

func turnedFields(list []DiffField) []DiffField {
	list = slices.Clone(list)
	for i, f := range list {
		list[i] = DiffField{turned(f.Kind), f.Field, f.Key, f.B, f.A}
	}
	return list
}

// overwrite damages a blob.
func (w *workshop) overwrite(d digest.Digest, data []byte) {
	w.Helper()
	if err := os.Chmod(w.blobs.Path(d), 0o644); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(w.blobs.Path(d), data, 0o644); err != nil {
		w.Fatal(err)
	}
}

// ofConfig is an image without layers, of a config as it is written.
func (w *workshop) ofConfig(text string) Image {
	w.Helper()
	config, err := oci.ParseImage([]byte(text))
	if err != nil {
		w.Fatal(err)
	}
	return Image{ID: w.rawBlob([]byte(text)).Digest, Config: config}
}

// rawBlob stores data without waiting for the disk.
func (w *workshop) rawBlob(data []byte) v1.Descriptor {
	d := v1.Descriptor{MediaType: oci.MediaTypeLayer, Digest: oci.Sum(data), Size: int64(len(data))}
	if err := os.WriteFile(w.blobs.Path(d.Digest), data, 0o600); err != nil {
		w.Fatal(err)
	}
	return d
}
