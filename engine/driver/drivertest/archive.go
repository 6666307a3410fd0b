package drivertest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry is one entry of a layer archive, owned by root unless told otherwise.
type entry struct {
	tar.Header
	text string
}

// when is the time of every entry that has no other.
func when() time.Time { return time.Unix(1_700_000_000, 123_456_789) }

func newEntry(kind byte, name string, mode int64) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: when(), Format: tar.FormatPAX}}
}

func file(name, text string) entry {
	e := newEntry(tar.TypeReg, name, 0o644)
	e.Size, e.text = int64(len(text)), text
	return e
}

func dir(name string) entry { return newEntry(tar.TypeDir, name+"/", 0o755) }

func fifo(name string) entry { return newEntry(tar.TypeFifo, name, 0o644) }

func symlink(name, target string) entry {
	e := newEntry(tar.TypeSymlink, name, 0o777)
	e.Linkname = target
	return e
}

func hardlink(name, target string) entry {
	e := newEntry(tar.TypeLink, name, 0o644)
	e.Linkname = target
	return e
}

func device(name string, major, minor int64) entry {
	e := newEntry(tar.TypeChar, name, 0o644)
	e.Devmajor, e.Devminor = major, minor
	return e
}

func whiteout(name string) entry { return file(path.Join(path.Dir(name), ".wh."+path.Base(name)), "") }

func opaque(name string) entry { return file(path.Join(name, ".wh..wh..opq"), "") }

func (e entry) mode(bits int64) entry {
	e.Mode = bits
	return e
}

func (e entry) owner(uid, gid int) entry {
	e.Uid, e.Gid = uid, gid
	return e
}

func (e entry) at(t time.Time) entry {
	e.ModTime = t
	return e
}

func (e entry) xattr(name, value string) entry {
	e.PAXRecords = maps.Clone(e.PAXRecords)
	if e.PAXRecords == nil {
		e.PAXRecords = map[string]string{}
	}
	e.PAXRecords["SCHILY.xattr."+name] = value
	return e
}

// archive is the uncompressed layer of entries, in their order.
func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := e.Header
		must(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, e.text)
		must(t, err)
	}
	must(t, w.Close())
	return buf.Bytes()
}

// listing describes the entries of an archive, a line each, for those whose names keep accepts.
func listing(t testing.TB, data []byte, keep func(name string) bool) []string {
	t.Helper()
	var lines []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return lines
		}
		must(t, err)
		if !keep(h.Name) {
			continue
		}
		text, err := io.ReadAll(r)
		must(t, err)
		lines = append(lines, describe(h, text))
	}
}

func everything(string) bool { return true }

// under accepts the names in the folder dir, and dir itself.
func under(dir string) func(string) bool {
	return func(name string) bool {
		name = strings.TrimSuffix(name, "/")
		return name == dir || strings.HasPrefix(name, dir+"/")
	}
}

// describe is one line: type, mode, name, then what the type has besides, the owner unless root, and attributes. A whiteout is "x name",
// an opaque mark "o folder".
func describe(h *tar.Header, text []byte) string {
	base := path.Base(h.Name)
	switch {
	case base == ".wh..wh..opq":
		return "o " + path.Dir(h.Name)
	case strings.HasPrefix(base, ".wh."):
		return "x " + path.Join(path.Dir(h.Name), base[len(".wh."):])
	}
	line := fmt.Sprintf("%c %04o %s", kindLetter(h.Typeflag), h.Mode, h.Name)
	switch h.Typeflag {
	case tar.TypeSymlink:
		line = fmt.Sprintf("l %s -> %s", h.Name, h.Linkname)
	case tar.TypeLink:
		return fmt.Sprintf("h %s = %s", h.Name, h.Linkname)
	case tar.TypeReg:
		line += " " + shortened(text)
	case tar.TypeChar, tar.TypeBlock:
		line += fmt.Sprintf(" %d:%d", h.Devmajor, h.Devminor)
	}
	if h.Uid != 0 || h.Gid != 0 {
		line += fmt.Sprintf(" of %d:%d", h.Uid, h.Gid)
	}
	return line + attributes(h)
}

func kindLetter(flag byte) byte {
	switch flag {
	case tar.TypeReg:
		return '-'
	case tar.TypeDir:
		return 'd'
	case tar.TypeFifo:
		return 'p'
	case tar.TypeChar:
		return 'c'
	case tar.TypeBlock:
		return 'b'
	}
	return flag
}

func attributes(h *tar.Header) string {
	var line strings.Builder
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			fmt.Fprintf(&line, " %s=%s", name, h.PAXRecords[key])
		}
	}
	return line.String()
}

func shortened(text []byte) string {
	if len(text) > 60 {
		return fmt.Sprintf("(%d bytes)", len(text))
	}
	return fmt.Sprintf("%q", text)
}
