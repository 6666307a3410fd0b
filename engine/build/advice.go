package build

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Advice is an order of instructions that would have kept steps of a build in the cache. It is given only where nothing in the Dockerfile
// says that a step needs what is moved behind it; what can't be seen there is said in Assumes.
type Advice struct {
	Kind      string   `json:"kind"` // one of the Advice constants
	Stage     int      `json:"stage"`
	StageName string   `json:"stage_name,omitempty"`
	Line      int      `json:"line"` // of the instruction that is moved
	Text      string   `json:"text"` // one sentence, without its full stop
	Before    []string `json:"before"`
	After     []string `json:"after"`
	Keeps     []Place  `json:"keeps"` // what would have come from the cache
	Assumes   []string `json:"assumes"`
	Builds    int      `json:"builds"` // recorded builds in which it would have helped
	Saved     Saving   `json:"saved"`  // in all of them
}

// The kinds of Advice.
const (
	AdviceLater   = "later"   // move a COPY behind steps that don't read what it brings
	AdviceSplit   = "split"   // copy the files that a step reads first, and the rest behind it
	AdviceDeclare = "declare" // move an ARG or ENV behind steps that don't use it
	AdviceIgnore  = "ignore"  // leave files out of the context that only the build itself reads; After is lines for .dockerignore
)

