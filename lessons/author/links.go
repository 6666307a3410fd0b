package author

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
)

// links must lead to files beside the lessons and to lessons that are there. Nothing is asked of the network.
func (k *checker) links() {
	for _, t := range k.draft.Texts() {
		text := k.course.fencedText.ReplaceAllString(t.Source, " ")
		for _, m := range k.course.link.FindAllStringSubmatch(k.course.codeSpan.ReplaceAllString(text, " "), -1) {
			if why := k.dead(m[1]); why != "" {
				k.fault(k.lineWith(t.Line, m[1]), "the link to %q is dead: %s", m[1], why)
			}
		}
		for _, m := range k.course.played.FindAllStringSubmatch(text, -1) {
			if _, ok := k.course.find(m[1]); !ok {
				k.fault(k.lineWith(t.Line, m[0]), "%q: there is no lesson %s; expected a lesson's id", m[0], m[1])
			}
		}
	}
}

// dead says why a link leads nowhere; empty if it doesn't, or if that is not for us to know.
func (k *checker) dead(target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	switch {
	case strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:"):
		return ""
	case file == "" && anchor == "":
		return "it has no target"
	case file == "":
		if !slices.ContainsFunc(k.draft.Sections, func(s lessons.Section) bool { return anchorOf(s.Title) == anchor }) {
			return "no heading of the lesson has that name"
		}
		return ""
	}
	name := path.Join(path.Dir(k.draft.File), file)
	if path.IsAbs(file) || !fs.ValidPath(name) {
		return "it leads out of the folder of lessons"
	}
	if _, err := fs.Stat(k.draft.Files, name); err != nil {
		return "there is no such file"
	}
	return ""
}

// anchorOf is the name that code hosts give a heading.
func anchorOf(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 0x7f:
			b.WriteRune(r)
		}
	}
	return b.String()
}
