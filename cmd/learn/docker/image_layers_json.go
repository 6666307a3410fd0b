package docker

import (
	"context"
	"encoding/json"

	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
)

// lensObject is what --json prints. Fields are only ever added to it. Sizes are bytes, paths begin with a slash, layers are numbered from 1, the lowest.
type lensObject struct {
	Image      lensImage           `json:"image"`
	Layers     []lensLayerObject   `json:"layers"`  // lowest first
	History    []image.LensHistory `json:"history"` // first step first; layer 0 where a step made none
	Efficiency float64             `json:"efficiency"`
	Content    int64               `json:"content_bytes"` // of all files of all layers
	Wasted     int64               `json:"wasted_bytes"`  // of these, that no container sees
	Hidden     []image.HiddenFile  `json:"hidden_files"`
	Dive       image.DiveScore     `json:"dive"` // the same question as dive answers it, which --ci judges by
}

type lensImage struct {
	Name string        `json:"name"` // as it was asked for
	ID   digest.Digest `json:"id"`
	Size int64         `json:"size_bytes"` // of the uncompressed archives
}

type lensLayerObject struct {
	image.LensLayer
	SharedWith []string           `json:"shared_with"`
	Changes    []image.LensChange `json:"changes"` // by path, a folder before what is in it
}

func (l *lens) printAnalysis(ctx context.Context) error {
	shared, err := l.engine.Images.SharedLayers(ctx, l.Image)
	if err != nil {
		return err
	}
	o := lensObject{Image: lensImage{l.name, l.Image.ID, l.Image.Size}, Layers: []lensLayerObject{}, History: l.History(), Efficiency: l.Waste.Efficiency(),
		Content: l.Waste.Size, Wasted: l.Waste.Bytes, Dive: l.Dive}
	if o.Hidden, err = l.Hidden(ctx); err != nil {
		return err
	}
	for i, r := range l.Layers {
		row := lensLayerObject{LensLayer: r, SharedWith: shared[i]}
		if row.SharedWith == nil {
			row.SharedWith = []string{}
		}
		if row.Changes, err = l.changesOf(ctx, i+1); err != nil {
			return err
		}
		o.Layers = append(o.Layers, row)
	}
	return l.object(o)
}

func (l *lens) changesOf(ctx context.Context, n int) ([]image.LensChange, error) {
	list := []image.LensChange{}
	err := l.Each(ctx, n, false, func(c image.LensChange) {
		if c.Mark != image.MarkUntouched || c.Opaque {
			list = append(list, c)
		}
	})
	return list, err
}

// layerObject is the JSON of one layer: its figures and changes, or with --union one object a line for each path.
func (l *lens) layerObject(ctx context.Context, n int) error {
	if !l.union {
		changes, err := l.changesOf(ctx, n)
		if err != nil {
			return err
		}
		shared, err := l.engine.Images.SharedLayers(ctx, l.Image)
		if err != nil {
			return err
		}
		return l.object(lensLayerObject{l.Layers[n-1], append([]string{}, shared[n-1]...), changes})
	}
	enc := json.NewEncoder(l.out)
	enc.SetEscapeHTML(false)
	var failed error
	err := l.Each(ctx, n, true, func(c image.LensChange) {
		if failed == nil {
			failed = enc.Encode(c)
		}
	})
	if err == nil {
		err = failed
	}
	return err
}
