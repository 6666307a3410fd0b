package userland

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
)

// reason is an error in the words of the C library, without the operation and path that Go adds. The words are Linux's, whatever
// the host's own system says.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if text := errnoText(errno); text != "" {
			return text
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "No such file or directory"
	case errors.Is(err, fs.ErrExist):
		return "File exists"
	case errors.Is(err, fs.ErrPermission):
		return "Permission denied"
	case errors.Is(err, errors.ErrUnsupported):
		return "Operation not supported"
	case errors.Is(err, io.ErrClosedPipe):
		return "Broken pipe"
	case errno != 0:
		return capital(errno.Error())
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return capital(err.Error())
}

// errnoText is strerror(3) of the errors that programs meet.
func errnoText(errno syscall.Errno) string {
	switch errno {
	case syscall.EPERM:
		return "Operation not permitted"
	case syscall.ENOENT:
		return "No such file or directory"
	case syscall.ESRCH:
		return "No such process"
	case syscall.EINTR:
		return "Interrupted system call"
	case syscall.EIO:
		return "Input/output error"
	case syscall.ENXIO:
		return "No such device or address"
	case syscall.E2BIG:
		return "Argument list too long"
	case syscall.ENOEXEC:
		return "Exec format error"
	case syscall.EBADF:
		return "Bad file descriptor"
	case syscall.ECHILD:
		return "No child processes"
	case syscall.EAGAIN:
		return "Resource temporarily unavailable"
	case syscall.ENOMEM:
		return "Cannot allocate memory"
	case syscall.EACCES:
		return "Permission denied"
	case syscall.EBUSY:
		return "Device or resource busy"
	case syscall.EEXIST:
		return "File exists"
	case syscall.EXDEV:
		return "Invalid cross-device link"
	case syscall.ENODEV:
		return "No such device"
	case syscall.ENOTDIR:
		return "Not a directory"
	case syscall.EISDIR:
		return "Is a directory"
	case syscall.EINVAL:
		return "Invalid argument"
	}
	return errnoTextMore(errno)
}

// errnoTextMore is the second half of errnoText.
func errnoTextMore(errno syscall.Errno) string {
	switch errno {
	case syscall.ENFILE:
		return "Too many open files in system"
	case syscall.EMFILE:
		return "Too many open files"
	case syscall.ENOTTY:
		return "Inappropriate ioctl for device"
	case syscall.EFBIG:
		return "File too large"
	case syscall.ENOSPC:
		return "No space left on device"
	case syscall.ESPIPE:
		return "Illegal seek"
	case syscall.EROFS:
		return "Read-only file system"
	case syscall.EMLINK:
		return "Too many links"
	case syscall.EPIPE:
		return "Broken pipe"
	case syscall.ERANGE:
		return "Numerical result out of range"
	case syscall.ENAMETOOLONG:
		return "File name too long"
	case syscall.ENOSYS:
		return "Function not implemented"
	case syscall.ENOTEMPTY:
		return "Directory not empty"
	case syscall.ELOOP:
		return "Too many levels of symbolic links"
	case syscall.EOPNOTSUPP:
		return "Operation not supported"
	case syscall.EADDRINUSE:
		return "Address already in use"
	case syscall.EADDRNOTAVAIL:
		return "Cannot assign requested address"
	case syscall.ENETUNREACH:
		return "Network is unreachable"
	case syscall.ECONNRESET:
		return "Connection reset by peer"
	case syscall.ETIMEDOUT:
		return "Connection timed out"
	case syscall.ECONNREFUSED:
		return "Connection refused"
	case syscall.EHOSTUNREACH:
		return "No route to host"
	case syscall.EDQUOT:
		return "Disk quota exceeded"
	}
	return ""
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
