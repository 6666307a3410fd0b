package build

import (
	"fmt"
	"slices"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// place is where a step of this build is.
func (s *StepRecord) place() *Place {
	return &Place{Stage: s.Stage, StageName: s.StageName, Place: s.Place, Line: s.Line, Text: s.Text}
}

// name is the instruction, with its stage if that is not the one with number stage.
func (p *Place) name(stage int) string {
	if p.Stage == stage {
		return p.Text
	}
	name := p.StageName
	if name == "" {
		name = fmt.Sprint(p.Stage)
	}
	return fmt.Sprintf("%s (stage %s, line %d)", p.Text, name, p.Line)
}

// firstChanged is the first step of a stage, or of those below it, that was not taken from the cache; nil if none or if stage is none.
func (st *stage) firstChanged(stage int) *Place {
	if stage < 0 {
		return nil
	}
	p, mine := st.session.building(stage)
	if mine || p.st == nil {
		return nil
	}
	return p.st.changed
}

// sourceReason is for a step of a dry run that reads what an earlier stage would have to make first.
func (st *stage) sourceReason(step treeStep) Reason {
	at := st.firstChanged(step.from)
	if at == nil {
		return because(ReasonFiles, "what it reads is elsewhere, and a dry run fetches nothing")
	}
	r := because(ReasonFiles, "what it reads may change: %s is to be carried out anew", at.name(st.planned.Index))
	r.At, r.Cause = at, at.Text
	return r
}

// parentReason is for a step that is the same itself: it says which step below it is the first that is not what it was for near.
func (st *stage) parentReason(near candidate, now *StepRecord) Reason {
	ch := st.session.story
	ch.mu.Lock()
	defer ch.mu.Unlock()
	own := ch.now.stageSteps(st.planned.Index, st.planned.Name)
	old := near.build.stageSteps(near.step.Stage, near.step.StageName)
	old = slices.DeleteFunc(old, func(s *StepRecord) bool { return s.Place >= near.step.Place })
	if r, ok := ch.now.lineage(near.build, own, old, st.planned.Index); ok {
		return r
	}
	return ch.now.baseReason(near.build, st.planned.Index, near.step.Stage, near.step.StageName)
}

// lineage compares the steps below two steps. It is false if they made the same tree of what was below them.
func (b *BuildRecord) lineage(old *BuildRecord, own, before []*StepRecord, stage int) (Reason, bool) {
	own, before = changing(own), changing(before)
	for i := range max(len(own), len(before)) {
		switch {
		case i < len(own) && i < len(before) && own[i].Chain != "" && own[i].Chain == before[i].Chain:
			continue
		case i == 0 && len(own) > 0 && len(before) > 0 && own[0].Parent != before[0].Parent:
			return b.baseReason(old, own[0].Stage, before[0].Stage, before[0].StageName), true
		case i >= len(own) || i < len(before) && gone(own[i:], before[i], own[i]):
			p := before[i].place()
			p.Gone = true
			r := because(ReasonParent, "the tree below it changed: %s is not there any more", p.name(stage))
			r.At, r.Cause = p, p.Text
			return r, true
		}
		return parentChanged(own[i], i < len(before) && own[i].Key == before[i].Key, stage, b.DryRun), true
	}
	return Reason{}, false
}

// changing leaves out steps that added nothing.
func changing(steps []*StepRecord) []*StepRecord {
	return slices.DeleteFunc(slices.Clone(steps), func(s *StepRecord) bool { return s.Chain == s.Parent && s.Chain != "" })
}

// gone tells that a step of the earlier build was taken out, rather than that the one that is now in its place was put in or edited.
func gone(own []*StepRecord, before, now *StepRecord) bool {
	if now.Text == before.Text {
		return false
	}
	if slices.ContainsFunc(own, func(s *StepRecord) bool { return s.Text == before.Text }) {
		return false // it comes later: the one in its place was put in
	}
	return now.Nearest != nil && now.Nearest.Text == now.Text && now.Reason != nil && now.Reason.Kind == ReasonParent || now.Hit
}

// parentChanged words that a step below is another one. same tells that it ran again though nothing about it changed.
func parentChanged(s *StepRecord, same bool, stage int, dry bool) Reason {
	p := s.place()
	text := "the tree below it changed: %s was carried out anew"
	switch {
	case s.Hit:
		text = "the tree below it is another one: the result of %s comes from another build"
	case dry:
		text = "the tree below it may change: %s is to be carried out anew"
	case same:
		text += " and gave another result"
	}
	r := because(ReasonParent, text, p.name(stage))
	r.At, r.Cause = p, p.Text
	return r
}

// baseReason says what is different about what a stage begins with: an image that moved, another image, or a step of the stage that it is.
func (b *BuildRecord) baseReason(old *BuildRecord, stage, oldStage int, oldName string) Reason {
	now, before := b.baseOf(stage, ""), old.baseOf(oldStage, oldName)
	if now == nil || before == nil {
		return because(ReasonBase, "the base changed")
	}
	if now.OfStage >= 0 && before.OfStage >= 0 {
		own, was := b.stageSteps(now.OfStage, stageNameOf(b, now.OfStage)), old.stageSteps(before.OfStage, stageNameOf(old, before.OfStage))
		if r, ok := b.lineage(old, own, was, stage); ok {
			return r
		}
		return b.baseReason(old, now.OfStage, before.OfStage, stageNameOf(old, before.OfStage))
	}
	r := Reason{Kind: ReasonBase, Name: now.Name, Old: before.id(), New: now.id()}
	switch {
	case now.Name != before.Name:
		r.Text = fmt.Sprintf("the base changed: FROM meant %s (%s) and means %s (%s)", before.Name, short(r.Old), now.Name, short(r.New))
	case now.Image != "" && now.Image != before.Image:
		r.Text = fmt.Sprintf("the base image changed: %s moved from %s to %s", now.Name, short(r.Old), short(r.New))
	default:
		r.Text = fmt.Sprintf("the base %s changed from %s to %s", now.Name, short(before.Chain.String()), short(now.Chain.String()))
	}
	return r
}

// baseOf is what a stage of the build begins with, or nil. A name counts more than the number.
func (b *BuildRecord) baseOf(stage int, name string) *BaseRecord {
	for i := range b.Bases {
		if x := &b.Bases[i]; name == "" && x.Stage == stage || name != "" && sameStage(x.Stage, x.StageName, stage, name) {
			return x
		}
	}
	return nil
}

func stageNameOf(b *BuildRecord, stage int) string {
	if x := b.baseOf(stage, ""); x != nil {
		return x.StageName
	}
	return ""
}

// id is the image's id, or the identity of the tree of a base that is none.
func (b *BaseRecord) id() string {
	if b.Image != "" {
		return b.Image.String()
	}
	return b.Chain.String()
}

func short(d string) string {
	if d == "" {
		return "scratch"
	}
	return oci.ShortID(digest.Digest(d))
}

// inherited replaces what a step says of its environment by what is said of the base, if the variable came with another base image.
func (st *stage) inherited(near candidate, r Reason) Reason {
	ch := st.session.story
	ch.mu.Lock()
	defer ch.mu.Unlock()
	now, old := ch.now.root(st.planned.Index), near.build.root(near.step.Stage)
	if r.Kind != ReasonEnv || now == nil || old == nil || now.Image == old.Image && now.Name == old.Name {
		return r
	}
	for _, b := range []*BuildRecord{&ch.now, near.build} {
		if slices.ContainsFunc(b.Settings, func(x SettingRecord) bool { return word(x.Text) == "ENV" && mentions(x.Text, r.Name) }) {
			return r
		}
	}
	return ch.now.baseReason(near.build, st.planned.Index, near.step.Stage, near.step.StageName)
}

// root is what a stage begins with when all stages below it are passed through, or nil.
func (b *BuildRecord) root(stage int) *BaseRecord {
	for range len(b.Bases) {
		x := b.baseOf(stage, "")
		if x == nil || x.OfStage < 0 {
			return x
		}
		stage = x.OfStage
	}
	return nil
}
