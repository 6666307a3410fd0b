package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

const maxNamed = 3 // changes that a reason names; more are counted

// Reason says why a step was not taken from the cache: the first thing in which its key differs from that of the nearest earlier run.
type Reason struct {
	Kind  string       `json:"kind"` // one of the Reason constants
	Text  string       `json:"text"` // one sentence, without its full stop
	Name  string       `json:"name,omitempty"`
	Old   string       `json:"old,omitempty"`
	New   string       `json:"new,omitempty"`
	Files []FileChange `json:"files,omitempty"` // all that changed, as far as they are known
	Cause string       `json:"cause,omitempty"` // the instruction that changed first, for a step that is the same itself
}

// The kinds of Reason.
const (
	ReasonNever       = "never"       // it never ran before
	ReasonForced      = "forced"      // the cache is not used
	ReasonGone        = "gone"        // it ran before, but its result is not kept
	ReasonInstruction = "instruction" // a word of it changed
	ReasonArg         = "arg"         // a build argument that it sees changed
	ReasonEnv         = "env"         // a variable of its environment changed
	ReasonSetting     = "setting"     // user, working folder, shell, network, time
	ReasonFiles       = "files"       // files that it reads changed
	ReasonParent      = "parent"      // a step below it changed
	ReasonBase        = "base"        // the base image changed
)

// FileChange is one file that a step reads, in which it differs from the last run.
type FileChange struct {
	Path string `json:"path"` // in the source
	Text string `json:"text"` // "src/main.go changed from 0123456789ab to ba9876543210"
	Old  *Input `json:"old,omitempty"`
	New  *Input `json:"new,omitempty"`
}

