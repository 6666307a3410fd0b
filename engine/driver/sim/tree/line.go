package tree

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strconv"
)

// appendLine appends l and a newline to buf, as encoding/json would write it, in a fraction of the time: there is a line for each file.
func appendLine(buf []byte, l line) []byte {
	buf = appendText(append(buf, `{"path":`...), l.Path)
	buf = appendText(append(buf, `,"kind":`...), l.Kind)
	buf = appendNumber(buf, `,"inode":`, l.Inode)
	buf = appendOptional(buf, `,"mode":`, l.Mode)
	buf = appendNumber(buf, `,"uid":`, int64(l.UID))
	buf = appendNumber(buf, `,"gid":`, int64(l.GID))
	buf = appendNumber(buf, `,"size":`, l.Size)
	buf = appendOptional(buf, `,"modified":`, l.Modified)
	buf = appendOptional(buf, `,"changed":`, l.Changed)
	buf = appendOptional(buf, `,"accessed":`, l.Accessed)
	buf = appendOptional(buf, `,"target":`, l.Target)
	buf = appendOptional(buf, `,"device":`, l.Device)
	buf = appendXattrs(buf, l.Xattrs)
	buf = appendFlag(buf, `,"opaque":true`, l.Opaque)
	buf = appendOptional(buf, `,"stored":`, l.Stored)
	buf = appendOptional(buf, `,"crc32c":`, l.CRC32C)
	buf = appendNumber(buf, `,"origin":`, l.Origin)
	buf = appendOptional(buf, `,"to":`, l.To)
	buf = appendFlag(buf, `,"reported":true`, l.Reported)
	return append(buf, "}\n"...)
}

// appendText appends s in quotes. What needs more than those is left to encoding/json.
func appendText(buf []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return appendQuoted(buf, s)
		}
	}
	return append(append(append(buf, '"'), s...), '"')
}

func appendQuoted(buf []byte, s string) []byte {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // no string is an error
	return append(buf, bytes.TrimSuffix(quoted.Bytes(), []byte{'\n'})...)
}

func appendOptional(buf []byte, key, s string) []byte {
	if s == "" {
		return buf
	}
	return appendText(append(buf, key...), s)
}

func appendNumber[N int64 | uint64](buf []byte, key string, n N) []byte {
	if n == 0 {
		return buf
	}
	buf = append(buf, key...)
	if n < 0 {
		return strconv.AppendInt(buf, int64(n), 10)
	}
	return strconv.AppendUint(buf, uint64(n), 10)
}

func appendFlag(buf []byte, text string, set bool) []byte {
	if set {
		buf = append(buf, text...)
	}
	return buf
}

func appendXattrs(buf []byte, xattrs map[string]string) []byte {
	if len(xattrs) == 0 {
		return buf
	}
	buf = append(buf, `,"xattrs":{`...)
	for i, name := range sortedKeys(xattrs) {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendText(append(appendText(buf, name), ':'), xattrs[name])
	}
	return append(buf, '}')
}

// writeTree writes the whole tree, sorted by path, as the tree.jsonl of a finished layer has it, and then more.
func writeTree(w io.Writer, root *node, more ...line) error {
	type named struct {
		path string
		node *node
	}
	var names []named
	_ = root.each(".", func(p string, n *node) error { names = append(names, named{p, n}); return nil })
	slices.SortFunc(names[1:], func(a, b named) int { return cmp.Compare(a.path, b.path) }) // the root is first, whatever sorts before "."
	var buf []byte
	for _, n := range names {
		buf = appendLine(buf[:0], lineOf(n.path, n.node))
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	buf = buf[:0]
	for _, l := range more {
		buf = appendLine(buf, l)
	}
	_, err := w.Write(buf)
	return err
}
