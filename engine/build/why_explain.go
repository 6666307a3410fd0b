package build

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Explanation is what is known of a build: the record, what followed from what, and what would have been better.
type Explanation struct {
	Build  BuildRecord `json:"build"`
	Chains []Chain     `json:"chains,omitempty"`
	Advice []Advice    `json:"advice,omitempty"`
}

// Chain is a step that missed for a reason of its own, and the later ones that missed because of it.
type Chain struct {
	First   Place   `json:"first"`
	Reason  string  `json:"reason"`
	Takes   []Place `json:"takes,omitempty"`
	Seconds float64 `json:"seconds"` // that all of them took
	Bytes   int64   `json:"bytes"`   // of their layers
}

// NoBuildError reports that no recorded build is what was looked for.
type NoBuildError struct {
	What  string        // as asked for
	Known []BuildRecord // the newest first
}

func (e *NoBuildError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("no recorded build %q: nothing was built here yet", e.What)
	}
	var names []string
	for _, b := range e.Known[:min(len(e.Known), 5)] {
		name := b.ID
		if len(b.Tags) > 0 {
			name += " (" + strings.Join(b.Tags, ", ") + ")"
		}
		names = append(names, name)
	}
	more := ""
	if n := len(e.Known) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("no recorded build %q: give an id, the name or id of an image built here, or last; there are %s%s", e.What, strings.Join(names, ", "), more)
}

// Builds lists the recorded builds, newest first. Records that can't be read are left out: they decide nothing.
func (b *Builder) Builds() ([]BuildRecord, error) {
	dir := openCache(b.home.Cache()).builds()
	var list []BuildRecord
	for _, f := range recordFiles(dir) {
		r, err := readBuild(dir, f.id)
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("read record of build %s: %w", f.id, err)
		}
		if err == nil {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b BuildRecord) int { return b.Began.Compare(a.Began) })
	return list, nil
}

// FindBuild finds a recorded build: last or nothing for the newest, an id or the beginning of one, a name that the build gave, or an image
// by its id. image is that of the name if there is such an image, else empty. The error is a *NoBuildError if there is none.
func (b *Builder) FindBuild(what string, image digest.Digest) (BuildRecord, error) {
	all, err := b.Builds()
	if err != nil {
		return BuildRecord{}, err
	}
	if what == "" || what == "last" {
		if len(all) == 0 {
			return BuildRecord{}, &NoBuildError{What: "last"}
		}
		return all[0], nil
	}
	for _, is := range []func(BuildRecord) bool{
		func(r BuildRecord) bool { return image != "" && r.Image == image },
		func(r BuildRecord) bool { return r.ID == what },
		func(r BuildRecord) bool {
			return slices.ContainsFunc(r.Tags, func(t string) bool { return sameName(t, what) })
		},
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i], nil
		}
	}
	return byPrefix(all, what)
}

// byPrefix finds a build by the beginning of its id, or of the id of what it made. The latest of one image counts.
func byPrefix(all []BuildRecord, what string) (BuildRecord, error) {
	hex := strings.TrimPrefix(what, "sha256:")
	var found *BuildRecord
	for i := range all {
		r := &all[i]
		if !strings.HasPrefix(r.ID, hex) && (r.Image == "" || !strings.HasPrefix(r.Image.Encoded(), hex)) {
			continue
		}
		if found != nil && (found.Image == "" || found.Image != r.Image) {
			return BuildRecord{}, fmt.Errorf("%q is the beginning of several ids: %s and %s among them: give more of it", what, found.ID, r.ID)
		}
		if found == nil {
			found = r
		}
	}
	if found == nil {
		return BuildRecord{}, &NoBuildError{What: what, Known: all}
	}
	return *found, nil
}

// sameName compares a full name with one as somebody types it.
func sameName(full, typed string) bool {
	if !strings.Contains(typed[strings.LastIndex(typed, "/")+1:], ":") {
		typed += ":latest"
	}
	rest := strings.TrimPrefix(full, "docker.io/")
	return full == typed || rest == typed || strings.TrimPrefix(rest, "library/") == typed
}

// Explain says what is known of a build, from its record alone and those of earlier builds of the same Dockerfile.
func (b *Builder) Explain(r BuildRecord) (Explanation, error) {
	all, err := b.Builds()
	if err != nil {
		return Explanation{}, err
	}
	history := []BuildRecord{r}
	for _, e := range all {
		if e.ID != r.ID && e.Dockerfile == r.Dockerfile && e.Context == r.Context && e.Began.Before(r.Began) && len(history) <= nearBuilds {
			history = append(history, e)
		}
	}
	return Explanation{Build: r, Chains: r.Chains(), Advice: Advise(history)}, nil
}

