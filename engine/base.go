package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/userland"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// BaseName is the name of the image that exists without a network.
const BaseName = "learn/base"

// baseRecord remembers which binary the built-in image was made of, so that a new release makes it anew. Where the program has no file
// of its own the image holds none, and the record is empty.
type baseRecord struct {
	Binary  string    `json:"binary"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mod_time"`
}

func (e *Engine) baseFile() string { return filepath.Join(e.Home.Root(), "base.json") }

func (e *Engine) binaryRecord() (baseRecord, error) {
	if e.binary == "" { // nothing can change
		return baseRecord{}, nil
	}
	fi, err := os.Stat(e.binary)
	if err != nil {
		return baseRecord{}, fmt.Errorf("look at the program for %s: %w", BaseName, err)
	}
	return baseRecord{e.binary, fi.Size(), fi.ModTime().UTC()}, nil
}

// refreshBase makes the built-in image anew if it was made of another binary. An image that was never made, or that the user
// removed, is left alone until somebody asks for it.
func (e *Engine) refreshBase(ctx context.Context) error {
	if e.binary == "" { // there is nothing to make it anew of; what another process made is good
		return nil
	}
	data, err := os.ReadFile(e.baseFile())
	if err != nil {
		return nil
	}
	now, err := e.binaryRecord()
	if err != nil {
		return nil
	}
	var made baseRecord
	if json.Unmarshal(data, &made) == nil && made == now {
		return nil
	}
	return e.makeBase(ctx)
}

// provide answers for a name that no image has: the built-in image is made on demand.
func (e *Engine) provide(ctx context.Context, ref oci.Ref) (bool, error) {
	if ref.Familiar() != BaseName+":latest" {
		return false, nil
	}
	return true, e.makeBase(ctx)
}

func (e *Engine) makeBase(ctx context.Context) error {
	op, err := e.Home.Begin("base image")
	if err != nil {
		return err
	}
	defer op.End()
	unlock, err := e.Home.Lock(ctx, "gc", false)
	if err != nil {
		return err
	}
	defer unlock()
	if err := e.writeBase(ctx, op); err != nil {
		return fmt.Errorf("make image %s: %w", BaseName, err)
	}
	record, err := e.binaryRecord()
	if err != nil {
		return err
	}
	return home.WriteJSON(e.baseFile(), record, 0o600)
}

func (e *Engine) writeBase(ctx context.Context, op *home.Operation) error {
	w, err := e.Blobs.NewWriter(op)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := userland.BaseLayer(w, userland.BaseOptions{Binary: e.binary}); err != nil {
		return err
	}
	desc, err := w.Commit(ctx, "", v1.MediaTypeImageLayer)
	if err != nil {
		return err
	}
	ref, err := oci.ParseRef(BaseName)
	if err != nil {
		return err
	}
	layers := []image.Layer{{Descriptor: desc, DiffID: desc.Digest}}
	_, err = e.Images.Create(ctx, op, baseConfig(), layers, []oci.Ref{ref}, "base")
	return err
}

// baseConfig has a fixed date: the same binary gives the same image on every machine.
func baseConfig() oci.Image {
	created := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	img := oci.Image{Created: &created, Architecture: oci.Architecture(), OS: "linux"}
	img.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	img.Config.Cmd = []string{"sh"}
	img.Config.WorkingDir = "/"
	img.History = []v1.History{{Created: &created, CreatedBy: "the learn binary under the names of its small programs", Comment: "built in"}}
	return img
}
