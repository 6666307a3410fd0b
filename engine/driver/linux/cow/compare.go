//go:build linux

package cow

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	compareBytes = 64 << 20 // of content at most
	compareChunk = 32 << 10
)

// difference is how a file of the upper layer differs from the one below.
type difference struct {
	bytes int64
	what  string // content, metadata or none
}

func compare(upper string, up *unix.Stat_t, lower string, low *unix.Stat_t) difference {
	sameType := up.Mode&unix.S_IFMT == low.Mode&unix.S_IFMT
	switch {
	case !sameType:
		return difference{sizeOf(up), "content"}
	case up.Mode&unix.S_IFMT == unix.S_IFREG:
		if n := differing(upper, up.Size, lower, low.Size); n > 0 {
			return difference{n, "content"}
		}
	case up.Mode&unix.S_IFMT == unix.S_IFLNK && !sameLink(upper, lower):
		return difference{0, "content"}
	}
	if !sameOwnerAndMode(up, low) || up.Mtim != low.Mtim || xattrNames(upper) != xattrNames(lower) {
		return difference{0, "metadata"}
	}
	return difference{0, "none"}
}

// differing counts the bytes that differ; a longer or shorter end counts whole, and beyond compareBytes only the lengths.
func differing(upper string, upSize int64, lower string, lowSize int64) int64 {
	n := max(upSize-lowSize, lowSize-upSize)
	a, errA := openFile(upper)
	b, errB := openFile(lower)
	if errA == nil && errB == nil {
		n += countDiffering(a, b, min(upSize, lowSize, compareBytes))
	}
	if errA == nil {
		a.Close()
	}
	if errB == nil {
		b.Close()
	}
	return n
}

func openFile(p string) (*os.File, error) {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOATIME|unix.O_CLOEXEC, 0)
	if err == unix.EPERM { // O_NOATIME is for owners
		fd, err = unix.Open(p, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

func countDiffering(a, b io.Reader, length int64) int64 {
	var n int64
	bufA, bufB := make([]byte, compareChunk), make([]byte, compareChunk)
	for length > 0 {
		size := min(length, compareChunk)
		gotA, _ := io.ReadFull(a, bufA[:size])
		gotB, _ := io.ReadFull(b, bufB[:size])
		got := min(gotA, gotB)
		if string(bufA[:got]) != string(bufB[:got]) {
			for i := range got {
				if bufA[i] != bufB[i] {
					n++
				}
			}
		}
		if int64(got) < size {
			return n
		}
		length -= size
	}
	return n
}

func sameLink(a, b string) bool {
	textA, errA := os.Readlink(a)
	textB, errB := os.Readlink(b)
	return errA == nil && errB == nil && textA == textB
}

// hasOrigin reports whether overlay marked the file at a host path as a copy of a lower one.
func hasOrigin(host string, userXattr bool) bool {
	name := "trusted.overlay.origin"
	if userXattr {
		name = "user.overlay.origin"
	}
	_, err := unix.Lgetxattr(host, name, nil)
	return err == nil
}

// xattrNames joins the names of the extended attributes that are not overlay's own.
func xattrNames(host string) string {
	buf := make([]byte, 4<<10)
	n, err := unix.Llistxattr(host, buf)
	if err != nil {
		return ""
	}
	names := ""
	for start, i := 0, 0; i < n; i++ {
		if buf[i] != 0 {
			continue
		}
		if name := string(buf[start:i]); !isOverlayName(name) {
			names += name + "\n"
		}
		start = i + 1
	}
	return names
}

func isOverlayName(name string) bool {
	for _, prefix := range [...]string{"trusted.overlay.", "user.overlay."} {
		if len(name) >= len(prefix) && name[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}
