package fetch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/home"
)

// urlCache keeps the last file of one address: its content, and beside it what the server said of it. Both have the digest of the address as their name,
// so that no credentials are on the disk. What was torn by a crash or changed by somebody is noticed by its digest and counts as absent. No lock is
// needed: whoever writes last wins, and a mixture of two writers has the wrong digest.
type urlCache struct {
	dir  string // empty: nothing is kept
	name string
}

const (
	cacheBytes = 4 << 30
	cacheFiles = 1000
	maxRecord  = 64 << 10
)

// record is what is known of a file.
type record struct {
	ETag         string        `json:"etag,omitempty"`
	LastModified string        `json:"lastModified,omitempty"`
	Digest       digest.Digest `json:"digest"`
	Size         int64         `json:"size"`
}

func (r *record) modTime() time.Time {
	if t, err := http.ParseTime(r.LastModified); err == nil {
		return t
	}
	return time.Unix(0, 0)
}

// ask makes a request conditional.
func (r *record) ask(h http.Header) {
	if r.ETag != "" {
		h.Set("If-None-Match", r.ETag)
	}
	if r.LastModified != "" {
		h.Set("If-Modified-Since", r.LastModified)
	}
}

// sameTag tells that a whole file which a server sends nevertheless is the one that is here: some do not know conditional requests.
func (r *record) sameTag(h http.Header) bool {
	tag := h.Get("ETag")
	return tag != "" && tag == r.ETag && !strings.HasPrefix(tag, "W/")
}

func openCache(dir, address string) *urlCache {
	sum := sha256.Sum256([]byte(address))
	return &urlCache{dir: dir, name: hex.EncodeToString(sum[:])}
}

func (c *urlCache) content() string { return filepath.Join(c.dir, c.name) }
func (c *urlCache) record() string  { return filepath.Join(c.dir, c.name+".json") }

// take gives the file that is kept the name to, if it is whole.
func (c *urlCache) take(to string) (*record, error) {
	if c.dir == "" {
		return nil, nil
	}
	r, ok := readRecord(c.record())
	if !ok || linkOrCopy(c.content(), to) != nil {
		return nil, remove(to)
	}
	if sum, n, err := sumFile(to); err != nil || sum != r.Digest || n != r.Size {
		return nil, remove(to)
	}
	now := time.Now()
	_ = os.Chtimes(c.record(), now, now) // what was used last goes last
	return r, nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func readRecord(path string) (*record, bool) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	r := &record{}
	if err := json.NewDecoder(io.LimitReader(f, maxRecord)).Decode(r); err != nil || r.Digest.Validate() != nil {
		return nil, false
	}
	return r, true
}

func sumFile(path string) (digest.Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(h.Sum(nil))), n, err
}

// linkOrCopy gives the content of from another name; nobody writes to either.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// keeps tells whether it is worth keeping what the server said r of.
func (c *urlCache) keeps(r *record) bool {
	return c.dir != "" && (r.ETag != "" || r.LastModified != "") && len(r.ETag)+len(r.LastModified) < maxRecord/8
}

// put keeps the file at path, which is synced. A cache that can't be written is none: the download itself has succeeded.
func (c *urlCache) put(path string, r *record, keep int64) {
	if keep == 0 {
		keep = cacheBytes
	}
	if r.Size > keep || os.MkdirAll(c.dir, 0o700) != nil {
		return
	}
	tmp, err := os.MkdirTemp(c.dir, ".new-")
	if err != nil {
		return
	}
	defer os.RemoveAll(tmp)
	fresh := filepath.Join(tmp, "content")
	if linkOrCopy(path, fresh) != nil || os.Rename(fresh, c.content()) != nil || home.SyncDir(c.dir) != nil {
		return
	}
	if home.WriteJSON(c.record(), r, 0o600) == nil {
		c.shrink(keep)
	}
}

// kept is one file of the cache.
type kept struct {
	name string
	used time.Time
	size int64
}

// shrink removes what was not used for the longest time until the cache is within its bounds, and what crashes have left.
func (c *urlCache) shrink(keep int64) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	var all []kept
	total := int64(0)
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			continue
		}
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			if time.Since(fi.ModTime()) > time.Hour {
				_ = os.RemoveAll(filepath.Join(c.dir, name))
			}
			continue
		}
		if strings.HasSuffix(name, ".json") {
			continue
		}
		k := kept{name: name, used: fi.ModTime(), size: fi.Size()}
		if ri, err := os.Stat(filepath.Join(c.dir, name+".json")); err == nil {
			k.used = ri.ModTime()
		}
		all, total = append(all, k), total+k.size
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.name, b.name)) })
	for i := 0; i < len(all) && (total > keep || len(all)-i > cacheFiles); i++ {
		_ = os.Remove(filepath.Join(c.dir, all[i].name+".json"))
		_ = os.Remove(filepath.Join(c.dir, all[i].name))
		total -= all[i].size
	}
}
