package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

const (
	digestPrefix = "sha256:"
	hexLength    = 64
	shortLength  = 12
)

// CheckDigest accepts "sha256:" and 64 lower-case hexadecimal digits, and nothing else. Every digest that came from outside
// passes here before it becomes part of a path.
func CheckDigest(d digest.Digest) error {
	hexa, ok := strings.CutPrefix(string(d), digestPrefix)
	if !ok {
		return fmt.Errorf("check digest %.100q: only sha256 is known here, expected sha256:<64 hexadecimal digits>", string(d))
	}
	if len(hexa) != hexLength || !isHex(hexa) {
		return fmt.Errorf("check digest %.100q: after sha256: 64 lower-case hexadecimal digits are expected", string(d))
	}
	return nil
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Sum is the sha256 digest of data.
func Sum(data []byte) digest.Digest {
	sum := sha256.Sum256(data)
	return digest.Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// ShortID is the first 12 hexadecimal digits of d, as docker shows ids; a shorter or odd string is given back as it is.
func ShortID(d digest.Digest) string {
	s := strings.TrimPrefix(string(d), digestPrefix)
	return s[:min(len(s), shortLength)]
}

// ChainID names a stack of layers, lowest first: the identity of the tree that they make together (image-spec, config.md,
// "Layer ChainID"). It is empty for no layers.
func ChainID(diffIDs []digest.Digest) digest.Digest {
	var chain digest.Digest
	for _, diff := range diffIDs {
		chain = nextChain(chain, diff)
	}
	return chain
}

// ChainIDs is the ChainID of every stack that the layers make, from the lowest alone to all of them.
func ChainIDs(diffIDs []digest.Digest) []digest.Digest {
	chains := make([]digest.Digest, 0, len(diffIDs))
	var chain digest.Digest
	for _, diff := range diffIDs {
		chain = nextChain(chain, diff)
		chains = append(chains, chain)
	}
	return chains
}

func nextChain(parent, diff digest.Digest) digest.Digest {
	if parent == "" {
		return diff
	}
	return Sum([]byte(string(parent) + " " + string(diff)))
}
