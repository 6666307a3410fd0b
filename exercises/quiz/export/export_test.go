package export

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/learn-containers/learn/exercises/quiz"
	"github.com/learn-containers/learn/lessons"
)

const hostile = "a~b=c#d{e}f:g \\h \\n <i> & \"j\" ]]> 'k'"

// someQuestions has one of each kind, with characters that mean something to some form.
func someQuestions() Set {
	belief := quiz.Choice{Text: hostile + " wrong", Belief: "M-A"}
	it := quiz.Item{Topic: "cache", Seed: 7, Difficulty: 2}
	proof := []string{"event 1: " + hostile, "event 2"}
	prompt := "What is this?\n\n    " + hostile + "\n\n    // no comment\n    $CATEGORY: x\n\nSay it."
	return Set{
		Beliefs: map[string]lessons.Misconception{"M-A": {ID: "M-A", Claim: "claim", Refutation: "No: " + hostile, Evidence: "look {here}"}},
		Questions: []quiz.Question{
			{Item: it, Prompt: prompt, Kind: quiz.ByChoice, Choices: []quiz.Choice{belief, {Text: hostile}}, Right: []int{1}, Evidence: proof},
			{Item: it, Prompt: prompt, Kind: quiz.ByMulti, Choices: []quiz.Choice{belief, {Text: hostile, Belief: "M-A"}, {Text: "= two", Belief: "M-A"}, {Text: "~%50%three", Belief: "M-A"}}, Right: []int{1, 2, 3}, Evidence: proof},
			{Item: it, Prompt: prompt, Kind: quiz.ByNumber, Choices: []quiz.Choice{{Text: "12", Belief: "M-A"}, {Text: "512"}}, Right: []int{1}, Evidence: proof},
			{Item: quiz.Item{Topic: "layers", Seed: 8, Difficulty: 5}, Prompt: prompt, Kind: quiz.ByOrder, Choices: []quiz.Choice{{Text: hostile}, {Text: "x"}, {Text: "y"}}, Right: []int{2, 0, 1},
				Orders: []quiz.Sequence{{Texts: []string{hostile, "x", "y"}, Belief: "M-A"}}, Evidence: proof},
		},
	}
}

// read is a question as it was read again.
type read struct {
	name, text, kind, general string
	answers                   []answer
}

// want is what each form has to give back.
func want(s Set, kindOf func(quiz.Kind) string) []read {
	var all []read
	for _, q := range s.Questions {
		all = append(all, read{title(q), prompt(q), kindOf(q.Kind), evidence(q), s.answers(q)})
	}
	return all
}

func compare(t *testing.T, got, want []read) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d questions; want %d", len(got), len(want))
	}
	for i := range want {
		for j := range want[i].answers {
			if j < len(got[i].answers) && math.Abs(got[i].answers[j].percent-want[i].answers[j].percent) < 1e-4 {
				got[i].answers[j].percent = want[i].answers[j].percent
			}
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("question %d:\ngot  %#v\nwant %#v", i, got[i], want[i])
		}
	}
}

func TestGIFTIsReadAgain(t *testing.T) {
	s := someQuestions()
	var b bytes.Buffer
	if err := GIFT(&b, s); err != nil {
		t.Fatal(err)
	}
	got, categories := readGIFT(t, b.String())
	compare(t, got, want(s, func(k quiz.Kind) string {
		return map[quiz.Kind]string{quiz.ByChoice: "choice", quiz.ByMulti: "multi", quiz.ByNumber: "numerical", quiz.ByOrder: "short"}[k]
	}))
	if strings.Join(categories, " ") != "learn/cache learn/layers" {
		t.Errorf("categories are %q", categories)
	}
}

// TestGIFTTellsWeightsFromTexts: a text that looks like a weight comes after one.
func TestGIFTTellsWeightsFromTexts(t *testing.T) {
	for want, a := range map[string]answer{"~%100%%50%x": {text: "%50%x", percent: 100}, "~%0%%50%x#no": {text: "%50%x", feedback: "no"}} {
		if got := giftAnswer(quiz.ByChoice, a); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
}

// readGIFT reads GIFT by its own rules: questions end at an empty line; what follows a backslash is meant as it stands.
func readGIFT(t *testing.T, text string) (all []read, categories []string) {
	t.Helper()
	for _, part := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if c, ok := strings.CutPrefix(part, "$CATEGORY: "); ok {
			categories = append(categories, c)
			continue
		}
		var q read
		fields := splitGIFT(strings.TrimPrefix(part, "::"), "::", 2)
		q.name = unescape(fields[0])
		body := splitGIFT(strings.TrimPrefix(fields[1], "[plain]"), "{", 2)
		q.text = unescape(strings.TrimSpace(body[0]))
		inside := strings.TrimSuffix(strings.TrimSpace(body[1]), "}")
		if number, ok := strings.CutPrefix(inside, "#"); ok {
			q.kind, inside = "numerical", number
		}
		general := splitGIFT(inside, "####", 2)
		q.general = unescape(strings.TrimSpace(general[1]))
		for _, line := range strings.Split(strings.TrimSpace(general[0]), "\n") {
			q.answers = append(q.answers, q.readAnswer(t, strings.TrimSpace(line)))
		}
		if q.kind == "" {
			q.kind = "short"
		}
		all = append(all, q)
	}
	return all, categories
}

