package volume

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Volume is one volume's record. Maps must not be changed.
type Volume struct {
	Name      string
	Driver    string
	CreatedAt time.Time
	Labels    map[string]string
	Options   map[string]string
	Storage   string // which driver's storage has it
	Folder    string // its name among the driver's folders; empty where Options say what it stands for

	// Problem says why the volume can't be used; nil for a good one.
	Problem error `json:"-"`
}

// Anonymous reports that it was made for a container without a name.
func (v *Volume) Anonymous() bool {
	_, ok := v.Labels[AnonymousLabel]
	return ok
}

const maxRecord = 1 << 20

func (s *Store) dir() string { return s.home.Volumes() }

func (s *Store) file(name string) string { return filepath.Join(s.dir(), fileName(name)) }

// read reads the record of name. One that can't be read gives a Volume with a Problem; *NotFoundError: there is none.
func (s *Store) read(name string) (*Volume, error) {
	if CheckName(name) != nil {
		return nil, &NotFoundError{name}
	}
	v, err := readRecord(s.file(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &NotFoundError{name}
	case err == nil && v.Name != name:
		err = errors.New("it is not the record of this volume")
	}
	if err != nil {
		return s.broken(name, err), nil
	}
	if v.Storage != s.Storage {
		v.Problem = &ConflictError{fmt.Sprintf("volume %s was made by the driver with %s storage, and this one has %s: choose the other driver with --driver or LEARN_DRIVER", name, v.Storage, s.Storage)}
	}
	return v, nil
}

func (s *Store) broken(name string, err error) *Volume {
	return &Volume{Name: name, Driver: Local, Storage: s.Storage, Folder: folderName(name),
		Problem: fmt.Errorf("read %s: %w; its files are still there; remove the volume with: docker volume rm %s", s.file(name), err, name)}
}

func readRecord(path string) (*Volume, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return nil, err
	}
	v := new(Volume)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, err
	}
	if v.Driver != Local || v.Folder != "" && v.Folder != folderName(v.Name) {
		return nil, errors.New("it is not a record of this engine")
	}
	return v, nil
}

// nameOf is the opposite of fileName for plain names; for others the record must tell.
func nameOf(file string) (string, bool) {
	base, ok := strings.CutSuffix(file, ".json")
	if !ok || strings.HasPrefix(base, ".") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(base); i++ {
		c := base[i]
		if c == '+' && i+1 < len(base) {
			i++
			c = base[i] - ('a' - 'A')
		}
		b.WriteByte(c)
	}
	name := b.String()
	return name, CheckName(name) == nil && fileName(name) == file
}
