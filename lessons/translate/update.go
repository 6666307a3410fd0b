package translate

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Update returns the text of the translation's file for the texts as they are now: what is translated is kept, also under a new id as long as
// the original is the same; new texts get an empty entry, stale ones a mark. Entries without a text come last. head is the comment at the top.
func (f File) Update(head string, texts []Text) []byte {
	var b strings.Builder
	comment(&b, "", head)
	left := slices.Clone(f.Entries)
	found := make([]Entry, len(texts))
	for _, fits := range []func(Entry, Text) bool{sameText, sameSource, sameID} {
		for i, t := range texts {
			at := slices.IndexFunc(left, func(e Entry) bool { return found[i].ID == "" && fits(e, t) })
			if at >= 0 {
				found[i] = left[at]
				left = slices.Delete(left, at, at+1)
			}
		}
	}
	for i, t := range texts {
		writeText(&b, t, found[i])
	}
	taken := map[string]bool{}
	for _, t := range texts {
		taken[t.ID] = true
	}
	for _, e := range left {
		if e.Text == "" {
			continue
		}
		id := free(e.ID, taken)
		fmt.Fprintf(&b, "\n# No text is the original of this: use what is left of it, or remove it.\n%s:\n", id)
		writeFields(&b, e.Source, e.Text)
	}
	return []byte(b.String())
}

// free is id, or another one if a text or an entry has taken that.
func free(id string, taken map[string]bool) string {
	for n := 1; taken[id]; n++ {
		id = fmt.Sprintf("left-over/%d", n)
	}
	taken[id] = true
	return id
}

func sameText(e Entry, t Text) bool   { return e.ID == t.ID && e.Source == Hash(t.Source) }
func sameSource(e Entry, t Text) bool { return e.Source == Hash(t.Source) && e.Text != "" }
func sameID(e Entry, t Text) bool     { return e.ID == t.ID }

func writeText(b *strings.Builder, t Text, e Entry) {
	hash := Hash(t.Source)
	fmt.Fprintf(b, "\n%s:\n", t.ID)
	comment(b, "  ", t.Source)
	source := hash
	if e.Text != "" && e.Source != hash {
		source = e.Source
		comment(b, "  ", "STALE: the original has changed. Translate it again, then write source: "+hash)
	}
	writeFields(b, source, e.Text)
}

func writeFields(b *strings.Builder, source, text string) {
	fmt.Fprintf(b, "  source: %s\n  text: ", plain(source))
	if text == "" {
		b.WriteString("\"\"\n")
		return
	}
	if !literal(text) {
		b.WriteString(plain(text) + "\n")
		return
	}
	b.WriteString("|")
	if text[0] == ' ' {
		b.WriteString("2")
	}
	for _, line := range strings.Split(text, "\n") {
		b.WriteString("\n")
		if line != "" {
			b.WriteString("    " + line)
		}
	}
	b.WriteString("\n")
}

// literal tells whether a literal block of YAML holds the text as it is.
func literal(text string) bool {
	return strings.Trim(text, "\n") == text && strings.TrimSpace(text) != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd
	})
}

// plain is a scalar of YAML on one line, quoted where that is needed.
func plain(text string) string {
	node := yaml.Node{Kind: yaml.ScalarNode, Value: text, Style: yaml.DoubleQuotedStyle}
	if text != "" && strings.Trim(text, "0123456789abcdef") == "" {
		return text
	}
	out, err := yaml.Marshal(&node)
	if err != nil {
		return `""`
	}
	return strings.TrimSuffix(string(out), "\n")
}

func comment(b *strings.Builder, indent, text string) {
	if text == "" {
		return
	}
	for _, line := range strings.Split(strings.Trim(text, "\n"), "\n") {
		b.WriteString(strings.TrimRight(indent+"# "+strings.Map(visible, line), " ") + "\n")
	}
}

// visible leaves out what would end a comment early.
func visible(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
		return ' '
	}
	return r
}
