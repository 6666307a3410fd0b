package server

import (
	"strconv"
	"strings"
)

// parseChunk reads the Content-Range of a chunk, "0-99": its first byte and how many it has. In front may stand "bytes ", behind "/" and a
// size, as HTTP has it; the distribution-spec has neither.
func parseChunk(s string) (first, length int64, ok bool) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "bytes "), "bytes=")
	s, _, _ = strings.Cut(s, "/")
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, false
	}
	first, ok = parseOffset(a)
	last, ok2 := parseOffset(b)
	if !ok || !ok2 || last < first {
		return 0, 0, false
	}
	return first, last - first + 1, true
}

// maxOffset keeps sums of offsets within an int64.
const maxOffset = 1 << 62

func parseOffset(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n < maxOffset
}

// received is the Range header that tells how much of an upload is here. For nothing it is "0-0", which is what clients know.
func received(size int64) string { return "0-" + strconv.FormatInt(max(size-1, 0), 10) }
