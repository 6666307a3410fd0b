package quiz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// stack is a random Dockerfile whose steps write, delete and replace files of one folder, and what people may think of each name.
type stack struct {
	folder string
	names  []string
	lines  []string
	past   map[string]*past
}

// past is what was done to one name.
type past struct {
	texts   []string // that were written, in turn
	deleted bool     // by the last step that touched it
	once    bool     // deleted at some time
	folder  bool     // and that deleted the whole folder
}

func newStack(r *rand.Rand, steps int) *stack {
	w := words(r, 4)
	s := &stack{folder: "/" + w[0], names: []string{w[1] + ".txt", w[2] + ".txt", w[3] + ".txt"}, past: map[string]*past{}}
	s.lines = []string{"FROM learn/base", "RUN mkdir " + s.folder}
	for _, n := range s.names {
		s.past[n] = &past{}
	}
	s.write(r, s.names[0])
	s.write(r, s.names[1])
	for range steps {
		s.step(r)
	}
	return s
}

func (s *stack) step(r *rand.Rand) {
	name := pick(r, s.names)
	p := s.past[name]
	switch here := p.seen(); {
	case r.IntN(6) == 0:
		s.replace(r, name)
	case here && r.IntN(2) == 0:
		s.lines = append(s.lines, "RUN rm "+s.folder+"/"+name)
		p.deleted, p.once, p.folder = true, true, false
	default:
		s.write(r, name)
	}
}

func (s *stack) write(r *rand.Rand, name string) {
	text := fmt.Sprintf("text-%d", r.IntN(900)+100)
	s.lines = append(s.lines, fmt.Sprintf("RUN echo %s > %s/%s", text, s.folder, name))
	p := s.past[name]
	p.texts, p.deleted = append(p.texts, text), false
}

// replace removes the folder and makes it again, with one file.
func (s *stack) replace(r *rand.Rand, name string) {
	for _, p := range s.past {
		if p.seen() {
			p.deleted, p.once, p.folder = true, true, true
		}
	}
	s.write(r, name)
	last := len(s.lines) - 1
	s.lines[last] = strings.Replace(s.lines[last], "RUN ", fmt.Sprintf("RUN rm -r %s && mkdir %s && ", s.folder, s.folder), 1)
}

// belief is what hides the truth about a name from people.
func (p past) belief() string {
	switch {
	case p.deleted && p.folder:
		return "M-FOLDER-MADE-AGAIN"
	case p.deleted:
		return "M-DELETE-UNCOVERS"
	case p.once:
		return "M-NAME-BACK"
	case len(p.texts) > 1:
		return "M-LOWEST-WINS"
	}
	return "M-FOLDER-REPLACED"
}

func (p past) seen() bool { return len(p.texts) > 0 && !p.deleted }

// whichLayerWins asks what a container reads under a name.
func whichLayerWins(r *rand.Rand, difficulty int) Plan {
	s := newStack(r, 1+difficulty)
	name := s.names[0]
	if r.IntN(2) == 0 {
		name = s.names[1]
	}
	p, d := s.past[name], &draft{}
	const none = "nothing: there is no such file"
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", s.lines...)
	d.say("Then:")
	d.tries("run --rm app cat %s/%s", s.folder, name)
	d.asks(ByChoice, "What does the container read?")
	d.choice(none, wrongNone(*p))
	d.choice(p.texts[len(p.texts)-1], p.belief())
	for i := len(p.texts) - 2; i >= 0; i-- {
		d.choice(p.texts[i], "M-LOWEST-WINS")
	}
	if len(p.texts) > 1 {
		d.choice(strings.Join(p.texts, " "), "M-CONTENTS-JOINED")
	}
	path := s.folder + "/" + name
	return d.done(printed(none, func(ran Ran) []trace.Event { return aboutPath(ran, path, s.folder) }))
}

// wrongNone is why somebody thinks that a file is gone which is there.
func wrongNone(p past) string {
	if p.once {
		return "M-NAME-BACK"
	}
	return "M-FOLDER-REPLACED"
}

