package exercises

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/lessons/markdown"
)

//go:embed all:skeleton
var skeleton embed.FS

// New writes the folder NN-name with a small exercise below folder, NN being the number after the last one there, and returns its exercise.md. What it
// writes can be proven as it is. Nothing is overwritten.
func New(folder, name string) (string, error) {
	if !markdown.IsName(name) {
		return "", fmt.Errorf("make exercise: name %q; expected lower-case letters, digits and -, such as find-the-pid", name)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("make exercise: %w; expected a folder of exercises (--dir)", err)
	}
	last := 0
	for _, e := range entries {
		if _, rest, _ := strings.Cut(e.Name(), "-"); rest == name {
			return "", fmt.Errorf("make exercise: %s is there already; expected a new name", filepath.Join(folder, e.Name()))
		}
		last = max(last, leadingNumber(e.Name()))
	}
	dir := filepath.Join(folder, fmt.Sprintf("%02d-%s", last+1, name))
	words := strings.NewReplacer("ID-OF-EXERCISE", name, "TITLE-OF-EXERCISE", titleOf(name))
	err = fs.WalkDir(skeleton, "skeleton", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(p, "skeleton")))
		if d.IsDir() {
			return os.Mkdir(to, 0o755)
		}
		data, err := fs.ReadFile(skeleton, p)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(words.Replace(string(data))), 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("make exercise: %w", err)
	}
	return filepath.Join(dir, "exercise.md"), nil
}

func titleOf(name string) string {
	words := strings.ReplaceAll(name, "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}
