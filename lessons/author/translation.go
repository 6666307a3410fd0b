package author

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/translate"
)

// The files of a translation that belong to the whole course.
const (
	wordsName   = "words"
	beliefsName = "misconceptions"
	beliefsFile = "misconceptions.yaml"
	wordsSource = "the player's own words"
)

// CourseNames are what can be translated besides lessons.
func CourseNames() []string { return []string{wordsName, beliefsName} }

// Translation is a lesson's translation, brought up to date: the name of its file below the folder of lessons, and what shall be in it.
func Translation(d Draft, lang string) (name string, text []byte, err error) {
	name = path.Join(path.Dir(d.File), "lesson."+lang+".yaml")
	text, err = update(d.Files, name, d.File, lang, d.Texts())
	return name, text, err
}

// CourseTranslation does the same for one of CourseNames in a folder of lessons. Of the misconceptions, those are translated that the lessons
// ask about which are translated themselves.
func (c Course) CourseTranslation(files fs.FS, which, lang string) (name string, text []byte, err error) {
	name = which + "." + lang + ".yaml"
	if which == wordsName {
		text, err = update(files, name, wordsSource, lang, lessons.Words())
		return name, text, err
	}
	f, err := readTranslation(files, name)
	if err != nil {
		return "", nil, err
	}
	text, err = update(files, name, beliefsFile, lang, c.beliefTexts(lang, f))
	return name, text, err
}

func update(files fs.FS, name, original, lang string, texts []translate.Text) ([]byte, error) {
	f, err := readTranslation(files, name)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf(`Translation of %s into %s. Above each text stands the original; write yours below text: |
and keep what stands in double braces. source: tells which original was translated: when that changes, the original is
shown until the text is translated again. learn dev translate updates this file, learn dev check checks it.`, path.Base(original), lang)
	return f.Update(head, texts), nil
}

// readTranslation reads a translation; no file is an empty one.
func readTranslation(files fs.FS, name string) (translate.File, error) {
	source, err := fs.ReadFile(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return translate.File{Name: name}, nil
	}
	if err != nil {
		return translate.File{}, fmt.Errorf("read translation: %w", err)
	}
	return translate.Parse(name, source)
}

// beliefTexts lists the texts of the misconceptions that the lessons translated into lang reveal, and of those that f has already.
func (c Course) beliefTexts(lang string, f translate.File) []translate.Text {
	wanted := map[string]bool{}
	for _, e := range f.Entries {
		wanted[path.Dir(e.ID)] = true
	}
	for _, d := range c.drafts {
		if !slices.Contains(d.Languages(), lang) {
			continue
		}
		for id := range (&checker{course: c, draft: d}).revealed() {
			wanted[id] = true
		}
	}
	var all []lessons.Misconception
	for id, m := range c.beliefs {
		if wanted[id] {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b lessons.Misconception) int { return a.Line - b.Line })
	var out []translate.Text
	for _, m := range all {
		out = append(out, m.Texts()...)
	}
	return out
}

// CheckTranslations holds the translations of a whole folder of lessons, words and misconceptions, against their originals.
func (c Course) CheckTranslations(files fs.FS, root string) ([]Finding, error) {
	names, err := fs.Glob(files, "*.*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list translations: %w", err)
	}
	var out []Finding
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read translation: %w", err)
		}
		which, _, _ := strings.Cut(name, ".")
		lang := translate.Lang(name)
		switch {
		case lang == "" || !slices.Contains(CourseNames(), which):
			out = append(out, Finding{File: path.Join(root, name), Line: 1, Text: "the file is not read by anything; expected words.LANG.yaml or misconceptions.LANG.yaml"})
		case which == wordsName:
			out = append(out, compare(root, name, source, wordsSource, lessons.Words())...)
		default:
			f, err := translate.Parse(name, source)
			if err != nil {
				out = append(out, faultOf(root, name, err))
				continue
			}
			out = append(out, compare(root, name, source, beliefsFile, c.beliefTexts(lang, f))...)
		}
	}
	return sorted(out), nil
}