// Chains groups the misses of a build by the step that began it.
func (b *BuildRecord) Chains() []Chain {
	var list []Chain
	chain := map[[2]int]int{} // by stage and place of a step that missed
	for i := range b.Steps {
		s := &b.Steps[i]
		if s.Reason == nil {
			continue
		}
		at, taken := b.cause(s, list, chain)
		if taken {
			list[at].Takes = append(list[at].Takes, *s.place())
		} else {
			at, list = len(list), append(list, Chain{First: *s.place(), Reason: s.Reason.Text})
		}
		chain[[2]int{s.Stage, s.Place}] = at
		list[at].Seconds += s.Seconds
		list[at].Bytes += s.Bytes
	}
	return list
}

// cause is the chain that a miss belongs to: that of the step that it names, or one that began for the very same reason.
func (b *BuildRecord) cause(s *StepRecord, list []Chain, chain map[[2]int]int) (at int, taken bool) {
	switch r := s.Reason; r.Kind {
	case ReasonArg, ReasonEnv, ReasonSetting, ReasonForced, ReasonGone, ReasonBase:
		at = slices.IndexFunc(list, func(c Chain) bool { return c.Reason == r.Text && c.First.Stage == s.Stage })
		return at, at >= 0
	default:
		if r.At == nil || r.At.Gone {
			return 0, false
		}
		at, taken = chain[[2]int{r.At.Stage, r.At.Place}]
		return at, taken
	}
}

// Find gives the steps that what means: the number that the list of steps has, from 1, or the beginning of an instruction.
func (b *BuildRecord) Find(what string) ([]int, error) {
	var found []int
	for i, s := range b.Steps {
		if fmt.Sprint(i+1) == what || strings.HasPrefix(strings.ToLower(s.Text), strings.ToLower(what)) && strings.Trim(what, "0123456789") != "" {
			found = append(found, i)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	var names []string
	for i, s := range b.Steps {
		names = append(names, fmt.Sprintf("%d %s", i+1, firstLine(s.Text)))
	}
	return nil, fmt.Errorf("build %s has no step %q: give the number or the beginning of one of: %s", b.ID, what, strings.Join(names, "; "))
}

// KeyPart is one thing that a key depends on, as it was in the nearest earlier run and as it is now.
type KeyPart struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
	Same bool   `json:"same"`
}

// Compare lists the parts of a step's key beside those of the one that it was compared with; old is empty and all is the same for a hit.
func (s *StepRecord) Compare() []KeyPart {
	now, old := s.Parts.parts(), s.Parts.parts()
	if s.Nearest != nil {
		old = s.Nearest.Parts.parts()
	}
	was := map[string]string{}
	var list []KeyPart
	for _, p := range old {
		was[p.Name] = p.New
	}
	seen := map[string]bool{}
	for _, p := range now {
		before, ok := was[p.Name]
		seen[p.Name] = true
		list = append(list, KeyPart{Name: p.Name, Old: before, New: p.New, Same: ok && before == p.New})
	}
	for _, p := range old {
		if !seen[p.Name] {
			list = append(list, KeyPart{Name: p.Name, Old: p.New})
		}
	}
	return list
}

// parts lists what a key holds, by name.
func (k *Key) parts() []KeyPart {
	var list []KeyPart
	add := func(name, v string) {
		if v != "" {
			list = append(list, KeyPart{Name: name, New: v})
		}
	}
	pairs := func(kind string, kv []string) {
		for _, p := range kv {
			name, v, _ := strings.Cut(p, "=")
			add(kind+" "+name, fmt.Sprintf("%q", v))
		}
	}
	add("instruction", k.Instruction)
	add("parent", k.Parent.String())
	add("inputs", k.Inputs.String())
	pairs("arg", k.Args)
	pairs("env", k.Env)
	add("user", k.User)
	add("workdir", k.Workdir)
	if len(k.Command) > 0 {
		add("command", fmt.Sprintf("%q", k.Command))
	}
	for _, m := range k.Mounts {
		add("mount "+target(m), m)
	}
	add("network", k.Network)
	for i, h := range k.Hosts {
		add(fmt.Sprintf("host %d", i+1), h)
	}
	if k.Epoch != 0 {
		add("epoch", fmt.Sprint(k.Epoch))
	}
	return list
}

// ShortDockerfile is the Dockerfile as seen from the context, if it lies in it.
func (b *BuildRecord) ShortDockerfile() string {
	if rel, err := filepath.Rel(b.Context, b.Dockerfile); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return b.Dockerfile
}
