package lessons

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/learn-containers/learn/lessons/translate"
)

// Languages lists the languages of which the program has anything, as BCP 47 tags. The original, English, is not among them.
func Languages() ([]string, error) {
	var out []string
	for _, pattern := range []string{"content/*.*.yaml", "content/*/lesson.*.yaml"} {
		names, err := fs.Glob(content, pattern)
		if err != nil {
			return nil, fmt.Errorf("list translations: %w", err)
		}
		for _, name := range names {
			if lang := translate.Lang(name); lang != "" {
				out = append(out, lang)
			}
		}
	}
	sort.Strings(out)
	return slices.Compact(out), nil
}

// MatchLanguage finds what is wanted, such as zh-CN or, as the environment writes it, zh_CN.UTF-8, among languages. A language without a
// region takes any region of it, one with a region no other.
func MatchLanguage(wanted string, languages []string) (string, bool) {
	wanted, _, _ = strings.Cut(wanted, ".")
	wanted, _, _ = strings.Cut(wanted, "@")
	wanted = strings.ReplaceAll(wanted, "_", "-")
	if wanted == "" {
		return "", false
	}
	for _, match := range []func(have string) bool{
		func(have string) bool { return strings.EqualFold(have, wanted) },
		func(have string) bool { return hasPrefixFold(wanted, have+"-") },
		func(have string) bool { return hasPrefixFold(have, wanted+"-") },
	} {
		if i := slices.IndexFunc(languages, match); i >= 0 {
			return languages[i], true
		}
	}
	return "", false
}

// sides reads the translations beside a lesson's file.
func sides(fsys fs.FS, file string) ([]Side, error) {
	names, err := fs.Glob(fsys, path.Join(path.Dir(file), "lesson.*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list translations: %w", err)
	}
	var out []Side
	for _, name := range names {
		lang := translate.Lang(name)
		if lang == "" {
			return nil, &Error{File: name, Line: 1, Text: "the name has no language; expected one such as lesson.zh-CN.yaml"}
		}
		source, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read translation: %w", err)
		}
		out = append(out, Side{Lang: lang, File: name, Source: source})
	}
	return out, nil
}

// TitleIn returns the title in a language, or the original's where that has none of its own. The error is a *translate.Error.
func (h Header) TitleIn(lang string) (string, error) {
	l, err := Lesson{Header: h}.In(lang)
	return l.Title, err
}

// Languages lists the languages that the lesson has a translation into.
func (h Header) Languages() []string {
	var out []string
	for _, s := range h.Sides {
		out = append(out, s.Lang)
	}
	return out
}

// In returns the lesson in a language: what has no translation, or one of an older original, stays as it is. The error is a
// *translate.Error.
func (l Lesson) In(lang string) (Lesson, error) {
	i := slices.Index(l.Languages(), lang)
	if i < 0 {
		return l, nil
	}
	f, err := translate.Parse(l.Sides[i].File, l.Sides[i].Source)
	if err != nil {
		return Lesson{}, err
	}
	return l.withTexts(func(t translate.Text) string {
		if text, ok := f.Find(t); ok {
			return text
		}
		return t.Source
	}), nil
}

// Texts lists what can be translated of a lesson, in the order in which it is met.
func (l Lesson) Texts() []translate.Text {
	var out []translate.Text
	l.withTexts(func(t translate.Text) string {
		out = append(out, t)
		return t.Source
	})
	return out
}

// wordsIn are the player's words in a language.
func wordsIn(lang string) (words, error) {
	f, err := courseFile("words", lang)
	return words{f}, err
}

// MisconceptionsIn is the catalogue in a language; what has no fresh translation stays English.
func MisconceptionsIn(lang string) (map[string]Misconception, error) {
	all, err := Misconceptions()
	if err != nil {
		return nil, err
	}
	f, err := courseFile("misconceptions", lang)
	if err != nil {
		return nil, err
	}
	for id, m := range all {
		for _, t := range m.Texts() {
			if text, ok := f.Find(t); ok {
				*m.part(t.ID) = text
			}
		}
		all[id] = m
	}
	return all, nil
}

// Texts lists what can be translated of a misconception.
func (m Misconception) Texts() []translate.Text {
	return []translate.Text{
		{ID: m.ID + "/claim", Source: m.Claim, Line: m.Line},
		{ID: m.ID + "/refutation", Source: m.Refutation, Line: m.Line},
		{ID: m.ID + "/evidence", Source: m.Evidence, Line: m.Line},
	}
}

func (m *Misconception) part(id string) *string {
	switch path.Base(id) {
	case "claim":
		return &m.Claim
	case "refutation":
		return &m.Refutation
	}
	return &m.Evidence
}

// courseFile reads content/NAME.LANG.yaml. No such file is an empty one.
func courseFile(name, lang string) (translate.File, error) {
	file := name + "." + lang + ".yaml"
	source, err := content.ReadFile("content/" + file)
	if err != nil {
		return translate.File{}, nil
	}
	return translate.Parse(file, source)
}