func (q *read) readAnswer(t *testing.T, line string) answer {
	t.Helper()
	a := answer{}
	if line[0] == '=' {
		a.percent = 100
	} else if line[0] != '~' {
		t.Fatalf("%q is no answer", line)
	}
	if line[0] == '~' && q.kind == "" {
		q.kind = "choice"
	}
	rest := line[1:]
	if strings.HasPrefix(rest, "%") {
		weight, text, _ := strings.Cut(rest[1:], "%")
		p, err := strconv.ParseFloat(weight, 64)
		if err != nil {
			t.Fatal(err)
		}
		a.percent, rest = p, text
		if line[0] == '~' {
			q.kind = "multi"
		}
	}
	parts := splitGIFT(rest, "#", 2)
	if q.kind == "numerical" {
		parts[0] = strings.TrimSuffix(parts[0], ":0")
	}
	a.text = unescape(parts[0])
	if len(parts) > 1 {
		a.feedback = unescape(parts[1])
	}
	return a
}

// splitGIFT splits at a mark that no backslash protects.
func splitGIFT(s, mark string, n int) []string {
	var out []string
	start := 0
	for i := 0; i < len(s) && len(out) < n-1; i++ {
		switch {
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], mark):
			out = append(out, s[start:i])
			i += len(mark) - 1
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestMoodleXMLIsReadAgain(t *testing.T) {
	s := someQuestions()
	var b bytes.Buffer
	if err := MoodleXML(&b, s); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Questions []struct {
			Type     string `xml:"type,attr"`
			Category string `xml:"category>text"`
			Name     string `xml:"name>text"`
			Text     struct {
				Format string `xml:"format,attr"`
				Text   string `xml:"text"`
			} `xml:"questiontext"`
			General string `xml:"generalfeedback>text"`
			Single  string `xml:"single"`
			Answers []struct {
				Fraction  float64 `xml:"fraction,attr"`
				Text      string  `xml:"text"`
				Feedback  string  `xml:"feedback>text"`
				Tolerance string  `xml:"tolerance"`
			} `xml:"answer"`
		} `xml:"question"`
	}
	if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var got []read
	var categories []string
	for _, q := range doc.Questions {
		if q.Type == "category" {
			categories = append(categories, q.Category)
			continue
		}
		r := read{name: q.Name, text: q.Text.Text, kind: q.Type + q.Single, general: q.General}
		for _, a := range q.Answers {
			r.answers = append(r.answers, answer{a.Text, a.Fraction, a.Feedback})
			if (a.Tolerance == "0") != (q.Type == "numerical") {
				t.Errorf("%s: tolerance is %q", q.Name, a.Tolerance)
			}
		}
		if q.Text.Format != "plain_text" {
			t.Errorf("%s: format is %q", q.Name, q.Text.Format)
		}
		got = append(got, r)
	}
	compare(t, got, want(s, func(k quiz.Kind) string {
		return map[quiz.Kind]string{quiz.ByChoice: "multichoicetrue", quiz.ByMulti: "multichoicefalse", quiz.ByNumber: "numerical", quiz.ByOrder: "shortanswer"}[k]
	}))
	if fmt.Sprint(categories) != "[$course$/top/learn/cache $course$/top/learn/layers]" {
		t.Errorf("categories are %q", categories)
	}
}

// TestGrades: what is right gives the whole grade, and ticking everything gives none.
func TestGrades(t *testing.T) {
	s := someQuestions()
	for _, q := range s.Questions {
		right, all := 0.0, 0.0
		for _, a := range s.answers(q) {
			right, all = right+max(a.percent, 0), all+a.percent
		}
		if q.Kind == quiz.ByOrder {
			right /= 3 // each order is there in three spellings
		}
		if math.Abs(right-100) > 1e-4 || q.Kind == quiz.ByMulti && math.Abs(all) > 1e-4 {
			t.Errorf("%s: right ones give %v, all give %v", q.Kind, right, all)
		}
	}
}

func TestSheetHasTheKeyOnAPageOfItsOwn(t *testing.T) {
	s := someQuestions()
	var b bytes.Buffer
	if err := Sheet(&b, s); err != nil {
		t.Fatal(err)
	}
	questions, key, ok := strings.Cut(b.String(), "\f")
	if !ok || strings.Contains(key, "\f") {
		t.Fatal("there is no page of its own")
	}
	if strings.Contains(questions, "event 1") || strings.Contains(questions, "Key") {
		t.Errorf("the questions tell the key:\n%s", questions)
	}
	for _, line := range []string{"1. b) ", "2. b) ", "3. 512", "4. c) y; a) "} {
		if !strings.Contains(key, "\n"+line) {
			t.Errorf("the key has no line that begins with %q:\n%s", line, key)
		}
	}
	if strings.Contains(questions, "12\n") || !strings.Contains(questions, "    "+hostile+"\n") {
		t.Errorf("choices of a number are shown, or a name is not as it was:\n%s", questions)
	}
	for _, line := range strings.Split(key, "\n") {
		if len(line) > sheetWidth {
			t.Errorf("%q is longer than %d", line, sheetWidth)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, f := range Forms() {
		if got, err := Named(f.Name); err != nil || got.Name != f.Name {
			t.Errorf("%s: got %s, %v", f.Name, got.Name, err)
		}
	}
	if _, err := Named("word"); err == nil || !strings.Contains(err.Error(), "gift, moodle-xml, sheet") {
		t.Errorf("error is %v", err)
	}
}