// aboutPath picks the last event that made or hid a path.
func aboutPath(ran Ran, path, folder string) []trace.Event {
	for _, e := range slices.Backward(ran.Events) {
		at := e.Attr("path").Str()
		if at == path && strings.HasPrefix(e.Kind, "cow.") || at == folder && (e.Kind == vocab.CowOpaque || e.Kind == vocab.CowWhiteout) {
			return []trace.Event{e}
		}
	}
	return nil
}

// whatIsVisible asks which names a container sees in the folder.
func whatIsVisible(r *rand.Rand, difficulty int) Plan {
	s := newStack(r, 1+difficulty)
	if !s.past[s.names[0]].seen() && !s.past[s.names[1]].seen() && !s.past[s.names[2]].seen() {
		s.write(r, pick(r, s.names)) // a question needs a right choice
	}
	d := &draft{}
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", s.lines...)
	d.say("Then:")
	d.run("run --rm app ls %s", s.folder)
	d.asks(ByMulti, "Which names are listed?")
	for _, n := range s.names {
		if p := s.past[n]; len(p.texts) > 0 {
			d.choice(n, p.belief())
		}
	}
	d.choice(".wh."+s.names[0], "M-WHITEOUT-LISTED")
	return d.done(func(ran Ran) (Finding, error) {
		hidden, made := kinds(vocab.CowWhiteout, vocab.CowOpaque)(ran), kinds(vocab.CowCreate)(ran)
		return Finding{strings.Fields(ran.Out), append(hidden, made...)}, nil
	})
}

// lookUpOrder asks in which order a name is looked up.
func lookUpOrder(r *rand.Rand, difficulty int) Plan {
	w := words(r, 1+min(3, difficulty))
	lines := []string{"FROM learn/base"}
	texts := []string{"the layer of learn/base"}
	for i, n := range w {
		lines = append(lines, fmt.Sprintf("RUN echo %s > /%s.txt", n, n))
		texts = append(texts, fmt.Sprintf("the layer of step %d", i+2))
	}
	const own = "the writable layer of the container"
	d := &draft{}
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", lines...)
	d.say("Then:")
	d.run("run --name %s-1 app true", w[0])
	d.asks(ByOrder, "A program in the container opens a file that doesn't exist. In which order are these asked for the name?")
	for _, t := range append(slices.Clone(texts), own) {
		d.choice(t, "")
	}
	rising := slices.Clone(texts)
	slices.Reverse(texts)
	d.plan.Orders = []Sequence{
		{append(slices.Clone(rising), own), "M-LOWEST-WINS"},
		{append(slices.Clone(texts), own), "M-UPPER-LAST"},
		{append([]string{own}, rising...), "M-LOWEST-WINS"},
	}
	return d.done(func(ran Ran) (Finding, error) { return overlayOrder(ran, rising, own) })
}

// overlayOrder reads the order off the mount of the container's root. names are those of the image's layers, lowest first.
func overlayOrder(ran Ran, names []string, own string) (Finding, error) {
	mounts := slices.DeleteFunc(someOf(ran.Last, vocab.MountDo), func(e trace.Event) bool { return e.Attr("type").Str() != "overlay" })
	if len(mounts) != 1 {
		return Finding{}, fmt.Errorf("the trace has %d overlay mounts; expected 1", len(mounts))
	}
	order := []string{own}
	for _, folder := range lowerFolders(mounts[0]) {
		for i, l := range ran.World.Image("app").Layers {
			if strings.Contains(folder, chainOf(ran, l.DiffID)) {
				order = append(order, names[i])
			}
		}
	}
	return Finding{order, mounts}, nil
}

// lowerFolders lists the read-only folders of an overlay mount, as they are asked.
func lowerFolders(mount trace.Event) []string {
	for _, o := range strings.Split(mount.Attr("options").Str(), ",") {
		if v, ok := strings.CutPrefix(o, "lowerdir="); ok {
			return strings.Split(v, ":")
		}
	}
	return nil
}

// chainOf is the name of the folder that a layer is unpacked in. One that is not there is in no path.
func chainOf(ran Ran, diffID string) string {
	for _, c := range ran.World.Chains {
		if c.DiffID == diffID {
			return strings.TrimPrefix(c.ID, "sha256:")
		}
	}
	return "not unpacked"
}
