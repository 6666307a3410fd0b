package docker

import (
	"fmt"
	"io"
	"strings"

	"github.com/learn-containers/learn/engine/container"
)

// defaultKeys are ctrl-p and ctrl-q.
var defaultKeys = []byte{16, 17}

// detachKeys reads a list of keys as --detach-keys takes it: single characters, ctrl-@ to ctrl-_ (a control character each), and DEL. Empty
// stands for ctrl-p,ctrl-q.
func detachKeys(list string) ([]byte, error) {
	if list == "" {
		return defaultKeys, nil
	}
	var keys []byte
	for word := range strings.SplitSeq(list, ",") {
		key, ok := detachKey(word)
		if !ok {
			return nil, &container.InvalidError{Msg: fmt.Sprintf("Invalid escape keys (%s) provided", list)}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func detachKey(word string) (byte, bool) {
	const controls = `@abcdefghijklmnopqrstuvwxyz[\]^_`
	if len(word) == 1 {
		return word[0], true
	}
	if word == "DEL" {
		return 127, true
	}
	if name, ok := strings.CutPrefix(word, "ctrl-"); ok && len(name) == 1 {
		if i := strings.IndexByte(controls, name[0]); i >= 0 {
			return byte(i), true
		}
	}
	return 0, false
}

// escapeReader reads what is typed, up to a sequence of keys. What only begins like it is passed on as soon as that is known: as with docker,
// the key that breaks a sequence begins no other one.
type escapeReader struct {
	src     io.Reader
	keys    []byte
	escaped func() // called when the sequence has come and what was typed before it was given; then comes io.EOF
	matched int    // how many of keys have been read and not been given
	out     []byte // to be given
	err     error  // after that
	buf     []byte
}

func newEscapeReader(src io.Reader, keys []byte, escaped func()) *escapeReader {
	return &escapeReader{src: src, keys: keys, escaped: escaped, buf: make([]byte, 4096)}
}

// Read implements io.Reader.
func (r *escapeReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 && r.err == nil {
		n, err := r.src.Read(r.buf)
		r.scan(r.buf[:n])
		if err != nil && r.err == nil {
			r.out = append(r.out, r.keys[:r.matched]...) // they became no sequence
			r.err = err
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	if r.err == errDetached {
		r.escaped()
		r.err = io.EOF
	}
	return 0, r.err
}

func (r *escapeReader) scan(typed []byte) {
	for _, c := range typed {
		if c != r.keys[r.matched] {
			r.out = append(append(r.out, r.keys[:r.matched]...), c)
			r.matched = 0
			continue
		}
		if r.matched++; r.matched == len(r.keys) {
			r.matched, r.err = 0, errDetached
			return
		}
	}
}

// lastRead tells when its source has ended.
type lastRead struct {
	io.Reader
	ended func()
}

// Read implements io.Reader.
func (r *lastRead) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil {
		r.ended()
	}
	return n, err
}
