package depot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/opencontainers/go-digest"
)

// Grace is how long a blob is left alone that no manifest needs, while a server runs: it may belong to a push that is under way.
const Grace = time.Hour

// Stat is the size of a blob that repo has; ErrNotFound if it hasn't.
func (d *Depot) Stat(repo string, g digest.Digest) (int64, error) {
	const doing = "look at blob"
	if err := check(repo, g); err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	ok, err := d.marked(repo, g)
	if err != nil {
		return 0, wrap(doing, g, err)
	}
	if !ok {
		return 0, wrap(doing, g, ErrNotFound)
	}
	fi, err := os.Stat(d.blobPath(g))
	if err != nil {
		return 0, wrap(doing, g, err)
	}
	return fi.Size(), nil
}

// Open opens a blob that repo has; ErrNotFound if it hasn't. The caller closes it.
func (d *Depot) Open(repo string, g digest.Digest) (*os.File, int64, error) {
	size, err := d.Stat(repo, g)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(d.blobPath(g))
	if err != nil {
		return nil, 0, wrap("open blob", g, err)
	}
	return f, size, nil
}

// marked reports that a repository has a blob: by its mark, or because an entry of index.json that another tool wrote needs it.
func (d *Depot) marked(repo string, g digest.Digest) (bool, error) {
	mark := filepath.Join(d.marks(repo), place(g))
	fi, err := os.Stat(mark)
	if errors.Is(err, fs.ErrNotExist) {
		s, err := d.current()
		return err == nil && s.adopted(repo, g), err
	}
	if err == nil && !d.options.ReadOnly && time.Since(fi.ModTime()) > Grace/4 {
		now := time.Now()
		err = os.Chtimes(mark, now, now) // somebody relies on it: a push is told that it need not bring it
	}
	return err == nil, err
}

// mark gives a blob that the depot has to a repository.
func (d *Depot) mark(repo string, g digest.Digest) error {
	path := filepath.Join(d.marks(repo), place(g))
	if err := d.makeDurable(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	now := time.Now()
	return errors.Join(f.Close(), os.Chtimes(path, now, now))
}

// makeDurable makes a folder below the depot and syncs the names of those that it makes.
func (d *Depot) makeDurable(dir string) error {
	if _, ok := d.made.Load(dir); ok {
		return nil
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := d.makeDurable(filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := d.syncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	d.made.Store(dir, true)
	return nil
}

// Mount gives repo a blob of the repository from; from may be empty, for that of any. ErrNotFound if there is none.
func (d *Depot) Mount(ctx context.Context, repo, from string, g digest.Digest) (int64, error) {
	if err := check(repo, g); err != nil {
		return 0, fmt.Errorf("mount blob: %w", err)
	}
	unlock, err := d.shared(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unlock() }()
	size, err := d.statAnywhere(from, g)
	if err != nil {
		return 0, err
	}
	if err := d.mark(repo, g); err != nil {
		return 0, wrap("mount blob", g, err)
	}
	return size, nil
}

func (d *Depot) statAnywhere(from string, g digest.Digest) (int64, error) {
	if from != "" {
		return d.Stat(from, g)
	}
	if _, err := os.Stat(d.blobPath(g)); err != nil {
		return 0, wrap("look at blob", g, err)
	}
	size := int64(-1)
	err := d.eachRepository(func(repo string) error {
		n, err := d.Stat(repo, g)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if size = n; err == nil {
			err = fs.SkipAll
		}
		return err
	})
	if err == nil && size < 0 {
		err = ErrNotFound
	}
	if err != nil {
		return 0, wrap("look at blob", g, err)
	}
	return size, nil
}

// eachRepository visits the repositories that have marks; fs.SkipAll ends it without an error.
func (d *Depot) eachRepository(visit func(repo string) error) error {
	root := d.path("repositories")
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || e.Name() != "_blobs" {
			return err
		}
		repo, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		if err := visit(filepath.ToSlash(repo)); err != nil {
			return err
		}
		return fs.SkipDir
	})
}

// Unlink takes a blob from repo, and from no other repository. The bytes go with the next collection, if nobody needs them.
func (d *Depot) Unlink(repo string, g digest.Digest) error {
	if _, err := d.Stat(repo, g); err != nil {
		return err
	}
	path := filepath.Join(d.marks(repo), place(g))
	if err := os.Remove(path); err != nil {
		return wrap("delete blob", g, err)
	}
	return d.syncDir(filepath.Dir(path))
}

// publish gives a file that was verified and synced its name. The file is gone afterwards. That the name is durable is seen to by whoever
// makes it known.
func (d *Depot) publish(file string, g digest.Digest) error {
	dst := d.blobPath(g)
	fi, err := os.Stat(file)
	if err != nil {
		return err
	}
	if have, err := os.Stat(dst); err == nil && have.Size() == fi.Size() {
		return os.Remove(file)
	}
	if err := d.makeDurable(filepath.Dir(dst)); err != nil {
		return err
	}
	failpoint.Hit("depot.blob.before-rename")
	if err := os.Rename(file, dst); err != nil {
		return err
	}
	failpoint.Hit("depot.blob.renamed")
	return nil
}
