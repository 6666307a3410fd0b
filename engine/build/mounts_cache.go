package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
)

// cacheMount is what is kept of the folder of a cache mount, in cache/mount-NAME: which id it has, and when it was last used.
type cacheMount struct {
	ID     string    `json:"id"`
	Folder string    `json:"folder"`
	Used   time.Time `json:"used"`
}

const (
	mountPrefix = "mount-"
	maxPrivate  = 64 // folders of one id that are in use at once
	lockAtOnce  = time.Millisecond
)

// folderOf is the name of the folder of a cache mount. An id may be any text: it never becomes a path.
func folderOf(id string, n int) string {
	name := "cache-" + oci.Sum([]byte(id)).Encoded()[:32]
	if n > 0 {
		name += fmt.Sprintf("-%d", n)
	}
	return name
}

// cache mounts a folder that outlives builds. Sharing says what happens when others use it: shared uses it along with them, locked waits,
// private takes another folder.
func (m *mounting) cache(ctx context.Context, want dockerfile.Mount) error {
	s := m.st.session
	if s.Folders == nil {
		return fmt.Errorf("cache %s: %w", want.ID, driver.ErrUnsupported)
	}
	folder, release, err := s.lockCache(ctx, want)
	if err != nil {
		return fmt.Errorf("cache %s: %w", want.ID, err)
	}
	m.give = append(m.give, func() error { release(); return nil })
	err = s.Folders.MakeFolder(ctx, folder, uint32(want.UID), uint32(want.GID), want.Mode)
	switch {
	case err == nil && !want.From.Scratch:
		err = m.seed(ctx, want, folder)
	case errors.Is(err, driver.ErrExists):
		err = nil
	}
	if err != nil {
		return fmt.Errorf("cache %s: %w", want.ID, err)
	}
	mount := driver.Mount{Type: "folder", Source: folder, Target: want.Target, ReadOnly: want.ReadOnly}
	if want.From.Scratch {
		mount.Subpath = strings.Trim(want.Source, "/")
	}
	m.add(mount)
	return s.cache.putMount(cacheMount{ID: want.ID, Folder: folder, Used: driver.Now(s.runtime).UTC()})
}

// lockCache chooses the folder and takes its lock for as long as the command runs.
func (s *session) lockCache(ctx context.Context, want dockerfile.Mount) (folder string, release func(), err error) {
	if want.Sharing != dockerfile.PrivateCache {
		folder = folderOf(want.ID, 0)
		release, err = s.home.Lock(ctx, folder, want.Sharing == dockerfile.LockedCache)
		return folder, release, err
	}
	for n := range maxPrivate {
		folder = folderOf(want.ID, n)
		soon, cancel := context.WithTimeout(ctx, lockAtOnce)
		release, err = s.home.Lock(soon, folder, true)
		cancel()
		if err == nil || ctx.Err() != nil {
			return folder, release, err
		}
	}
	return "", nil, fmt.Errorf("%d folders are in use already", maxPrivate)
}

// seed fills a new folder with what from= names, by a copy program in a container: only there owners and special files are right.
func (m *mounting) seed(ctx context.Context, want dockerfile.Mount, folder string) (err error) {
	s := m.st.session
	defer func() {
		if err != nil { // a folder that is filled by half must not count as made
			err = errors.Join(err, s.Folders.RemoveFolder(context.WithoutCancel(ctx), folder))
		}
	}()
	_, _, unpack, err := m.st.fromChain(ctx, m.in, sourceName(want.From))
	if err != nil {
		return err
	}
	chain, err := unpack(ctx)
	if err != nil {
		return err
	}
	tools, err := s.images.Resolve(ctx, "learn/base")
	if err != nil {
		return err
	}
	root, err := s.images.Unpack(ctx, tools)
	if err != nil {
		return err
	}
	key, err := s.scratch(ctx, root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.snapshots.Remove(context.WithoutCancel(ctx), key)) }()
	dir := s.taskDir(key)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	spec := driver.Spec{ID: key, Key: key, Dir: dir, Hostname: hostname, Ephemeral: true,
		Process: driver.Process{Args: []string{"/bin/cp", "-a", "/from/.", "/to/"}, Env: []string{defaultPath}, Cwd: "/"},
		Mounts: []driver.Mount{
			{Type: "tree", Chain: chain, Source: cleanSource(want.Source), Target: "/from", ReadOnly: true},
			{Type: "folder", Source: folder, Target: "/to"},
		}}
	last := &tail{}
	to := tailWriter{last}
	exit, err := s.task(ctx, spec, driver.Streams{Stdout: to, Stderr: to})
	if err == nil && exit.Code != 0 {
		err = fmt.Errorf("fill from %s: %s", sourceName(want.From), strings.TrimSpace(string(last.text)))
	}
	return err
}

func cleanSource(p string) string { return "/" + strings.TrimPrefix(rooted(p), ".") }

type tailWriter struct{ *tail }

func (w tailWriter) Write(p []byte) (int, error) {
	w.add(p)
	return len(p), nil
}

func (c *cache) putMount(m cacheMount) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("keep record of cache mount: %w", err)
	}
	return home.WriteVolatile(filepath.Join(c.dir, mountPrefix+m.Folder), append(data, '\n'), 0o600)
}

// mounts lists the records of cache mounts; a broken one is left out.
func (c *cache) mounts() ([]cacheMount, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("list cache mounts: %w", err)
	}
	var all []cacheMount
	for _, e := range entries {
		folder, ok := strings.CutPrefix(e.Name(), mountPrefix)
		if !ok {
			continue
		}
		var m cacheMount
		text, err := readSmall(filepath.Join(c.dir, e.Name()), maxRecord)
		if err == nil && json.Unmarshal(text, &m) == nil && m.Folder == folder {
			all = append(all, m)
		}
	}
	return all, nil
}

// pruneMounts removes the folders of cache mounts that no command uses at this moment.
func (b *Builder) pruneMounts(ctx context.Context, o PruneOptions) ([]PrunedEntry, error) {
	if b.Folders == nil || o.Keep > 0 {
		return nil, nil
	}
	c := openCache(b.home.Cache())
	all, err := c.mounts()
	if err != nil {
		return nil, err
	}
	var gone []PrunedEntry
	for _, m := range all {
		if !o.Before.IsZero() && !m.Used.Before(o.Before) {
			continue
		}
		e := PrunedEntry{Instruction: "cache mount " + m.ID, Used: m.Used}
		if e.Bytes, err = b.Folders.FolderSize(ctx, m.Folder); err != nil && !errors.Is(err, driver.ErrNotFound) {
			return gone, err
		}
		if !o.DryRun {
			removed, err := b.removeMount(ctx, c, m)
			if err != nil {
				return gone, err
			}
			if !removed {
				continue
			}
		}
		gone = append(gone, e)
	}
	return gone, nil
}

func (b *Builder) removeMount(ctx context.Context, c *cache, m cacheMount) (bool, error) {
	soon, cancel := context.WithTimeout(ctx, lockAtOnce)
	defer cancel()
	release, err := b.home.Lock(soon, m.Folder, true)
	if err != nil {
		return false, ctx.Err() // in use
	}
	defer release()
	if err := b.Folders.RemoveFolder(ctx, m.Folder); err != nil {
		return false, err
	}
	if err := os.Remove(filepath.Join(c.dir, mountPrefix+m.Folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, fmt.Errorf("prune cache mount: %w", err)
	}
	return true, nil
}