func because(kind, format string, args ...any) Reason {
	return Reason{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// reason says why a step has to be carried out: what differs from the nearest earlier run.
func (st *stage) reason(step treeStep, key digest.Digest) Reason {
	s := st.session
	if st.fresh {
		if s.opts.NoCache {
			return because(ReasonForced, "the cache is not used: --no-cache was given")
		}
		return because(ReasonForced, "the cache is not used: --no-cache-filter names this stage")
	}
	near, ok := s.story.nearest(st.planned.Index, st.places-1, step.key)
	if !ok {
		return because(ReasonNever, "never ran before")
	}
	if near == key && !st.unknown {
		return because(ReasonGone, "ran before, but its result is not kept any more")
	}
	old, err := s.cache.read(near)
	if err != nil {
		return because(ReasonGone, "the result of the last run is not kept any more, so nothing can be compared")
	}
	if r, ok := ownReason(old.Key, step.key); ok {
		return r
	}
	if old.Key.Inputs != step.key.Inputs {
		return inputReason(s.cache.inputs(near), step.inputs)
	}
	return st.parentReason(old.Key, step.key)
}

// ownReason compares what the step itself says.
func ownReason(old, now Key) (Reason, bool) {
	switch {
	case old.Instruction != now.Instruction && !slices.Equal(old.Args, now.Args):
		return listReason(ReasonArg, "build argument ", old.Args, now.Args), true // the instruction's text holds its arguments
	case old.Instruction != now.Instruction:
		return wordReason(old.Instruction, now.Instruction), true
	case !slices.Equal(old.Args, now.Args):
		return listReason(ReasonArg, "build argument ", old.Args, now.Args), true
	case !slices.Equal(old.Env, now.Env):
		return listReason(ReasonEnv, "environment variable ", old.Env, now.Env), true
	case !slices.Equal(old.Mounts, now.Mounts):
		return wordReason(strings.Join(old.Mounts, " "), strings.Join(now.Mounts, " ")), true
	}
	settings := []struct{ name, text, old, now string }{
		{"user", "the user changed from %q to %q", old.User, now.User},
		{"workdir", "the working directory changed from %q to %q", old.Workdir, now.Workdir},
		{"command", "the command changed from %s to %s", fmt.Sprintf("%q", old.Command), fmt.Sprintf("%q", now.Command)},
		{"network", "the network changed from %q to %q", old.Network, now.Network},
		{"hosts", "--add-host changed from %s to %s", fmt.Sprintf("%q", old.Hosts), fmt.Sprintf("%q", now.Hosts)},
		{"SOURCE_DATE_EPOCH", "SOURCE_DATE_EPOCH changed from %s to %s", fmt.Sprint(old.Epoch), fmt.Sprint(now.Epoch)},
	}
	for _, c := range settings {
		if c.old != c.now {
			r := because(ReasonSetting, c.text, c.old, c.now)
			r.Name, r.Old, r.New = c.name, c.old, c.now
			return r, true
		}
	}
	return Reason{}, false
}

// wordReason names the first word that differs.
func wordReason(old, now string) Reason {
	a, b := strings.Fields(old), strings.Fields(now)
	for i := range max(len(a), len(b)) {
		r := Reason{Kind: ReasonInstruction, Name: fmt.Sprintf("word %d", i+1)}
		switch {
		case i >= len(a):
			r.New, r.Text = b[i], fmt.Sprintf("the instruction changed: word %d, %q, is new", i+1, b[i])
		case i >= len(b):
			r.Old, r.Text = a[i], fmt.Sprintf("the instruction changed: word %d, %q, is gone", i+1, a[i])
		case a[i] != b[i]:
			r.Old, r.New, r.Text = a[i], b[i], fmt.Sprintf("the instruction changed: word %d was %q and is %q", i+1, a[i], b[i])
		default:
			continue
		}
		return r
	}
	return because(ReasonInstruction, "the instruction changed: the space between its words differs")
}

// listReason names the first variable that differs.
func listReason(kind, what string, old, now []string) Reason {
	was := map[string]string{}
	for _, kv := range old {
		k, v, _ := strings.Cut(kv, "=")
		was[k] = v
	}
	for _, kv := range now {
		k, v, _ := strings.Cut(kv, "=")
		before, ok := was[k]
		delete(was, k)
		if !ok {
			return Reason{Kind: kind, Name: k, New: v, Text: fmt.Sprintf("%s%s is new: %q", what, k, v)}
		}
		if before != v {
			return Reason{Kind: kind, Name: k, Old: before, New: v, Text: fmt.Sprintf("%s%s changed from %q to %q", what, k, before, v)}
		}
	}
	for _, kv := range old {
		k, v, _ := strings.Cut(kv, "=")
		if _, gone := was[k]; gone {
			return Reason{Kind: kind, Name: k, Old: v, Text: what + k + " is gone"}
		}
	}
	return because(kind, "%sorder changed", what)
}

// inputReason names the files that changed, were added or are gone.
func inputReason(old, now []Input) Reason {
	if len(old) == 0 && len(now) > 0 {
		return because(ReasonFiles, "the files to copy changed")
	}
	changes := inputChanges(old, now)
	if len(changes) == 0 {
		return because(ReasonFiles, "the order of the sources changed")
	}
	var named []string
	for _, c := range changes[:min(len(changes), maxNamed)] {
		named = append(named, c.Text)
	}
	text := strings.Join(named, "; ")
	if more := len(changes) - maxNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return Reason{Kind: ReasonFiles, Text: text, Files: changes}
}

// inputChanges lists changed and new files in the order of now, then those that are gone.
func inputChanges(old, now []Input) []FileChange {
	was := map[string]Input{}
	for _, in := range old {
		was[in.Path] = in
	}
	var changes []FileChange
	for _, in := range now {
		before, ok := was[in.Path]
		delete(was, in.Path)
		if text := inputChange(before, in, ok); text != "" {
			c := FileChange{Path: in.name(), Text: text, New: &in}
			if ok {
				c.Old = &before
			}
			changes = append(changes, c)
		}
	}
	for _, in := range old {
		if _, gone := was[in.Path]; gone {
			changes = append(changes, FileChange{Path: in.name(), Text: in.name() + " is gone", Old: &in})
		}
	}
	return changes
}

func (in Input) name() string {
	if in.Source != "" {
		return in.Source
	}
	return in.Path
}

func inputChange(old, now Input, existed bool) string {
	switch name := now.name(); {
	case !existed:
		return name + " is new"
	case old.Type != now.Type:
		return fmt.Sprintf("%s was a %s and is a %s", name, old.Type, now.Type)
	case old.Content != now.Content:
		return fmt.Sprintf("%s changed from %s to %s", name, oci.ShortID(old.Content), oci.ShortID(now.Content))
	case old.Mode != now.Mode:
		return fmt.Sprintf("%s changed its mode from %04o to %04o", name, old.Mode, now.Mode)
	case old.UID != now.UID || old.GID != now.GID:
		return fmt.Sprintf("%s changed its owner from %d:%d to %d:%d", name, old.UID, old.GID, now.UID, now.GID)
	case old.Link != now.Link:
		return fmt.Sprintf("%s pointed to %s and points to %s", name, old.Link, now.Link)
	}
	return ""
}

// parentReason is for a step that is the same itself.
func (st *stage) parentReason(old, now Key) Reason {
	if st.changed != "" {
		r := because(ReasonParent, "the tree below it changed: %s was carried out anew", st.changed)
		r.Cause = st.changed
		if st.session.opts.DryRun {
			r.Text = fmt.Sprintf("the tree below it may change: %s is to be carried out anew", st.changed)
		}
		return r
	}
	if old.Parent == now.Parent {
		return because(ReasonNever, "never ran before")
	}
	r := because(ReasonBase, "the base changed from %s to %s", shortChain(old.Parent), shortChain(now.Parent))
	r.Old, r.New = old.Parent.String(), now.Parent.String()
	return r
}

func shortChain(d digest.Digest) string {
	if d == "" {
		return "scratch"
	}
	return oci.ShortID(d)
}
