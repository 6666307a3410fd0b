//go:build linux

package shim

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openPeers opens the binds that are to exchange mounts with the host (mount_namespaces(7)), as long as its mounts are what they are there.
func (b *builder) openPeers() error {
	for i, m := range b.cfg.Mounts {
		if m.Type != "bind" || !strings.HasSuffix(m.Propagation, "shared") && !strings.HasSuffix(m.Propagation, "slave") {
			continue
		}
		s, err := openBind(&m)
		if err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
		if b.peers == nil {
			b.peers = map[int]source{}
		}
		b.peers[i] = s
	}
	return nil
}

// checkPeers refuses a propagation that the mount on which the source lies doesn't have, with docker's words.
func checkPeers(fd int, m *Mount) error {
	shared, slave := strings.HasSuffix(m.Propagation, "shared"), strings.HasSuffix(m.Propagation, "slave")
	if !shared && !slave {
		return nil
	}
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil {
		return pathError("look for the mount of", m.Source, err)
	}
	at, peers, err := mountOf(st.Mnt_id)
	switch {
	case err != nil:
		return pathError("look for the mount of", m.Source, err)
	case shared && !strings.Contains(peers, "shared:"):
		return fmt.Errorf("path %s is mounted on %s but it is not a shared mount", m.Source, at)
	case slave && !strings.Contains(peers, "shared:") && !strings.Contains(peers, "master:"):
		return fmt.Errorf("path %s is mounted on %s but it is not a shared or slave mount", m.Source, at)
	}
	return nil
}

// mountOf finds a mount in this namespace by its number: where it is, and its optional fields (proc_pid_mountinfo(5)).
func mountOf(id uint64) (at, peers string, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	want := strconv.FormatUint(id, 10) + " "
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), want) {
			continue
		}
		head, _, _ := strings.Cut(lines.Text(), " - ")
		if fields := strings.Fields(head); len(fields) >= 6 {
			return fields[4], strings.Join(fields[6:], " "), nil
		}
	}
	return "", "", unix.ENOENT
}

// propagate makes a mount and those below it what the word says. Shared ones are so already: they are further mounts of shared ones.
func propagate(mnt int, word string) error {
	attr := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	switch {
	case strings.HasSuffix(word, "shared"), word == "":
		return nil
	case strings.HasSuffix(word, "slave"):
		attr.Propagation = unix.MS_SLAVE
	}
	if err := unix.MountSetattr(mnt, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("set propagation: %w", err)
	}
	return nil
}
