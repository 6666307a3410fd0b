package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// ContextListing is what a build context sends and what it leaves out.
type ContextListing struct {
	Dir         string        `json:"dir"`
	IgnoreFile  string        `json:"ignore_file,omitempty"` // its name; empty: there is none
	Sent        []ContextName `json:"sent"`                  // sorted by path
	Left        []ContextName `json:"left"`
	Bytes       int64         `json:"bytes"` // of the files that are sent
	LeftBytes   int64         `json:"left_bytes"`
	Files       int           `json:"files"` // regular files that are sent
	LeftFiles   int           `json:"left_files"`
	UnusedRules []IgnoreRule  `json:"unused_rules,omitempty"` // lines that decide about nothing
}

// ContextName is one name of a context.
type ContextName struct {
	Path   string        `json:"path"` // relative, with slashes
	Type   string        `json:"type"` // file, dir, symlink, ...
	Mode   uint32        `json:"mode"` // permissions: 0 to 07777
	Size   int64         `json:"size"` // bytes of a file
	Link   string        `json:"link,omitempty"`
	Digest digest.Digest `json:"digest,omitempty"` // of a file that an earlier build read and that did not change since
	// Rule is the line that decided: that left the name out, or that let it back in. Nil if no line says anything about it; of a
	// folder that is sent only for something in it; and of a socket, which is never sent.
	Rule *IgnoreRule `json:"rule,omitempty"`
}

// IgnoreRule is one line of an ignore file.
type IgnoreRule struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Pattern string `json:"pattern"` // cleaned, with the ! of an exception
}

// Context lists the build context of o as a build would see it. No file is read but the ignore file.
func (b *Builder) Context(ctx context.Context, o Options) (list ContextListing, err error) {
	if err := checkContextDir(o.ContextDir); err != nil {
		return list, err
	}
	t, err := openContext(o.ContextDir, dockerfilePath(o), b.home.Cache())
	if err != nil {
		return list, err
	}
	defer func() { err = errors.Join(err, t.root.Close()) }()
	l := &contextLister{ctx: ctx, tree: t, used: make([]bool, len(t.ignore.rules)), list: ContextListing{Dir: o.ContextDir, IgnoreFile: t.ignore.name}}
	if l.tracer, err = newTracer(t.ignore); err != nil {
		return list, err
	}
	if err := l.folder(t.root, ".", l.tracer.top()); err != nil {
		return list, fmt.Errorf("list build context %s: %w", o.ContextDir, err)
	}
	for i, used := range l.used {
		if !used {
			l.list.UnusedRules = append(l.list.UnusedRules, *l.rule(i))
		}
	}
	byPath := func(a, b ContextName) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(l.list.Sent, byPath)
	slices.SortFunc(l.list.Left, byPath)
	return l.list, nil
}

// contextLister walks everything, also what is left out.
type contextLister struct {
	ctx    context.Context
	tree   *contextTree
	tracer *tracer
	used   []bool // rules that decided about something
	list   ContextListing
}

func (l *contextLister) folder(at *os.Root, dir string, parent []bool) error {
	entries, err := readDir(at)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if len(l.list.Sent)+len(l.list.Left) > maxContextFiles {
			return fmt.Errorf("more than %d files", maxContextFiles)
		}
		if err := l.visit(at, path.Join(dir, e.Name()), e, parent); err != nil {
			return err
		}
	}
	return nil
}

func (l *contextLister) visit(at *os.Root, p string, e fs.DirEntry, parent []bool) error {
	fi, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went away meanwhile
	}
	if err != nil {
		return err
	}
	n := l.tree.nodeOf(p, fi)
	if n.mode.Type() == fs.ModeSymlink {
		if n.link, err = at.Readlink(e.Name()); err != nil {
			return err
		}
		n.link = filepath.ToSlash(n.link)
	}
	out, by, state, err := l.tracer.trace(p, parent)
	if err != nil {
		return err
	}
	l.add(n, out, by)
	if !e.IsDir() {
		return nil
	}
	sub, err := at.OpenRoot(e.Name())
	if errors.Is(err, fs.ErrPermission) && l.tree.nodes[p] == nil {
		return nil // what is left out need not be readable
	}
	if err != nil {
		return err
	}
	return errors.Join(l.folder(sub, p, state), sub.Close())
}

func (l *contextLister) add(n *node, out bool, by int) {
	name := ContextName{Path: n.path, Type: n.kind(), Mode: unixMode(n.mode), Size: n.size, Link: n.link}
	if by >= 0 {
		l.used[by] = true
	}
	sent := l.tree.nodes[n.path] != nil
	if by >= 0 && sent != out {
		name.Rule = l.rule(by)
	}
	file := 0
	if n.mode.IsRegular() {
		file, name.Digest = 1, l.tree.sums.get(n)
	}
	if sent {
		l.list.Sent = append(l.list.Sent, name)
		l.list.Bytes, l.list.Files = l.list.Bytes+n.size, l.list.Files+file
		return
	}
	l.list.Left = append(l.list.Left, name)
	l.list.LeftBytes, l.list.LeftFiles = l.list.LeftBytes+n.size, l.list.LeftFiles+file
}

func (l *contextLister) rule(i int) *IgnoreRule {
	r := l.tree.ignore.rules[i]
	return &IgnoreRule{File: l.tree.ignore.name, Line: r.line, Pattern: r.pattern}
}
