package bluemonday_test

import (
	"strings"
	"testing"

	"github.com/microcosm-cc/bluemonday"
)

func TestSanitizeKeepsTextOnly(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "just text", "just text"},
		{"tags", "a <b>bold</b> word<br/>", "a bold word"},
		{"attributes", `<a href="x>y" title='>'>link</a>`, "link"},
		{"apostrophe in a tag", `<a b'c>it's</a> here`, "it&#39;s here"},
		{"comment", "a<!-- <b>x</b> -->b", "ab"},
		{"comment without end", "a<!-- b", "a"},
		{"declaration", "<!DOCTYPE html><?php x ?>a", "a"},
		{"script", "a<script>if (1<2) { x() }</script>b", "ab"},
		{"script without end", "a<script>x()", "a"},
		{"style, other case", "a<STYLE>p { }</Style >b", "ab"},
		{"script inside title", "<title>x<script>y</title>z", "z"},
		{"less than", "1 < 2 > 0", "1 &lt; 2 &gt; 0"},
		{"entities", "a &amp; b &lt;i&gt;", "a &amp; b &lt;i&gt;"},
		{"cut off", "a <b", "a "},
		{"ends in <", "a <", "a &lt;"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := bluemonday.StrictPolicy().Sanitize(tt.in); got != tt.want {
				t.Errorf("Sanitize(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("<a b=\"c>d\">e</a><!-- f --><script>g</script>")
	f.Fuzz(func(t *testing.T, in string) {
		out := bluemonday.StrictPolicy().Sanitize(in)
		if strings.ContainsAny(out, "<>") {
			t.Errorf("Sanitize(%q) = %q holds markup", in, out)
		}
	})
}
