package author

import (
	"regexp"
	"strings"
)

// patterns are what is looked for in texts. They are made with a course, so that no other process pays for them.
type patterns struct {
	fencedText, codeSpan, link, linkTarget, played *regexp.Regexp
	kindCompared, kindIn, kindNamed, quoted        *regexp.Regexp
	misspelled                                     []*regexp.Regexp // as spellings has them
}

func newPatterns() patterns {
	p := patterns{
		fencedText: regexp.MustCompile("(?ms)^ *```.*?^ *```"),
		codeSpan:   regexp.MustCompile("`[^`]*`"),
		link:       regexp.MustCompile(`\]\(\s*<?([^)\s>]*)>?[^)]*\)`),
		linkTarget: regexp.MustCompile(`\]\([^)]*\)`),
		played:     regexp.MustCompile(`learn play +([a-z0-9][a-z0-9-]*)`),

		kindCompared: regexp.MustCompile(`\.kind\s*[!=]=\s*"([^"]*)"`),
		kindIn:       regexp.MustCompile(`\.kind\s+(?:not\s+)?in\s*\[([^\]]*)\]`),
		kindNamed:    regexp.MustCompile("`([a-z_]+(?:\\.[a-z_]+)+)`"),
		quoted:       regexp.MustCompile(`"([^"]*)"`),
	}
	for _, s := range spellings {
		p.misspelled = append(p.misspelled, regexp.MustCompile(`(?:^|[^\w./-])(`+strings.ReplaceAll(s.wrong, " ", `\s`)+`)(?:$|[^\w.-]|\.\s|\.$)`))
	}
	return p
}
