package container

import (
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// options are docker's --security-opt, read.
type options struct {
	noNewPrivs bool
	seccomp    string // as driver.Process has it
	appArmor   string
	labels     []string
}

// securityOptions reads them as docker's daemon does: KEY=VALUE, or with a colon as in the old days.
func securityOptions(words []string) (options, error) {
	var o options
	for _, w := range words {
		if w == "no-new-privileges" {
			o.noNewPrivs = true
			continue
		}
		if w == "disable" {
			o.labels = append(o.labels, w)
			continue
		}
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			key, value, ok = strings.Cut(w, ":")
		}
		if before, after, colon := strings.Cut(w, ":"); colon && before == "no-new-privileges" {
			key, value, ok = before, after, true
		}
		if !ok {
			return o, invalid("invalid --security-opt 1: %q", w)
		}
		if !o.set(key, value) {
			return o, invalid("invalid --security-opt 2: %q", w)
		}
	}
	return o, nil
}

func (o *options) set(key, value string) bool {
	switch key {
	case "no-new-privileges":
		on, err := strconv.ParseBool(value)
		o.noNewPrivs = on
		return err == nil
	case "seccomp":
		if o.seccomp = value; value == "builtin" {
			o.seccomp = ""
		}
	case "apparmor":
		o.appArmor = value
	case "label":
		o.labels = append(o.labels, value)
	default:
		return false
	}
	return true
}

// powers are the capabilities of a container's processes; nil for the usual ones.
func powers(h *container.HostConfig) ([]string, error) {
	add, err := capabilities("CapAdd", h.CapAdd)
	if err != nil {
		return nil, err
	}
	drop, err := capabilities("CapDrop", h.CapDrop)
	if err != nil || len(add)+len(drop) == 0 {
		return nil, err
	}
	kept := []string{}
	switch {
	case slices.Contains(add, allPowers):
		for _, c := range standard.AllCapabilities() {
			kept = append(kept, c.Name)
		}
		add = nil
	case !slices.Contains(drop, allPowers):
		kept = append(kept, standard.CapabilityNames()...)
	}
	kept = slices.DeleteFunc(kept, func(n string) bool { return slices.Contains(drop, n) })
	for _, n := range add {
		if !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

const allPowers = "ALL"

// capabilities gives names their prefix. Any case will do.
func capabilities(field string, words []string) ([]string, error) {
	var names []string
	for _, w := range words {
		n := strings.ToUpper(w)
		if n != allPowers && !strings.HasPrefix(n, "CAP_") {
			n = "CAP_" + n
		}
		if _, unknown := standard.CapabilityMask([]string{n}); unknown != "" && n != allPowers {
			return nil, invalid("invalid %s: unknown capability: %q", field, n)
		}
		names = append(names, n)
	}
	return names, nil
}
