package image

import (
	"errors"
	"os"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/opencontainers/go-digest"
)

// Room is what an image takes on disk: its files are there twice once a container was made of it.
type Room struct {
	Blobs    int64 // manifest, config and layers as they are stored, perhaps compressed
	Unpacked int64 // layers that lie ready to be mounted, by the size of their archives
}

// RoomOf measures images together: what several of them have counts once.
func (s *Store) RoomOf(images []Image) (Room, error) {
	var h Room
	blobs, chains := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, img := range images {
		for d := range img.blobDigests() {
			if blobs[d] {
				continue
			}
			blobs[d] = true
			size, err := s.blobs.Stored(d)
			if errors.Is(err, blob.ErrNotFound) { // perhaps its archive was dropped
				size, _ = s.skeletons.size(d)
				err = nil
			}
			if err != nil {
				return h, err
			}
			h.Blobs += size
		}
		for _, l := range img.Layers {
			if !chains[l.ChainID] && s.layers.Has(l.ChainID) {
				h.Unpacked += l.Size
			}
			chains[l.ChainID] = true
		}
	}
	return h, nil
}

// ListingRoom is what the listings of layers take, which Look keeps to be quicker the next time.
func (s *Store) ListingRoom() (bytes int64) {
	entries, _ := os.ReadDir(s.listings()) // without the folder there are none
	for _, e := range entries {
		if fi, err := e.Info(); err == nil {
			bytes += fi.Size()
		}
	}
	return bytes
}

// blobDigests are the blobs that make img, each once.
func (img Image) blobDigests() map[digest.Digest]bool {
	set := map[digest.Digest]bool{img.Manifest.Digest: true, img.ID: true}
	for _, l := range img.Layers {
		set[l.Descriptor.Digest] = true
	}
	delete(set, "")
	return set
}
