package chroma

import (
	"fmt"
	"strconv"
	"strings"
)

// StyleEntries describes a style: for each token type words such as "#ff8800 bg:#000000 bold italic underline".
type StyleEntries map[TokenType]string

// Colour is 0xRRGGBB plus one, so that the zero Colour means none.
type Colour uint32

// ParseColour reads "#rrggbb" or "#rgb".
func ParseColour(s string) (Colour, error) {
	hex, found := strings.CutPrefix(s, "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 24)
	if !found || len(hex) != 6 || err != nil {
		return 0, fmt.Errorf("parse colour %q: expected #rrggbb", s)
	}
	return Colour(n) + 1, nil
}

// RGB gives the three components, 0 to 255. It must not be asked of the zero Colour.
func (c Colour) RGB() (r, g, b uint8) {
	n := uint32(c) - 1
	return uint8(n >> 16), uint8(n >> 8), uint8(n)
}

// StyleEntry is how one token type looks.
type StyleEntry struct {
	Colour, Background      Colour
	Bold, Italic, Underline bool
}

// Zero reports that the entry changes nothing.
func (e StyleEntry) Zero() bool { return e == StyleEntry{} }

// ParseStyleEntry reads one value of StyleEntries. Words it does not know are an error.
func ParseStyleEntry(s string) (StyleEntry, error) {
	var e StyleEntry
	for _, word := range strings.Fields(s) {
		var err error
		back, isBack := strings.CutPrefix(word, "bg:")
		switch {
		case word == "bold":
			e.Bold = true
		case word == "italic":
			e.Italic = true
		case word == "underline":
			e.Underline = true
		case isBack:
			e.Background, err = ParseColour(back)
		default:
			e.Colour, err = ParseColour(word)
		}
		if err != nil {
			return StyleEntry{}, err
		}
	}
	return e, nil
}

// Style says how token types look.
type Style struct {
	Name    string
	entries map[TokenType]StyleEntry
}

// NewStyle parses entries. The error names the token type whose words are wrong.
func NewStyle(name string, entries StyleEntries) (*Style, error) {
	s := &Style{Name: name, entries: make(map[TokenType]StyleEntry, len(entries))}
	for t, words := range entries {
		e, err := ParseStyleEntry(words)
		if err != nil {
			return nil, fmt.Errorf("make style %s: token type %d: %w", name, t, err)
		}
		s.entries[t] = e
	}
	return s, nil
}

// MustNewStyle is NewStyle for entries that are part of a program: it panics on an error.
func MustNewStyle(name string, entries StyleEntries) *Style {
	s, err := NewStyle(name, entries)
	if err != nil {
		panic(err)
	}
	return s
}

// Get returns the look of t: its own, its category's or that of Text. A nil Style has no looks.
func (s *Style) Get(t TokenType) StyleEntry {
	if s == nil {
		return StyleEntry{}
	}
	for _, try := range []TokenType{t, t.Category(), Text} {
		if e := s.entries[try]; !e.Zero() {
			return e
		}
	}
	return StyleEntry{}
}
