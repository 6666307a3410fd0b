package build

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// Key is everything that the tree of one step depends on. Its digest names the step's record. Two builds whose keys are
// equal get the same layer, wherever and whenever they run.
type Key struct {
	Parent      digest.Digest `json:"parent"`      // chain id of the tree below; empty for scratch
	Instruction string        `json:"instruction"` // canonical text, after expansion
	Env         []string      `json:"env,omitempty"`
	Args        []string      `json:"args,omitempty"` // declared ARGs with the values that RUN sees
	User        string        `json:"user,omitempty"`
	Workdir     string        `json:"workdir,omitempty"`
	Command     []string      `json:"command,omitempty"` // RUN: what is executed, shell included
	Mounts      []string      `json:"mounts,omitempty"`  // RUN: what is mounted, without the content of secrets and caches
	Network     string        `json:"network,omitempty"` // RUN: none or host
	Hosts       []string      `json:"hosts,omitempty"`   // RUN: --add-host
	Epoch       int64         `json:"epoch,omitempty"`   // SOURCE_DATE_EPOCH: it changes the layer's times
	Inputs      digest.Digest `json:"inputs,omitempty"`  // COPY, ADD, RUN with bind mounts: of the sorted list of inputs
}

// Digest is the sha256 of the key's canonical JSON.
func (k Key) Digest() (digest.Digest, error) {
	b, err := json.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("encode cache key: %w", err)
	}
	return oci.Sum(b), nil
}

// Input is one file that a COPY or ADD puts into the tree. Times are no part of it.
type Input struct {
	Path    string            `json:"path"` // where it goes
	Source  string            `json:"source,omitempty"`
	Type    string            `json:"type"` // file, dir, symlink, ...
	Mode    uint32            `json:"mode"`
	UID     int               `json:"uid"`
	GID     int               `json:"gid"`
	Content digest.Digest     `json:"content,omitempty"` // file
	Link    string            `json:"link,omitempty"`    // symlink: its text
	Device  string            `json:"device,omitempty"`  // char, block: its numbers, major:minor
	Xattrs  map[string]string `json:"xattrs,omitempty"`
	Size    int64             `json:"size,omitempty"` // file: bytes; no part of the key, as Content decides
}

// inputsDigest is the digest of a list that is sorted by path. Where a file lay in the context makes no difference. Names
// are quoted so that any bytes are told apart, which JSON could not do.
func inputsDigest(inputs []Input) digest.Digest {
	h := digest.SHA256.Digester()
	w := bufio.NewWriter(h.Hash())
	for _, in := range inputs {
		fmt.Fprintf(w, "%q %s %04o %d:%d %s %q\n", in.Path, in.Type, in.Mode, in.UID, in.GID, in.Content, in.Link)
		if in.Device != "" {
			fmt.Fprintf(w, "device %s\n", in.Device)
		}
		for _, name := range slices.Sorted(maps.Keys(in.Xattrs)) {
			fmt.Fprintf(w, "xattr %q %q\n", name, in.Xattrs[name])
		}
	}
	_ = w.Flush() // a hash takes everything
	return h.Digest()
}
