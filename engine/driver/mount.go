package driver

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// maxFileData bounds the content of a mount of type file: it travels in one message to the container's supervisor.
const maxFileData = 1 << 20

// CheckMounts reports what no driver can carry out in the mounts of s, naming the target.
func CheckMounts(s *Spec) error {
	for _, m := range s.Mounts {
		if err := m.check(s); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return checkShared(s)
}

// checkShared refuses words that name nobody's namespace.
func checkShared(s *Spec) error {
	for _, w := range []struct{ kind, word string }{{"network", s.Network}, {"pid", s.Shared.PID}, {"uts", s.Shared.UTS}, {"cgroup", s.Shared.Cgroup}, {"ipc", s.Shared.IPC}} {
		id, of := OwnerOf(w.word)
		switch {
		case w.word == "", w.word == NamespaceHost, of && id != "" && id != s.ID, w.kind == "ipc" && w.word == NamespaceNone:
		default:
			return fmt.Errorf("%s %q: there are %q, %q for another container's and the empty word for one of the container's own", w.kind, w.word, NamespaceHost, Of("ID"))
		}
	}
	return nil
}

func (m *Mount) check(s *Spec) error {
	switch {
	case !path.IsAbs(m.Target) || strings.ContainsRune(m.Target, 0):
		return fmt.Errorf("%q is not an absolute path", m.Target)
	case path.Clean(m.Target) == "/":
		return ErrMountRoot
	}
	switch m.Type {
	case "bind", "tmpfs":
	case "tree":
		if m.Key != "" && m.Key == s.Key {
			return fmt.Errorf("the writable layer %s is the container's own root and can't be mounted again inside", m.Key)
		}
		if m.Key != "" && m.Chain != "" {
			return errors.New("a tree has a chain or a key, not both")
		}
	case "folder":
		return CheckFolderName(m.Source)
	case "file", "socket":
		return m.checkFile()
	default:
		return fmt.Errorf("type %q: there are bind, tmpfs, tree, folder, file and socket", m.Type)
	}
	return nil
}

func (m *Mount) checkFile() error {
	const maxID = 1<<31 - 1
	switch {
	case m.UID > maxID || m.GID > maxID:
		return fmt.Errorf("owner %d:%d: ids must be between 0 and %d", m.UID, m.GID, maxID)
	case m.Mode&^0o777 != 0:
		return fmt.Errorf("mode %#o: permissions are 0 to 0777", m.Mode)
	case len(m.Data) > maxFileData:
		return fmt.Errorf("content of %d bytes: at most %d can be mounted; use a bind mount for more", len(m.Data), maxFileData)
	}
	return nil
}

// CheckOwner reports what can't be the owner and the permissions of a folder.
func CheckOwner(uid, gid, mode uint32) error {
	const maxID = 1<<31 - 1
	if uid > maxID || gid > maxID || mode&^0o7777 != 0 {
		return fmt.Errorf("owner %d:%d with mode %#o: ids are 0 to %d, modes 0 to 07777", uid, gid, mode, maxID)
	}
	return nil
}

// ErrMountRoot says that a mount's target is the root itself, or leads there.
var ErrMountRoot = errors.New("the root can't be mounted on")

// CheckFolderName reports why name can't be that of a folder kept by Folders.
func CheckFolderName(name string) error {
	ok := name != "" && len(name) <= 128
	for i, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '_' || c == '.' || c == '-'):
		default:
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("%q can't be the name of a folder: it takes letters, digits, and after the first also _ . -, at most 128", name)
	}
	return nil
}
