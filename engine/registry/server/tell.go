package server

import (
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// tellBlob records what the registry says of the blob that the request is about, or does with it.
func (x *exchange) tellBlob(act string, size int64) {
	trace.Fact(x.ctx, vocab.RegistryBlob, trace.String("act", act), trace.String("repository", x.repo), trace.String("digest", x.ref), trace.Int("size_bytes", size))
}

// tellManifest records the same of a manifest.
func (x *exchange) tellManifest(act, ref string, g digest.Digest, mediaType string) {
	trace.Fact(x.ctx, vocab.RegistryManifest, trace.String("act", act), trace.String("repository", x.repo), trace.String("reference", ref),
		trace.String("digest", string(g)), trace.String("media_type", mediaType))
}
