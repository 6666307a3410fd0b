package markdown

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// FuzzHeader proves that to read the header alone is to read the same header.
func FuzzHeader(f *testing.F) {
	for _, source := range []string{
		"---\nid: a\ntitle: b\n---\n\ntext\n\n## Heading\n", "---\n---\n", "----\nid: a\n----\n", "---\r\nid: a\r\n---\r\ntext", "---\nid: a\n---",
		"---\nid: a\n", "text\n---\nid: a\n---\n", "---\n- a\n---\n", "---\nid: a\nid: b\n---\n", "--- \nid: a\n---\n", "---\nid: |\n  a\n  ---\n---\n", "---\nid: a\n...\n---\n", "---\nid: a\n--- \n---\n",
	} {
		f.Add([]byte(source))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		whole, err := Parse("a.md", source, "id and title")
		header, headerErr := ParseHeader("a.md", source, "id and title")
		if err == nil && headerErr != nil {
			t.Fatalf("the whole: %v; the header alone: %v", err, headerErr)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(whole.Header, header.Header, cmp.Comparer(func(a, b *yaml.Node) bool { return a == b || cmp.Equal(shown(a), shown(b)) })); diff != "" {
			t.Error(diff)
		}
		if header.Parts != nil {
			t.Errorf("the header alone has the parts %v", header.Parts)
		}
	})
}

// shown is a node as text; an alias may lead back to itself, so nodes are not compared deeply.
func shown(n *yaml.Node) string {
	text, err := yaml.Marshal(n)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
