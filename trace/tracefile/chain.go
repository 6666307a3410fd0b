package tracefile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"

	"github.com/learn-containers/learn/trace"
)

// MaxLine is the longest line, in bytes, that a trace may have.
const MaxLine = 16 << 20

const (
	hashOpen  = `,"hash":"`
	hashClose = `"}`
	hashLen   = 2 * sha256.Size
	sealLen   = len(hashOpen) + hashLen + len(hashClose)
)

// chain seals lines one after another.
type chain struct {
	last [hashLen]byte // hash of the line before, in hex
	any  bool          // there is a line before
	sum  hash.Hash
}

// seal computes the hash of the next line, whose text without the hash is body, and moves on to it.
func (c *chain) seal(body []byte) []byte {
	if c.sum == nil {
		c.sum = sha256.New()
	}
	c.sum.Reset()
	if c.any {
		c.sum.Write(c.last[:])
	}
	c.sum.Write(body)
	var raw [sha256.Size]byte
	hex.Encode(c.last[:], c.sum.Sum(raw[:0]))
	c.any = true
	return c.last[:]
}

// resume continues after a line with this hash.
func (c *chain) resume(hash []byte) {
	copy(c.last[:], hash)
	c.any = true
}

// appendLine appends e as a sealed line with its line end. begun is written when it isn't zero.
func (c *chain) appendLine(dst []byte, e trace.Event, begun time.Time) []byte {
	start := len(dst)
	dst = trace.AppendJSON(dst, e)
	if !begun.IsZero() {
		dst = append(dst[:len(dst)-1], `,"begun":"`...)
		dst = begun.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, `"}`...)
	}
	hash := c.seal(dst[start:])
	dst = append(dst[:len(dst)-1], hashOpen...)
	dst = append(dst, hash...)
	return append(dst, hashClose+"\n"...)
}

// unseal splits a line, without its line end, into the text that was hashed and the hash. body reuses buf.
func unseal(buf, line []byte) (body, hash []byte, ok bool) {
	at := len(line) - sealLen
	if at < 1 || !bytes.HasPrefix(line[at:], []byte(hashOpen)) || !bytes.HasSuffix(line, []byte(hashClose)) {
		return nil, nil, false
	}
	hash = line[at+len(hashOpen) : at+len(hashOpen)+hashLen]
	return append(append(buf[:0], line[:at]...), '}'), hash, true
}
