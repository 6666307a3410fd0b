package folder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/home"
)

const rootID = 1

// meta is n/ID. Strings of bytes that need not be text are kept as bytes.
type meta struct {
	Kind   fsys.Kind         `json:"kind"`
	Mode   uint32            `json:"mode"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Links  int               `json:"links"`
	Mtime  time.Time         `json:"mtime"`
	Ctime  time.Time         `json:"ctime"`
	Atime  time.Time         `json:"atime"`
	Target []byte            `json:"target,omitempty"`
	Rdev   uint64            `json:"rdev,omitempty"`
	Xattrs map[string][]byte `json:"xattrs,omitempty"`
}

// entry is one name: d/ID/KEY.
type entry struct {
	name string
	id   uint64
	kind fsys.Kind
}

// Make makes an empty folder in the host folder dir, which exists and is empty.
func Make(dir string, uid, gid int, mode uint32, now time.Time) error {
	err := home.MakeFolders(filepath.Join(dir, "n"), filepath.Join(dir, "c"), filepath.Join(dir, "d"), filepath.Join(dir, "d", "1"))
	if err != nil {
		return err
	}
	f := &FS{dir: dir}
	m := &meta{Kind: fsys.Dir, Mode: mode & 0o7777, UID: uid, GID: gid, Links: 2, Mtime: now, Ctime: now, Atime: now}
	return errors.Join(f.put(rootID, m), home.WriteVolatile(filepath.Join(dir, "next"), []byte("2\n"), 0o600))
}

// Size adds up the contents in the host folder dir.
func Size(ctx context.Context, dir string) (int64, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "c"))
	if err != nil {
		return 0, err
	}
	var bytes int64
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if _, err := os.Lstat(filepath.Join(dir, "n", e.Name())); err != nil {
			continue // without a name
		}
		if fi, err := e.Info(); err == nil {
			bytes += fi.Size()
		}
	}
	return bytes, nil
}

func number(id uint64) string { return strconv.FormatUint(id, 10) }

func (f *FS) node(id uint64) string { return filepath.Join(f.dir, "n", number(id)) }

func (f *FS) content(id uint64) string { return filepath.Join(f.dir, "c", number(id)) }

func (f *FS) names(id uint64) string { return filepath.Join(f.dir, "d", number(id)) }

// get reads what is told of an inode: ENOENT if it has gone.
func (f *FS) get(id uint64) (*meta, error) {
	data, err := os.ReadFile(f.node(id))
	if err != nil {
		return nil, hostError(err)
	}
	m := new(meta)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, syscall.EIO
	}
	return m, nil
}

func (f *FS) put(id uint64, m *meta) error {
	data, err := json.Marshal(m)
	if err != nil {
		return syscall.EIO
	}
	return hostError(home.WriteVolatile(f.node(id), data, 0o600))
}

// The longest name that is its own key: on every host it fits with its mark.
const maxPlain = 100

// key is the file that a name is kept in. A host may not tell a from A, and has names of its own.
func key(name string) string {
	plain := len(name) <= maxPlain && !strings.HasSuffix(name, ".")
	for _, c := range []byte(name) {
		plain = plain && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if plain {
		return "=" + name
	}
	sum := sha256.Sum256([]byte(name))
	return "~" + hex.EncodeToString(sum[:])
}

// lookup finds one name of a folder.
func (f *FS) lookup(dir uint64, name string) (entry, error) {
	return f.readEntry(dir, key(name))
}

func (f *FS) readEntry(dir uint64, key string) (entry, error) {
	data, err := os.ReadFile(filepath.Join(f.names(dir), key))
	if err != nil {
		return entry{}, hostError(err)
	}
	first, name, _ := strings.Cut(string(data), "\n")
	id, kind, _ := strings.Cut(first, " ")
	e := entry{name: name}
	if e.id, err = strconv.ParseUint(id, 10, 64); err != nil || len(kind) != 1 {
		return entry{}, syscall.EIO
	}
	e.kind = fsys.Kind(kind[0])
	if plain, ok := strings.CutPrefix(key, "="); ok {
		e.name = plain
	}
	return e, nil
}

// name gives an inode a name, which replaces whatever has it.
func (f *FS) name(dir uint64, e entry) error {
	k := key(e.name)
	text := number(e.id) + " " + string(rune(e.kind)) + "\n"
	if k[0] == '~' {
		text += e.name
	}
	return hostError(home.WriteVolatile(filepath.Join(f.names(dir), k), []byte(text), 0o600))
}

func (f *FS) unname(dir uint64, name string) error {
	return hostError(os.Remove(filepath.Join(f.names(dir), key(name))))
}

// list gives all names of a folder.
func (f *FS) list(dir uint64) ([]entry, error) {
	files, err := os.ReadDir(f.names(dir))
	if err != nil {
		return nil, hostError(err)
	}
	var all []entry
	for _, file := range files {
		if k := file.Name(); k[0] != '=' && k[0] != '~' {
			continue // half written by a process that died
		}
		e, err := f.readEntry(dir, file.Name())
		if err == syscall.ENOENT {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// fresh gives a number that no inode has. The caller holds the lock.
func (f *FS) fresh() (uint64, error) {
	path := filepath.Join(f.dir, "next")
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, hostError(err)
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 63)
	if err != nil || id <= rootID {
		return 0, syscall.EIO
	}
	return id, hostError(home.WriteVolatile(path, []byte(number(id+1)+"\n"), 0o600))
}

// hostError makes a bare error number of what the host said.
func hostError(err error) error {
	var no syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.As(err, &no) && (no == syscall.ENOSPC || no == syscall.EMFILE || no == syscall.ENFILE || no == syscall.EFBIG):
		return no
	}
	return syscall.EIO
}

// checkDir reports whether dir is one that Make made.
func checkDir(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, "n", number(rootID))); err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	return nil
}
