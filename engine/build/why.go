package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
)

const (
	maxNamed  = 3   // changes that a reason names; more are counted
	maxListed = 100 // changes that a reason lists
)

// Reason says why a step was not taken from the cache: the first thing in which its key differs from that of the nearest earlier run.
type Reason struct {
	Kind  string       `json:"kind"` // one of the Reason constants
	Text  string       `json:"text"` // one sentence, without its full stop
	Name  string       `json:"name,omitempty"`
	Old   string       `json:"old,omitempty"`
	New   string       `json:"new,omitempty"`
	Files []FileChange `json:"files,omitempty"` // all that changed, as far as they are known
	More  int          `json:"more,omitempty"`  // further files that changed and are not listed
	Cause string       `json:"cause,omitempty"` // the instruction that changed first, for a step that is the same itself
	At    *Place       `json:"at,omitempty"`    // where that is
}

// Place is a step of a build that another one is explained by.
type Place struct {
	Stage     int    `json:"stage"`
	StageName string `json:"stage_name,omitempty"`
	Place     int    `json:"place"` // among the steps of the stage that make a tree
	Line      int    `json:"line"`
	Text      string `json:"text"`
	Gone      bool   `json:"gone,omitempty"` // the step is one of the earlier build, and there is none for it now
}

// The kinds of Reason.
const (
	ReasonNever       = "never"       // it never ran before
	ReasonForced      = "forced"      // the cache is not used
	ReasonGone        = "gone"        // it ran before, but its result is not kept
	ReasonFailed      = "failed"      // it ran before, and failed
	ReasonInstruction = "instruction" // a word of it changed
	ReasonArg         = "arg"         // a build argument that it sees changed
	ReasonEnv         = "env"         // a variable of its environment changed
	ReasonSetting     = "setting"     // user, working folder, shell, network, time
	ReasonMount       = "mount"       // something that is mounted changed
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

// reason says why a step has to be carried out: what differs from the nearest earlier run, which it notes.
func (st *stage) reason(step treeStep, note *StepRecord) Reason {
	s := st.session
	near, ok := st.nearest(s.cache, note, step)
	if ok {
		n := near.step
		note.Nearest = &Nearest{Build: near.build.ID, Line: n.Line, Text: n.Text, Key: n.Key, Parts: n.Parts, Seconds: n.Seconds, Bytes: n.Bytes}
	}
	switch {
	case st.fresh && s.opts.NoCache:
		return because(ReasonForced, "the cache is not used: --no-cache was given")
	case st.fresh:
		return because(ReasonForced, "the cache is not used: --no-cache-filter names this stage")
	case !ok:
		return because(ReasonNever, "never ran before")
	case near.step.Key == note.Key && !st.vague(step):
		return sameReason(near)
	}
	old := near.step.Parts
	if r, ok := variableReason(near.step, note); ok {
		return r
	}
	if r, ok := ownReason(old, step.key); ok {
		return st.inherited(near, r)
	}
	if step.unknown {
		return st.sourceReason(step)
	}
	if old.Inputs != step.key.Inputs {
		r := inputReason(s.cache.inputs(near.step.Key), step.inputs)
		if at := st.firstChanged(step.from); at != nil {
			r.At, r.Cause = at, at.Text
		}
		return r
	}
	return st.parentReason(near, note)
}

// sameReason is for a step that ran just so before.
func sameReason(near candidate) Reason {
	if near.step.Failed {
		return because(ReasonFailed, "ran before and failed, so there is no result")
	}
	return because(ReasonGone, "ran before, but its result is not kept any more")
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
		return mountReason(old.Mounts, now.Mounts), true
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

// mountReason names the first mount that differs.
func mountReason(old, now []string) Reason {
	for _, m := range now {
		if slices.Contains(old, m) {
			continue
		}
		for _, before := range old {
			if target(before) == target(m) {
				return Reason{Kind: ReasonMount, Name: target(m), Old: before, New: m, Text: fmt.Sprintf("the mount at %s changed from %s to %s", target(m), before, m)}
			}
		}
		return Reason{Kind: ReasonMount, Name: target(m), New: m, Text: fmt.Sprintf("the mount at %s is new: %s", target(m), m)}
	}
	for _, m := range old {
		if !slices.Contains(now, m) {
			return Reason{Kind: ReasonMount, Name: target(m), Old: m, Text: fmt.Sprintf("the mount at %s is gone: %s", target(m), m)}
		}
	}
	return because(ReasonMount, "the order of the mounts changed")
}

// target is where a mount goes, from its text in a key.
func target(text string) string {
	_, rest, _ := strings.Cut(text, "target=")
	t, _, _ := strings.Cut(rest, ",")
	if t == "" {
		return text
	}
	return t
}

// variableReason names the variable whose other value changed the text of an instruction that is written as before.
func variableReason(old, now *StepRecord) (Reason, bool) {
	if old.Text != now.Text || old.Instruction == now.Instruction || !slices.Equal(old.Parts.Args, now.Parts.Args) || slices.Equal(old.Vars, now.Vars) {
		return Reason{}, false
	}
	r := listReason(ReasonArg, "variable ", old.Vars, now.Vars)
	r.Text += ", and the instruction names it"
	return r, true
}

// variableNames lists the variables that the text of an instruction names, as $NAME or ${NAME...}.
func variableNames(text string) []string {
	var names []string
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
			continue
		}
		if text[i] != '$' {
			continue
		}
		rest := strings.TrimPrefix(text[i+1:], "{")
		n := 0
		for n < len(rest) && isNameByte(rest[n], n) {
			n++
		}
		if n > 0 && !slices.Contains(names, rest[:n]) {
			names = append(names, rest[:n])
		}
	}
	return names
}

func isNameByte(b byte, at int) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || at > 0 && b >= '0' && b <= '9'
}

// inputReason names the files that changed, were added or are gone.
func inputReason(old, now []Input) Reason {
	switch {
	case len(old) == 0 && len(now) > 0:
		return because(ReasonFiles, "the files that it reads changed; which ones is not known any more")
	case len(now) == 0 && len(old) > 0:
		return because(ReasonFiles, "the files that it reads changed")
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
	r := Reason{Kind: ReasonFiles, Text: text, Files: changes[:min(len(changes), maxListed)]}
	r.More = len(changes) - len(r.Files)
	return r
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
	case old.Content != now.Content && old.Size != now.Size:
		return fmt.Sprintf("%s changed from %s to %s, from %d to %d bytes", name, oci.ShortID(old.Content), oci.ShortID(now.Content), old.Size, now.Size)
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
