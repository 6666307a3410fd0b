package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/grade"
	"github.com/learn-containers/learn/lessons"
)

// report puts the results in the order of the roster, with those who handed in nothing.
func (g *grader) report() (grade.Report, error) {
	r := grade.Report{Assignment: cmp.Or(g.given.Name, g.flags.assignment, g.usual()), Misconception: map[string]grade.Misconception{}}
	catalogue, err := lessons.Misconceptions()
	if err != nil {
		return r, err
	}
	for id, m := range catalogue {
		r.Misconception[id] = grade.Misconception{ID: id, Claim: m.Claim, Refutation: m.Refutation}
	}
	g.suspect()
	for _, h := range g.work {
		r.Results = append(r.Results, h.result)
	}
	if g.class != nil {
		r.Class = g.class.Name
		r.Results = append(r.Results, g.absent()...)
	}
	slices.SortStableFunc(r.Results, func(a, b grade.Result) int { return cmp.Compare(g.place(a.Student), g.place(b.Student)) })
	r.Count()
	return r, nil
}

func (g *grader) place(student string) int {
	i := slices.IndexFunc(g.students, func(s class.Student) bool { return s.ID == student })
	if i < 0 {
		return len(g.students)
	}
	return i
}

func (g *grader) absent() []grade.Result {
	var all []grade.Result
	for _, s := range g.students {
		if slices.ContainsFunc(g.work, func(h *handedIn) bool { return h.result.Student == s.ID }) {
			continue
		}
		res := grade.Result{Student: s.ID, Name: s.Name, Email: s.Email, Assignment: g.given.Name}
		for _, id := range g.given.Exercises {
			o := g.outcome(class.Part{ID: id}, nil, nil, "")
			o.Reason = "nothing was handed in"
			res.Outcomes = append(res.Outcomes, o)
		}
		all = append(all, res)
	}
	return all
}

// suspect flags what only shows beside the others and the class: copies, doubles, strangers, other assignments, late ones.
func (g *grader) suspect() {
	journals := map[string]*handedIn{}
	files := map[string]*handedIn{}
	for _, h := range g.work {
		if first, twice := files[h.result.Student]; twice && h.manifest.Student != "" {
			h.flag("%s is of the same student", first.result.File)
			first.flag("%s is of the same student", h.result.File)
		}
		files[h.result.Student] = h
		for _, p := range h.manifest.Exercises {
			first, twice := journals[p.Journal]
			if twice && first != h {
				h.flag("%s: the same journal as in %s of %s", p.ID, first.result.File, first.result.Student)
				first.flag("%s: the same journal as in %s of %s", p.ID, h.result.File, h.result.Student)
			}
			journals[p.Journal] = h
		}
		g.compare(h)
	}
}

func (h *handedIn) flag(format string, args ...any) {
	if len(h.result.Flags) < maxFlags {
		h.result.Flags = append(h.result.Flags, fmt.Sprintf(format, args...))
	}
}

func (g *grader) compare(h *handedIn) {
	if h.manifest.Student == "" {
		return
	}
	if v := docker.Version(); h.manifest.Program != v {
		h.flag("made with learn %.40s; this is %s", h.manifest.Program, v)
	}
	if g.class == nil {
		return
	}
	if i := g.place(h.manifest.Student); i < len(g.students) {
		h.result.Name, h.result.Email = g.students[i].Name, g.students[i].Email
	} else {
		h.flag("%s is not in the roster", h.manifest.Student)
	}
	if g.given.Name != "" && h.manifest.Assignment != g.given.Name {
		h.flag("handed in for %q", h.manifest.Assignment)
	}
	if !g.given.Due.IsZero() && h.manifest.At.After(g.given.Due) {
		h.flag("late: the last line of its journal is of %s", h.manifest.At.Local().Format("2006-01-02 15:04"))
	}
}
