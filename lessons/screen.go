package lessons

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/yuin/goldmark"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/vocab"
)

const (
	defaultWidth = 80
	leastWidth   = 20 // below it text is not wrapped any further
)

// screen writes a lesson's parts as linear text. Nothing of it moves the cursor, so a log or a screen reader gets
// the same as a terminal.
type screen struct {
	words
	out    io.Writer
	width  int
	render func(markdown string) string
}

func newScreen(out io.Writer, width int, color bool, w words) screen {
	s := screen{words: w, out: out, width: max(width, leastWidth)}
	s.render = s.plainText
	if color {
		md := glamourMarkdown()
		s.render = func(markdown string) string { return s.colored(md, markdown) }
	}
	return s
}

// colored lets glamour colour the text and fills the lines itself: glamour takes line breaks of the source for the
// reader's.
func (s screen) colored(md goldmark.Markdown, markdown string) string {
	var text strings.Builder
	if err := md.Convert([]byte(strings.Join(unfold(markdown), "\n")), &text); err != nil {
		return s.plainText(markdown)
	}
	lines := strings.Split(text.String(), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(uncolored(line), "  ") { // code is indented
			lines[i] = hang(line, s.width)
		}
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n"
}

func (s screen) plainText(markdown string) string { return layout(markdown, s.width) }

func (s screen) raw(text string) { fmt.Fprintln(s.out, text) }

// line writes one paragraph, wrapped.
func (s screen) line(text string) { fmt.Fprintln(s.out, wrap("", text, "", s.width)) }

func (s screen) bullet(text string) { fmt.Fprintln(s.out, wrap("  - ", text, "    ", s.width)) }

func (s screen) prose(markdown string) {
	if strings.TrimSpace(markdown) != "" {
		fmt.Fprint(s.out, "\n"+s.render(markdown))
	}
}

func (s screen) title(l Lesson) {
	text := "# " + l.Title
	if l.Minutes > 0 {
		text += "\n\n" + s.say(sayAbout, "minutes", s.count(l.Minutes, sayMinute, sayMinutes), "steps", s.count(len(l.Steps), sayStep, saySteps))
	}
	s.prose(text)
}

func (s screen) sectionTitle(title string) { s.prose("## " + title) }

func (s screen) file(f *File) {
	s.prose(s.say(sayFile, "path", f.Path) + "\n\n```" + f.Lang + "\n" + strings.TrimRight(f.Content, "\n") + "\n```")
}

func (s screen) command(n, of int, command string) {
	s.prose(s.say(sayCommand, "n", n, "of", of) + "\n\n```console\n$ " + strings.ReplaceAll(command, "\n", "\n> ") + "\n```")
}

func (s screen) question(q *Predict) {
	var b strings.Builder
	b.WriteString(s.say(sayPredict, "question", q.Question) + "\n\n")
	for i, c := range q.Choices {
		fmt.Fprintf(&b, "%d. %s\n", i+1, c.Text)
	}
	s.prose(b.String())
}

func (s screen) evidenceQuestion(q *Evidence) { s.prose(s.say(sayFind, "question", q.Question)) }

// verdict stands apart from what is above it.
func (s screen) verdict(text string) {
	fmt.Fprintln(s.out)
	s.line(text)
}

func (s screen) prompt(text string) { fmt.Fprintf(s.out, "\n%s > ", text) }

// paragraph sets what a command prints apart from what is above and below it, if it prints anything.
type paragraph struct {
	w     io.Writer
	last  byte // written so far, 0 for nothing
	width int  // columns that fit into a line
	line  []byte
	wide  bool // there was a line that doesn't fit
}

func (p *paragraph) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if p.last == 0 {
		if _, err := io.WriteString(p.w, "\n"); err != nil {
			return 0, err
		}
	}
	p.last = b[len(b)-1]
	p.measure(b)
	return p.w.Write(b)
}

// measure looks for a line that is too wide, and no further than to the first.
func (p *paragraph) measure(b []byte) {
	for line := range bytes.Lines(b) {
		if p.wide {
			return
		}
		p.line = append(p.line, line...)
		p.wide = len(p.line) > p.width && columns(strings.TrimRight(string(p.line), "\r\n")) > p.width
		if line[len(line)-1] == '\n' {
			p.line = p.line[:0]
		}
	}
}

func (p *paragraph) end() {
	if p.last != 0 && p.last != '\n' {
		fmt.Fprintln(p.w)
	}
}

// narration tells what events mean, each sentence with its event's number. The command itself, which the step has
// just shown, is told again only in detail.
func (s screen) narration(events []trace.Event, level narrate.Level) {
	if level == silent {
		return
	}
	first := true
	for _, e := range events {
		says := narrate.Narrate(e, level)
		if says == "" || level == narrate.Short && e.Kind == vocab.Command && e.Phase == trace.Begin {
			continue
		}
		if first {
			fmt.Fprintln(s.out)
			first = false
		}
		lead := fmt.Sprintf("  [%d] ", e.Seq)
		fmt.Fprintln(s.out, wrap(lead, says, strings.Repeat(" ", len(lead)), s.width))
	}
}

func (s screen) summary(r Result) {
	s.verdict(s.say(sayDone))
	if asked := r.Right + r.Wrong; asked > 0 {
		s.line(s.say(sayScore, "right", r.Right, "questions", s.count(asked, sayQuestion, sayQuestions)))
	}
	if r.ChecksFailed > 0 {
		s.line(s.say(sayFailed, "checks", s.count(r.ChecksFailed, sayCheck, sayChecks)))
	}
}
