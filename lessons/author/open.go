package author

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Place is where an author's lessons lie.
type Place struct {
	Files fs.FS    // the folder of lessons
	Root  string   // its path
	Names []string // files of lessons in it
	Whole bool     // the folder itself was meant, not a lesson of it
}

// Open finds the lessons that a path means: a lesson.md, its folder, or a folder of lessons' folders.
func Open(name string) (Place, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Place{}, fmt.Errorf("open lessons: %w", err)
	}
	folder := name
	if !info.IsDir() {
		if filepath.Base(name) != "lesson.md" {
			return Place{}, fmt.Errorf("open lessons: %s is no lesson; expected a lesson.md, its folder or a folder of lessons", name)
		}
		folder = filepath.Dir(name)
	}
	if _, err := os.Stat(filepath.Join(folder, "lesson.md")); err == nil {
		return openOne(folder)
	}
	p := Place{Files: os.DirFS(folder), Root: filepath.ToSlash(folder), Whole: true}
	if p.Names, err = fs.Glob(p.Files, "*/lesson.md"); err != nil || len(p.Names) == 0 {
		return Place{}, fmt.Errorf("open lessons: there is no lesson in %s; expected a lesson.md in it, or in a folder of it", name)
	}
	return p, nil
}

// openOne opens a lesson's folder from the folder above: links and the number are counted from there.
func openOne(folder string) (Place, error) {
	whole, err := filepath.Abs(folder)
	if err != nil {
		return Place{}, fmt.Errorf("open lessons: %w", err)
	}
	root := filepath.ToSlash(filepath.Join(folder, ".."))
	if root == "." {
		root = ""
	}
	return Place{Files: os.DirFS(filepath.Dir(whole)), Root: root, Names: []string{filepath.Base(whole) + "/lesson.md"}}, nil
}

// Read reads the lessons of the place.
func (p Place) Read() ([]Draft, []Finding) { return Read(p.Files, p.Root, p.Names...) }
