package lessons

import (
	"strings"

	"github.com/learn-containers/learn/lessons/markdown"
	"gopkg.in/yaml.v3"
)

// predict parses a question with choices: Markdown, "- [ ] text {M-ID}" lines, then YAML from key: on.
func (p *lessonParser) predict(f markdown.Fence) error {
	if err := p.doc.Only(f, "id", "kind", "confidence"); err != nil {
		return err
	}
	if kind := f.Attrs["kind"]; kind != "choice" && kind != "" {
		return p.fail(f.Line, "kind=%s of a predict block; expected choice", kind)
	}
	id, err := p.takeID(f)
	if err != nil {
		return err
	}
	_, confidence := f.Attrs["confidence"]
	q := &Predict{ID: id, Confidence: confidence}
	body, answer, answerLine := splitAnswer(f)
	if err := p.choices(q, body, f.Line); err != nil {
		return err
	}
	fields, err := p.doc.FieldsBelow(answer, answerLine-1)
	if err != nil {
		return err
	}
	for _, field := range fields {
		switch field.Key {
		case "key":
			q.Key = exprOf(field)
		case "why":
			q.Why = field.Value.Value
		case "proof":
			if q.Proof, err = p.proof(field, answerLine-1); err != nil {
				return err
			}
		default:
			return p.fail(field.Line, "unknown key %q of a prediction; expected key, why or proof", field.Key)
		}
	}
	if q.Key.Source == "" || len(q.Proof) == 0 {
		return p.fail(f.Line, "prediction %s is incomplete; expected key: and proof: below the choices", id)
	}
	p.pending = append(p.pending, Block{Line: f.Line, Predict: q})
	return nil
}

// choices reads the question's text and its choices. An indented line goes on with the choice above.
func (p *lessonParser) choices(q *Predict, body string, base int) error {
	var question []string
	for i, line := range strings.Split(body, "\n") {
		line = strings.TrimRight(line, " ")
		text, isChoice := strings.CutPrefix(line, "- [ ] ")
		last := len(q.Choices) - 1
		switch {
		case isChoice:
			q.Choices = append(q.Choices, Choice{Text: text})
		case last < 0:
			question = append(question, line)
		case strings.HasPrefix(line, " "):
			q.Choices[last].Text += " " + strings.TrimSpace(line)
		case line != "":
			return p.fail(base+1+i, "line %q after the choices; expected \"- [ ] \" and a choice, or key:", line)
		}
	}
	q.Question = strings.TrimSpace(strings.Join(question, "\n"))
	if q.Question == "" || len(q.Choices) < 2 {
		return p.fail(base, "prediction %s has %d choices; expected a question and at least two lines that start with \"- [ ] \"", q.ID, len(q.Choices))
	}
	for i := range q.Choices {
		if err := p.reveals(&q.Choices[i], base); err != nil {
			return err
		}
	}
	return nil
}

// reveals takes the trailing {M-ID} off a choice's text.
func (p *lessonParser) reveals(c *Choice, line int) error {
	open := strings.LastIndex(c.Text, "{")
	if open < 0 || !strings.HasSuffix(c.Text, "}") || strings.HasSuffix(c.Text, "}}") {
		return nil
	}
	c.Reveals = c.Text[open+1 : len(c.Text)-1]
	c.Text = strings.TrimSpace(c.Text[:open])
	if !isMisconception(c.Reveals) {
		return p.fail(line, "choice %q reveals %q; expected an id such as M-LAYER-COPY", c.Text, c.Reveals)
	}
	return nil
}

func (p *lessonParser) proof(f markdown.Field, base int) ([]Proof, error) {
	fields, err := p.doc.Mapping(f.Value, base)
	var out []Proof
	for _, field := range fields {
		out = append(out, Proof{Label: field.Key, Expr: exprOf(field)})
	}
	return out, err
}

// evidence parses a question for an event or a file: Markdown, then YAML from key: on.
func (p *lessonParser) evidence(f markdown.Fence) error {
	if err := p.doc.Only(f, "id", "kind"); err != nil {
		return err
	}
	id, err := p.takeID(f)
	if err != nil {
		return err
	}
	body, answer, answerLine := splitAnswer(f)
	q := &Evidence{ID: id, Kind: orElse(f.Attrs["kind"], "event"), Question: strings.TrimSpace(body)}
	if q.Kind != "event" && q.Kind != "path" {
		return p.fail(f.Line, "kind=%s of an evidence block; expected event or path", q.Kind)
	}
	fields, err := p.doc.FieldsBelow(answer, answerLine-1)
	if err != nil {
		return err
	}
	for _, field := range fields {
		if err := p.evidenceField(q, field); err != nil {
			return err
		}
	}
	if q.Key.Source == "" || q.Question == "" {
		return p.fail(f.Line, "evidence %s is incomplete; expected a question and key: below it", id)
	}
	if len(p.lesson.Steps) == 0 {
		return p.fail(f.Line, "an evidence question before the first command; expected it below a console block")
	}
	p.pending = append(p.pending, Block{Line: f.Line, Evidence: q})
	return nil
}

func (p *lessonParser) evidenceField(q *Evidence, f markdown.Field) error {
	switch f.Key {
	case "key":
		q.Key = exprOf(f)
	case "why":
		q.Why = f.Value.Value
	case "reveals":
		if q.Reveals = f.Value.Value; f.Value.Kind != yaml.ScalarNode || !isMisconception(q.Reveals) {
			return p.fail(f.Line, "reveals %q; expected an id such as M-LAYER-COPY", q.Reveals)
		}
	default:
		return p.fail(f.Line, "unknown key %q of an evidence question; expected key, why or reveals", f.Key)
	}
	return nil
}

// splitAnswer cuts a question's body before its first line that starts with "key:". answerLine is that line's number.
func splitAnswer(f markdown.Fence) (question, answer string, answerLine int) {
	lines := strings.SplitAfter(f.Body, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "key:") {
			return strings.Join(lines[:i], ""), strings.Join(lines[i:], ""), f.Line + 1 + i
		}
	}
	return f.Body, "", f.Line + 1 + len(lines)
}
