package author

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
)

// nouns says which words of the field introduce events: one of them must have been read before an event of that kind is told. The longest
// beginning of a kind counts. Kinds that are not listed explain themselves, or are told in detail only.
var nouns = []struct{ prefix, words string }{
	{"image.", `image|tag`},
	{"layer.", `layer`},
	{"snapshot.", `layer|folder`},
	{"cow.", `cop(?:y|ies|ied)|chang|writ|delet|whiteout`},
	{"container.", `container`},
	{"container.signal", `signal|kill|stop|end`},
	{"health.", `health`},
	{"volume.", `volume`},
	{"network.", `network|address`},
	{"net.", `network|address|port`},
	{"ns.", `namespace|view`},
	{"proc.", `process|program`},
	{"proc.oom", `memory`},
	{"cgroup.", `limit|cgroup`},
	{"mount", `file|mount`},
	{"pivot_root", `file`},
	{"build", `build|Dockerfile`},
	{"build.context", `context|folder|file`},
	{"cache.", `cache|kept|again`},
	{"registry.", `registr`},
	{"image.push", `push`},
	{"image.pull", `pull`},
	{"scan", `vulnerab|scan`},
	{"sbom.", `package`},
}

// Unexplained warns of events that are told to the learner before any text, here or in the lessons that are needed, has a word for them. steps
// has the events of each step of the lesson, in order.
func (c Course) Unexplained(d Draft, steps [][]trace.Event) []Finding {
	var read strings.Builder
	for _, other := range c.needed(d) {
		for _, t := range other.Texts() {
			read.WriteString(t.Source + "\n")
		}
	}
	k := &checker{course: c, draft: d}
	warned := map[string]bool{}
	for i, s := range d.Steps {
		if i >= len(steps) {
			break
		}
		readBlocks(&read, s.Before)
		read.WriteString(s.Command + "\n")
		for _, e := range steps[i] {
			words := nounsOf(e.Kind)
			if words == "" || warned[words] || narrate.Narrate(e, narrate.Short) == "" || mentions(read.String(), words) {
				continue
			}
			warned[words] = true
			k.warn(s.Line, "step %d tells of %s, and no text so far has a word for it (%s)", s.Number, e.Kind, strings.ReplaceAll(words, "|", ", "))
		}
		readBlocks(&read, s.After)
	}
	return k.out
}

func readBlocks(read *strings.Builder, blocks []lessons.Block) {
	for _, b := range blocks {
		read.WriteString(b.Heading + "\n" + b.Prose + "\n")
		switch {
		case b.Predict != nil:
			read.WriteString(b.Predict.Question + "\n")
			for _, choice := range b.Predict.Choices {
				read.WriteString(choice.Text + "\n")
			}
		case b.Evidence != nil:
			fmt.Fprintln(read, b.Evidence.Question, b.Evidence.Why)
		case b.Check != nil:
			read.WriteString(b.Check.Says + "\n")
		}
	}
}

func nounsOf(kind string) string {
	best, words := 0, ""
	for _, n := range nouns {
		if strings.HasPrefix(kind, n.prefix) && len(n.prefix) > best {
			best, words = len(n.prefix), n.words
		}
	}
	return words
}

// mentions looks for the beginning of a word.
func mentions(text, words string) bool {
	return regexp.MustCompile(`(?i)\b(?:` + words + `)`).MatchString(text)
}