// Advise says what order of instructions would have kept steps of the first record in the cache. The others are earlier builds of the same
// Dockerfile: they tell how often the same would have helped. Advice without a step that takes time or room is not given.
func Advise(history []BuildRecord) []Advice {
	if len(history) == 0 {
		return nil
	}
	list := history[0].advise()
	for i := range list {
		a := &list[i]
		for _, b := range history[1:] {
			for _, other := range b.advise() {
				if other.Kind == a.Kind && sameStage(a.Stage, a.StageName, other.Stage, other.StageName) && slices.Equal(a.After, other.After) {
					a.Builds++
					a.Saved.Seconds += other.Saved.Seconds
					a.Saved.Bytes += other.Saved.Bytes
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Advice) int { return int(1000 * (b.Saved.Seconds - a.Saved.Seconds)) })
	return list
}

func (b *BuildRecord) advise() []Advice {
	var list []Advice
	for i := range b.Steps {
		s := &b.Steps[i]
		if s.Reason == nil || s.Reason.At != nil || slices.ContainsFunc(b.Steps[:i], func(x StepRecord) bool { return x.Reason != nil && x.Stage == s.Stage && s.because(&x) }) {
			continue
		}
		var a *Advice
		switch s.Reason.Kind {
		case ReasonFiles:
			a = b.adviseCopy(s)
		case ReasonArg, ReasonEnv:
			a = b.adviseSetting(s)
		}
		if a != nil {
			list = append(list, *a)
		}
	}
	return list
}

// follows lists the steps of the stage behind s, in order.
func (b *BuildRecord) follows(s *StepRecord) []*StepRecord {
	all := b.stageSteps(s.Stage, s.StageName)
	return slices.DeleteFunc(all, func(x *StepRecord) bool { return x.Place <= s.Place })
}

// because tells that s missed for nothing but what happened to cause.
func (s *StepRecord) because(cause *StepRecord) bool {
	r := s.Reason
	switch {
	case r == nil || r.Kind == ReasonForced:
		return false
	case r.At != nil:
		return r.Kind == ReasonParent && !r.At.Gone && r.At.Stage == cause.Stage && r.At.Place == cause.Place
	}
	return (r.Kind == ReasonArg || r.Kind == ReasonEnv) && r.Kind == cause.Reason.Kind && r.Name == cause.Reason.Name
}

// cost is what a step took, or took last if it is not carried out.
func (s *StepRecord) cost() Saving {
	if s.Seconds == 0 && s.Bytes == 0 && s.Nearest != nil {
		return Saving{s.Nearest.Seconds, s.Nearest.Bytes}
	}
	return Saving{s.Seconds, s.Bytes}
}

// newAdvice is advice that keeps steps; nil if that saves nothing.
func newAdvice(kind string, moved *StepRecord, kept []*StepRecord) *Advice {
	a := &Advice{Kind: kind, Stage: moved.Stage, StageName: moved.StageName, Builds: 1}
	for _, s := range kept {
		a.Keeps = append(a.Keeps, *s.place())
		a.Saved.Seconds += s.cost().Seconds
		a.Saved.Bytes += s.cost().Bytes
	}
	if a.Saved == (Saving{}) {
		return nil
	}
	return a
}

// adviseCopy is for a COPY or ADD from the context whose files changed.
func (b *BuildRecord) adviseCopy(s *StepRecord) *Advice {
	c, ok := parseCopied(s)
	if !ok || s.Reason.Files == nil {
		return nil
	}
	if a := b.adviseIgnore(s); a != nil {
		return a
	}
	var kept []*StepRecord
	var needed, assumes []string
	for _, t := range b.follows(s) {
		if !t.because(s) || b.redefined(s, t) {
			break
		}
		n := c.needs(t)
		if !n.known || c.brought(s.Reason, n.files) {
			break
		}
		kept = append(kept, t)
		needed, assumes = addNew(needed, n.files...), addNew(assumes, n.assumes...)
	}
	for len(kept) > 0 && kept[len(kept)-1].cost() == (Saving{}) {
		kept = kept[:len(kept)-1]
	}
	kind := AdviceLater
	if len(needed) > 0 {
		kind = AdviceSplit
	}
	if len(kept) == 0 || kind == AdviceSplit && s.Reason.More > 0 {
		return nil
	}
	a := newAdvice(kind, s, kept)
	if a == nil {
		return nil
	}
	last := kept[len(kept)-1]
	a.Line, a.Before, a.Assumes = s.Line, append([]string{s.Text}, texts(kept)...), assumes
	a.After = append(texts(kept), s.Text)
	a.Text = fmt.Sprintf("move %s (line %d) behind line %d: nothing up to there names what it brings", firstLine(s.Text), s.Line, last.Line)
	if kind == AdviceSplit {
		slices.Sort(needed)
		first := c.only(needed)
		a.After = append([]string{first}, a.After...)
		a.Text = fmt.Sprintf("copy %s before line %d and the rest behind line %d: nothing up to there reads what changed",
			strings.Join(needed, ", "), kept[0].Line, last.Line)
	}
	return a
}

// adviseIgnore is for a COPY that missed for nothing but the Dockerfile, its ignore file, or what git keeps for itself.
func (b *BuildRecord) adviseIgnore(s *StepRecord) *Advice {
	var lines []string
	for _, f := range s.Reason.Files {
		switch top, _, _ := strings.Cut(f.Path, "/"); {
		case f.Path == b.ShortDockerfile(), f.Path == ".dockerignore", f.Path == b.ShortDockerfile()+".dockerignore":
			lines = addNew(lines, f.Path)
		case top == ".git":
			lines = addNew(lines, top)
		default:
			return nil
		}
	}
	named := slices.ContainsFunc(lines, func(l string) bool { return slices.Contains(strings.Fields(s.Text), l) })
	if s.Reason.More > 0 || len(lines) == 0 || named {
		return nil
	}
	kept := []*StepRecord{s}
	for _, t := range b.follows(s) {
		if !t.because(s) {
			break
		}
		kept = append(kept, t)
	}
	a := newAdvice(AdviceIgnore, s, kept)
	if a == nil {
		return nil
	}
	a.Line, a.After = s.Line, lines
	a.Text = fmt.Sprintf("leave %s out of the context by .dockerignore: nothing else changed that %s (line %d) takes", strings.Join(lines, " and "), firstLine(s.Text), s.Line)
	a.Assumes = []string{"no step reads " + strings.Join(lines, " or ")}
	return a
}

// redefined tells that between s and t a variable is declared while the text of s names some: behind it s might mean something else.
func (b *BuildRecord) redefined(s, t *StepRecord) bool {
	if len(variableNames(s.Text)) == 0 {
		return false
	}
	return slices.ContainsFunc(b.Settings, func(x SettingRecord) bool {
		w := word(x.Text)
		return x.Stage == s.Stage && x.Place > s.Place && x.Place <= t.Place && (w == "ARG" || w == "ENV")
	})
}

func texts(steps []*StepRecord) []string {
	var list []string
	for _, s := range steps {
		list = append(list, s.Text)
	}
	return list
}

func addNew(list []string, more ...string) []string {
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// adviseSetting is for a step that missed because of the value of a variable that its text does not name.
func (b *BuildRecord) adviseSetting(s *StepRecord) *Advice {
	name := s.Reason.Name
	if name == "" || influential(name) {
		return nil
	}
	at := slices.IndexFunc(b.Settings, func(x SettingRecord) bool { return x.Stage == s.Stage && x.Place <= s.Place && declares(x.Text, name) })
	if at < 0 {
		return nil // it comes from the base, or with others in one instruction
	}
	declared := b.Settings[at]
	limit := b.firstUse(declared, name)
	var kept []*StepRecord
	for _, t := range append([]*StepRecord{s}, b.follows(s)...) {
		if t.Place >= limit || t != s && !t.because(s) {
			break
		}
		kept = append(kept, t)
	}
	if len(kept) == 0 {
		return nil
	}
	a := newAdvice(AdviceDeclare, s, kept)
	if a == nil {
		return nil
	}
	last := kept[len(kept)-1]
	a.Line, a.Before, a.After = declared.Line, append([]string{declared.Text}, texts(kept)...), append(texts(kept), declared.Text)
	a.Text = fmt.Sprintf("move %s (line %d) behind line %d: no instruction up to there names %s", firstLine(declared.Text), declared.Line, last.Line, name)
	a.Assumes = []string{fmt.Sprintf("no program that these steps run reads %s from its environment", name)}
	return a
}

// firstUse is the place of the first step behind the declaration that has to stay behind it: one that names the variable, or that
// comes after a setting which does.
func (b *BuildRecord) firstUse(declared SettingRecord, name string) int {
	limit := 1 << 30
	for _, s := range b.Steps {
		if s.Stage == declared.Stage && s.Place >= declared.Place && mentions(s.Text+"\n"+strings.Join(s.Parts.Command, "\n")+"\n"+strings.Join(s.Parts.Mounts, "\n"), name) {
			limit = min(limit, s.Place)
		}
	}
	for _, x := range b.Settings {
		if x.Stage == declared.Stage && x.Line > declared.Line && mentions(x.Text, name) {
			limit = min(limit, x.Place)
		}
	}
	return limit
}

// declares tells that the instruction is an ARG or ENV of this name and no other.
func declares(text, name string) bool {
	w := strings.Fields(text)
	if len(w) < 2 || word(text) != "ARG" && word(text) != "ENV" {
		return false
	}
	key, _, pair := strings.Cut(w[1], "=")
	if word(text) == "ENV" && !pair {
		return key == name // the old form: the rest of the line is the value
	}
	others := slices.ContainsFunc(w[2:], func(x string) bool { return word(text) == "ARG" || strings.Contains(x, "=") })
	return key == name && !others
}

// mentions tells that name stands in the text as a word of its own.
func mentions(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		end := i + len(name)
		if (i == 0 || !isNameByte(rest[i-1], 1)) && (end == len(rest) || !isNameByte(rest[end], 1)) {
			return true
		}
		rest = rest[end:]
	}
}

// influential tells that programs read a variable without anybody naming it.
func influential(name string) bool {
	for _, known := range []string{
		"PATH", "HOME", "USER", "SHELL", "LANG*", "LC_*", "TZ", "TERM", "*_PROXY", "*_proxy", "LD_*", "CC", "CXX", "*FLAGS", "MAKE*", "GO*", "CGO_*", "NODE_*", "NPM_*",
		"npm_*", "YARN_*", "PNPM_*", "PIP_*", "PYTHON*", "UV_*", "POETRY_*", "VIRTUAL_ENV", "JAVA_*", "MAVEN_*", "GRADLE_*", "CARGO_*", "RUST*", "GEM_*", "BUNDLE_*", "RAILS_*",
		"RACK_*", "COMPOSER_*", "DOTNET_*", "NUGET_*", "DEBIAN_*", "DEBCONF_*", "APT_*", "GIT_*", "SSL_*", "CURL_*", "SOURCE_DATE_EPOCH", "CI", "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT",
	} {
		if ok, err := path.Match(known, name); ok && err == nil {
			return true
		}
	}
	return false
}
