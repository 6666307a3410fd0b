package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Record is the kept result of one step: cache/HEX.json, where HEX is the key's digest. The list of its inputs is beside it
// in HEX.inputs, one JSON object a line, as it may be long and is read only to explain a miss.
type Record struct {
	Key     Key           `json:"key"`
	Created time.Time     `json:"created"`
	Empty   bool          `json:"empty,omitempty"` // the step added no layer
	DiffID  digest.Digest `json:"diff_id,omitempty"`
	Chain   digest.Digest `json:"chain,omitempty"` // with the layer
	Layer   v1.Descriptor `json:"layer"`
	Seconds float64       `json:"seconds"`         // what it took to carry the step out
	Bytes   int64         `json:"bytes"`           // length of the layer's archive
	Build   string        `json:"build,omitempty"` // id of the build that carried it out
}

const maxRecord = 4 << 20 // bytes of a record that are read

// cache is the records of a home.
type cache struct {
	dir string
}

func openCache(dir string) *cache { return &cache{dir: dir} }

func (c *cache) path(key digest.Digest) string { return filepath.Join(c.dir, key.Encoded()+".json") }
func (c *cache) inputsPath(key digest.Digest) string {
	return filepath.Join(c.dir, key.Encoded()+".inputs")
}

// get reads a record. One that can't be read or that belongs to another key is dropped: a broken cache costs time, never a
// build. ok is false if there is none.
func (c *cache) get(ctx context.Context, key digest.Digest) (rec Record, ok bool) {
	rec, err := c.read(key)
	if err == nil {
		return rec, true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.drop(ctx, key, err.Error())
	}
	return Record{}, false
}

func (c *cache) read(key digest.Digest) (rec Record, err error) {
	b, err := readSmall(c.path(key), maxRecord)
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(b, &rec); err != nil {
		return rec, fmt.Errorf("decode record: %w", err)
	}
	if got, err := rec.Key.Digest(); err != nil || got != key {
		return rec, fmt.Errorf("the record is that of key %s", got)
	}
	if rec.Empty {
		return rec, nil
	}
	for _, d := range []digest.Digest{rec.DiffID, rec.Chain, rec.Layer.Digest} {
		if err := oci.CheckDigest(d); err != nil {
			return rec, err
		}
	}
	return rec, nil
}

// drop removes a record that is of no use any more.
func (c *cache) drop(ctx context.Context, key digest.Digest, reason string) {
	if os.Remove(c.path(key)) == nil {
		trace.Fact(ctx, vocab.CacheRemove, trace.String("key", key.String()), trace.String("reason", reason))
	}
	_ = os.Remove(c.inputsPath(key))
}

// touch notes that a record was of use, for whoever decides what to forget.
func (c *cache) touch(key digest.Digest) {
	now := time.Now()
	_ = os.Chtimes(c.path(key), now, now) // a record that vanished meanwhile needs no note
}

// put keeps a record whose layer is durable. The inputs go first: a record always has its list. Neither is synced: what a power
// cut leaves of a record is no record of that key, and costs a step carried out again.
func (c *cache) put(ctx context.Context, key digest.Digest, rec Record, inputs []Input) error {
	if len(inputs) > 0 {
		if err := c.putInputs(key, inputs); err != nil {
			return err
		}
	}
	failpoint.Hit("build.step.before-record")
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("keep result: %w", err)
	}
	if err := home.WriteVolatile(c.path(key), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep result: %w", err)
	}
	failpoint.Hit("build.step.after-record")
	trace.Fact(ctx, vocab.CacheStore, trace.String("key", key.String()), trace.String("diff_id", rec.DiffID.String()))
	return nil
}

func (c *cache) putInputs(key digest.Digest, inputs []Input) error {
	// Without fsync: the list only explains, and its digest is in the key.
	return writeStream(c.inputsPath(key), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for i := range inputs {
			if err := enc.Encode(&inputs[i]); err != nil {
				return fmt.Errorf("encode inputs: %w", err)
			}
		}
		return nil
	})
}

// inputs reads the list beside a record; it is empty if it is missing or broken.
func (c *cache) inputs(key digest.Digest) []Input {
	f, err := os.Open(c.inputsPath(key))
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []Input
	for dec := json.NewDecoder(f); ; {
		var in Input
		if dec.Decode(&in) != nil {
			break
		}
		list = append(list, in)
	}
	return list
}

func readSmall(path string, limit int64) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit {
		return nil, fmt.Errorf("read %s: %d bytes, expected at most %d", path, fi.Size(), limit)
	}
	return os.ReadFile(path)
}

// keys lists the records by their key.
func (c *cache) keys() ([]digest.Digest, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("list build cache: %w", err)
	}
	var keys []digest.Digest
	for _, e := range entries {
		if key, ok := recordKey(e.Name()); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// recordKey tells whether a file of the cache is a record, and of which key.
func recordKey(name string) (digest.Digest, bool) {
	hex, ok := strings.CutSuffix(name, ".json")
	key := digest.NewDigestFromEncoded(digest.SHA256, hex)
	return key, ok && oci.CheckDigest(key) == nil
}
