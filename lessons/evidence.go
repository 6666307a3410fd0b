package lessons

import (
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/vocab"
)

// shortestPrefix is how much of a file's name is enough to mean it; digests are long.
const shortestPrefix = 6

// askEvidence asks for an event or a file and judges the answer.
func (p *player) askEvidence(q *Evidence) error {
	value, err := expression.Evaluate(q.Key.Source, p.environment())
	if err != nil {
		return p.broken(q.Key, err)
	}
	keys, err := evidenceKeys(q, value)
	if err != nil {
		return p.broken(q.Key, err)
	}
	p.evidenceQuestion(q)
	given := ""
	if !p.Auto {
		what := map[string]phrase{"event": sayEventNumber, "path": sayFilePath}[q.Kind]
		if given, err = p.read(p.say(what)); err != nil {
			return err
		}
	}
	right := p.isEvidence(q.Kind, given, keys)
	switch {
	case p.Auto:
		p.verdict(p.say(sayEvidence))
	case right:
		p.verdict(p.say(sayFound))
	default:
		p.verdict(p.say(sayNotFound, "given", narrate.Clean(given)))
	}
	for _, key := range keys {
		p.bullet(p.evidenceText(q.Kind, key))
	}
	reveals := ""
	if !right && !p.Auto {
		reveals = q.Reveals
		if err := p.refute(reveals); err != nil {
			return err
		}
	}
	p.prose(q.Why)
	p.answered(Answer{ID: q.ID, Given: given, Key: strings.Join(keys, " "), Right: right, Reveals: reveals})
	return nil
}

// evidenceKeys lists every right answer: event numbers, or paths in the engine's home.
func evidenceKeys(q *Evidence, value any) ([]string, error) {
	var keys []string
	var err error
	expression.Each(value, func(v any) {
		n, isNumber := expression.Number(v)
		text, isText := v.(string)
		switch {
		case q.Kind == "event" && isNumber && n > 0:
			keys = append(keys, strconv.Itoa(n))
		case q.Kind == "path" && isText && text != "":
			keys = append(keys, text)
		default:
			err = fmt.Errorf("the key is %s; expected %s", expression.Show(v), map[string]string{"event": "an event's number, such as find(trace, ...).seq", "path": "a path in the engine's home"}[q.Kind])
		}
	})
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("the key is an empty list; expected at least one right answer")
	}
	return keys, err
}

func (p *player) isEvidence(kind, given string, keys []string) bool {
	for _, key := range keys {
		if kind == "event" && strings.TrimPrefix(given, "#") == key {
			return true
		}
		if kind == "path" && p.isPath(given, key) {
			return true
		}
	}
	return false
}

// isPath accepts a path in the home, with or without the home in front, and the beginning of the file's own name.
func (p *player) isPath(given, key string) bool {
	given = strings.TrimPrefix(given, "sha256:")
	for _, home := range []string{"$LEARN_HOME", filepath.ToSlash(p.Engine.Home())} {
		given = strings.TrimPrefix(given, home+"/")
	}
	if given == key {
		return true
	}
	dir, name := path.Split(given)
	return len(name) >= shortestPrefix && strings.HasPrefix(path.Base(key), name) && (dir == "" || dir == path.Dir(key)+"/")
}

func (p *player) evidenceText(kind, key string) string {
	if kind == "path" {
		return "$LEARN_HOME/" + key
	}
	n, err := strconv.Atoi(key)
	if err != nil || n > len(p.events) {
		return "event " + key
	}
	return eventLine(p.events[n-1], narrate.Full)
}

// evidenceList shows every event of the last step, with its number and the file that it is about.
func (p *player) evidenceList() {
	if p.done == 0 {
		p.line(p.say(sayNoStep))
		return
	}
	for _, e := range p.events[p.first:] {
		p.bullet(eventLine(e, narrate.Full))
	}
	p.line(p.say(sayHomeIs, "home", p.Engine.Home()))
}

// why tells the last step again with everything that is known about it.
func (p *player) why() {
	if p.done == 0 {
		p.line(p.say(sayNoStep))
		return
	}
	p.line(p.say(sayInFull, "n", p.done))
	p.narration(p.events[p.first:], narrate.Kernel)
}

// eventLine is one event for reading: number, kind, phase of a step, sentence or attributes, and its file.
func eventLine(e trace.Event, level narrate.Level) string {
	text := fmt.Sprintf("event %d, %s", e.Seq, e.Kind)
	if e.Phase != trace.Note {
		text += " " + string(e.Phase)
	}
	if says := telling(e, level); says != "" {
		text += ": " + says
	}
	if file := eventFile(e); file != "" {
		text += " File: " + file
	}
	return text
}

// telling is an event's sentence. Evidence is shown whatever its level: what has a sentence only in more detail gets that
// one, and what has none its attributes.
func telling(e trace.Event, level narrate.Level) string {
	for _, l := range []narrate.Level{level, narrate.Full, narrate.Kernel} {
		if says := narrate.Narrate(e, max(level, l)); says != "" {
			return says
		}
	}
	return attributes(e)
}

func attributes(e trace.Event) string {
	parts := make([]string, len(e.Attrs))
	for i, a := range e.Attrs {
		parts[i] = a.Key + "=" + narrate.Clean(expression.Show(a.Value.String()))
	}
	return strings.Join(parts, " ")
}

// eventFile is the file or folder in the engine's home where the event can be seen, or empty.
func eventFile(e trace.Event) string {
	switch e.Kind {
	case vocab.BlobWrite:
		return blobPath(e.Attr("digest").Str())
	case vocab.ImageCreate:
		return blobPath(e.Attr("manifest").Str())
	case vocab.ImageTag, vocab.ImageUntag:
		return "images/index.json"
	case vocab.ContainerCreate:
		return "containers/" + e.Attr("container").Str()
	case vocab.SnapshotPrepare:
		return e.Attr("upper").Str()
	}
	return ""
}

func blobPath(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok {
		return ""
	}
	return "images/blobs/" + algorithm + "/" + hex
}

// EventLine is one event for reading outside of a lesson: its number, kind, sentence and the file in the engine's home
// that shows it.
func EventLine(e trace.Event) string { return eventLine(e, narrate.Full) }
