package lint

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// advise looks at the layers that the target ships: its own and those of the stages that it starts from.
func (w *walk) advise() error {
	for _, st := range w.plan.Stages {
		w.cacheAdvice(w.done[st.Index])
	}
	target := w.plan.Stages[len(w.plan.Stages)-1].Index
	var chain []*state
	for i := target; i >= 0; i = w.done[i].planned.Base.Stage {
		chain = append([]*state{w.done[i]}, chain...)
	}
	w.layerAdvice(chain)
	return nil
}

// tell reports advice at an instruction, unless a comment above it says not to.
func (w *walk) tell(r *rule, st step, format string, args ...any) {
	w.rules.WithMergedConfigFromComments(st.cmd.Comments()).Run(r, st.cmd.Location(), fmt.Sprintf(format, args...))
}

// cacheAdvice is about one stage, shipped or not: what it costs to build it again.
func (w *walk) cacheAdvice(s *state) {
	var sources *step // the first COPY of everything
	told := false
	for i := range s.steps {
		st := &s.steps[i]
		switch c := st.cmd.(type) {
		case *dockerfile.Copy:
			if c.From == "" && sources == nil && copiesAll(c.SourcePaths) {
				sources = st
			}
		case *dockerfile.Add:
			if sources == nil && copiesAll(c.SourcePaths) {
				sources = st
			}
			w.addForCopy(*st, c)
		case *dockerfile.Run:
			calls := w.calls(*st, c)
			w.shellState(*st, calls)
			if manager, manifest := installs(calls); manifest != "" && sources != nil && !told {
				told = true
				w.tell(ruleCacheOrder, *sources, "%s copies everything before %s in line %d installs what %s lists: any change of any file installs it again",
					sources.in.Name, manager, st.in.Line, manifest)
			}
		}
	}
}

func copiesAll(sources []string) bool {
	for _, src := range sources {
		switch src {
		case ".", "./", "/", "*", "./*", "/.":
			return true
		}
	}
	return false
}

// addForCopy: an ADD that neither downloads nor unpacks.
func (w *walk) addForCopy(st step, c *dockerfile.Add) {
	if c.Unpack != nil || c.Checksum != "" || c.KeepGitDir != nil || len(c.SourcePaths)+len(c.SourceContents) == 0 {
		return
	}
	for _, src := range c.SourcePaths {
		if remote(src) || mayBeArchive(src) {
			return
		}
	}
	w.tell(ruleAddForCopy, st, "ADD copies files of the build context here, which COPY does")
}

// mayBeArchive: wildcards may match one.
func mayBeArchive(src string) bool {
	for _, end := range []string{".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".gz", ".bz2", ".xz", ".zst"} {
		if strings.HasSuffix(strings.ToLower(src), end) {
			return true
		}
	}
	return strings.ContainsAny(src, "*?[")
}

func (w *walk) shellState(st step, calls []call) {
	update, install := false, false
	for _, c := range calls {
		if c.name() == "apt-get" || c.name() == "apt" {
			update = update || c.has("update")
			install = install || c.has("install", "upgrade", "dist-upgrade", "full-upgrade", "build-dep")
		}
		if c.last && c.bare && (c.name() == "cd" && len(c.words) > 1 || c.name() == "export") {
			w.tell(ruleLostState, st, "%s at the end of a RUN has no effect on what follows", c.name())
		}
	}
	if update && !install && !covered(st, "/var/lib/apt") {
		w.tell(ruleAptUpdate, st, "apt-get update has a RUN of its own: a later install uses the lists of the day when it was cached")
	}
}

// installs finds a command that installs what a manifest lists, so that it needs no other file.
func installs(calls []call) (manager, manifest string) {
	for _, c := range calls {
		switch name := c.name(); {
		case name == "npm" && c.has("ci", "install", "i") && only(c, "ci", "install", "i"):
			return "npm", "package.json"
		case (name == "yarn" || name == "pnpm") && (len(c.words) == 1 || c.has("install")) && only(c, "install"):
			return name, "package.json"
		case (name == "pip" || name == "pip3") && c.has("install") && c.has("-r", "--requirement"):
			return name, "requirements.txt"
		case strings.HasPrefix(name, "python") && c.has("pip") && c.has("install") && c.has("-r", "--requirement"):
			return "pip", "requirements.txt"
		case name == "go" && c.has("mod") && c.has("download"):
			return "go mod download", "go.mod"
		case name == "bundle" && (len(c.words) == 1 || c.has("install")):
			return "bundle", "Gemfile"
		case name == "composer" && c.has("install"):
			return "composer", "composer.json"
		case name == "poetry" && c.has("install"):
			return "poetry", "pyproject.toml"
		case name == "cargo" && c.has("fetch"):
			return "cargo", "Cargo.toml"
		}
	}
	return "", ""
}

// only tells whether c has no argument but flags and those named: npm install left-pad needs no manifest.
func only(c call, verbs ...string) bool {
	for _, a := range c.words[1:] {
		if !strings.HasPrefix(a, "-") && !contains(verbs, a) {
			return false
		}
	}
	return true
}
