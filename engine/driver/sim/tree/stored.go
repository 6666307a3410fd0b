package tree

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
)

const (
	maxStoredName = 200 // bytes; hosts allow 255, some of them in wider characters
	maxStoredPath = 900 // bytes
)

// placer chooses where below files a content is stored: under the file's own path, unless some system could not hold that or would
// take it for another one. It decides the same on all systems. It isn't safe for concurrent use.
type placer struct {
	files map[string]bool // taken, folded
	dirs  map[string]int  // taken by folders, folded: how many files are in them
	next  int
}

func newPlacer() *placer { return &placer{files: map[string]bool{}, dirs: map[string]int{}} }

// choose takes the place for a file's path.
func (s *placer) choose(p string) string {
	at := safePath(p)
	if at == "" || !s.free(at) {
		_, base := split(p)
		at = s.odd(safeName(base))
	}
	s.take(at)
	return at
}

// odd is a place that no file's own path can be: encoded names never have a percent sign before a tilde.
func (s *placer) odd(base string) string {
	if len(base) > maxStoredName/2 {
		base = "long"
	}
	for {
		s.next++
		if at := fmt.Sprintf("%%~%d~%s", s.next, base); s.free(at) {
			return at
		}
	}
}

// free reports whether at can be taken: no file, and no folder, of that name, and no file where a folder is needed.
func (s *placer) free(at string) bool {
	key := fold(at)
	if s.files[key] || s.dirs[key] > 0 {
		return false
	}
	for i := strings.LastIndexByte(key, '/'); i > 0; i = strings.LastIndexByte(key[:i], '/') {
		if s.dirs[key[:i]] > 0 {
			return true // it was free for those
		}
		if s.files[key[:i]] {
			return false
		}
	}
	return true
}

// take marks at as taken.
func (s *placer) take(at string) { s.mark(at, 1) }

// leave gives at back.
func (s *placer) leave(at string) { s.mark(at, -1) }

func (s *placer) mark(at string, by int) {
	key := fold(at)
	if by > 0 {
		s.files[key] = true
	} else {
		delete(s.files, key)
	}
	for i := strings.LastIndexByte(key, '/'); i > 0; i = strings.LastIndexByte(key[:i], '/') {
		if s.dirs[key[:i]] += by; s.dirs[key[:i]] == 0 {
			delete(s.dirs, key[:i])
		}
	}
}

// fold maps names that a host might take for the same to the same.
func fold(at string) string { return strings.ToLower(at) }

// safePath is p with all names made safe; empty if it is too long.
func safePath(p string) string {
	var b strings.Builder
	for rest := p; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		name := safeName(part)
		if len(name) > maxStoredName {
			return ""
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(name)
	}
	if b.Len() > maxStoredPath {
		return ""
	}
	return b.String()
}

// safeName encodes what some host can't have in a name. Combining marks are encoded because one host takes é of two runes for é of one.
func safeName(name string) string {
	safe := percent(name, func(r rune) bool {
		return r < 0x20 || r == 0x7f || strings.ContainsRune(`%<>:"|?*\`, r) || r >= 0x80 && unicode.Is(unicode.Mn, r)
	})
	if last := safe[len(safe)-1]; last == '.' || last == ' ' {
		safe = safe[:len(safe)-1] + encodeByte(last)
	}
	if reserved(safe) {
		safe = encodeByte(safe[0]) + safe[1:]
	}
	return safe
}

func encodeByte(c byte) string { return "%" + hexDigits[c>>4:c>>4+1] + hexDigits[c&15:c&15+1] }

// reserved reports the names of Windows' devices, with any ending.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	stem, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		stem, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && (len(stem) == 1 && stem[0] >= '0' && stem[0] <= '9' || stem == "¹" || stem == "²" || stem == "³")
}

// validStored reports whether a place that a file on disk names stays below files.
func validStored(at string) bool {
	return fs.ValidPath(at) && at != "." && !strings.ContainsAny(at, `\:`)
}
