package export

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/exercises/quiz"
)

// GIFT writes the set in Moodle's text format, a category for each topic. An empty line parts questions, so there is none inside one.
func GIFT(w io.Writer, s Set) error {
	var b strings.Builder
	topic := ""
	for _, q := range s.Questions {
		if q.Topic != topic {
			topic = q.Topic
			fmt.Fprintf(&b, "$CATEGORY: learn/%s\n\n", topic)
		}
		fmt.Fprintf(&b, "::%s::[plain]%s {%s\n", giftText(title(q)), giftText(prompt(q)), map[bool]string{true: "#"}[q.Kind == quiz.ByNumber])
		for _, a := range s.answers(q) {
			b.WriteString("\t" + giftAnswer(q.Kind, a) + "\n")
		}
		fmt.Fprintf(&b, "\t####%s\n}\n\n", giftText(evidence(q)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// giftAnswer is = for a right answer, ~ for a wrong one, and a weight between percent signs where there are other grades.
func giftAnswer(kind quiz.Kind, a answer) string {
	mark := "="
	switch {
	case kind == quiz.ByMulti, strings.HasPrefix(a.text, "%"): // which can't be escaped, but isn't looked for after a weight
		mark = "~%" + percent(a.percent) + "%"
	case kind == quiz.ByChoice && a.percent == 0:
		mark = "~"
	case a.percent == 0:
		mark = "=%0%"
	}
	line := mark + giftText(a.text)
	if kind == quiz.ByNumber {
		line += ":0" // no other number is near enough
	}
	if a.feedback != "" {
		line += "#" + giftText(a.feedback)
	}
	return line
}

// percent has the digits that Moodle knows its fractions by.
func percent(p float64) string {
	s := strconv.FormatFloat(p, 'f', 5, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// giftText escapes what GIFT gives a meaning to.
func giftText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "~", `\~`, "=", `\=`, "#", `\#`, "{", `\{`, "}", `\}`, ":", `\:`, "\n", `\n`, "\r", "").Replace(s)
}
