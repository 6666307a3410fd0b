package depot

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// algorithms are the registered ones of the image-spec that are kept here.
var algorithms = map[string]struct {
	digits int
	make   func() hash.Hash
}{
	"sha256": {2 * sha256.Size, sha256.New},
	"sha512": {2 * sha512.Size, sha512.New},
}

// CheckDigest accepts sha256 and sha512 with as many lower-case hexadecimal digits as they have, and nothing else.
func CheckDigest(d digest.Digest) error {
	name, digits, _ := strings.Cut(string(d), ":")
	a, ok := algorithms[name]
	if !ok {
		return fmt.Errorf("digest %.100q: expected sha256:<64 hexadecimal digits>, or sha512 with 128", string(d))
	}
	if len(digits) != a.digits || strings.Trim(digits, "0123456789abcdef") != "" {
		return fmt.Errorf("digest %.160q: after %s: %d lower-case hexadecimal digits are expected", string(d), name, a.digits)
	}
	return nil
}

// newHash is the hash of a checked digest.
func newHash(d digest.Digest) hash.Hash {
	name, _, _ := strings.Cut(string(d), ":")
	return algorithms[name].make()
}

// Sum is the digest of data by the algorithm of like, a checked digest.
func Sum(like digest.Digest, data []byte) digest.Digest {
	h := newHash(like)
	h.Write(data)
	return sumOf(like, h)
}

func sumOf(like digest.Digest, h hash.Hash) digest.Digest {
	name, _, _ := strings.Cut(string(like), ":")
	return digest.Digest(name + ":" + hex.EncodeToString(h.Sum(nil)))
}

// place is a checked digest as a path: ALGORITHM/HEX.
func place(d digest.Digest) string {
	name, digits, _ := strings.Cut(string(d), ":")
	return filepath.Join(name, digits)
}
