package image

import (
	"bytes"
	"encoding/json"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// An index of a thousand images takes longer to decode than a container to start. As we write it (indented, so that strings hold no
// line break and four blanks), one entry can be cut out of it by its edges alone.
const (
	indexHead  = "{\n  \"schemaVersion\": 2,\n  \"mediaType\": \"" + v1.MediaTypeImageIndex + "\",\n  \"manifests\": [\n    {"
	entryBegin = "\n    {"
	entryEnd   = "\n    }"
)

// excerpt is the part of an index that speaks of the image that ref names: the named entry, and every entry of that image. ok is
// false where the whole index has to be read: it was written by another tool, or it has no such name.
func excerpt(data []byte, ref oci.Ref) (named v1.Descriptor, x *index, ok bool) {
	if ref.Digest() != "" || !bytes.HasPrefix(data, []byte(indexHead)) {
		return named, nil, false
	}
	for _, d := range entriesWith(data, `"`+ref.String()+`"`) {
		if !isOurs(d) || refOf(d) != ref {
			continue
		}
		id := d.Annotations[annotationConfig]
		if oci.CheckDigest(digest.Digest(id)) != nil {
			break
		}
		x = &index{}
		x.Manifests = entriesWith(data, `"`+annotationConfig+`": "`+id+`"`)
		return d, x, true
	}
	return named, nil, false
}

// entriesWith decodes the entries in which text stands.
func entriesWith(data []byte, text string) []v1.Descriptor {
	var found []v1.Descriptor
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(text))
		if i < 0 {
			return found
		}
		i += at
		begin, end := bytes.LastIndex(data[:i], []byte(entryBegin)), bytes.Index(data[i:], []byte(entryEnd))
		if begin < 0 || end < 0 {
			return found
		}
		at = i + end + len(entryEnd)
		var d v1.Descriptor
		if json.Unmarshal(data[begin:at], &d) == nil && oci.CheckDescriptor(d) == nil {
			found = append(found, d)
		}
	}
}
