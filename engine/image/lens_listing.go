package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// listing is what the archive of one layer holds but for contents: its entries in their order, in a form of some 50 bytes each,
// from which the layer's tree is made as often as it is wanted. It was written from bytes that had the digest they should have.
type listing struct {
	entries []byte
	count   int
	last    string           // the path before the one that is added
	sums    map[int][32]byte // digests of contents by number of the entry, as far as somebody needed them
}

// add appends an entry.
func (l *listing) add(e *layer.Entry, xattrs []xattr) {
	same := 0
	for same < min(len(l.last), len(e.Path)) && l.last[same] == e.Path[same] {
		same++
	}
	b := append(l.entries, byte(e.Kind))
	b = binary.AppendUvarint(b, uint64(same))
	b = appendText(b, e.Path[same:])
	l.count, l.last = l.count+1, e.Path
	if e.Kind == layer.Whiteout || e.Kind == layer.Opaque {
		l.entries = b
		return
	}
	b = appendText(b, e.Link)
	for _, n := range []uint64{uint64(e.Mode), uint64(e.UID), uint64(e.GID), uint64(e.Size), uint64(e.Major), uint64(e.Minor)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, e.ModTime.Unix())
	b = binary.AppendUvarint(b, uint64(e.ModTime.Nanosecond()))
	b = binary.AppendUvarint(b, uint64(len(xattrs)))
	for _, x := range xattrs {
		long := byte(0)
		if x.long {
			long = 1
		}
		b = appendText(append(appendText(b, x.name), long), x.value)
	}
	l.entries = b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// each gives the entries in their order. The entry is the callee's until the next one.
func (l *listing) each(visit func(e *layer.Entry, xattrs []xattr) error) error {
	r := &listingReader{rest: l.entries}
	for n := 0; n < l.count; n++ {
		e, xattrs := r.entry()
		if r.broken {
			return errListing
		}
		if err := visit(e, xattrs); err != nil {
			return err
		}
	}
	return nil
}

var errListing = errors.New("the list of a layer's entries is damaged")

// listingReader takes values off the front of bytes. Bytes that end too soon make it broken, and all further values zero.
type listingReader struct {
	rest   []byte
	last   string
	broken bool
}

func (r *listingReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *listingReader) signed() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *listingReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.broken, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *listingReader) text() string { return string(r.take(r.number())) }

func (r *listingReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *listingReader) entry() (*layer.Entry, []xattr) {
	e := &layer.Entry{Kind: layer.Kind(r.byte())}
	same := r.number()
	if same > uint64(len(r.last)) {
		r.broken = true
		return e, nil
	}
	e.Path = r.last[:same] + string(r.take(r.number()))
	r.last = e.Path
	if e.Kind == layer.Whiteout || e.Kind == layer.Opaque {
		return e, nil
	}
	e.Link = r.text()
	e.Mode, e.UID, e.GID, e.Size = uint32(r.number()), int(r.number()), int(r.number()), int64(r.number())
	e.Major, e.Minor = uint32(r.number()), uint32(r.number())
	e.ModTime = time.Unix(r.signed(), int64(r.number()))
	return e, r.xattrs()
}

func (r *listingReader) xattrs() []xattr {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.broken = true
		return nil
	}
	var list []xattr
	for range n {
		list = append(list, xattr{name: r.text(), long: r.byte() == 1, value: r.text()})
	}
	return list
}

const listingMagic = "learn layer listing 1\n"

// encode is the listing of the blob d as a file: it begins with a magic word and the blob's digest, and ends with a digest of all.
func (l *listing) encode(d digest.Digest) []byte {
	b := append([]byte(listingMagic), d.Encoded()...)
	b = binary.AppendUvarint(b, uint64(l.count))
	b = binary.AppendUvarint(b, uint64(len(l.entries)))
	b = append(b, l.entries...)
	b = binary.AppendUvarint(b, uint64(len(l.sums)))
	for _, seq := range sortedKeys(l.sums) {
		sum := l.sums[seq]
		b = append(binary.AppendUvarint(b, uint64(seq)), sum[:]...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func sortedKeys(m map[int][32]byte) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// decodeListing reads what encode wrote for d.
func decodeListing(data []byte, d digest.Digest) (*listing, error) {
	head := append([]byte(listingMagic), d.Encoded()...)
	if len(data) < len(head)+sha256.Size || !bytes.HasPrefix(data, head) {
		return nil, errListing
	}
	body, end := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], end) {
		return nil, errListing
	}
	r := &listingReader{rest: body[len(head):]}
	l := &listing{count: int(r.number()), sums: map[int][32]byte{}}
	l.entries = r.take(r.number())
	for range min(r.number(), uint64(len(r.rest))) {
		seq, sum := int(r.number()), r.take(sha256.Size)
		if r.broken {
			break
		}
		l.sums[seq] = [32]byte(sum)
	}
	if r.broken || len(r.rest) > 0 || l.count < 0 || l.count > len(l.entries) {
		return nil, errListing
	}
	return l, nil
}
