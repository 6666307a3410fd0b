package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

const maxNamed = 3 // changes that a reason names; more are counted

// reason says why a step has to be carried out: what differs from the nearest earlier run.
func (st *stage) reason(step treeStep, key digest.Digest) string {
	s := st.session
	if s.opts.NoCache {
		return "the cache is not used: --no-cache was given"
	}
	near, ok := s.cache.history.nearest(st.planned.Index, step.key.Instruction)
	if !ok {
		return "never ran before"
	}
	if near == key {
		return "ran before, but its result is not kept any more"
	}
	old, err := s.cache.read(near)
	if err != nil {
		return "the result of the last run is not kept any more, so nothing can be compared"
	}
	if r := ownReason(old.Key, step.key); r != "" {
		return r
	}
	if old.Key.Inputs != step.key.Inputs {
		return inputReason(s.cache.inputs(near), step.inputs)
	}
	return st.parentReason(old.Key, step.key)
}

// ownReason compares what the step itself says.
func ownReason(old, now Key) string {
	switch {
	case old.Instruction != now.Instruction:
		return wordReason(old.Instruction, now.Instruction)
	case !slices.Equal(old.Args, now.Args):
		return "build argument " + listReason(old.Args, now.Args)
	case !slices.Equal(old.Env, now.Env):
		return "environment variable " + listReason(old.Env, now.Env)
	case old.User != now.User:
		return fmt.Sprintf("the user changed from %q to %q", old.User, now.User)
	case old.Workdir != now.Workdir:
		return fmt.Sprintf("the working directory changed from %q to %q", old.Workdir, now.Workdir)
	case !slices.Equal(old.Command, now.Command):
		return fmt.Sprintf("the command changed from %q to %q", old.Command, now.Command)
	case old.Epoch != now.Epoch:
		return fmt.Sprintf("SOURCE_DATE_EPOCH changed from %d to %d", old.Epoch, now.Epoch)
	}
	return ""
}

// wordReason names the first word that differs.
func wordReason(old, now string) string {
	a, b := strings.Fields(old), strings.Fields(now)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("the instruction changed: word %d, %q, is new", i+1, b[i])
		case i >= len(b):
			return fmt.Sprintf("the instruction changed: word %d, %q, is gone", i+1, a[i])
		case a[i] != b[i]:
			return fmt.Sprintf("the instruction changed: word %d was %q and is %q", i+1, a[i], b[i])
		}
	}
	return "the instruction changed: the space between its words differs"
}

// listReason names the first variable that differs.
func listReason(old, now []string) string {
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
			return fmt.Sprintf("%s is new: %q", k, v)
		}
		if before != v {
			return fmt.Sprintf("%s changed from %q to %q", k, before, v)
		}
	}
	for _, kv := range old {
		k, _, _ := strings.Cut(kv, "=")
		if _, gone := was[k]; gone {
			return k + " is gone"
		}
	}
	return "order changed"
}

// inputReason names the files that changed, were added or are gone.
func inputReason(old, now []Input) string {
	if len(old) == 0 && len(now) > 0 {
		return "the files to copy changed"
	}
	was := map[string]Input{}
	for _, in := range old {
		was[in.Path] = in
	}
	var changes []string
	for _, in := range now {
		before, ok := was[in.Path]
		delete(was, in.Path)
		if c := inputChange(before, in, ok); c != "" {
			changes = append(changes, c)
		}
	}
	for _, in := range old {
		if _, gone := was[in.Path]; gone {
			changes = append(changes, in.name()+" is gone")
		}
	}
	if len(changes) == 0 {
		return "the order of the sources changed"
	}
	text := strings.Join(changes[:min(len(changes), maxNamed)], "; ")
	if more := len(changes) - maxNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
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
func (st *stage) parentReason(old, now Key) string {
	if st.changed != "" {
		return "the tree below it changed: " + st.changed + " was carried out anew"
	}
	if old.Parent == now.Parent {
		return "never ran before"
	}
	return fmt.Sprintf("the base changed from %s to %s", shortChain(old.Parent), shortChain(now.Parent))
}

func shortChain(d digest.Digest) string {
	if d == "" {
		return "scratch"
	}
	return oci.ShortID(d)
}
