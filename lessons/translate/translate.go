// Package translate is the format of translations: a YAML file beside the original, with an entry for each of its texts.
//
//	one-program/1:
//	  # A program that runs is called a **process**.
//	  source: 5d41402a
//	  text: |
//	    运行中的程序叫做**进程**。
//
// The key is the text's id, source: the hash of the original that was translated, and the comment that original for the translator to read.
// The package knows texts by id only, not what they are for. It is no dictionary: one text has one translation.
//
// Invariants: a translation is shown only if the original is still the one that was translated and both have the same {{templates}}; what
// a person wrote is never dropped by Update.
package translate

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Text is one text of the original.
type Text struct {
	ID     string // lower-case letters, digits, - and /, or a misconception's id; the same as long as its text is the same one
	Source string
	Line   int // of the original's file; 0 for what is in no file
}

// Entry is one text of a translation.
type Entry struct {
	ID     string
	Source string // Hash of the original that was translated
	Text   string // without line breaks at its ends; empty when nobody has translated it yet
	Line   int    // of the translation's file
}

// File is one parsed translation. The zero value has no entry.
type File struct {
	Name    string // for messages
	Entries []Entry
}

// Error is a fault in a translation's file.
type Error struct {
	File string
	Line int
	Text string // what was found, and what was expected
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Hash is what source: has for a text. White space does not count, so that filling a paragraph anew leaves its translation fresh.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(strings.Join(strings.Fields(text), " ")))
	return fmt.Sprintf("%x", sum[:4])
}

// Lang is the language in the name of a translation, lesson.zh-CN.yaml, or empty if the name has none.
func Lang(name string) string {
	parts := strings.Split(path.Base(name), ".")
	if len(parts) != 3 || parts[2] != "yaml" || !IsTag(parts[1]) {
		return ""
	}
	return parts[1]
}

// IsTag tells whether lang has the shape of a BCP 47 tag: zh-CN, de, sr-Latn. The first part has letters only.
func IsTag(lang string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for i, part := range strings.Split(strings.ToLower(lang), "-") {
		allowed, least := letters+"0123456789", 1
		if i == 0 {
			allowed, least = letters, 2
		}
		if len(part) < least || len(part) > 8 || strings.Trim(part, allowed) != "" {
			return false
		}
	}
	return true
}

// Find returns the translation of a text, or false when there is none that may be shown.
func (f File) Find(t Text) (string, bool) {
	e, ok := f.entry(t.ID)
	if !ok || e.Text == "" || e.Source != Hash(t.Source) || differ(t.Source, e.Text) != "" {
		return "", false
	}
	return e.Text, true
}

func (f File) entry(id string) (Entry, bool) {
	i := slices.IndexFunc(f.Entries, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return f.Entries[i], true
}

// templates lists what stands between double braces, each once, in order of the alphabet.
func templates(text string) []string {
	var all []string
	for {
		_, rest, found := strings.Cut(text, "{{")
		inner, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			slices.Sort(all)
			return slices.Compact(all)
		}
		all = append(all, strings.TrimSpace(inner))
		text = after
	}
}

// differ says in which templates two texts differ; empty when they have the same.
func differ(source, text string) string {
	want, got := templates(source), templates(text)
	for _, t := range want {
		if !slices.Contains(got, t) {
			return fmt.Sprintf("the translation lacks {{%s}}, which the original has", t)
		}
	}
	for _, t := range got {
		if !slices.Contains(want, t) {
			return fmt.Sprintf("the translation has {{%s}}, which the original lacks", t)
		}
	}
	return ""
}
