package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/build"
)

const shownFiles = 10 // changes that the list shows of each step; with a step given, all that are recorded

// whyWriter prints an explanation. What comes from Dockerfiles and file names is made harmless.
type whyWriter struct {
	*bufio.Writer
	x   build.Explanation
	now time.Time
}

// writeWhy prints an explanation: all of it, or the steps of only.
func writeWhy(out io.Writer, x build.Explanation, only []int, key bool, now time.Time) error {
	w := &whyWriter{bufio.NewWriter(out), x, now}
	w.head()
	stage := -1
	for i, s := range x.Build.Steps {
		if only != nil && !slices.Contains(only, i) {
			continue
		}
		if s.Stage != stage {
			stage = s.Stage
			w.base(stage)
		}
		w.step(i, &s, only != nil)
		if key {
			w.key(&s)
		}
	}
	if only == nil {
		w.chains()
		w.advice()
	}
	return w.Flush()
}

func (w *whyWriter) line(spec string, args ...any) {
	fmt.Fprintln(w, format.Clean(fmt.Sprintf(spec, args...)))
}

// gap sets what follows apart.
func (w *whyWriter) gap() { fmt.Fprintln(w) }

func buildName(b build.BuildRecord) string {
	if len(b.Tags) > 0 {
		var names []string
		for _, t := range b.Tags {
			names = append(names, strings.TrimPrefix(strings.TrimPrefix(t, "docker.io/"), "library/"))
		}
		return strings.Join(names, ", ")
	}
	return b.ShortDockerfile() + " in " + b.Context
}

func buildResult(b build.BuildRecord) string {
	if b.Error != "" {
		return "failed: " + b.Error
	}
	return "image " + format.ID(b.Image.String())
}

func (w *whyWriter) head() {
	b := w.x.Build
	w.line("Build %s of %s, %s: %s", b.ID, buildName(b), format.Ago(b.Began, w.now), buildResult(b))
	var carried build.Saving
	for _, s := range b.Steps {
		if !s.Hit {
			carried.Seconds += s.Seconds
			carried.Bytes += s.Bytes
		}
	}
	sum := fmt.Sprintf("%d of %s from the cache", b.Hits, format.Count(b.Hits+b.Misses, "step"))
	if b.Hits > 0 {
		sum += ": " + format.Saving(b.Saved.Seconds, b.Saved.Bytes) + " saved"
	}
	if b.Misses > 0 {
		sum += fmt.Sprintf("; %d carried out: %s", b.Misses, format.Saving(carried.Seconds, carried.Bytes))
	}
	w.line("%s", sum)
}

func (w *whyWriter) base(stage int) {
	for _, b := range w.x.Build.Bases {
		if b.Stage != stage {
			continue
		}
		text := "FROM " + b.Name
		if b.Image != "" {
			text += " (image " + format.ID(b.Image.String()) + ")"
		}
		if b.StageName != "" {
			text += " AS " + b.StageName
		}
		w.gap()
		w.line("          line %-4d %s", b.Line, text)
	}
}

const indent = "                    "

func (w *whyWriter) step(i int, s *build.StepRecord, whole bool) {
	verdict := "MISS"
	if s.Hit {
		verdict = "HIT"
	}
	w.line("%3d  %-4s line %-4d %s", i+1, verdict, s.Line, format.Ellipsis(strings.ReplaceAll(s.Text, "\n", " "), 100))
	if s.Hit {
		from := "this build"
		if s.From != w.x.Build.ID {
			from = fmt.Sprintf("build %s, %s", s.From, format.Ago(s.Since, w.now))
		}
		w.line(indent+"result of %s; saved %s", from, format.Saving(s.Seconds, s.Bytes))
		return
	}
	w.reason(s, whole)
	switch {
	case s.Failed:
		w.line("%sit failed", indent)
	default:
		w.line(indent+"took %s", format.Saving(s.Seconds, s.Bytes))
	}
}

