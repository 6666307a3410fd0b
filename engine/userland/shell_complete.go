package userland

import (
	"path"
	"slices"
	"strings"
)

// complete is the Tab key: it finishes the word before the cursor, a command or a file, as far as only one
// continuation is possible, and lists the possible ones when that is nothing.
func (sh *shell) complete(out interface{ Write([]byte) (int, error) }) func(string, int, rune) (string, int, bool) {
	return func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		start := strings.LastIndexAny(line[:pos], " \t;|&(<>=") + 1
		word := line[start:pos]
		first := strings.Trim(line[:start], " \t") == "" || strings.ContainsAny(lastByte(strings.TrimRight(line[:start], " \t")), ";|&(")
		found := sh.candidates(word, first)
		if len(found) == 0 {
			return line, pos, true
		}
		longest := commonPrefix(found)
		if len(found) == 1 && !strings.HasSuffix(longest, "/") {
			longest += " "
		}
		if longest == word {
			shown := make([]string, len(found))
			for i, f := range found {
				shown[i] = path.Base(f)
			}
			out.Write([]byte(strings.Join(shown, "  ") + "\n"))
		}
		return line[:start] + longest + line[pos:], start + len(longest), true
	}
}

func lastByte(s string) string { return s[max(0, len(s)-1):] }

// candidates are the commands or files that begin with word, sorted; folders end with a slash.
func (sh *shell) candidates(word string, command bool) []string {
	dir, base := path.Split(word)
	if !command || dir != "" {
		return sh.filesIn(sh.inDir(dir), dir, base)
	}
	var found []string
	for _, d := range splitPath(sh.variable("PATH")) {
		found = append(found, sh.filesIn(d, "", base)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (sh *shell) inDir(dir string) string {
	if path.IsAbs(dir) {
		return path.Clean(dir)
	}
	return path.Join(sh.runner.Dir, dir)
}

func (sh *shell) filesIn(dir, before, base string) []string {
	list, err := sh.FS.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range list {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && name[0] == '.' {
			continue
		}
		if info, err := sh.FS.Stat(path.Join(dir, name)); err == nil && info.IsDir() {
			name += "/"
		}
		found = append(found, before+name)
	}
	return found
}

func commonPrefix(words []string) string {
	p := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, p) {
			p = p[:len(p)-1]
		}
	}
	return p
}
