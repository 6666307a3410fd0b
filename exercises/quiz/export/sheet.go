package export

import (
	"fmt"
	"io"
	"strings"

	"github.com/learn-containers/learn/exercises/quiz"
	"github.com/learn-containers/learn/lessons"
)

// sheetWidth is how many columns a line of the sheet has at most, apart from command lines and files, which are never broken.
const sheetWidth = 78

// Sheet writes the set as plain text for printing: the questions with room for answers, then, after a form feed, the key on a page of its own.
func Sheet(w io.Writer, s Set) error {
	var b strings.Builder
	p := lessons.NewPage(&b, sheetWidth, false)
	p.Raw("Questions about images and containers\n\nName: ____________________________    Date: ______________")
	for i, q := range s.Questions {
		p.Raw(fmt.Sprintf("\n\n%d. %s\n", i+1, hint(q.Kind)))
		q.ShowPrompt(p)
		space(p, q)
	}
	p.Raw("\f\nKey")
	for i, q := range s.Questions {
		p.Raw("")
		p.Line(fmt.Sprintf("%d. %s", i+1, key(q)))
		p.Line(title(q))
		for _, e := range q.Evidence[:min(1, len(q.Evidence))] {
			p.Bullet(e)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func hint(k quiz.Kind) string {
	return map[quiz.Kind]string{quiz.ByChoice: "(one is right)", quiz.ByMulti: "(one or more are right)", quiz.ByNumber: "(a number)", quiz.ByOrder: "(put in order)"}[k]
}

// space is where the learner answers.
func space(p lessons.Page, q quiz.Question) {
	if q.Kind == quiz.ByNumber {
		p.Raw("    Answer: __________")
		return
	}
	box := map[quiz.Kind]string{quiz.ByOrder: "___"}[q.Kind]
	if box == "" {
		box = "[ ]"
	}
	for i, c := range q.Choices {
		p.Raw(fmt.Sprintf("    %s %s) %s", box, letter(i), strings.ReplaceAll(c.Text, "\n", " ")))
	}
}

// key is the right answer: letters and texts.
func key(q quiz.Question) string {
	if q.Kind == quiz.ByNumber {
		return q.Key()
	}
	var parts []string
	for _, i := range q.Right {
		parts = append(parts, letter(i)+") "+strings.ReplaceAll(q.Choices[i].Text, "\n", " "))
	}
	return strings.Join(parts, "; ")
}

func letter(i int) string { return string(rune('a' + i)) }
