package fetch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// tidy takes away what depends on this machine and this moment: .git or what in it does, modes that come of the umask, times.
func (c *clone) tidy(ctx context.Context, out Checkout) error {
	root, err := os.OpenRoot(c.tree)
	if err != nil {
		return err
	}
	defer root.Close()
	if c.keep {
		if err := c.tidyGitDir(ctx, root); err != nil {
			return err
		}
	} else if err := root.RemoveAll(".git"); err != nil {
		return err
	}
	at := out.Time
	if c.CheckoutTimes {
		at = time.Now()
	}
	return settle(ctx, root, c.keep, at)
}

// tidyGitDir leaves a repository as git makes it, with an index that does not say when and where the files were made.
func (c *clone) tidyGitDir(ctx context.Context, root *os.Root) error {
	for _, name := range []string{"FETCH_HEAD", "ORIG_HEAD", "index"} {
		if err := root.Remove(filepath.Join(".git", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, err := c.git.run(ctx, "read-tree", "HEAD")
	return err
}

// settle gives everything in root its mode and the time at, and removes the .git that submodules leave, unless it is to be kept. The times of links can't
// be set.
func settle(ctx context.Context, root *os.Root, keep bool, at time.Time) error {
	var dirs, gits []string
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if !keep && path.Base(p) == ".git" {
			gits = append(gits, p)
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			dirs = append(dirs, p)
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return settleFile(root, p, d, at)
	})
	for _, p := range gits {
		err = errors.Join(err, root.RemoveAll(filepath.FromSlash(p)))
	}
	if err != nil {
		return err
	}
	for _, p := range slices.Backward(dirs) {
		local := filepath.FromSlash(p)
		if err := errors.Join(root.Chmod(local, 0o755), root.Chtimes(local, at, at)); err != nil {
			return err
		}
	}
	return nil
}

func settleFile(root *os.Root, p string, d fs.DirEntry, at time.Time) error {
	fi, err := d.Info()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if fi.Mode()&0o111 != 0 {
		mode = 0o755
	}
	local := filepath.FromSlash(p)
	if fi.Mode() != mode {
		if err := root.Chmod(local, mode); err != nil {
			return err
		}
	}
	return root.Chtimes(local, at, at)
}
