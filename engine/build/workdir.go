package build

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/passwd"
)

// workdir changes the working folder and makes it if the tree does not have it.
func (st *stage) workdir(ctx context.Context, in dockerfile.Instruction, c *dockerfile.Workdir) (outcome, error) {
	text, err := st.configure(in, c)
	if err != nil {
		return outcome{}, err
	}
	dir := st.config.Config.WorkingDir
	if dir == "/" {
		st.session.display.Done(st.show(in.Text), nil)
		st.history(text, true)
		return outcome{}, nil
	}
	key := st.key(text)
	key.User = st.config.Config.User
	return st.cached(ctx, treeStep{in: in, key: key, from: -1, text: in.Text, history: text}, func(ctx context.Context, _ int) (image.Layer, error) {
		return st.makeDir(ctx, dir)
	})
}

// makeDir makes a layer that holds dir and what is missing above it, owned by the stage's user; none if dir is there.
func (st *stage) makeDir(ctx context.Context, dir string) (image.Layer, error) {
	below, err := st.below(ctx)
	if err != nil {
		return image.Layer{}, err
	}
	defer below.close()
	at, err := follow(below, dir, true)
	if err != nil {
		return image.Layer{}, err
	}
	n, err := below.lstat(at)
	if err == nil {
		if !n.mode.IsDir() {
			return image.Layer{}, &fs.PathError{Op: "make working directory", Path: dir, Err: errors.New("a file of that name is in the way")}
		}
		return image.Layer{}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return image.Layer{}, err
	}
	uid, gid, err := st.owner(below.tree, st.config.Config.User)
	if err != nil {
		return image.Layer{}, err
	}
	p := newPlacement(below, st.session.now().Truncate(1e9))
	p.owner = &owner{uid, gid}
	if err := p.folders(at, 0o755); err != nil {
		return image.Layer{}, err
	}
	return st.write(ctx, p)
}

// owner resolves a name for new files against the tree below. Numbers and root need no tree.
func (st *stage) owner(below passwd.Files, spec string) (uid, gid int, err error) {
	u, g, err := passwd.Owner(below, spec)
	return int(u), int(g), err
}

// noFiles is a tree without accounts.
type noFiles struct{}

// Open implements passwd.Files.
func (noFiles) Open(string) (io.ReadCloser, error) { return nil, driver.ErrNotFound }
