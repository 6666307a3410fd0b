package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/opencontainers/go-digest"
)

const (
	chunk = 1 << 20 // bytes hashed and written at a time
	depth = 4       // chunks under way at most
)

// overlap hashes chunks in a goroutine of its own while its caller does something else with the same bytes, such as
// writing them. The caller takes a buffer, fills it, feeds it, and may read it until it takes the next one.
type overlap struct {
	store *Store
	work  chan []byte
	free  chan *[]byte
	sum   chan digest.Digest
	made  int
}

func (s *Store) newOverlap(h hash.Hash) *overlap {
	o := &overlap{store: s, work: make(chan []byte, depth), free: make(chan *[]byte, depth), sum: make(chan digest.Digest, 1)}
	go o.run(h)
	return o
}

func (o *overlap) run(h hash.Hash) {
	for b := range o.work {
		h.Write(b)
		b = b[:cap(b)]
		o.free <- &b
	}
	o.sum <- sumOf(h)
}

// take gives a buffer of chunk bytes that nobody reads any more.
func (o *overlap) take() []byte {
	if o.made < depth {
		select {
		case b := <-o.free:
			return *b
		default:
			o.made++
			return *o.store.buffers.Get().(*[]byte)
		}
	}
	return *<-o.free
}

// feed hands b, part of a taken buffer from its start, to the hash.
func (o *overlap) feed(b []byte) { o.work <- b }

// finish waits for the goroutine to end and gives the digest of all that was fed.
func (o *overlap) finish() digest.Digest {
	close(o.work)
	d := <-o.sum
	for len(o.free) > 0 {
		o.store.buffers.Put(<-o.free)
	}
	return d
}

func sumOf(h hash.Hash) digest.Digest {
	var sum [sha256.Size]byte
	return digest.Digest("sha256:" + hex.EncodeToString(h.Sum(sum[:0])))
}
