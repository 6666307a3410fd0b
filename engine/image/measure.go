package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// plain is what a file is when it is decompressed.
type plain struct {
	compression layer.Compression
	digest      digest.Digest // empty from copyMeasured if the file isn't compressed: then it is the file's own
	size        int64
	err         error // why it could not be decompressed; it matters only if the file is a layer
}

// copyMeasured copies in to w. If it is compressed, a goroutine decompresses and hashes the same bytes meanwhile; it has
// ended when copyMeasured returns.
func copyMeasured(w io.Writer, in io.Reader) (plain, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(in, head)
	if err != nil && err != io.EOF && (err != io.ErrUnexpectedEOF || n == 0) {
		return plain{}, err
	}
	head = head[:n]
	whole := io.MultiReader(bytes.NewReader(head), in)
	if !looksCompressed(head) {
		if _, err := w.Write(head); err != nil {
			return plain{}, err
		}
		_, err := io.Copy(w, in)
		return plain{compression: layer.None}, err
	}
	pr, pw := io.Pipe()
	done := make(chan plain, 1)
	go func() {
		done <- measure(pr)
		_, _ = io.Copy(io.Discard, pr) // the copy goes on whatever the decompressor thinks of it
	}()
	_, err = io.Copy(w, io.TeeReader(whole, pw))
	_ = pw.Close()
	return <-done, err
}

func looksCompressed(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) || bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18})
}

func measure(r io.Reader) plain {
	out, kind, err := layer.Decompress(r)
	if err != nil {
		return plain{err: err}
	}
	h := sha256.New()
	n, err := io.Copy(h, out)
	_ = out.Close()
	d := digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	return plain{compression: kind, digest: d, size: n, err: err}
}

// mediaType is that of a layer with such a compression.
func (p plain) mediaType() string {
	switch p.compression {
	case layer.Gzip:
		return oci.MediaTypeLayerGzip
	case layer.Zstd:
		return oci.MediaTypeLayerZstd
	}
	return oci.MediaTypeLayer
}
