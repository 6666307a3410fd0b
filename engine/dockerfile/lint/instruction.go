package lint

import (
	"path"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// rulesOf are docker's rules about single instructions.
func (w *walk) rulesOf(rules *linter.Linter, s *state, cmd dockerfile.Command) {
	switch c := cmd.(type) {
	case *dockerfile.Env:
		for _, kv := range c.Env {
			legacy(rules, c, kv)
			secret(rules, c, "ENV", kv.Key)
		}
	case *dockerfile.Label:
		for _, kv := range c.Labels {
			legacy(rules, c, kv)
		}
	case *dockerfile.Workdir:
		if !s.workdirSet && !path.IsAbs(path.Clean(c.Path)) {
			rules.Run(&linter.RuleWorkdirRelativePath, c.Location(), linter.RuleWorkdirRelativePath.Format(c.Path))
		}
		s.workdirSet = true
	case *dockerfile.Cmd:
		s.once(rules, "CMD", c)
		s.jsonArgs(rules, c, c.PrependShell)
	case *dockerfile.Entrypoint:
		s.once(rules, "ENTRYPOINT", c)
		s.jsonArgs(rules, c, c.PrependShell)
	case *dockerfile.Healthcheck:
		s.once(rules, "HEALTHCHECK", c)
	case *dockerfile.Expose:
		for _, port := range c.Ports {
			exposed(rules, c, port)
		}
	case *dockerfile.Copy:
		if c.From == "" {
			w.ignored(rules, c, "Copy", c.SourcePaths)
		}
	case *dockerfile.Add:
		w.ignored(rules, c, "Add", c.SourcePaths)
	}
}

func legacy(rules *linter.Linter, c dockerfile.Command, kv instructions.KeyValuePair) {
	if kv.NoDelim {
		rules.Run(&linter.RuleLegacyKeyValueFormat, c.Location(), linter.RuleLegacyKeyValueFormat.Format(c.Name()))
	}
}

var (
	secretName = regexp.MustCompile(`(?i)(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)`)
	publicName = regexp.MustCompile(`(?i)(?:_|^)(?:public|file|version)(?:_|$)`)
)

func secret(rules *linter.Linter, c dockerfile.Command, instruction, name string) {
	if secretName.MatchString(name) && !publicName.MatchString(name) {
		rules.Run(&linter.RuleSecretsUsedInArgOrEnv, c.Location(), linter.RuleSecretsUsedInArgOrEnv.Format(instruction, name))
	}
}

func secretKeys(rules *linter.Linter, c *dockerfile.Arg) {
	for _, kv := range c.Args {
		secret(rules, c, "ARG", kv.Key)
	}
}

// once points at the earlier of two instructions of which the later counts.
func (s *state) once(rules *linter.Linter, name string, c dockerfile.Command) {
	if at, ok := s.last[name]; ok {
		rules.Run(&linter.RuleMultipleInstructionsDisallowed, at, linter.RuleMultipleInstructionsDisallowed.Format(c.Name()))
	}
	s.last[name] = c.Location()
}

// jsonArgs: who sets a SHELL wants it.
func (s *state) jsonArgs(rules *linter.Linter, c dockerfile.Command, shellForm bool) {
	if shellForm && len(s.image.Config.Shell) == 0 {
		rules.Run(&linter.RuleJSONArgsRecommended, c.Location(), linter.RuleJSONArgsRecommended.Format(c.Name()))
	}
}

func exposed(rules *linter.Linter, c dockerfile.Command, port string) {
	container := port[strings.LastIndexByte(port, ':')+1:]
	_, proto, _ := strings.Cut(container, "/")
	switch strings.ToLower(proto) {
	case "", "tcp", "udp", "sctp":
	default:
		return // an error
	}
	if proto != strings.ToLower(proto) {
		rules.Run(&linter.RuleExposeProtoCasing, c.Location(), linter.RuleExposeProtoCasing.Format(port))
	}
	if len(container) < len(port) && strings.Trim(strings.TrimSuffix(port, container), ":") != "" {
		rules.Run(&linter.RuleExposeInvalidFormat, c.Location(), linter.RuleExposeInvalidFormat.Format(port))
	}
}

func (w *walk) ignored(rules *linter.Linter, c dockerfile.Command, verb string, sources []string) {
	if w.options.Ignored == nil {
		return
	}
	for _, src := range sources {
		if remote(src) {
			continue
		}
		src = path.Clean(src)
		asked := strings.TrimPrefix(src, "/")
		if asked == "" {
			asked = "."
		}
		if w.options.Ignored(asked) {
			rules.Run(&linter.RuleCopyIgnoredFile, c.Location(), linter.RuleCopyIgnoredFile.Format(verb, src))
		}
	}
}
