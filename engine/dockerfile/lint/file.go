package lint

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
)

func (c *checker) stageNames() {
	seen := map[string]bool{}
	for _, st := range c.stages {
		if st.Name == "" {
			continue
		}
		if st.Name == "context" || st.Name == "scratch" {
			c.rules.Run(&linter.RuleReservedStageName, st.Location, linter.RuleReservedStageName.Format(st.Name))
		}
		if seen[st.Name] {
			c.rules.Run(&linter.RuleDuplicateStageName, st.Location, linter.RuleDuplicateStageName.Format(st.Name))
		}
		seen[st.Name] = true
	}
}

// word is the name of an instruction as it is written.
type word struct {
	text string
	at   []parser.Range
}

// casing holds every instruction to what the majority does. Where both are as many, capitals win.
func (c *checker) casing() {
	var words []word
	for _, st := range c.stages {
		words = append(words, word{st.OrigCmd, st.Location})
		for _, cmd := range st.Commands {
			words = append(words, word{cmd.Name(), cmd.Location()})
		}
	}
	lower := 0
	for _, w := range words {
		switch w.text {
		case strings.ToLower(w.text):
			lower++
		case strings.ToUpper(w.text):
			lower--
		}
	}
	for _, w := range words {
		want, fits := "uppercase", w.text == strings.ToUpper(w.text)
		if lower > 0 {
			want, fits = "lowercase", w.text == strings.ToLower(w.text)
		}
		if !fits {
			c.rules.Run(&linter.RuleConsistentInstructionCasing, w.at, linter.RuleConsistentInstructionCasing.Format(w.text, want))
		}
	}
}

// froms checks what the FROMs say, with the arguments given and without any.
func (c *checker) froms() error {
	o := dockerfile.PlanOptions{Target: c.options.Target, Args: c.options.Args, Platform: c.options.Platform, BuildPlatform: c.options.BuildPlatform}
	given, err := c.file.Globals(o)
	if err != nil {
		return err
	}
	o.Args = nil
	if defaults, err := c.file.Globals(o); err == nil {
		c.defaultBases(defaults)
	}
	for _, st := range c.stages {
		rules := c.rules.WithMergedConfigFromComments(st.Comments)
		base, err := given.Expand(st.BaseName)
		if err != nil {
			return nil // the plan says where
		}
		undeclared(rules, st, base, given.Names())
		if st.Platform == "" {
			continue
		}
		platform, err := given.Expand(st.Platform)
		undeclared(rules, st, platform, given.Names())
		if err == nil {
			platformRules(rules, st, platform, given)
		}
	}
	return nil
}

func (c *checker) defaultBases(defaults dockerfile.Globals) {
	for _, st := range c.stages {
		name, err := defaults.Expand(st.BaseName)
		if err != nil {
			return
		}
		if _, err := oci.ParseName(name.Result); err != nil {
			c.rules.Run(&linter.RuleInvalidDefaultArgInFrom, st.Location, linter.RuleInvalidDefaultArgInFrom.Format(st.BaseName))
		}
	}
}

func undeclared(rules *linter.Linter, st instructions.Stage, e dockerfile.Expansion, names []string) {
	for _, name := range e.Unknown {
		if contains(names, name) {
			continue
		}
		near, _ := suggest.Search(name, names, true)
		rules.Run(&linter.RuleUndefinedArgInFrom, st.Location, linter.RuleUndefinedArgInFrom.Format(name, near))
	}
}

func platformRules(rules *linter.Linter, st instructions.Stage, e dockerfile.Expansion, given dockerfile.Globals) {
	if len(e.Known) == 1 && len(e.Unknown) == 0 && e.Known[0] == "TARGETPLATFORM" && e.Result == given.Get("TARGETPLATFORM") {
		rules.Run(&linter.RuleRedundantTargetPlatform, st.Location, linter.RuleRedundantTargetPlatform.Format(st.Platform))
	}
	if len(e.Known) > 0 || len(e.Unknown) > 0 {
		return
	}
	p, err := dockerfile.ParsePlatform(e.Result)
	if err == nil && !strings.Contains(st.Name, p.OS) && !strings.Contains(st.Name, p.Architecture) {
		rules.Run(&linter.RuleFromPlatformFlagConstDisallowed, st.Location, linter.RuleFromPlatformFlagConstDisallowed.Format(e.Result))
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
