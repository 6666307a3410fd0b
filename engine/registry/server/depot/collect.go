package depot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// file is a blob or a mark, as the file that it is.
type file struct {
	path    string
	digest  digest.Digest
	size    int64
	written time.Time
}

// blobs lists all blobs. What has no digest for a name is not ours and left alone.
func (d *Depot) blobs() ([]file, error) { return listAll(d.path("blobs")) }

// listAll lists what is named by digests in the folders ALGORITHM of dir.
func listAll(dir string) ([]file, error) {
	var list []file
	for name := range algorithms {
		found, err := listed(filepath.Join(dir, name), name)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

func listed(dir, algorithm string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []file
	for _, e := range entries {
		g := digest.Digest(algorithm + ":" + e.Name())
		if CheckDigest(g) != nil || !e.Type().IsRegular() {
			continue
		}
		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, file{filepath.Join(dir, e.Name()), g, fi.Size(), fi.ModTime()})
	}
	return list, nil
}

// CollectOptions say what a collection of garbage may take.
type CollectOptions struct {
	DryRun bool
	// Grace keeps what was pushed, mounted or asked for more recently than this: it may belong to a push that is under way. Negative: Grace of
	// this package while a server has the depot, nothing otherwise.
	Grace time.Duration
	Now   time.Time
}

// Collected is what a collection took, or would take.
type Collected struct {
	Blobs  []digest.Digest
	Size   int64 // bytes of the blobs
	Kept   int   // blobs that are garbage but too young
	Served bool  // a server had the depot
}

// Collect removes the blobs that no manifest needs from the depot in dir, and the marks of repositories whose manifests don't need them. It may be
// done while a server runs, whose changes wait meanwhile, and be killed at any moment.
func Collect(ctx context.Context, dir string, o CollectOptions) (Collected, error) {
	d, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		return Collected{}, err
	}
	l, err := waitLock(ctx, d.path("locks", "collect"), true)
	if err != nil {
		return Collected{}, fmt.Errorf("collect garbage: %w", err)
	}
	defer func() { _ = l.release() }()
	c := &collection{depot: d, options: o}
	if err := c.run(); err != nil {
		return c.result, fmt.Errorf("collect garbage of %s: %w", d.dir, err)
	}
	return c.result, nil
}

type collection struct {
	depot   *Depot
	options CollectOptions
	result  Collected
	needed  map[digest.Digest]bool // by a manifest
	kept    map[digest.Digest]bool // by a mark that is too young to go
}

func (c *collection) run() error {
	served, err := c.served()
	if err != nil {
		return err
	}
	if c.result.Served = served; c.options.Grace < 0 {
		c.options.Grace = 0
		if served {
			c.options.Grace = Grace
		}
	}
	s, err := c.depot.current()
	if err != nil {
		return err
	}
	needed, err := c.depot.needed(s)
	if err != nil {
		return err
	}
	c.needed, c.kept = map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, set := range needed {
		maps.Copy(c.needed, set)
	}
	if !c.options.DryRun { // whoever wrote index.json may have died before it was durable, and an older one may need what goes now
		if err := c.depot.syncDir(c.depot.dir); err != nil {
			return err
		}
	}
	if err := c.sweepMarks(needed); err != nil {
		return err
	}
	return c.sweepBlobs()
}

// served reports whether a server has the depot.
func (c *collection) served() (bool, error) {
	l, ok, err := tryLock(c.depot.path("locks", "server"))
	if err != nil || !ok {
		return !ok, err
	}
	return false, l.release()
}

// needed is what the manifests of each repository need, themselves among it; under the empty name what the entries of other tools do. A manifest that
// can't be read ends the collection: what it needs is not known.
func (d *Depot) needed(s *shelves) (map[string]map[digest.Digest]bool, error) {
	all := map[string]map[digest.Digest]bool{}
	for name, r := range s.repos {
		set := map[digest.Digest]bool{}
		all[name] = set
		for g, m := range r.manifests {
			if err := d.walk(set, g, m.MediaType, 0); err != nil {
				return nil, err
			}
		}
		for g := range r.adopted {
			set[g] = true
		}
	}
	others := map[digest.Digest]bool{}
	for _, e := range s.foreign {
		if CheckDigest(e.Digest) != nil {
			continue
		}
		if err := d.walk(others, e.Digest, e.MediaType, 0); err != nil {
			return nil, err
		}
	}
	all[""] = others
	return all, nil
}

func (d *Depot) walk(set map[digest.Digest]bool, g digest.Digest, mediaType string, depth int) error {
	if set[g] {
		return nil
	}
	set[g] = true
	if depth > maxDepth || !oci.IsManifest(mediaType) && !oci.IsIndex(mediaType) {
		return nil
	}
	data, err := d.read(g, oci.MaxJSON)
	if depth > 0 && errors.Is(err, ErrNotFound) {
		return nil // another tool's index need not have all that it lists
	}
	if err != nil {
		return err
	}
	needs, err := Parse(mediaType, data)
	if err != nil {
		return fmt.Errorf("read manifest %s: %w", g, err)
	}
	for _, b := range needs.Blobs {
		set[b.Digest] = true
	}
	for _, m := range needs.Manifests {
		if err := d.walk(set, m.Digest, m.MediaType, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// sweepMarks takes from each repository what its manifests don't need. A mark that stays keeps its blob.
func (c *collection) sweepMarks(needed map[string]map[digest.Digest]bool) error {
	return c.depot.eachRepository(func(repo string) error {
		marks, err := listAll(c.depot.marks(repo))
		if err != nil {
			return err
		}
		return c.sweepRepository(marks, needed[repo])
	})
}

func (c *collection) sweepRepository(marks []file, needed map[digest.Digest]bool) error {
	for _, m := range marks {
		if needed[m.digest] {
			continue
		}
		if c.young(m) {
			c.kept[m.digest] = true
			continue
		}
		if err := c.drop(m.path); err != nil {
			return err
		}
	}
	return nil
}

func (c *collection) young(f file) bool { return c.options.Now.Sub(f.written) < c.options.Grace }

func (c *collection) drop(path string) error {
	if c.options.DryRun {
		return nil
	}
	failpoint.Hit("depot.collect.remove")
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (c *collection) sweepBlobs() error {
	blobs, err := c.depot.blobs()
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if c.needed[b.digest] {
			continue
		}
		if c.kept[b.digest] || c.young(b) {
			c.result.Kept++
			continue
		}
		if err := c.drop(b.path); err != nil {
			return err
		}
		c.result.Blobs = append(c.result.Blobs, b.digest)
		c.result.Size += b.size
	}
	return c.sweepScratch()
}

// sweepScratch removes small files that a killed writer left beside those that it was about to replace.
func (c *collection) sweepScratch() error {
	for _, dir := range []string{c.depot.dir, c.depot.path("blobs", "sha256"), c.depot.path("blobs", "sha512")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			fi, err := e.Info()
			if err != nil || !strings.HasPrefix(e.Name(), ".") || c.options.Now.Sub(fi.ModTime()) < Grace {
				continue
			}
			if err := c.drop(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
