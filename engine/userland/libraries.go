package userland

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// libraries are the files that a dynamically linked binary needs beside itself, sorted: its loader and every
// shared library, found as the loader finds them. A static binary, or one that is no ELF file, has none.
func libraries(binary string) ([]string, error) {
	f, err := elf.Open(binary)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) {
			return nil, nil
		}
		return nil, fmt.Errorf("read binary: %w", err)
	}
	loader := interpreter(f)
	f.Close()
	if loader == "" {
		return nil, nil
	}
	l := &linker{dirs: loaderDirs(), found: map[string]string{}}
	if err := l.need(binary); err != nil {
		return nil, err
	}
	files := []string{loader}
	for _, file := range l.found {
		if filepath.Base(file) != filepath.Base(loader) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files, nil
}

// interpreter is the loader that a binary asks for (PT_INTERP).
func interpreter(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err == nil {
				return strings.TrimRight(string(b), "\x00")
			}
		}
	}
	return ""
}

// linker finds libraries and what they need in turn.
type linker struct {
	dirs  []string
	found map[string]string // name to file
}

func (l *linker) need(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("read library %s: %w", file, err)
	}
	names, err := f.ImportedLibraries()
	machine := f.Machine
	f.Close()
	if err != nil {
		return fmt.Errorf("read library %s: %w", file, err)
	}
	for _, name := range names {
		if l.found[name] != "" {
			continue
		}
		at, err := l.find(name, machine)
		if err != nil {
			return fmt.Errorf("find library of %s: %w", file, err)
		}
		l.found[name] = at
		if err := l.need(at); err != nil {
			return err
		}
	}
	return nil
}

func (l *linker) find(name string, machine elf.Machine) (string, error) {
	for _, dir := range l.dirs {
		file := filepath.Join(dir, name)
		f, err := elf.Open(file)
		if err != nil {
			continue
		}
		same := f.Machine == machine
		f.Close()
		if same {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s is in none of %s", name, strings.Join(l.dirs, " "))
}

// loaderDirs are the folders that the loader searches: those of /etc/ld.so.conf, then the standard ones.
func loaderDirs() []string {
	dirs := confDirs("/etc/ld.so.conf", 0)
	for _, pattern := range []string{"/lib/*-linux-gnu*", "/usr/lib/*-linux-gnu*"} {
		more, _ := filepath.Glob(pattern)
		dirs = append(dirs, more...)
	}
	return append(dirs, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
}

func confDirs(file string, depth int) []string {
	data, err := os.ReadFile(file)
	if err != nil || depth > 8 {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "include":
			if !filepath.IsAbs(f[1]) {
				f[1] = filepath.Join(filepath.Dir(file), f[1])
			}
			files, _ := filepath.Glob(f[1])
			for _, included := range files {
				dirs = append(dirs, confDirs(included, depth+1)...)
			}
		case len(f) == 1 && filepath.IsAbs(f[0]):
			dirs = append(dirs, f[0])
		}
	}
	return dirs
}
