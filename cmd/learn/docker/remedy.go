package docker

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/image"
)

// Remedy says what to do about an error whose cause lies outside the engine, or nothing.
func Remedy(err error) string {
	switch {
	case image.IsNotFound(err):
		return "docker images lists what is here; learn docker load -i ARCHIVE brings an image in, and learn/base is always there"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full: free some space (docker image prune -a, docker builder prune), or put the engine's folder on another disk with --home or LEARN_HOME"
	case errors.Is(err, syscall.EROFS):
		return "that file system is read-only: put the engine's folder elsewhere with --home or LEARN_HOME"
	case strings.Contains(err.Error(), "not supported as upperdir"):
		return "overlay can't keep its changes on this file system (it is an overlay itself, or lacks what overlay needs): put the engine's folder on ext4, xfs, btrfs or tmpfs with --home or LEARN_HOME"
	case errors.Is(err, fs.ErrPermission):
		return "learn doctor says what this user may do on this machine"
	}
	return ""
}