func (w *whyWriter) reason(s *build.StepRecord, whole bool) {
	if s.Reason == nil {
		w.line("%swhy is not recorded", indent)
		return
	}
	r := s.Reason
	limit := shownFiles
	if whole {
		limit = len(r.Files)
	}
	if len(r.Files) < 2 {
		w.line("%s%s", indent, r.Text)
	} else {
		w.line("%s%d files differ:", indent, len(r.Files)+r.More)
		for _, f := range r.Files[:min(len(r.Files), limit)] {
			w.line("%s  %s", indent, f.Text)
		}
		if more := len(r.Files) + r.More - min(len(r.Files), limit); more > 0 {
			w.line("%s  and %d more", indent, more)
		}
	}
	if r.Kind == build.ReasonFiles && r.At != nil {
		w.line("%sthey come from a stage in which %s (line %d) was carried out anew", indent, r.At.Text, r.At.Line)
	}
	if n := s.Nearest; whole && n != nil {
		w.line("%scompared with line %d of build %s: %s", indent, n.Line, n.Build, n.Text)
	}
}

// key prints the parts of a key, and what each was before where that differs.
func (w *whyWriter) key(s *build.StepRecord) {
	w.line("%skey %s", indent, s.Key)
	if s.Nearest != nil {
		w.line("%snearest earlier key %s", indent, s.Nearest.Key)
	}
	for _, p := range s.Compare() {
		if p.Same {
			w.line("%s  %-12s %s", indent, p.Name, p.New)
			continue
		}
		w.line("%s* %-12s was %s", indent, p.Name, orNone(p.Old))
		w.line("%s  %-12s is  %s", indent, "", orNone(p.New))
	}
	if s.Reason == nil {
		return
	}
	for _, f := range s.Reason.Files {
		w.line("%s  file %s", indent, f.Path)
		w.line("%s    was %s", indent, inputText(f.Old))
		w.line("%s    is  %s", indent, inputText(f.New))
	}
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func inputText(in *build.Input) string {
	if in == nil {
		return "(none)"
	}
	text := fmt.Sprintf("%s, mode %04o, owner %d:%d", in.Type, in.Mode, in.UID, in.GID)
	if in.Content != "" {
		text = fmt.Sprintf("%s, %d bytes, %s", text, in.Size, in.Content)
	}
	if in.Link != "" {
		text += ", to " + in.Link
	}
	return text
}

// chains says what each first miss took along.
func (w *whyWriter) chains() {
	for _, c := range w.x.Chains {
		if len(c.Takes) == 0 {
			continue
		}
		var lines []string
		for _, t := range c.Takes {
			lines = append(lines, fmt.Sprint(w.number(t)))
		}
		w.gap()
		w.line("Step %d, %s, came first and took along %s %s: %s in all", w.number(c.First), oneLine(c.First.Text), plural(len(lines), "step"), strings.Join(lines, ", "),
			format.Saving(c.Seconds, c.Bytes))
	}
}

func plural(n int, thing string) string {
	if n == 1 {
		return thing
	}
	return thing + "s"
}

// number is that of a step in the list.
func (w *whyWriter) number(p build.Place) int {
	return 1 + slices.IndexFunc(w.x.Build.Steps, func(s build.StepRecord) bool { return s.Stage == p.Stage && s.Place == p.Place })
}

func oneLine(s string) string {
	return format.Ellipsis(strings.ReplaceAll(s, "\n", " "), 60)
}

func (w *whyWriter) advice() {
	for _, a := range w.x.Advice {
		w.gap()
		title := "A better order"
		if a.Kind == build.AdviceIgnore {
			title = "A smaller context"
		}
		w.line("%s: %s.", title, a.Text)
		for _, l := range a.After {
			for part := range strings.SplitSeq(l, "\n") {
				w.line("    %s", part)
			}
		}
		in := "in this build"
		if a.Builds > 1 {
			in = fmt.Sprintf("in %d recorded builds", a.Builds)
		}
		w.line("It would have saved %s %s.", format.Saving(a.Saved.Seconds, a.Saved.Bytes), in)
		for _, s := range a.Assumes {
			w.line("It holds only if %s.", s)
		}
	}
}
