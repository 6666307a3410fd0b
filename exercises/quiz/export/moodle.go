package export

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/learn-containers/learn/exercises/quiz"
)

// The elements of Moodle's XML, as far as these questions need them. Moodle takes an answer's grade as a percentage.
type (
	moodleQuiz struct {
		XMLName   xml.Name         `xml:"quiz"`
		Questions []moodleQuestion `xml:"question"`
	}
	moodleQuestion struct {
		Type         string         `xml:"type,attr"`
		Category     *moodleText    `xml:"category"`
		Name         *moodleText    `xml:"name"`
		Text         *moodleText    `xml:"questiontext"`
		Feedback     *moodleText    `xml:"generalfeedback"`
		DefaultGrade string         `xml:"defaultgrade,omitempty"`
		Penalty      string         `xml:"penalty,omitempty"`
		Single       string         `xml:"single,omitempty"`
		Shuffle      string         `xml:"shuffleanswers,omitempty"`
		Numbering    string         `xml:"answernumbering,omitempty"`
		UseCase      string         `xml:"usecase,omitempty"`
		Answers      []moodleAnswer `xml:"answer"`
	}
	moodleAnswer struct {
		Fraction  string      `xml:"fraction,attr"`
		Format    string      `xml:"format,attr"`
		Text      string      `xml:"text"`
		Feedback  *moodleText `xml:"feedback"`
		Tolerance string      `xml:"tolerance,omitempty"`
	}
	moodleText struct {
		Format string `xml:"format,attr,omitempty"`
		Text   string `xml:"text"`
	}
)

// MoodleXML writes the set as Moodle imports and exports it, a category for each topic. An order is a short answer of numbers, since not
// every Moodle has a type for it.
func MoodleXML(w io.Writer, s Set) error {
	doc, topic := moodleQuiz{}, ""
	for _, q := range s.Questions {
		if q.Topic != topic {
			topic = q.Topic
			doc.Questions = append(doc.Questions, moodleQuestion{Type: "category", Category: &moodleText{Text: "$course$/top/learn/" + topic}})
		}
		doc.Questions = append(doc.Questions, s.moodle(q))
	}
	data, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode questions for Moodle: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, data)
	return err
}

func (s Set) moodle(q quiz.Question) moodleQuestion {
	m := moodleQuestion{Name: &moodleText{Text: title(q)}, Text: plain(prompt(q)), Feedback: plain(evidence(q)), DefaultGrade: "1", Penalty: "0.3333333"}
	tolerance, kind := "", "plain_text"
	switch q.Kind {
	case quiz.ByNumber:
		m.Type, tolerance, kind = "numerical", "0", "moodle_auto_format"
	case quiz.ByOrder:
		m.Type, m.UseCase, kind = "shortanswer", "0", "moodle_auto_format"
	default:
		m.Type, m.Single, m.Shuffle, m.Numbering = "multichoice", fmt.Sprint(q.Kind == quiz.ByChoice), "true", "abc"
	}
	for _, a := range s.answers(q) {
		out := moodleAnswer{Fraction: percent(a.percent), Format: kind, Text: a.text, Tolerance: tolerance}
		if a.feedback != "" {
			out.Feedback = plain(a.feedback)
		}
		m.Answers = append(m.Answers, out)
	}
	return m
}

func plain(text string) *moodleText { return &moodleText{"plain_text", text} }
