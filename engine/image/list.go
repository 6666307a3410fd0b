package image

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// List gives every image once, dangling ones too, the newest first. An image that can't be read is listed with its Damaged
// set, so that one bad file doesn't hide the others.
func (s *Store) List(ctx context.Context) ([]Image, error) { return s.list(ctx, s.whole) }

// Brief is List with nothing of an image but id, manifest, names, size and time, which the index tells without a look at the image itself.
// What another tool wrote into the index is read as List reads it.
func (s *Store) Brief(ctx context.Context) ([]Image, error) {
	return s.list(ctx, func(d v1.Descriptor, id digest.Digest) Image {
		if img, ok := brief(d, id); ok {
			return img
		}
		return s.whole(d, id)
	})
}

func (s *Store) list(ctx context.Context, look func(v1.Descriptor, digest.Digest) Image) ([]Image, error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	at := make(map[digest.Digest]int, len(x.Manifests))
	images := make([]Image, 0, len(x.Manifests))
	names := make([]references, 0, len(x.Manifests))
	for _, d := range x.Manifests {
		if !isOurs(d) {
			continue
		}
		id, err := s.idOf(d)
		if i, ok := at[id]; err == nil && ok {
			names[i].add(d)
			continue
		}
		if err == nil {
			at[id] = len(images)
		}
		images, names = append(images, look(d, id)), append(names, references{})
		names[len(names)-1].add(d)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	for i := range images {
		names[i].sort()
		images[i].Refs, images[i].Digests = names[i].tags, names[i].digests
	}
	slices.SortStableFunc(images, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(string(a.ID), string(b.ID)))
	})
	return images, nil
}

// whole reads the image that d leads to.
func (s *Store) whole(d v1.Descriptor, id digest.Digest) Image {
	img, err := s.read(&index{}, d)
	if err != nil {
		return Image{ID: id, Manifest: d, Damaged: err}
	}
	return img
}

// brief makes an image of what d itself says; ok is false where it was not written by this engine, or by an older one.
func brief(d v1.Descriptor, id digest.Digest) (img Image, ok bool) {
	made, err := time.Parse(time.RFC3339Nano, d.Annotations[annotationMade])
	if err != nil || id == "" {
		return Image{}, false
	}
	sizes, found := d.Annotations[annotationSizes]
	if !found {
		return Image{}, false
	}
	img = Image{ID: id, Created: made, Manifest: v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}}
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.ParseInt(size, 10, 64)
		if sizes != "" && (err != nil || n < 0) {
			return Image{}, false
		}
		img.Size += n
	}
	return img, true
}
