package author

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
)

// Course is what a lesson is checked against: the lessons that are there, in their order, and the catalogue of misconceptions.
type Course struct {
	patterns
	drafts  []Draft
	beliefs map[string]lessons.Misconception
}

// NewCourse makes a course of the program's lessons and those of an author, which take the place of lessons with the same id. Lessons of a
// folder of their own come after the program's; those beside some of the program's are counted with them.
func NewCourse(own []Draft) (Course, error) {
	content, err := lessons.Content()
	if err != nil {
		return Course{}, err
	}
	drafts, faults, err := ReadAll(content, "")
	if err == nil && len(faults) > 0 && len(own) == 0 {
		err = fmt.Errorf("read the program's lessons: %s", faults[0])
	}
	if err != nil {
		return Course{}, err
	}
	program := slices.Clone(drafts)
	drafts = slices.DeleteFunc(drafts, func(d Draft) bool {
		return slices.ContainsFunc(own, func(o Draft) bool { return o.ID == d.ID })
	})
	apart := map[string]int{}
	for _, d := range own {
		if !besides(program, d) {
			apart[d.ID] = 1
		}
	}
	drafts = append(drafts, own...)
	slices.SortStableFunc(drafts, func(a, b Draft) int {
		return cmp.Or(cmp.Compare(apart[a.ID], apart[b.ID]), cmp.Compare(a.Number, b.Number))
	})
	beliefs, err := lessons.Misconceptions()
	return Course{newPatterns(), drafts, beliefs}, err
}

// besides tells whether a lesson of the program lies in the same folder of lessons.
func besides(program []Draft, d Draft) bool {
	return slices.ContainsFunc(program, func(p Draft) bool {
		_, err := fs.Stat(d.Files, p.File)
		return err == nil
	})
}

func (c Course) find(id string) (Draft, bool) {
	i := slices.IndexFunc(c.drafts, func(d Draft) bool { return d.ID == id })
	if i < 0 {
		return Draft{}, false
	}
	return c.drafts[i], true
}

// before lists the lessons that come earlier than d.
func (c Course) before(d Draft) []Draft {
	i := slices.IndexFunc(c.drafts, func(other Draft) bool { return other.ID == d.ID })
	return c.drafts[:max(i, 0)]
}

// needed lists the lessons that are played before d, because it or one of them needs them.
func (c Course) needed(d Draft) []Draft {
	var out []Draft
	seen := map[string]bool{d.ID: true}
	todo := slices.Clone(d.Needs)
	for len(todo) > 0 {
		id := todo[0]
		todo = todo[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		if other, ok := c.find(id); ok {
			out = append(out, other)
			todo = append(todo, other.Needs...)
		}
	}
	return out
}

// Check says what is wrong with a lesson, without playing it.
func (c Course) Check(d Draft) []Finding {
	k := &checker{course: c, draft: d, lines: strings.Split(string(d.Source), "\n")}
	if err := d.Prove(); err != nil {
		k.out = append(k.out, faultOf(d.Root, d.File, err))
	}
	for _, rule := range []func(){k.header, k.needs, k.beliefs, k.questions, k.askedAgain, k.intents, k.links, k.vocabulary, k.kinds, k.translations} {
		rule()
	}
	return sorted(k.out)
}

// checker gathers what is wrong with one lesson.
type checker struct {
	course Course
	draft  Draft
	lines  []string // of the lesson's file
	out    []Finding
}

func (k *checker) fault(line int, format string, args ...any) {
	k.out = append(k.out, Finding{File: k.draft.shown(k.draft.File), Line: max(line, 1), Text: fmt.Sprintf(format, args...)})
}

func (k *checker) warn(line int, format string, args ...any) {
	k.fault(line, format, args...)
	k.out[len(k.out)-1].Warning = true
}

// headerLine is the line of a key in the front matter, 1 if it has none.
func (k *checker) headerLine(key string) int {
	for i, line := range k.lines {
		if i > 0 && strings.HasPrefix(line, "---") {
			break
		}
		if strings.HasPrefix(line, key+":") {
			return i + 1
		}
	}
	return 1
}

// lineWith is the first line from a line on that has a text in it, or that line itself.
func (k *checker) lineWith(from int, text string) int {
	text, _, _ = strings.Cut(text, "\n")
	for i := max(from, 1) - 1; i < len(k.lines); i++ {
		if strings.Contains(k.lines[i], text) {
			return i + 1
		}
	}
	return from
}

// blocks calls f for each block of the lesson, in order.
func (k *checker) blocks(f func(lessons.Block)) {
	for _, s := range k.draft.Steps {
		for _, b := range append(slices.Clone(s.Before), s.After...) {
			f(b)
		}
	}
	for _, b := range k.draft.Closing {
		f(b)
	}
}
