package image

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// known is what is remembered of blobs and registries: what a layer that is stored uncompressed became when it was compressed, and in which
// repositories a blob was seen. It only saves work: a registry is asked whether it has a blob before that counts, and a file that is lost or
// broken is as good as an empty one.
type known struct {
	Blobs []knownBlob `json:"blobs"` // the one that was heard of last comes first
}

// knownBlob is one blob that came from, or went to, a registry.
type knownBlob struct {
	Digest       digest.Digest `json:"digest"`
	Size         int64         `json:"size"`
	DiffID       digest.Digest `json:"diff_id,omitempty"`     // of what it is compressed from, if that was done here
	Compression  string        `json:"compression,omitempty"` // form.name of how that was done
	Pulled       bool          `json:"pulled,omitempty"`      // it came in this form: it leaves in this form
	Repositories []string      `json:"repositories,omitempty"`
	Seen         time.Time     `json:"seen"`
}

const (
	knownFile        = "transfers.json"
	maxKnown         = 2000 // blobs
	maxKnownFile     = 8 << 20
	maxKnownIn       = 8 // repositories for each blob
	knownRepoLetters = 300
)

func (s *Store) knownPath() string { return filepath.Join(s.home.Root(), knownFile) }

// readKnown reads what is remembered.
func (s *Store) readKnown() known {
	var k known
	f, err := os.Open(s.knownPath())
	if err != nil {
		return k
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKnownFile))
	if err != nil || json.Unmarshal(data, &k) != nil {
		return known{}
	}
	k.Blobs = slices.DeleteFunc(k.Blobs, func(b knownBlob) bool {
		return oci.CheckDigest(b.Digest) != nil || b.DiffID != "" && oci.CheckDigest(b.DiffID) != nil || b.Size < 0
	})
	return k
}

func (k *known) find(d digest.Digest) *knownBlob {
	if i := slices.IndexFunc(k.Blobs, func(b knownBlob) bool { return b.Digest == d }); i >= 0 {
		return &k.Blobs[i]
	}
	return nil
}

// compressed is what a layer became when it was compressed that way before.
func (k *known) compressed(diffID digest.Digest, how string) *knownBlob {
	if i := slices.IndexFunc(k.Blobs, func(b knownBlob) bool { return b.DiffID == diffID && b.Compression == how }); i >= 0 {
		return &k.Blobs[i]
	}
	return nil
}

// candidates are the repositories on the registry of ref, but its own, that had the blob d.
func (k *known) candidates(d digest.Digest, ref oci.Ref) []string {
	b := k.find(d)
	if b == nil {
		return nil
	}
	var list []string
	for _, name := range b.Repositories {
		other, err := oci.ParseName(name)
		if err == nil && other.Domain() == ref.Domain() && other.Path() != ref.Path() {
			list = append(list, other.Path())
		}
	}
	return list
}

// add takes in news of a blob, and reports whether it is any.
func (k *known) add(news knownBlob) bool {
	have := k.find(news.Digest)
	if have == nil {
		k.Blobs = append(k.Blobs, news)
		return true
	}
	changed := false
	if news.DiffID != "" && (have.DiffID != news.DiffID || have.Compression != news.Compression) {
		have.DiffID, have.Compression, changed = news.DiffID, news.Compression, true
	}
	if news.Pulled && !have.Pulled {
		have.Pulled, changed = true, true
	}
	for _, name := range news.Repositories {
		if !slices.Contains(have.Repositories, name) {
			have.Repositories, changed = append([]string{name}, have.Repositories...), true
		}
	}
	have.Repositories = have.Repositories[:min(len(have.Repositories), maxKnownIn)]
	if changed {
		have.Seen = news.Seen
	}
	return changed
}

// remember adds to what is known of blobs that are now in the repository of ref. What is known already is not written again.
func (s *Store) remember(ctx context.Context, op *home.Operation, ref oci.Ref, news []knownBlob) error {
	name := ref.Name()
	if len(name) > knownRepoLetters {
		return nil
	}
	failpoint.Hit("image.push.before-remember")
	now := time.Now().UTC().Truncate(time.Second)
	for i := range news {
		news[i].Repositories, news[i].Seen = []string{name}, now
	}
	learn := func(k *known) bool {
		changed := false
		for _, b := range news {
			changed = k.add(b) || changed
		}
		return changed
	}
	if k := s.readKnown(); !learn(&k) {
		return nil
	}
	unlock, err := s.home.Lock(ctx, "transfers", true)
	if err != nil {
		return err
	}
	defer unlock()
	k := s.readKnown() // somebody else may have written
	learn(&k)
	slices.SortStableFunc(k.Blobs, func(a, b knownBlob) int { return cmp.Compare(b.Seen.Unix(), a.Seen.Unix()) })
	k.Blobs = k.Blobs[:min(len(k.Blobs), maxKnown)]
	data, err := json.MarshalIndent(k, "", " ") // people read it
	if err != nil {
		return err
	}
	return replace(op, s.knownPath(), append(data, '\n'))
}
