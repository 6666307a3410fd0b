package build

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// A chain never changes, so what a COPY --from finds in it doesn't either. The digest of its inputs is kept in cache/from-HEX, where
// HEX stands for the chain and all that chooses: a build whose steps are all in the cache never opens, unpacks or hashes the tree
// that it copies from. The file has the digest and a checksum; a broken one is no file.

const maxMemo = 1 << 10 // bytes of a file that are read

func (s *session) memoPath(c copySpec, chain digest.Digest) string {
	id := fmt.Sprintf("1 %s %q %q %q %q", chain, c.keyText(), c.paths, c.exclude, c.dest)
	for _, doc := range c.inline {
		id += fmt.Sprintf(" %q %q", doc.Path, doc.Data)
	}
	return filepath.Join(s.home.Cache(), "from-"+sumOf(id).Encoded()[:32])
}

func memorable(c copySpec, o *origin) bool { return c.from != "" && o.chain != "" }

// recalled completes the key of a COPY --from without its tree, if the inputs are known and there is a result to take.
func (st *stage) recalled(ctx context.Context, c copySpec, o *origin, step *treeStep) bool {
	s := st.session
	if !memorable(c, o) || st.fresh || st.unknown && !step.apart {
		return false
	}
	text, err := readSmall(s.memoPath(c, o.chain), maxMemo)
	if err != nil {
		return false
	}
	body, ok := checked(text)
	inputs := digest.Digest(bytes.TrimSuffix(body, []byte("\n")))
	if !ok || oci.CheckDigest(inputs) != nil {
		return false
	}
	k := step.key
	k.Inputs = inputs
	key, err := k.Digest()
	if err != nil {
		return false
	}
	if _, hit := st.lookUp(ctx, *step, key); !hit {
		return false
	}
	step.key = k
	return true
}

// remember keeps the inputs for recalled.
func (s *session) remember(c copySpec, o *origin, inputs digest.Digest) {
	if !memorable(c, o) || s.opts.DryRun {
		return
	}
	text := inputs.String() + "\n"
	text += fmt.Sprintf("crc32 %x\n", crc32.ChecksumIEEE([]byte(text)))
	_ = home.WriteVolatile(s.memoPath(c, o.chain), []byte(text), 0o600) // without it the tree is read again, and no more
}
