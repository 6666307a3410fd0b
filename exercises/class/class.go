// Package class is a teacher's class on disk: its key, its roster, and the assignments with a join file for each student.
//
// It is not a server and knows no grades. A student's side of it is the join file alone.
//
// Invariants: the key never leaves the class's folder; a student's seed follows from the key, the student and the exercise, so it can be computed again
// when the work comes back and nobody can guess that of another. Ids are names of files on every system.
package class

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Class is an open class.
type Class struct {
	Dir  string
	Name string
	key  []byte
}

type classFile struct {
	Format int    `json:"format"`
	Name   string `json:"name"`
	Key    string `json:"key"`
}

const keyLen = 32

// New makes a class in dir, which may hold anything but a class.
func New(dir, name string) (Class, error) {
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return Class{}, fmt.Errorf("make class: name %q; expected 1 to 200 characters in one line, with --name", name)
	}
	c := Class{Dir: dir, Name: name, key: make([]byte, keyLen)}
	if _, err := rand.Read(c.key); err != nil {
		return Class{}, fmt.Errorf("make class: draw key: %w", err)
	}
	data, err := json.MarshalIndent(classFile{1, name, base64.StdEncoding.EncodeToString(c.key)}, "", "  ")
	if err != nil {
		return Class{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Class{}, fmt.Errorf("make class: %w", err)
	}
	f, err := os.OpenFile(c.file(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Class{}, fmt.Errorf("make class: %s holds one already; choose another folder", dir)
	}
	if err != nil {
		return Class{}, fmt.Errorf("make class: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	return c, errors.Join(err, f.Close())
}

func (c Class) file() string { return filepath.Join(c.Dir, "class.json") }

// Open opens the class in dir.
func Open(dir string) (Class, error) {
	c := Class{Dir: dir}
	data, err := os.ReadFile(c.file())
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("open class: %s holds no class.json; learn class new %s --name NAME makes a class", dir, dir)
	}
	var f classFile
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err == nil {
		c.Name = f.Name
		c.key, err = base64.StdEncoding.DecodeString(f.Key)
	}
	if err == nil && (f.Format != 1 || len(c.key) != keyLen) {
		err = fmt.Errorf("format %d with a key of %d bytes; expected format 1 and %d bytes", f.Format, len(c.key), keyLen)
	}
	if err != nil {
		return c, fmt.Errorf("open class %s: %w", c.file(), err)
	}
	return c, nil
}

// Seed is a student's seed for an exercise, never 0.
func (c Class) Seed(student, exercise string) uint64 {
	mac := hmac.New(sha256.New, c.key)
	fmt.Fprintf(mac, "seed %q %q", student, exercise)
	return max(binary.BigEndian.Uint64(mac.Sum(nil)), 1)
}

// ValidID tells whether an id of a student or an assignment is one: letters, digits, and ._@+- behind the first, at most 64, and no device of Windows.
func ValidID(id string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(id), ".")
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`).MatchString(id) && !strings.HasSuffix(id, ".") &&
		!regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])$`).MatchString(stem)
}

// Assignment is what a class is to do.
type Assignment struct {
	Name      string    `json:"name"`
	Exercises []string  `json:"exercises"`
	Due       time.Time `json:"due,omitzero"`
}

// Assign makes an assignment, with a join file for each student in assignments/NAME/join/ID.json. Giving it again with the same exercises makes the
// files of students who came later and changes the date.
func (c Class) Assign(a Assignment, students []Student) error {
	if !ValidID(a.Name) {
		return fmt.Errorf("assign %q: expected a name of letters, digits and ._@+-", a.Name)
	}
	old, err := c.Assignment(a.Name)
	if err == nil && !slices.Equal(old.Exercises, a.Exercises) {
		return fmt.Errorf("assign %s: it is there with the exercises %s; choose another name", a.Name, strings.Join(old.Exercises, ", "))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Join(c.Dir, "assignments", a.Name)
	if err := os.MkdirAll(filepath.Join(dir, "join"), 0o700); err != nil {
		return fmt.Errorf("assign %s: %w", a.Name, err)
	}
	for _, s := range students {
		if err := writeJSON(filepath.Join(dir, "join", s.ID+".json"), c.join(a, s)); err != nil {
			return fmt.Errorf("assign %s: %w", a.Name, err)
		}
	}
	return writeJSON(filepath.Join(dir, "assignment.json"), a)
}

// Assignment reads an assignment. The error wraps fs.ErrNotExist if there is none.
func (c Class) Assignment(name string) (Assignment, error) {
	var a Assignment
	if !ValidID(name) {
		return a, fmt.Errorf("read assignment %q: %w", name, fs.ErrNotExist)
	}
	data, err := os.ReadFile(filepath.Join(c.Dir, "assignments", name, "assignment.json"))
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return a, fmt.Errorf("read assignment %s: %w", name, err)
	}
	return a, nil
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}
