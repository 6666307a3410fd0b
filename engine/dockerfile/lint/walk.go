package lint

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
)

// walk goes through the stages as a build does, and changes configs, but no tree.
type walk struct {
	*checker
	plan *dockerfile.Plan
	done map[int]*state
}

// state is a stage as far as the walk is.
type state struct {
	planned    dockerfile.Stage
	scope      *dockerfile.Scope
	image      oci.Image
	conf       dockerfile.Configurator
	known      bool // the config of the base image is
	workdirSet bool // in the Dockerfile, not only in a base image
	last       map[string][]parser.Range
	onbuild    []string
	steps      []step
}

// step is an instruction with its variables expanded, and the folder it runs in.
type step struct {
	in      dockerfile.Instruction
	cmd     dockerfile.Command
	workdir string
	shell   []string
	quiet   bool // a variable tells pip to keep no cache
	mounts  []dockerfile.Mount
	values  []string // of an ARG: what each name got
}

func (w *walk) stage(planned dockerfile.Stage) error {
	s, triggers, err := w.begin(planned)
	if err != nil {
		return err
	}
	w.done[planned.Index] = s
	for _, in := range append(triggers, planned.Instructions...) {
		if err := w.instruction(s, in); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) begin(planned dockerfile.Stage) (*state, []dockerfile.Instruction, error) {
	s := &state{planned: planned, known: true, last: map[string][]parser.Range{}}
	var onbuild []string
	var base *dockerfile.Scope
	switch b := planned.Base; {
	case b.Stage >= 0:
		from := w.done[b.Stage]
		s.image, s.known, s.workdirSet, base, onbuild = cloneImage(from.image), from.known, from.workdirSet, from.scope, from.onbuild
	case b.Scratch:
	default:
		s.known = false
		if w.options.Base != nil {
			s.image, s.known = w.options.Base(b.Image, planned.Platform)
		}
		s.image = cloneImage(s.image)
		onbuild = s.image.Config.OnBuild
		if s.known {
			w.basePlatform(planned, s.image)
		}
	}
	s.image.Config.OnBuild = nil
	triggers, err := w.file.Triggers(planned.From, onbuild)
	s.conf.Config = &s.image.Config
	s.scope = w.plan.Scope(planned, s.image.Config.Env, base)
	return s, triggers, err
}

func cloneImage(img oci.Image) oci.Image {
	c := &img.Config
	c.Env, c.OnBuild = slices.Clone(c.Env), slices.Clone(c.OnBuild)
	c.Labels, c.ExposedPorts, c.Volumes = maps.Clone(c.Labels), maps.Clone(c.ExposedPorts), maps.Clone(c.Volumes)
	return img
}

func (w *walk) basePlatform(st dockerfile.Stage, img oci.Image) {
	actual := dockerfile.Platform{OS: img.OS, OSVersion: img.OSVersion, Architecture: img.Architecture, Variant: img.Variant}
	if st.Platform.OS != actual.OS || st.Platform.Architecture != actual.Architecture {
		w.rules.Run(&linter.RuleInvalidBaseImagePlatform, w.stages[st.Index].Location,
			linter.RuleInvalidBaseImagePlatform.Format(st.Base.Image, st.Platform.Normal().String(), actual.Normal().String()))
	}
}

// instruction has the rules look at one instruction, and carries it out on the config.
func (w *walk) instruction(s *state, in dockerfile.Instruction) error {
	cmd, err := s.scope.Expand(in)
	if err != nil {
		return err
	}
	rules := w.rules.WithMergedConfigFromComments(cmd.Comments())
	var values []string
	if arg, ok := cmd.(*dockerfile.Arg); ok {
		secretKeys(rules, arg)
		if values, err = s.declare(in, arg); err != nil {
			return err
		}
	}
	s.undefinedVars(rules, cmd, s.scope.Undefined())
	w.rulesOf(rules, s, cmd)
	st := step{in: in, cmd: cmd, workdir: s.image.Config.WorkingDir, shell: s.image.Config.Shell, quiet: switchedOn(s.scope.Value("PIP_NO_CACHE_DIR")), values: values}
	if run, ok := cmd.(*dockerfile.Run); ok {
		s.scope.SetWorkdir(st.workdir)
		if st.mounts, err = s.scope.Mounts(in, run); err != nil {
			return err
		}
	}
	s.steps = append(s.steps, st)
	return w.apply(s, in, cmd)
}

func (s *state) declare(in dockerfile.Instruction, c *dockerfile.Arg) ([]string, error) {
	words, err := s.scope.Declare(in, c)
	values := make([]string, len(words))
	for i, w := range words {
		_, values[i], _ = strings.Cut(w, "=")
	}
	return values, err
}

// apply changes the config as a build does.
func (w *walk) apply(s *state, in dockerfile.Instruction, cmd dockerfile.Command) error {
	switch c := cmd.(type) {
	case *dockerfile.Env:
		for _, kv := range c.Env {
			s.scope.SetEnv(kv.Key, kv.Value)
		}
	case *dockerfile.Onbuild:
		s.onbuild = append(s.onbuild, c.Expression)
	}
	_, _, err := s.conf.Apply(cmd)
	if wrong := (*dockerfile.ConfigError)(nil); errors.As(err, &wrong) {
		return w.file.Errorf(in, wrong.Word, "%s", wrong.Msg)
	}
	return err
}

// undefinedVars: what a base image that is not here defines is not known, so that only slips of the pen count there.
func (s *state) undefinedVars(rules *linter.Linter, cmd instructions.Command, names []string) {
	for _, name := range names {
		near, found := suggest.Search(name, s.scope.Names(), true)
		if s.known || found {
			rules.Run(&linter.RuleUndefinedVar, cmd.Location(), linter.RuleUndefinedVar.Format(name, near))
		}
	}
}
