package image

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Store is a home's images. It holds no locks and no open files between calls, and is safe for concurrent use, also by
// several processes. The exported fields are set before first use.
type Store struct {
	// Provide, if set, may make an image for a name that no image has; it reports whether it did.
	Provide func(ctx context.Context, ref oci.Ref) (bool, error)
	// Keep, if set, gives what is in use besides images: the layers of containers, the build cache. It is called while the
	// lock "gc" is held exclusively, so that what it gives can't be outdated, and must not take that lock.
	Keep func(ctx context.Context) (Roots, error)
	// Now is the time that new images carry: the host's, unless the machine below has one of its own.
	Now func() time.Time
	// Events is told what happens to images; nil for nobody.
	Events *events.Log
	// Registry is what Pull and Push talk through; nil: a client with docker's credentials.
	Registry *registry.Client

	// DriverName is whose trees the unpacked layers are, for records.
	DriverName string

	home      *home.Home
	blobs     *blob.Store
	layers    driver.Layers
	skeletons *skeletons
}

// New returns the images of h, whose bytes are in blobs and whose unpacked layers are in layers.
func New(h *home.Home, blobs *blob.Store, layers driver.Layers) *Store {
	k := &skeletons{h, layers}
	blobs.Elsewhere = k
	return &Store{Now: time.Now, home: h, blobs: blobs, layers: layers, skeletons: k}
}

// Image is one image as it was when it was read.
type Image struct {
	ID       digest.Digest // of the config
	Manifest v1.Descriptor
	Config   oci.Image
	Layers   []Layer   // lowest first
	Refs     []oci.Ref // its tags; none for a dangling image
	Digests  []oci.Ref // repository@digest that it was pulled or pushed as; the digest may be that of a list of manifests
	Size     int64     // sum of the uncompressed layers
	Created  time.Time // zero if the config doesn't say
	Damaged  error     // from List only: why nothing but id, manifest and names is known
}

// DiffIDs are the digests of the uncompressed layers, lowest first.
func (img Image) DiffIDs() []digest.Digest { return img.Config.RootFS.DiffIDs }

// Layer is one layer of an image.
type Layer struct {
	Descriptor v1.Descriptor // as it is stored, perhaps compressed
	DiffID     digest.Digest // of the uncompressed archive
	ChainID    digest.Digest // of this layer on those below
	Size       int64         // of the uncompressed archive; 0 in Create means that it isn't compressed
}

// Roots are blobs and chains that are in use though no image of the index refers to them. Chains lists every chain of a
// stack (oci.ChainIDs), not only its top.
type Roots struct {
	Blobs  []digest.Digest
	Chains []digest.Digest
}

// NotFoundError reports that no image has the name.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return "No such image: " + e.Name }

// AmbiguousError reports a short id that several images begin with.
type AmbiguousError struct {
	Prefix string
	IDs    []digest.Digest
}

func (e *AmbiguousError) Error() string {
	short := make([]string, len(e.IDs))
	for i, id := range e.IDs {
		short[i] = oci.ShortID(id)
	}
	return fmt.Sprintf("image id %s is ambiguous: it begins %s; give more digits", e.Prefix, strings.Join(short, ", "))
}

// ConflictError reports an image that can't be removed because it is in use, in docker's words.
type ConflictError struct{ Message string }

func (e *ConflictError) Error() string { return "conflict: " + e.Message }
