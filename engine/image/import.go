package image

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImportOptions say what image Import makes. The zero value makes one without a name for this machine's processor.
type ImportOptions struct {
	Ref      *oci.Ref
	Message  string                       // comment in the history; "Imported from SOURCE" if empty
	Changes  func(*oci.ImageConfig) error // sets the config; may be nil
	Platform v1.Platform
	Created  time.Time // now if zero
}

// Import makes an image of one layer from an archive of a file tree, plain or compressed, which is kept as it is. Archives
// that no layer may be (hostile names and the like) are refused.
func (s *Store) Import(ctx context.Context, r io.Reader, source string, opts ImportOptions) (img Image, err error) {
	ctx, end := trace.Step(ctx, vocab.ImageImport, trace.String("source", source))
	defer func() { end(err, trace.String("image", string(img.ID))) }()
	config, err := opts.config(source, s.Now)
	if err != nil {
		return Image{}, err
	}
	unlock, err := s.home.Lock(ctx, "gc", false)
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	err = s.withOperation("import image", func(op *home.Operation) error {
		l, err := s.importLayer(ctx, op, r)
		if err != nil {
			return err
		}
		var refs []oci.Ref
		if opts.Ref != nil {
			refs = append(refs, *opts.Ref)
		}
		failpoint.Hit("image.import.before-create")
		img, err = s.Create(ctx, op, config, []Layer{l}, refs, "import")
		return err
	})
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", sourceName(source), err)
	}
	s.tell(events.ActionImport, img.ID, "")
	return img, nil
}

func (o ImportOptions) config(source string, now func() time.Time) (oci.Image, error) {
	created := o.Created
	if created.IsZero() {
		created = now()
	}
	created = created.UTC()
	comment := o.Message
	if comment == "" {
		comment = "Imported from " + source
	}
	img := oci.Image{Created: &created, Architecture: o.Platform.Architecture, Variant: o.Platform.Variant, OS: o.Platform.OS}
	if img.Architecture == "" {
		img.Architecture = oci.Architecture()
	}
	if img.OS == "" {
		img.OS = "linux"
	}
	img.History = []v1.History{{Created: &created, Comment: comment}}
	if o.Changes != nil {
		if err := o.Changes(&img.Config); err != nil {
			return oci.Image{}, err
		}
	}
	return img, nil
}

// importLayer stores r as a layer, reading it once: what is written is at the same time decompressed, hashed and checked.
func (s *Store) importLayer(ctx context.Context, op *home.Operation, r io.Reader) (Layer, error) {
	w, err := s.blobs.NewWriter(op)
	if err != nil {
		return Layer{}, err
	}
	defer w.Close()
	in, done, err := layerForm(&cancelable{ctx, r})
	if err != nil {
		return Layer{}, err
	}
	defer done()
	raw := io.TeeReader(in, w)
	archive, kind, err := layer.DecompressLayer(raw)
	if err != nil {
		return Layer{}, err
	}
	defer archive.Close()
	sum := &summed{r: archive}
	if kind != layer.None {
		sum.hash = sha256.New()
	}
	if err := checkLayer(ctx, sum); err != nil {
		return Layer{}, err
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return Layer{}, err
	}
	p := plain{compression: kind}
	desc, err := w.Commit(ctx, "", p.mediaType())
	if err != nil {
		return Layer{}, err
	}
	failpoint.Hit("image.import.after-layer")
	l := Layer{Descriptor: desc, DiffID: desc.Digest, Size: desc.Size}
	if kind != layer.None {
		l.DiffID, l.Size = sum.digest(), sum.n
	}
	return l, nil
}

// layerForm gives r as a layer may be: as it is, or decompressed if it is compressed in a way that no layer is.
func layerForm(r io.Reader) (in io.Reader, done func(), err error) {
	head := bufio.NewReader(r)
	magic, err := head.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if kind := layer.Sniff(magic); kind != layer.Bzip2 && kind != layer.Xz {
		return head, func() {}, nil
	}
	plain, _, err := layer.Decompress(head)
	if err != nil {
		return nil, nil, err
	}
	return plain, func() { _ = plain.Close() }, nil
}

// checkLayer reads a whole layer archive and refuses what can't be unpacked.
func checkLayer(ctx context.Context, r io.Reader) error {
	archive := layer.NewReader(r, layer.Limits{})
	for entries := 0; ; entries++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := archive.Next()
		if err == io.EOF && entries == 0 {
			return errors.New("the archive is empty: expected a tar archive of a file tree")
		}
		if err == io.EOF {
			return nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the archive is truncated after %d entries: %w", entries, err)
		}
		if err != nil {
			return err
		}
	}
}

// summed counts what is read from r, and hashes it if it has a hash.
type summed struct {
	r    io.Reader
	hash hash.Hash
	n    int64
}

func newSummed(r io.Reader) *summed { return &summed{r: r, hash: sha256.New()} }

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if s.hash != nil {
		s.hash.Write(p[:n])
	}
	return n, err
}

func (s *summed) digest() digest.Digest {
	return digest.Digest("sha256:" + hex.EncodeToString(s.hash.Sum(nil)))
}
