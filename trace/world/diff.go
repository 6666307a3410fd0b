package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Diff tells in sentences how b differs from a in images, names, containers, unpacked layers, cache entries,
// blobs and networks; nothing when they are the same. Seq, At, creation numbers and what
// containers asked for or refused are not compared.
func Diff(a, b World) []string {
	d := diff{}
	compare(&d, "image", a.Images, b.Images, func(i Image) (string, Image) {
		i.CreatedSeq = 0
		i.Layers = slices.Clone(i.Layers)
		for j := range i.Layers {
			i.Layers[j].Seq = 0
		}
		return i.ID, i
	})
	compare(&d, "name", refs(a), refs(b), func(r ref) (string, ref) { return r.Name, r })
	compare(&d, "container", a.Containers, b.Containers, func(c Container) (string, Container) {
		c.CreatedSeq, c.Refused, c.Lookups = 0, nil, nil
		c.Changes = slices.Clone(c.Changes)
		for j := range c.Changes {
			c.Changes[j].Seq = 0
		}
		return c.ID, c
	})
	compare(&d, "unpacked layer", a.Chains, b.Chains, func(c Chain) (string, Chain) { return c.ID, c })
	compare(&d, "cache entry", a.Cache, b.Cache, func(c CacheEntry) (string, CacheEntry) { return c.Key, c })
	compare(&d, "blob", a.Blobs, b.Blobs, func(b Blob) (string, Blob) { return b.Digest, b })
	compare(&d, "network", a.Networks, b.Networks, func(n Network) (string, Network) { n.Seq = 0; return n.ID, n })
	return d.lines
}

type ref struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

func refs(w World) []ref {
	var list []ref
	for _, name := range slices.Sorted(maps.Keys(w.Refs)) {
		list = append(list, ref{name, w.Refs[name]})
	}
	return list
}

type diff struct{ lines []string }

// compare adds a line for everything that is on one side only or not the same on both. key gives a thing's
// identity and the thing without what shall not be compared.
func compare[T any](d *diff, what string, a, b []T, key func(T) (string, T)) {
	before := make(map[string]string, len(a))
	for _, x := range a {
		k, plain := key(x)
		before[k] = text(plain)
	}
	for _, y := range b {
		k, plain := key(y)
		old, ok := before[k]
		delete(before, k)
		if now := text(plain); !ok {
			d.lines = append(d.lines, fmt.Sprintf("%s %s is new: %s", what, k, now))
		} else if now != old {
			d.lines = append(d.lines, fmt.Sprintf("%s %s was %s and is %s", what, k, old, now))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(before)) {
		d.lines = append(d.lines, fmt.Sprintf("%s %s is gone: %s", what, k, before[k]))
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
