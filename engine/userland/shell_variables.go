package userland

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
)

// The interpreter asks the operating system for $$ and $PPID. A rewritten script asks for these variables instead.
const (
	varPID    = "_PID"
	varParent = "_PPID"
)

// variables is the environment with the variables that every shell has. They are not exported.
type variables struct {
	expand.Environ
	sh    *shell
	fixed map[string]string
}

func newVariables(sh *shell) *variables {
	v := &variables{Environ: expand.ListEnviron(sh.Environ...), sh: sh, fixed: map[string]string{
		"UID": strconv.Itoa(sh.User.UID), "EUID": strconv.Itoa(sh.User.UID), "GID": strconv.Itoa(sh.User.GID),
	}}
	pid, parent := 1, 0
	if sh.Procs != nil {
		pid, parent = sh.Procs.Self()
	}
	v.fixed[varPID], v.fixed[varParent] = strconv.Itoa(pid), strconv.Itoa(parent)
	v.fixed["BASHPID"] = v.fixed[varPID]
	if !v.Environ.Get("HOME").IsSet() {
		v.fixed["HOME"] = sh.home(strconv.Itoa(sh.User.UID), false)
	}
	if sh.Host != nil && !v.Environ.Get("HOSTNAME").IsSet() {
		if u, err := sh.Host.Uname(); err == nil {
			v.fixed["HOSTNAME"] = u.Nodename
		}
	}
	return v
}

// ownVariable tells whether every shell has a variable by itself, so that it needs not be handed on.
func ownVariable(name string) bool {
	return slices.Contains([]string{"IFS", "PWD", "OPTIND", "UID", "EUID", "GID", "HOME", "HOSTNAME", "BASHPID", varPID, varParent,
		"SECONDS", "EPOCHSECONDS", "EPOCHREALTIME"}, name)
}

// Get is the value of a variable that the script has not set.
func (v *variables) Get(name string) expand.Variable {
	if vr := v.Environ.Get(name); vr.IsSet() {
		return vr
	}
	if text, ok := v.fixed[name]; ok {
		return expand.Variable{Set: true, Kind: expand.String, Str: text, ReadOnly: slices.Contains([]string{"UID", "EUID", "GID"}, name)}
	}
	if user, ok := strings.CutPrefix(name, "HOME "); ok {
		if home := v.sh.home(user, true); home != "" {
			return expand.Variable{Set: true, Kind: expand.String, Str: home}
		}
		return expand.Variable{Set: true, Kind: expand.String, Str: "~" + user} // stays as it was written
	}
	if text, ok := v.clock(name); ok {
		return expand.Variable{Set: true, Kind: expand.String, Str: text}
	}
	return expand.Variable{}
}

// clock is the value of a variable that changes with time.
func (v *variables) clock(name string) (string, bool) {
	switch name {
	case "SECONDS":
		return strconv.Itoa(int(v.sh.now().Sub(v.sh.began).Seconds())), true
	case "EPOCHSECONDS":
		return strconv.FormatInt(v.sh.now().Unix(), 10), true
	case "EPOCHREALTIME":
		now := v.sh.now()
		return fmt.Sprintf("%d.%06d", now.Unix(), now.Nanosecond()/1000), true
	}
	return "", false
}

// Each visits the environment, then the shell's own.
func (v *variables) Each(f func(name string, vr expand.Variable) bool) {
	for name, vr := range v.Environ.Each {
		if !f(name, vr) {
			return
		}
	}
	for name := range v.fixed {
		if !v.Environ.Get(name).IsSet() && !f(name, v.Get(name)) {
			return
		}
	}
	for _, name := range []string{"SECONDS", "EPOCHSECONDS", "EPOCHREALTIME"} {
		if !v.Environ.Get(name).IsSet() && !f(name, v.Get(name)) {
			return
		}
	}
}

// home is the folder of a user, given by name or by number, as the machine's list of users has it; "" for one that it has not.
func (t *task) home(user string, byName bool) string {
	for _, a := range t.accounts("/etc/passwd") {
		if (byName && a.name == user || !byName && strconv.Itoa(a.id) == user) && len(a.rest) > 2 {
			return a.rest[2]
		}
	}
	return ""
}
