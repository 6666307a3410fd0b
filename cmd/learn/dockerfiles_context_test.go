package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

// buildContext is a context folder that directives change, and the command line of the builds in it.
type buildContext struct {
	builder imageBuilder
	dir     string
	url     string // of the server that hands out what lies in ../www; $URL stands for it
	flags   []string
	env     []string
}

// lay writes the files of a case.
func (b *buildContext) lay(c *dockerfileCase) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	for _, f := range c.files {
		if err := b.write(f.Name, string(f.Data)); err != nil {
			return err
		}
	}
	return b.apply(c.setup)
}

func (b *buildContext) path(name string) string { return filepath.Join(b.dir, name) }

func (b *buildContext) write(name, text string) error {
	p := b.path(name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(p); err == nil { // as an editor that writes into the file
		return os.WriteFile(p, []byte(b.expand(text)), 0o644)
	}
	if err := os.WriteFile(p, []byte(b.expand(text)), 0o644); err != nil {
		return err
	}
	return os.Chmod(p, 0o644) // whatever the umask says
}

func (b *buildContext) expand(text string) string { return strings.ReplaceAll(text, "$URL", b.url) }

func (b *buildContext) expandAll(lines []string) []string {
	var list []string
	for _, l := range lines {
		list = append(list, b.expand(l))
	}
	return list
}

// apply carries out directives in order.
func (b *buildContext) apply(lines []string) error {
	for _, l := range lines {
		w, err := words(l)
		if err == nil {
			err = b.do(w[0], w[1:])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
	}
	return nil
}

// verbs are the directives and how many words each takes at least.
var verbs = map[string]int{"flags": 0, "env": 1, "needs": 1, "times": 0, "write": 2, "append": 2, "sub": 3, "rm": 1, "mv": 2, "chmod": 2, "touch": 1, "mkdir": 1,
	"symlink": 2, "hardlink": 2, "fifo": 1, "xattr": 3, "sparse": 2, "archive": 2, "base64": 2, "chown": 2, "image": 1}

func (b *buildContext) do(verb string, args []string) error {
	least, known := verbs[verb]
	if !known || len(args) < least {
		return fmt.Errorf("unknown directive, or fewer than %d words after it", least)
	}
	switch verb {
	case "needs", "times": // said about the case
	case "flags":
		b.flags = args
	case "env":
		b.env = args
	case "image":
		return b.image(args[0], args[1:])
	case "write":
		return b.write(args[0], text(args[1:]))
	case "append":
		old, err := os.ReadFile(b.path(args[0]))
		if err != nil {
			return err
		}
		return b.write(args[0], string(old)+text(args[1:]))
	case "sub":
		return b.sub(args[0], args[1], args[2])
	case "archive":
		return b.archive(args[0], args[1:])
	case "base64":
		data, err := base64.StdEncoding.DecodeString(strings.Join(args[1:], ""))
		if err != nil {
			return err
		}
		return os.WriteFile(b.path(args[0]), data, 0o644)
	default:
		return b.files(verb, args)
	}
	return nil
}

// image builds another image from the same context.
func (b *buildContext) image(tag string, flags []string) error {
	at := *b
	at.flags = flags
	if r := b.builder.build(&at, tag); r.code != 0 {
		return fmt.Errorf("exit code %d: %s", r.code, r.err)
	}
	return nil
}

// text is the content that words stand for: one quoted word as it is, several as a line.
func text(w []string) string {
	if len(w) == 1 && (w[0] == "" || strings.HasSuffix(w[0], "\n")) {
		return w[0]
	}
	return strings.Join(w, " ") + "\n"
}

func (b *buildContext) sub(name, old, new string) error {
	data, err := os.ReadFile(b.path(name))
	if err != nil {
		return err
	}
	if strings.Count(string(data), old) != 1 {
		return fmt.Errorf("%q is in %s %d times, expected once", old, name, strings.Count(string(data), old))
	}
	return b.write(name, strings.Replace(string(data), old, new, 1))
}

func (b *buildContext) files(verb string, args []string) error {
	switch first := b.path(args[0]); verb {
	case "rm":
		return os.RemoveAll(first)
	case "mv":
		return os.Rename(first, b.path(args[1]))
	case "chmod":
		return b.chmod(args[0], args[1:])
	case "chown":
		return b.chown(args[0], args[1:])
	case "touch":
		at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		return os.Chtimes(first, at, at)
	case "mkdir":
		if err := os.MkdirAll(first, 0o755); err != nil {
			return err
		}
		return os.Chmod(first, 0o755)
	case "symlink":
		return os.Symlink(args[1], first)
	case "hardlink":
		return os.Link(b.path(args[1]), first)
	case "fifo":
		return makeFifo(first)
	case "xattr":
		return setXattr(first, args[1], args[2])
	case "sparse":
		size, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		if err := b.write(args[0], ""); err != nil {
			return err
		}
		return os.Truncate(first, size)
	}
	return nil
}

func (b *buildContext) chmod(mode string, names []string) error {
	m, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := syscall.Chmod(b.path(n), uint32(m)); err != nil { // os.Chmod has other bits for setuid
			return err
		}
	}
	return nil
}

func (b *buildContext) chown(owner string, names []string) error {
	var uid, gid int
	if _, err := fmt.Sscanf(owner, "%d:%d", &uid, &gid); err != nil {
		return err
	}
	for _, n := range names {
		if err := os.Lchown(b.path(n), uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// archive writes a tar archive, compressed as the name or a first word "as SUFFIX" says. An entry is "dir/", "file=content", "link->target",
// "hardlink=>file" or "fifo|"; ":MODE[:UID:GID]" may follow the name of the first two, and "+user.name=value" adds an attribute to the entry before it.
func (b *buildContext) archive(name string, entries []string) error {
	form := name
	if entries[0] == "as" {
		form, entries = entries[1], entries[2:]
	}
	var buf bytes.Buffer
	w, err := compressor(form, &buf)
	if err != nil {
		return err
	}
	tw, headers := tar.NewWriter(w), map[string]*tar.Header{}
	for i := 0; i < len(entries); i++ {
		h, content, err := archiveEntry(entries[i])
		if err != nil {
			return err
		}
		if old := headers[h.Linkname]; h.Typeflag == tar.TypeLink && old != nil {
			h.Mode, h.Uid, h.Gid = old.Mode, old.Uid, old.Gid // as archivers write them
		}
		headers[h.Name] = h
		for i+1 < len(entries) && entries[i+1][0] == '+' {
			i++
			k, v, _ := strings.Cut(entries[i][1:], "=")
			h.PAXRecords = map[string]string{"SCHILY.xattr." + k: v}
		}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(tw, content); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.path(name), buf.Bytes(), 0o644)
}

func compressor(name string, w io.Writer) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, "gz"):
		return gzip.NewWriter(w), nil
	case strings.HasSuffix(name, "zst"):
		return zstd.NewWriter(w)
	case strings.HasSuffix(name, "tar"):
		return nopCloser{w}, nil
	}
	return nil, fmt.Errorf("no compressor for %s: give the archive's bytes with base64", name)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func archiveEntry(word string) (*tar.Header, string, error) {
	h := &tar.Header{Mode: 0o644, ModTime: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), Typeflag: tar.TypeReg}
	var content string
	for _, form := range []struct {
		mark string
		kind byte
	}{{"->", tar.TypeSymlink}, {"=>", tar.TypeLink}, {"|", tar.TypeFifo}, {"=", tar.TypeReg}, {"/", tar.TypeDir}} {
		name, rest, ok := strings.Cut(word, form.mark)
		if !ok || form.kind == tar.TypeDir && rest != "" && rest[0] != ':' && !strings.HasSuffix(strings.Split(word, ":")[0], "/") {
			continue
		}
		h.Typeflag = form.kind
		switch form.kind {
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = rest
		case tar.TypeReg:
			content = rest
		case tar.TypeDir:
			name, h.Mode = word, 0o755
		}
		parts := strings.Split(name, ":")
		h.Name, h.Size = parts[0], int64(len(content))
		return h, content, archiveOwner(h, parts[1:])
	}
	return nil, "", fmt.Errorf("archive entry %q", word)
}

func archiveOwner(h *tar.Header, parts []string) (err error) {
	if len(parts) > 0 {
		h.Mode, err = strconv.ParseInt(parts[0], 8, 64)
	}
	if len(parts) > 2 && err == nil {
		if h.Uid, err = strconv.Atoi(parts[1]); err == nil {
			h.Gid, err = strconv.Atoi(parts[2])
		}
	}
	return err
}
