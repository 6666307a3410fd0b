package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
)

// language is the one that a lesson is played in. What the user says must be there; what the environment says counts only if the lesson has
// that translation. Empty means the original.
func language(l lessons.Header, said string) (string, error) {
	if said == "" {
		lang, _ := lessons.MatchLanguage(environLanguage(os.Getenv), l.Languages())
		return lang, nil
	}
	have, err := lessons.Languages()
	if err != nil {
		return "", err
	}
	have = append(have, l.Languages()...)
	if base, _, _ := strings.Cut(strings.ToLower(said), "-"); base == "en" {
		return "", nil
	}
	lang, ok := lessons.MatchLanguage(said, have)
	if !ok {
		slices.Sort(have)
		return "", fmt.Errorf("choose language %q: there is no translation; expected en or %s", said, strings.Join(slices.Compact(have), ", "))
	}
	return lang, nil
}

// localTitle is the lesson's title in the language that the environment asks for.
func localTitle(l lessons.Header) (string, error) {
	lang, err := language(l, "")
	if err != nil {
		return "", err
	}
	return l.TitleIn(lang)
}

// environLanguage is the language that the environment asks for: ours first, then in the order of POSIX.
func environLanguage(getenv func(string) string) string {
	for _, key := range []string{"LEARN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(key); v != "" {
			return v
		}
	}
	return ""
}
